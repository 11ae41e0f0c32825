"""attempts(): what to try next, told what happened. A generator without I/O, clock or dice of its own.

flow = attempts(candidates, plan)
attempt = next(flow)                    # what to do, after waiting attempt.wait seconds
attempt = flow.send(Tried(...))         # until StopIteration, whose value is the Finish
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from image_router.core.decision import Candidate
from image_router.core.outcome import Cause, FailureScope, Kind, Outcome, Retry
from image_router.core.policy import RetryBudget
from image_router.core.types import Adaptation, OnAmbiguous


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What bounds the attempts. Times in seconds."""

    budget: RetryBudget
    deadline: float
    on_ambiguous: OnAmbiguous
    adapt: frozenset[Adaptation]
    dice: Callable[[], float]
    """Uniform in [0, 1): full jitter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    candidate: Candidate
    wait: float = 0.0
    timeout: float
    resend: bool = False
    """Sent again after an unknown outcome: may be paid twice."""
    rewrites: tuple[Adaptation, ...] = ()
    """What earlier answers of this model asked for and the plan allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    outcome: Outcome
    elapsed: float
    """Seconds since the request began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The last outcome and why nothing more was tried."""

    outcome: Outcome
    candidate: Candidate
    why: str


Flow = Generator[Try, Tried, Finish]

# One rewriting each, only where the policy or the request lists it.
_REWRITES = {
    Cause.BAD_REFERENCE: Adaptation.REENCODE_REFERENCE,
    Cause.MISSING_SIGNATURE: Adaptation.FLATTEN_HISTORY,
    Cause.DECLINED: Adaptation.IMAGE_PREFIX,
    Cause.TEXT_INSTEAD: Adaptation.IMAGE_PREFIX,
    Cause.EMPTY: Adaptation.IMAGE_PREFIX,
}
_HEAL_ELSEWHERE = (FailureScope.REQUEST, FailureScope.MODEL)


@dataclass(slots=True)
class _Used:
    """How much of one model's budget is used."""

    capacity: int = 0
    content: int = 0
    rewrites: list[Adaptation] = field(default_factory=list)
    resent: bool = False


def attempts(candidates: Sequence[Candidate], plan: Plan, *, elapsed: float = 0.0) -> Flow:
    """Try the first candidate within its budget, then fail over to the next ones on another model.

    `elapsed` is what of the deadline is gone before the first try; it must leave something.
    """
    resent = False
    tried: list[str] = []
    for candidate in candidates:
        if candidate.model.id in tried:
            continue
        tried.append(candidate.model.id)
        used = _Used(resent=resent)
        attempt: Try | None = Try(candidate=candidate, timeout=plan.deadline - elapsed)
        while attempt is not None:
            report = yield attempt
            outcome, elapsed = report.outcome, report.elapsed
            if outcome.kind is Kind.IMAGE:
                return Finish(outcome=outcome, candidate=candidate, why="made")
            attempt = _again(candidate, outcome, plan.deadline - elapsed, used, plan)
        resent = used.resent
        if why := _stop(outcome, elapsed, len(tried), plan):
            return Finish(outcome=outcome, candidate=candidate, why=why)
    return Finish(outcome=outcome, candidate=candidate, why="no other model may serve")


def _again(candidate: Candidate, outcome: Outcome, left: float, used: _Used, plan: Plan) -> Try | None:
    """Another try on the same model, or None. Rewritings stay for all later tries of the model."""
    wait, resend = 0.0, False
    if left <= 0:
        return None
    rewrite = _REWRITES.get(outcome.cause)
    if rewrite in plan.adapt and rewrite not in used.rewrites:
        used.rewrites.append(rewrite)
    elif outcome.retry is Retry.CAPACITY and used.capacity + 1 < plan.budget.capacity_tries:
        wait = _wait(outcome, used, plan)
        used.capacity += 1
    elif outcome.retry is Retry.CONTENT and used.content < plan.budget.content_repeats:
        used.content += 1
    elif outcome.retry is Retry.AMBIGUOUS and plan.on_ambiguous is OnAmbiguous.ONCE and not used.resent:
        used.resent = resend = True
    else:
        return None
    if wait >= left:
        return None
    return Try(
        candidate=candidate, wait=wait, timeout=left - wait, resend=resend, rewrites=tuple(used.rewrites)
    )


def _wait(outcome: Outcome, used: _Used, plan: Plan) -> float:
    """Full jitter, and never less than the provider asks for."""
    longest = min(plan.budget.longest_wait, plan.budget.first_wait * 2.0**used.capacity)
    return max(outcome.retry_after or 0.0, plan.dice() * longest)


def _stop(outcome: Outcome, elapsed: float, models_tried: int, plan: Plan) -> str | None:
    """Why not to fail over, or None."""
    if outcome.retry is Retry.NEVER:
        return "no other attempt can help"
    if outcome.retry is Retry.AMBIGUOUS:
        return "the outcome is unknown and may have been billed"
    if outcome.scope not in _HEAL_ELSEWHERE:
        return f"the {outcome.scope} is the cause, not the model"
    if models_tried > plan.budget.failovers:
        return f"{models_tried} models tried"
    if elapsed >= plan.deadline:
        return f"the deadline of {plan.deadline:g} s passed"
    return None
