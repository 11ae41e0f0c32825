"""attempts(): what to try next, told what happened. A generator without I/O, clock or dice of its own.

flow = attempts(candidates, plan)
attempt = next(flow)                    # what to do, after waiting attempt.wait seconds
attempt = flow.send(Tried(...))         # until StopIteration, whose value is the Finish
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from image_router.core.decision import Candidate
from image_router.core.money import Nanos, show_usd
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
    max_image: Nanos | None = None
    """No further attempt where it could bring one image above this."""
    max_total: Nanos | None = None
    """The same for the whole request."""


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
    spent: Nanos = 0
    """On this image so far, with what is at risk."""
    spent_in_all: Nanos = 0
    """On all images of the request so far, with what is at risk."""


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
    """How much of the budget is used. Patience and rewritings begin anew with each model; repeats for the
    content's sake and sending after an unknown outcome do not, since each may be paid."""

    capacity: int = 0
    rewrites: list[Adaptation] = field(default_factory=list)
    content: int = 0
    resent: bool = False

    def begin_model(self) -> None:
        self.capacity, self.rewrites = 0, []


def attempts(candidates: Sequence[Candidate], plan: Plan, *, elapsed: float = 0.0) -> Flow:
    """Try the first candidate within its budget, then fail over to the next ones on another model.

    `elapsed` is what of the deadline is gone before the first try; it must leave something.
    """
    used, tried = _Used(), list[str]()
    report: Tried | None = None
    dear = ""
    for candidate in candidates:
        if candidate.model.id in tried:
            continue
        if report and (why := _dear(candidate, report, plan)):
            dear = why
            continue
        tried.append(candidate.model.id)
        report, why = yield from _on_model(candidate, used, plan, elapsed=elapsed)
        elapsed = report.elapsed
        finish = Finish(outcome=report.outcome, candidate=candidate, why=why)
        if why:
            return finish
        if stop := _stop(report.outcome, elapsed, len(tried), plan):
            return replace(finish, why=stop)
    return replace(finish, why=dear or "no other model may serve")


def _on_model(
    candidate: Candidate, used: _Used, plan: Plan, *, elapsed: float
) -> Generator[Try, Tried, tuple[Tried, str]]:
    """All tries on one model: the last report, and why that ends everything ('' when it does not)."""
    used.begin_model()
    attempt: Try | None = Try(candidate=candidate, timeout=plan.deadline - elapsed)
    while attempt is not None:
        report = yield attempt
        if report.outcome.kind is Kind.IMAGE:
            return report, "made"
        attempt = _again(candidate, report.outcome, plan.deadline - report.elapsed, used, plan)
        if attempt and (why := _dear(candidate, report, plan)):
            return report, why
    return report, ""


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


def _dear(candidate: Candidate, report: Tried, plan: Plan) -> str | None:
    return too_dear(candidate, plan, spent=report.spent, spent_in_all=report.spent_in_all)


def too_dear(candidate: Candidate, plan: Plan, *, spent: Nanos, spent_in_all: Nanos) -> str | None:
    """Why another attempt is not made, once earlier ones were paid or may have been."""
    next_one = candidate.quote.per_image
    for name, limit, so_far in (
        ("max_cost", plan.max_image, spent),
        ("max_total", plan.max_total, spent_in_all),
    ):
        if limit is not None and so_far and so_far + next_one > limit:
            return (
                f"{show_usd(so_far)} is spent, at risk or due, and another {show_usd(next_one)} would pass "
                f"{name} {show_usd(limit)}"
            )
    return None


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
