"""One call: sent, judged, priced, settled, its picture made safe, and announced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import TypeVar

from image_router.core.errors import ImageRouterError
from image_router.core.events import AttemptEnded, AttemptLost
from image_router.core.failover import Try
from image_router.core.money import Nanos
from image_router.core.outcome import Billed, Kind, Outcome, chargeable, classify, expected_of
from image_router.core.rates import Cost, RateCard, price, quote
from image_router.core.reply import Reply, ReplyImage
from image_router.core.results import Attempt, GeneratedImage
from image_router.core.types import Adaptation, Dialect
from image_router.engine import media
from image_router.engine.admission import Permit
from image_router.engine.calls import call_for
from image_router.engine.door import Passage
from image_router.engine.hedging import lost_race
from image_router.engine.jobs import Job, Run, Shot, Taken
from image_router.engine.shelf import Paid
from image_router.providers import gemini_wire
from image_router.providers.aside import aside
from image_router.providers.base import Call

T = TypeVar("T")
_log = logging.getLogger(__name__)

_REWRITTEN = {
    Adaptation.REENCODE_REFERENCE: "the references were re-encoded after the provider could not read them",
    Adaptation.FLATTEN_HISTORY: "the history went as its last picture after the provider missed a signature",
    Adaptation.IMAGE_PREFIX: "the prompt was sent again as an explicit wish for an image",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    shot: Shot
    call: Call
    reply: Reply
    outcome: Outcome
    attempt: Attempt
    image: GeneratedImage | None = None


async def send(run: Run, shot: Shot, *, passage: Passage) -> Taken:
    """Make the call. Cancelled before the reply it stays unsettled; after it, what was paid is written down
    first.

    Raises BudgetExceeded, HoldExpired or StorageError where it may not be sent: then nothing was.
    """
    job, tools, step = run.job, run.tools, shot.step
    call = await _call(job, step)
    shot.at_risk = _ceiling(shot, call, tools.card)
    await tools.account.sent(
        index=job.index, number=shot.number, candidate=step.candidate, at_risk=shot.at_risk
    )
    passage.sent = True
    reply = await _called(run, shot, call, permit=passage.permit)
    return await surely(_ended(run, shot, call, reply=reply, passage=passage))


async def _call(job: Job, step: Try) -> Call:
    request, candidate = job.decision.request, step.candidate
    kinds = (*(change.kind for change in candidate.adapted), *step.rewrites)
    if Adaptation.REENCODE_REFERENCE in kinds:
        return await asyncio.to_thread(call_for, request, candidate, rewrites=step.rewrites)
    return call_for(request, candidate, rewrites=step.rewrites)


async def _called(run: Run, shot: Shot, call: Call, *, permit: Permit) -> Reply:
    """The call itself. When nobody waits for it any more, what it may cost is announced."""
    sent = run.sending(shot, permit)
    try:
        with run.job.watch.away():
            return await permit.member.provider.generate(call, timeout=shot.step.timeout - permit.waited)
    except asyncio.CancelledError:
        elapsed = run.tools.clock() - shot.began
        run.tools.announce(AttemptLost(sent=sent, at_risk=shot.at_risk, elapsed=elapsed))
        raise


async def _ended(run: Run, shot: Shot, call: Call, *, reply: Reply, passage: Passage) -> Taken:
    tools = run.tools
    reply = await aside(media.weight_of(reply), media.inspected, reply)
    outcome = classify(reply, expected_of(call.model, call.parameters, request=call.request))
    if outcome.kind is Kind.IMAGE:
        tools.hedging.observe(shot.model, tools.clock() - shot.began)
    attempt = _priced(run, shot, call, outcome)
    run.note(attempt)
    answer = await _booked(run, _Answer(shot, call, reply, outcome, attempt))
    if shot.sent:
        tools.announce(
            AttemptEnded(request_id=run.job.request_id, index=run.job.index, attempt=attempt, sent=shot.sent)
        )
    spent = None if attempt.billed is Billed.UNKNOWN else attempt.cost.total
    seen = await passage.report(outcome, spent=spent)
    return Taken(shot=shot, outcome=seen, attempt=attempt, image=answer.image)


async def give_up(run: Run, shot: Shot, *, winner: Shot) -> None:
    """Write down a call that was cancelled because another was first: it may be billed."""
    seconds = run.tools.clock() - shot.began
    outcome = lost_race(seconds, winner.model)
    candidate = shot.step.candidate
    attempt = Attempt(
        number=shot.number,
        model=shot.model,
        tier=candidate.tier,
        kind=outcome.kind,
        cause=outcome.cause,
        detail=outcome.detail,
        billed=outcome.billed,
        cost=Cost(),
        at_risk=shot.at_risk,
        elapsed=seconds,
    )
    run.note(attempt)
    try:
        await surely(run.tools.account.settled(attempt, index=run.job.index, size=candidate.parameters.size))
    except ImageRouterError as problem:
        _log.error("the loser of a race on %s is not settled, and counts as unknown: %s", shot.model, problem)


async def surely(work: Coroutine[None, None, T]) -> T:
    """Also when the caller is cancelled: what was paid is stored and written down first."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _booked(run: Run, answer: _Answer) -> _Answer:
    """Settle the attempt; a picture's bytes are safe before that, and its row comes with it."""
    job, account, size = run.job, run.tools.account, answer.call.parameters.size
    picture = answer.outcome.image
    if picture is None or answer.outcome.kind is not Kind.IMAGE:
        await account.settled(answer.attempt, index=job.index, size=size)
        return answer
    image = _image(job, answer, picture)
    paid = Paid(
        image=image,
        decision=job.decision,
        candidate=answer.shot.step.candidate,
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
        f"the picture is paid, and its cost could not be written down: {str(problem).rstrip('.')}. Until the "
        f"books can be written it counts as unknown (image-router ledger unknowns)"
    )
    _log.error("%s", words)
    return words


def _priced(run: Run, shot: Shot, call: Call, outcome: Outcome) -> Attempt:
    usage = chargeable(outcome)
    lane, size = call.request.lane, call.parameters.size
    cost = price(usage, call.model, size=size, card=run.tools.card, lane=lane) if usage else Cost()
    unknown = outcome.billed is Billed.UNKNOWN
    return Attempt(
        number=shot.number,
        model=call.model.id,
        tier=shot.step.candidate.tier,
        kind=outcome.kind,
        cause=outcome.cause,
        detail=outcome.detail,
        billed=outcome.billed,
        cost=cost,
        at_risk=shot.at_risk if unknown else 0,
        usage=outcome.usage,
        images=len(outcome.extras) + (outcome.image is not None),
        response_id=outcome.response_id,
        elapsed=outcome.elapsed,
    )


def _ceiling(shot: Shot, call: Call, card: RateCard) -> Nanos:
    """The most one call for one image may cost: as quoted, unless what is sent was rewritten since."""
    quoted = shot.step.candidate.quote
    if not shot.step.rewrites:
        return quoted.ceiling // quoted.images
    return quote(call.request, call.model, parameters=call.parameters, card=card).ceiling // call.request.n


def _image(job: Job, answer: _Answer, picture: ReplyImage) -> GeneratedImage:
    candidate, outcome, facts = answer.shot.step.candidate, answer.outcome, picture.facts
    if facts is None:
        raise AssertionError("an image outcome has inspected bytes")
    # Of a body that was passed on unread, the turns before are not known.
    talks = answer.call.model.dialect is Dialect.GENERATE_CONTENT and answer.reply.raw is None
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
        drafts=tuple(other.data for other in answer.reply.images if other.thought and other is not picture),
        text=outcome.text,
        warnings=(
            *(change.detail for change in candidate.adapted),
            *(_REWRITTEN[kind] for kind in answer.shot.step.rewrites),
            *_moved(job, answer.shot),
            *outcome.warnings,
        ),
        conversation=gemini_wire.conversation_after(answer.call, answer.reply, image=picture)
        if talks
        else None,
    )


def _moved(job: Job, shot: Shot) -> tuple[str, ...]:
    head = job.decision.head
    if shot.beside:
        return (f"{shot.model} made it, asked beside {shot.beside}, which took unusually long",)
    if shot.model == head.model.id:
        return ()
    return (f"{shot.model} made it after {head.model.id} failed",)
