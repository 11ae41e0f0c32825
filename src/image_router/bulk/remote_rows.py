"""One line of a result: judged like any reply, priced at batch rates, its picture made safe."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from image_router.bulk.remote_parts import LaneParts
from image_router.core.causes import Cause
from image_router.core.decision import Candidate, Decision
from image_router.core.errors import AssetError, ContentRefused, ProviderError, RequestError
from image_router.core.failures import error_for
from image_router.core.holds import Settlement
from image_router.core.outcome import Billed, Kind, Outcome, Retry, chargeable, classify, expected_of
from image_router.core.policy import RetryBudget
from image_router.core.rates import Cost, price
from image_router.core.relaying import Written, as_written
from image_router.core.reply import Reply
from image_router.core.results import Attempt, GeneratedImage, ImageResult
from image_router.core.runs import Row, RowEnd, RowState, Run
from image_router.core.types import ImageRequest, Lane
from image_router.engine import media
from image_router.engine.bookkeeping import settlement_of
from image_router.engine.calls import call_for
from image_router.providers.aside import aside
from image_router.providers.base import Call
from image_router.providers.gemini_wire import conversation_after
from image_router.storage.asset_values import Made
from image_router.storage.landing import Landed
from image_router.storage.records import REFUSAL, RESULT
from image_router.storage.remote_jobs_tables import RemoteJob

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of a row, ready to be written down. No bytes of pictures in it."""

    row: Row
    settlement: Settlement
    end: RowEnd
    again: bool = False
    """It is worth another try, so its end is not its end yet."""
    landed: Landed | None = None
    record: bytes | None = field(default=None, repr=False)
    """What its key is answered with from now on."""
    refused: bool = False
    gone: frozenset[str] = frozenset()
    """Digests of uploaded pictures that the provider no longer has."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the row asked for, as far as it can still be said."""

    decision: Decision
    candidate: Candidate
    call: Call


async def judged(parts: LaneParts, job: RemoteJob, *, run: Run, row: Row, reply: Reply) -> Judged:
    """Judge and price the reply; a picture's bytes are safe when this returns.

    Raises AssetError and StorageError where the store does not take them: the provider still has them.
    """
    asked = await _asked(parts, job, run, row)
    reply = await aside(media.weight_of(reply), media.inspected, reply)
    call = asked.call
    outcome = _unbilled(
        classify(reply, expected_of(call.model, call.parameters, request=call.request)), reply
    )
    attempt = _attempt(parts, job, run, asked=asked, outcome=outcome)
    told = settlement_of(attempt, index=0, size=call.parameters.size, row=row.request_id or "")
    if outcome.kind is not Kind.IMAGE or outcome.image is None:
        budget = parts.decider.world(run.profile).policy.retry
        missed = await _without_picture(parts, run, row, outcome=outcome, told=told, budget=budget)
        if outcome.cause is not Cause.FILE_GONE:
            return missed
        shown = frozenset(reference.digest for reference in call.request.references)
        return replace(missed, gone=shown, again=row.tries + 1 < budget.capacity_tries)
    image = _image(row, reply, asked=asked, outcome=outcome, attempt=attempt)
    made = Made(image=image, decision=asked.decision, attempt=attempt, hold_id=job.hold_id)
    landed = await parts.assets.land(made)
    result = ImageResult(
        request_id=image.request_id,
        images=(image,),
        failures=(),
        attempts=(attempt,),
        decision=asked.decision,
        warnings=asked.decision.warnings,
    )
    end = RowEnd(
        state=RowState.DONE,
        asset=image.digest,
        model=image.model,
        cost=attempt.cost.total,
        at_risk=attempt.at_risk,
    )
    keeps = landed is not None and landed.note is not None
    record = RESULT.write(result).data if keeps else None
    return Judged(row=row, settlement=told, end=end, landed=landed, record=record)


def _unbilled(outcome: Outcome, reply: Reply) -> Outcome:
    """A row with an error is never charged, be it one that leaves an interactive call in doubt, such as being
    cancelled (https://ai.google.dev/gemini-api/docs/batch-api)."""
    if reply.error is None or outcome.billed is not Billed.UNKNOWN:
        return outcome
    return replace(outcome, kind=Kind.FAILED, billed=Billed.NO, retry=Retry.CAPACITY)


async def _without_picture(
    parts: LaneParts, run: Run, row: Row, *, outcome: Outcome, told: Settlement, budget: RetryBudget
) -> Judged:
    error = error_for(outcome, outcome.model_version)
    unknown = outcome.billed is Billed.UNKNOWN
    end = RowEnd(
        state=RowState.UNKNOWN if unknown else RowState.FAILED,
        cause=outcome.cause,
        message=str(error),
        cost=told.cost.total,
        at_risk=told.at_risk or 0,
    )
    refused = isinstance(error, ContentRefused)
    return Judged(
        row=row,
        settlement=told,
        end=end,
        again=not unknown and _worth_a_try(outcome, row, budget),
        record=_refusal(error) if refused else None,
        refused=refused,
    )


def _worth_a_try(outcome: Outcome, row: Row, budget: RetryBudget) -> bool:
    """As often as policy lets a request be sent, whichever lane the tries were made in."""
    if outcome.retry is Retry.CAPACITY:
        return row.tries + 1 < budget.capacity_tries
    return outcome.retry is Retry.CONTENT and row.tries < budget.content_repeats


def _refusal(error: ProviderError) -> bytes:
    return REFUSAL.write(error).data


async def _asked(parts: LaneParts, job: RemoteJob, run: Run, row: Row) -> _Asked:
    """Decide again, as when it was sent. What cannot be decided any more is told from the job itself: the
    picture is paid and there."""
    try:
        request = await parts.request_of(run, row)
        decision = parts.decider.decided(request, profile=run.profile)
        candidate = next(one for one in decision.candidates if one.model.id == job.model)
    except (RequestError, AssetError, StopIteration) as problem:
        _log.info("row %d of run %s is kept without its decision: %s", row.planned.number, run.id, problem)
        request = _bare(run, row)
        decision = _as_sent(parts, job, run, request=request)
        candidate = decision.head
    return _Asked(decision, candidate, call_for(request, candidate))


def _bare(run: Run, row: Row) -> ImageRequest:
    ask = row.planned.ask
    return ImageRequest(
        prompt=ask.prompt,
        purpose=ask.purpose,
        text=ask.text,
        size=ask.size,
        aspect=ask.aspect,
        lane=Lane.BATCH,
        scope=run.scope,
        key=row.planned.key,
    )


def _as_sent(parts: LaneParts, job: RemoteJob, run: Run, *, request: ImageRequest) -> Decision:
    world = parts.decider.world(run.profile)
    written = Written(
        model=world.catalog.resolve(job.model),
        words=len(request.prompt.encode()),
        size=request.size,
        aspect=request.aspect,
    )
    return as_written(request, written, world=world)


def _attempt(parts: LaneParts, job: RemoteJob, run: Run, *, asked: _Asked, outcome: Outcome) -> Attempt:
    model, size = asked.call.model, asked.call.parameters.size
    usage, card = chargeable(outcome), parts.decider.world(run.profile).card
    cost = price(usage, model, size=size, card=card, lane=Lane.BATCH) if usage else Cost()
    unknown = outcome.billed is Billed.UNKNOWN
    return Attempt(
        number=1,
        model=model.id,
        tier=asked.candidate.tier,
        kind=outcome.kind,
        cause=outcome.cause,
        detail=outcome.detail,
        billed=outcome.billed,
        cost=cost,
        at_risk=asked.candidate.quote.ceiling if unknown else 0,
        usage=outcome.usage,
        images=len(outcome.extras) + (outcome.image is not None),
        response_id=outcome.response_id,
    )


def _image(row: Row, reply: Reply, *, asked: _Asked, outcome: Outcome, attempt: Attempt) -> GeneratedImage:
    picture = outcome.image
    if picture is None or picture.facts is None:
        raise AssertionError("an image outcome has inspected bytes")
    return GeneratedImage(
        data=picture.data,
        media_type=picture.facts.media_type,
        pixels=picture.facts.pixels,
        digest=picture.facts.digest,
        tier=attempt.tier,
        model=attempt.model,
        cost=attempt.cost,
        usage=outcome.usage,
        request_id=row.request_id or "",
        response_id=outcome.response_id,
        extras=tuple(extra.data for extra in outcome.extras),
        text=outcome.text,
        warnings=(*(change.detail for change in asked.candidate.adapted), *outcome.warnings),
        conversation=conversation_after(asked.call, reply, image=picture),
    )
