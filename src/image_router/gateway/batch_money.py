"""The money of batches that pass through: held row by row before, settled by what the provider says after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeAlias

from image_router.core.causes import Billed, Cause
from image_router.core.decision import Decision
from image_router.core.errors import ImageRouterError
from image_router.core.holds import AttemptKey, Hold, HoldRequest, Sending, Settlement
from image_router.core.ids import new_id
from image_router.core.outcome import Expected, chargeable, classify
from image_router.core.rates import Cost, price
from image_router.core.routing import World
from image_router.core.types import Lane
from image_router.providers.gemini_wire import reply_of
from image_router.storage.ledger import Ledger
from image_router.storage.remote_batches import RemoteBatch

LIFE: Final = 72 * 3600.0
"""Seconds a batch's hold lives: the provider gives up after 48 hours
(https://ai.google.dev/gemini-api/docs/batch-api, read 2026-11-22)."""
_ACTIVE: Final = frozenset({"PENDING", "RUNNING", "UNSPECIFIED", ""})
_FREE: Final = frozenset({"FAILED", "EXPIRED"})
_AT_ONCE: Final = 8
Results: TypeAlias = Callable[[str], AsyncGenerator[Any]]
"""The answers in a result file, one by one: each `response` or `error`. Nothing for one that is gone."""


async def held(ledger: Ledger, decisions: Sequence[Decision], *, scope: str, owner: str) -> Hold:
    """One hold for all rows, and each row noted as sent. Raises BudgetExceeded: then nothing is held."""
    head = decisions[0].head
    ceilings = [decision.ceiling for decision in decisions]
    hold = await ledger.hold(
        HoldRequest(
            request_id=new_id("req_"),
            owner=owner,
            scope=scope,
            amount=sum(ceilings),
            per_image=max(ceilings),
            model=head.model.id,
            tier=head.tier,
            purpose=decisions[0].request.purpose,
            lane=Lane.BATCH,
            deadline=LIFE,
        )
    )
    try:
        sends = (Sending(attempt=_row(i), at_risk=ceiling) for i, ceiling in enumerate(ceilings))
        await asyncio.gather(*(ledger.sent(hold, send) for send in sends))
    except ImageRouterError:
        await free(ledger, hold.id, rows=len(ceilings))
        raise
    return hold


async def free(ledger: Ledger, hold_id: str, *, rows: int) -> None:
    """Nothing of it was accepted."""
    await _all(ledger, hold_id, rows=range(rows), billed=Billed.NO)


async def unknown(ledger: Ledger, hold_id: str, *, rows: int) -> None:
    """Nobody can say what of it was billed."""
    await _all(ledger, hold_id, rows=range(rows), billed=Billed.UNKNOWN)


async def _all(ledger: Ledger, hold_id: str, *, rows: range, billed: Billed) -> None:
    cause = Cause.UNKNOWN_ERROR if billed is Billed.NO else Cause.CONNECTION_LOST
    done = (Settlement(attempt=_row(index), billed=billed, outcome=cause) for index in rows)
    await asyncio.gather(*(ledger.settle(hold_id, one) for one in done))
    await ledger.close(hold_id)


async def settled(
    ledger: Ledger, batch: RemoteBatch, *, operation: Any, results: Results, world: World
) -> bool:
    """Book what an operation says of its rows; False while it is under way. May be repeated."""
    state = state_of(operation)
    if state in _ACTIVE and not operation.get("done"):
        return False
    file, booked = result_file(operation), 0
    async with aclosing(results(file) if file else _inline(operation)) as answers:
        async for some in _together(answers):
            done = [
                await asyncio.to_thread(_settlement, index, answer, batch=batch, world=world)
                for index, answer in enumerate(some[: batch.rows - booked], start=booked)
            ]
            await asyncio.gather(*(ledger.settle(batch.hold_id, one) for one in done))
            booked += len(done)
    missing = Billed.NO if not booked and state in _FREE else Billed.UNKNOWN
    await _all(ledger, batch.hold_id, rows=range(booked, batch.rows), billed=missing)
    return True


def state_of(operation: Any) -> str:
    """Of a batch, without its prefix."""
    metadata = operation.get("metadata") or {}
    return str(metadata.get("state") or "").removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")


def result_file(operation: Any) -> str | None:
    """Name of the file with the rows' answers, where they came as a file."""
    file = _output(operation).get("responsesFile")
    return file if isinstance(file, str) else None


def _output(operation: Any) -> Any:
    found = operation.get("response") or (operation.get("metadata") or {}).get("output")
    return found if isinstance(found, dict) else {}


async def _inline(operation: Any) -> AsyncGenerator[Any]:
    """Each row's `response` or `error`, in whatever order they come: all rows are of one model."""
    inlined = _output(operation).get("inlinedResponses") or {}
    rows = inlined.get("inlinedResponses") if isinstance(inlined, dict) else inlined
    for row in rows if isinstance(rows, list) else ():
        yield row


async def _together(answers: AsyncIterator[Any]) -> AsyncIterator[list[Any]]:
    """A few at a time: settlements side by side share a commit, and their pictures memory."""
    some: list[Any] = []
    async for answer in answers:
        some.append(answer)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _settlement(index: int, answer: Any, *, batch: RemoteBatch, world: World) -> Settlement:
    if not isinstance(answer, dict) or not isinstance(answer.get("response"), dict):
        # A row with an error costs nothing; one that is missing may have been made all the same.
        billed = Billed.NO if isinstance(answer, dict) and answer.get("error") else Billed.UNKNOWN
        cause = Cause.UNKNOWN_ERROR if billed is Billed.NO else Cause.CONNECTION_LOST
        return Settlement(attempt=_row(index), billed=billed, outcome=cause)
    outcome = classify(reply_of(answer["response"]), Expected())
    usage, model = chargeable(outcome), world.catalog.resolve(batch.model)
    cost = price(usage, model, size=model.default_size, card=world.card, lane=Lane.BATCH) if usage else Cost()
    return Settlement(
        attempt=_row(index),
        billed=outcome.billed,
        cost=cost,
        response_id=outcome.response_id,
        outcome=outcome.cause,
        images=len(outcome.extras) + (outcome.image is not None),
        usage=outcome.usage,
    )


def _row(index: int) -> AttemptKey:
    return AttemptKey(number=1, index=index)
