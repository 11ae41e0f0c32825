"""The text call that shortens a prompt before its pictures are made: through the same door, on the same hold.

The money is part of the request's hold, so a text call is never paid for pictures that cannot be. What comes
of it is a decision: with the shortened prompt, or with the prompt as it was asked and a warning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from image_router.core.catalog import TextModel
from image_router.core.decision import Compression, Decision
from image_router.core.errors import ProviderError
from image_router.core.events import PromptShortened
from image_router.core.failover import Plan
from image_router.core.holds import PROMPT_INDEX
from image_router.core.outcome import Billed, Cause, Kind, Outcome, Retry, chargeable, classify_words
from image_router.core.rates import Cost
from image_router.core.results import Attempt
from image_router.core.text_calls import (
    TextCall,
    call_of,
    objection,
    price_of_words,
    with_answer,
    without_answer,
)
from image_router.core.types import Tier
from image_router.engine.admission import Ask, Refusal
from image_router.engine.door import CALL_TIME, Passage, passing
from image_router.engine.jobs import Tools
from image_router.engine.sending import surely
from image_router.engine.watching import Watch

PATIENCE = 60.0
"""Seconds a text call may take, of a longer deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A decided request on its way to the text model."""

    request_id: str
    decision: Decision
    step: Compression
    plan: Plan
    watch: Watch
    started: float
    """The clock when the request began."""


@dataclass(frozen=True, slots=True)
class Shortened:
    """The decision to go on with, and what it took."""

    decision: Decision
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class _Writer:
    """The text model as the books see it."""

    call: TextCall
    tier: Tier | None = None

    @property
    def model(self) -> TextModel:
        return self.call.model


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: Outcome
    attempt: Attempt | None = None
    """None: nothing was sent."""
    objection: str = ""


async def shortened(errand: Errand, tools: Tools) -> Shortened:
    """Have the prompt shortened, tried again while the provider has no capacity.

    Raises RequestRejected with the attempts where no candidate reads the prompt as it was asked, and
    BudgetExceeded, HoldExpired or StorageError where the call may not be sent.
    """
    step, tries = errand.step, errand.plan.budget.capacity_tries
    call, attempts = call_of(step, errand.decision.request.prompt), list[Attempt]()
    for number in range(1, tries + 1):
        answer = await _asked(errand, tools, call, number)
        attempts += filter(None, (answer.attempt,))
        if answer.outcome.retry is not Retry.CAPACITY or number == tries:
            break
        wait = max(answer.outcome.retry_after or 0.0, errand.plan.dice() * errand.plan.budget.first_wait)
        if tools.clock() + wait >= errand.started + errand.plan.deadline:
            break
        with errand.watch.away():
            await tools.sleep(wait)
    try:
        decision = _decided(errand, answer)
    except ProviderError as error:
        error.attempts = tuple(attempts)
        _announce(
            errand, tools, replace(errand.decision, compression=replace(step, refused=str(error))), attempts
        )
        raise
    _announce(errand, tools, decision, attempts)
    return Shortened(decision, tuple(attempts))


def _announce(errand: Errand, tools: Tools, decision: Decision, attempts: list[Attempt]) -> None:
    tools.announce(PromptShortened(request_id=errand.request_id, decision=decision, attempts=tuple(attempts)))


def _decided(errand: Errand, answer: _Answer) -> Decision:
    outcome = answer.outcome
    if outcome.kind is Kind.WORDS and not answer.objection:
        return with_answer(errand.decision, outcome.text.strip(), step=errand.step)
    why = answer.objection or f"{outcome.cause}, {outcome.detail or outcome.reason or 'no words came'}"
    return without_answer(errand.decision, why, step=errand.step)


async def _asked(errand: Errand, tools: Tools, call: TextCall, number: int) -> _Answer:
    """One try: a turn at the door, then the call."""
    step, left = errand.step, errand.started + errand.plan.deadline - tools.clock()
    ask = Ask(
        model=call.model.id,
        scope=errand.decision.request.scope,
        dollars=step.ceiling,
        tokens=step.quote.lines[0].units if step.quote else 0,
        images=0,
    )
    permit = await tools.door.admit(ask, patience=max(0.0, left - CALL_TIME))
    if permit.queued:
        errand.watch.was_away(permit.waited)
    if isinstance(permit, Refusal):
        return _Answer(permit.outcome)
    async with passing(tools.door, permit) as passage:
        await tools.account.sent(
            index=PROMPT_INDEX, number=number, candidate=_Writer(call), at_risk=step.ceiling
        )
        passage.sent = True
        with errand.watch.away():
            provider, timeout = permit.member.provider, max(1.0, min(PATIENCE, left - permit.waited))
            reply = await provider.write(call, timeout=timeout)
        return await surely(_booked(errand, tools, number, outcome=classify_words(reply), passage=passage))


async def _booked(
    errand: Errand, tools: Tools, number: int, *, outcome: Outcome, passage: Passage
) -> _Answer:
    """Look the answer over, write its cost down and report it."""
    wrong = ""
    if outcome.kind is Kind.WORDS:
        wrong = objection(errand.decision.request.prompt, outcome.text.strip(), step=errand.step)
    attempt = _attempt(errand.step, tools, number, outcome=outcome, wrong=wrong)
    await tools.account.settled(attempt, index=PROMPT_INDEX, size=None)
    unknown = attempt.billed is Billed.UNKNOWN
    seen = await passage.report(outcome, spent=None if unknown else attempt.cost.total)
    return _Answer(seen, attempt, wrong)


def _attempt(step: Compression, tools: Tools, number: int, *, outcome: Outcome, wrong: str) -> Attempt:
    usage, model = chargeable(outcome), step.model
    if model is None:
        raise AssertionError("a compression that is done has a model")
    return Attempt(
        number=number,
        model=model.id,
        tier=None,
        kind=outcome.kind,
        cause=Cause.COMPRESSION_REJECTED if wrong else outcome.cause,
        detail=wrong or outcome.detail,
        billed=outcome.billed,
        cost=price_of_words(usage, model, card=tools.card) if usage else Cost(),
        at_risk=step.ceiling if outcome.billed is Billed.UNKNOWN else 0,
        usage=outcome.usage,
        response_id=outcome.response_id,
        elapsed=outcome.elapsed,
    )
