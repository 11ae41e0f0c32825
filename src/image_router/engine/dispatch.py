"""Drives attempts() against a provider for one image: waits, calls, judges, prices, announces."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import TypeVar

from image_router.core.causes import Cause
from image_router.core.decision import Candidate, Decision
from image_router.core.errors import (
    BudgetExceeded,
    HoldExpired,
    ImageRouterError,
    ProviderTimeout,
    StorageError,
)
from image_router.core.events import (
    AttemptEnded,
    AttemptLost,
    AttemptRefused,
    AttemptSent,
    AttemptStarted,
    Sink,
)
from image_router.core.failover import Finish, Flow, Plan, Tried, Try, attempts
from image_router.core.failures import error_for
from image_router.core.money import Nanos
from image_router.core.outcome import Billed, Kind, Outcome, chargeable, classify, expected_of
from image_router.core.rates import Cost, RateCard, price, quote
from image_router.core.reply import Reply, ReplyImage
from image_router.core.results import Attempt, GeneratedImage
from image_router.core.storing import CacheMode
from image_router.core.types import Adaptation, Dialect
from image_router.engine import media
from image_router.engine.accounts import Account, NoAccount
from image_router.engine.admission import Ask, Permit, Refusal
from image_router.engine.calls import call_for
from image_router.engine.door import CALL_TIME, Door, Passage, passing
from image_router.engine.shelf import NoShelf, Paid, Shelf
from image_router.engine.watching import Watch
from image_router.providers import gemini_wire
from image_router.providers.base import Call

T = TypeVar("T")
_log = logging.getLogger(__name__)

_REWRITTEN = {
    Adaptation.REENCODE_REFERENCE: "the references were re-encoded after the provider could not read them",
    Adaptation.FLATTEN_HISTORY: "the history went as its last picture after the provider missed a signature",
    Adaptation.IMAGE_PREFIX: "the prompt was sent again as an explicit wish for an image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What dispatching needs from outside; tests hand in their own clock and sleep."""

    door: Door
    card: RateCard
    announce: Sink
    account: Account = field(default_factory=NoAccount)
    shelf: Shelf = field(default_factory=NoShelf)
    cache: CacheMode = CacheMode.BYPASS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(slots=True)
class Tally:
    """What all images of a request have cost so far, with what is at risk."""

    spent: Nanos = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One of the n images of a request; all of them share its deadline."""

    request_id: str
    index: int
    decision: Decision
    plan: Plan
    started: float
    """The clock when the request began."""
    tally: Tally = field(default_factory=Tally)
    watch: Watch = field(default_factory=Watch)
    """Of the whole request, for the time that is not ours."""


@dataclass(frozen=True, slots=True)
class _Answer:
    step: Try
    call: Call
    reply: Reply
    outcome: Outcome
    attempt: Attempt
    image: GeneratedImage | None = None


@dataclass(slots=True)
class _Run:
    """One job on its way: what was tried, and when it began."""

    job: Job
    tools: Tools
    tried: list[Attempt] = field(default_factory=list)
    answer: _Answer | None = None
    """Of the last call that was made."""
    asked: str | None = None
    """Model of the last step, sent or not."""

    @property
    def elapsed(self) -> float:
        return self.tools.clock() - self.job.started

    def sending(self, step: Try, permit: Permit) -> AttemptSent:
        """The call that leaves now, as an event; it is announced."""
        sent = AttemptSent(
            request_id=self.job.request_id,
            index=self.job.index,
            number=len(self.tried) + 1,
            candidate=step.candidate,
            request=self.job.decision.request,
            after=self.asked,
            waited=permit.waited if permit.queued else 0.0,
        )
        self.asked = step.candidate.model.id
        self.tools.announce(sent)
        return sent

    def refused(self, step: Try, cause: Cause) -> None:
        """The step was not sent; that is announced."""
        self.asked = step.candidate.model.id
        self.tools.announce(
            AttemptRefused(
                request_id=self.job.request_id,
                index=self.job.index,
                number=len(self.tried) + 1,
                model=self.asked,
                cause=cause,
            )
        )

    def note(self, attempt: Attempt) -> None:
        self.tried.append(attempt)
        self.job.tally.spent += attempt.cost.total + attempt.at_risk

    def report(self, outcome: Outcome) -> Tried:
        spent = sum(attempt.cost.total + attempt.at_risk for attempt in self.tried)
        return Tried(outcome=outcome, elapsed=self.elapsed, spent=spent, spent_in_all=self.job.tally.spent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """Either an image or an error, and every attempt with its cost."""

    image: GeneratedImage | None
    error: ImageRouterError | None
    attempts: tuple[Attempt, ...]


async def dispatch(job: Job, tools: Tools) -> Dispatched:
    """Make one image, as often and as long as the plan allows. Raises nothing the provider causes."""
    run = _Run(job=job, tools=tools)
    if run.elapsed >= job.plan.deadline:
        return _too_late(job)
    flow: Flow = attempts(job.decision.candidates, job.plan, elapsed=run.elapsed)
    step = next(flow)
    while True:
        try:
            outcome = await _attempt(run, step)
        except (BudgetExceeded, HoldExpired, StorageError) as refusal:
            return Dispatched(image=None, error=refusal, attempts=tuple(run.tried))
        try:
            step = flow.send(run.report(outcome))
        except StopIteration as end:
            return _ended(run, end.value)


def _too_late(job: Job) -> Dispatched:
    model = job.decision.head.model.id
    error = ProviderTimeout(
        f"{model}: the deadline of {job.plan.deadline:g} s for the whole request passed before image "
        f"{job.index + 1} was begun; nothing was sent for it. Ask for fewer images or a longer deadline.",
        model=model,
    )
    return Dispatched(image=None, error=error, attempts=())


async def _attempt(run: _Run, step: Try) -> Outcome:
    """Wait for a turn, then call; a turn that is refused is an outcome too, and costs nothing."""
    job, tools = run.job, run.tools
    tools.announce(
        AttemptStarted(
            request_id=job.request_id,
            index=job.index,
            number=len(run.tried) + 1,
            model=step.candidate.model.id,
            wait=step.wait,
        )
    )
    if step.wait:
        with job.watch.away():
            await tools.sleep(step.wait)
    ask = Ask.of(step.candidate, job.decision.request)
    permit = await tools.door.admit(ask, patience=max(0.0, step.timeout - CALL_TIME))
    if permit.queued:
        job.watch.was_away(permit.waited)
    if isinstance(permit, Refusal):
        run.refused(step, permit.cause)
        return permit.outcome
    async with passing(tools.door, permit) as passage:
        return await _send(run, step, passage)


async def _send(run: _Run, step: Try, passage: Passage) -> Outcome:
    job, tools, number = run.job, run.tools, len(run.tried) + 1
    call = await asyncio.to_thread(call_for, job.decision.request, step.candidate, rewrites=step.rewrites)
    at_risk = _ceiling(call, tools.card)
    await tools.account.sent(index=job.index, number=number, candidate=step.candidate, at_risk=at_risk)
    passage.sent = True
    sent = run.sending(step, passage.permit)
    reply = await _called(run, call, passage.permit, timeout=step.timeout, sent=sent)
    reply = await asyncio.to_thread(media.inspected, reply)
    outcome = classify(reply, expected_of(call.model, call.parameters, request=call.request))
    attempt = _priced(run, step.candidate, call, outcome)
    run.note(attempt)
    answer = _Answer(step, call, reply, outcome, attempt)
    run.answer = await _surely(_booked(run, answer))
    tools.announce(AttemptEnded(request_id=job.request_id, index=job.index, attempt=attempt, sent=sent))
    unknown = attempt.billed is Billed.UNKNOWN
    return await passage.report(outcome, spent=None if unknown else attempt.cost.total)


async def _called(run: _Run, call: Call, permit: Permit, *, timeout: float, sent: AttemptSent) -> Reply:
    """The call itself. When the caller goes away meanwhile, what it may cost is announced."""
    began = run.tools.clock()
    try:
        with run.job.watch.away():
            return await permit.member.provider.generate(call, timeout=timeout - permit.waited)
    except asyncio.CancelledError:
        lost = _ceiling(call, run.tools.card)
        run.tools.announce(AttemptLost(sent=sent, at_risk=lost, elapsed=run.tools.clock() - began))
        raise


async def _surely(work: Coroutine[None, None, T]) -> T:
    """Also when the caller is cancelled: what was paid is stored and written down first."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _booked(run: _Run, answer: _Answer) -> _Answer:
    """Settle the attempt; a picture's bytes are safe before that, and its row comes with it."""
    job, account, size = run.job, run.tools.account, answer.call.parameters.size
    picture = answer.outcome.image
    if picture is None or answer.outcome.kind is not Kind.IMAGE:
        await account.settled(answer.attempt, index=job.index, size=size)
        return answer
    image = await asyncio.to_thread(_image, job, answer, picture)
    paid = Paid(
        image=image,
        decision=job.decision,
        candidate=answer.step.candidate,
        attempt=answer.attempt,
        hold_id=account.hold_id,
        allowed=job.plan.adapt,
        cache=run.tools.cache,
    )
    troubles: list[str] = []
    try:
        async with run.tools.shelf.placing(paid) as placed:
            troubles += filter(None, (placed.trouble,))
            await account.settled(answer.attempt, index=job.index, size=size, row=placed.row)
    except ImageRouterError as problem:
        troubles.append(_unsettled(problem))
    return replace(answer, image=replace(image, warnings=(*image.warnings, *troubles)))


def _unsettled(problem: ImageRouterError) -> str:
    """A paid picture is returned, whatever becomes of the books."""
    words = (
        f"the picture is paid, and its cost could not be written down: {problem}. Until the books can be "
        f"written it counts as unknown (image-router ledger unknowns)"
    )
    _log.error("%s", words)
    return words


def _priced(run: _Run, candidate: Candidate, call: Call, outcome: Outcome) -> Attempt:
    usage = chargeable(outcome)
    lane, size = call.request.lane, call.parameters.size
    cost = price(usage, call.model, size=size, card=run.tools.card, lane=lane) if usage else Cost()
    unknown = outcome.billed is Billed.UNKNOWN
    return Attempt(
        number=len(run.tried) + 1,
        model=call.model.id,
        tier=candidate.tier,
        kind=outcome.kind,
        cause=outcome.cause,
        detail=outcome.detail,
        billed=outcome.billed,
        cost=cost,
        at_risk=_ceiling(call, run.tools.card) if unknown else 0,
        usage=outcome.usage,
        images=len(outcome.extras) + (outcome.image is not None),
        response_id=outcome.response_id,
        elapsed=outcome.elapsed,
    )


def _ceiling(call: Call, card: RateCard) -> Nanos:
    """The most one call for one image may cost."""
    return quote(call.request, call.model, parameters=call.parameters, card=card).ceiling // call.request.n


def _ended(run: _Run, finish: Finish) -> Dispatched:
    tried, answer = tuple(run.tried), run.answer
    if answer is None or answer.image is None or finish.outcome.kind is not Kind.IMAGE:
        error = error_for(finish.outcome, model=finish.candidate.model.id, attempts=tried, stopped=finish.why)
        return Dispatched(image=None, error=error, attempts=tried)
    return Dispatched(image=answer.image, error=None, attempts=tried)


def _image(job: Job, answer: _Answer, picture: ReplyImage) -> GeneratedImage:
    candidate, outcome, facts = answer.step.candidate, answer.outcome, picture.facts
    if facts is None:
        raise AssertionError("an image outcome has inspected bytes")
    talks = answer.call.model.dialect is Dialect.GENERATE_CONTENT
    return GeneratedImage(
        data=picture.data,
        media_type=facts.media_type,
        pixels=facts.pixels,
        digest=facts.digest,
        tier=candidate.tier,
        model=candidate.model.id,
        cost=answer.attempt.cost,
        usage=outcome.usage,
        request_id=job.request_id,
        response_id=outcome.response_id,
        index=job.index,
        extras=tuple(extra.data for extra in outcome.extras),
        text=outcome.text,
        warnings=(
            *(change.detail for change in candidate.adapted),
            *(_REWRITTEN[kind] for kind in answer.step.rewrites),
            *_moved(job, candidate),
            *outcome.warnings,
        ),
        conversation=gemini_wire.conversation_after(answer.call, answer.reply, image=picture)
        if talks
        else None,
    )


def _moved(job: Job, candidate: Candidate) -> tuple[str, ...]:
    head = job.decision.head
    if candidate.model.id == head.model.id:
        return ()
    return (f"{candidate.model.id} made it after {head.model.id} failed",)
