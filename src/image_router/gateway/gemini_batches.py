"""Google's Batch API: passed on, rows inline or in a file; held before, settled by ourselves when it is over.

Whoever asks for a batch's state brings its settlement forward; whether anybody asks or not, `settling` looks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import orjson
from starlette.responses import Response

from image_router.core.catalog import Model
from image_router.core.decision import Decision
from image_router.core.errors import ImageRouterError
from image_router.core.relaying import as_written
from image_router.core.reply import RawAnswer
from image_router.core.scopes import scope_path
from image_router.core.types import ImageRequest, Lane
from image_router.engine.errands import running
from image_router.gateway import batch_money, bodies, refusals
from image_router.gateway import gemini_bodies as read
from image_router.gateway.app import Duty, Parts, Visit
from image_router.gateway.fields import whole
from image_router.gateway.gemini_errands import answered, check_files, errand_of, passed
from image_router.gateway.gemini_made import common
from image_router.gateway.gemini_relay import as_it_came
from image_router.gateway.gemini_rows import Row, answers_in, row_of, rows_of
from image_router.gateway.gemini_targets import check_method, target
from image_router.gateway.surfaces import JSON
from image_router.providers.base import Errand
from image_router.storage.ledger import Ledger
from image_router.storage.remote_batches import (
    RemoteBatch,
    batch_named,
    batches_of,
    end_batch,
    forget_batch,
    hurry_batch,
    remember_batch,
    take_due,
)
from image_router.storage.remote_files import LIFE, remember_file

log = logging.getLogger("image_router.gateway")

EVERY = 30.0
"""Seconds between looks at an open batch."""
MOST_ROWS: Final = 1000
_PAGE: Final = 20
_FAR: Final = 10**6
_KEPT: Final = 7 * 86_400.0
"""Seconds the key that made a batch is remembered."""


async def created(visit: Visit, name: str, *, method: str) -> Response:
    """POST models/{name}:batchGenerateContent."""
    body = await bodies.read(visit.request, limit=visit.parts.limits.json_body)
    message = bodies.document(body, most=visit.parts.limits.json_values)
    request = await visit.router.request("a batch", **common(visit))
    if request.key is not None:
        raise refusals.malformed("Idempotency-Key: batches take none; look at GET /v1beta/batches first")
    meant = target(visit, name, retired=request.retired)
    check_method(meant.model, "generateContent")
    visit.router.check_day()
    source = read.value(read.value(message, "batch"), "inputConfig")
    rows, files = await _rows(visit, source, model=meant.model)
    decisions = [_decided(visit, row, request=request) for row in rows]
    ceiling, ledger = sum(one.ceiling for one in decisions), Ledger(visit.parts.books.db)
    async with visit.caller.let_in(images=len(decisions), ceiling=ceiling) as entry:
        entry.settle(ceiling)
        hold = await batch_money.held(ledger, decisions, scope=request.scope, owner="gateway")
        batch = RemoteBatch(
            name="", scope=request.scope, model=meant.model.id, hold_id=hold.id, rows=len(decisions)
        )
        path = f"v1beta/models/{quote(meant.path, safe='')}:{method}"
        answer = await _sent(visit, errand_of(visit, path, body=body), batch=batch, files=files)
    return as_it_came(answer, {**meant.headers, "x-image-router-hold": hold.id})


async def _sent(visit: Visit, errand: Errand, *, batch: RemoteBatch, files: tuple[str, ...]) -> RawAnswer:
    """Make the batch with the key that holds its files. Refused, its hold is free; of unknown outcome, its
    rows are."""
    ledger = Ledger(visit.parts.books.db)
    try:
        answer, reply = await answered(visit, errand, about=batch.model, resources=files)
    except ImageRouterError:
        await batch_money.unknown(ledger, batch.hold_id, rows=batch.rows)
        raise
    if answer.status != 200:
        await batch_money.free(ledger, batch.hold_id, rows=batch.rows)
        return answer
    name = orjson.loads(answer.body)["name"]
    await remember_batch(visit.parts.books.db, replace(batch, name=name))
    await reply.bind_for(name, _KEPT)
    return answer


async def _rows(visit: Visit, source: Any, *, model: Model) -> tuple[list[Row], tuple[str, ...]]:
    """The rows, and the caller's files that they need. Raises Refusal for what cannot be held."""
    file = read.word(source, "fileName")
    if file is not None:
        await check_files(visit, (file,))
        rows = await rows_of(visit, file, model=model)
    else:
        inline = read.items(read.value(source, "requests"), "requests")
        if not 0 < len(inline) <= MOST_ROWS:
            raise refusals.malformed(
                f"{len(inline)} inline rows; 1 to {MOST_ROWS} are taken", param="requests"
            )
        rows = [row_of(read.value(row, "request") or {}, model) for row in inline]
    named = tuple(dict.fromkeys(name for row in rows for name in row.files))
    return rows, (*((file,) if file else ()), *await check_files(visit, named))


def _decided(visit: Visit, row: Row, *, request: ImageRequest) -> Decision:
    """The ceiling of a row at batch rates, if the caller's key allows it."""
    asked = replace(request, model=row.written.model.id, lane=Lane.BATCH)
    decision = as_written(asked, row.written, world=visit.router.world())
    asked = replace(asked, size=decision.head.parameters.size)
    return visit.caller.allowed(replace(decision, request=asked))


async def listed(visit: Visit) -> Response:
    """GET /v1beta/batches: the caller's own, the newest first, without their rows."""
    skip = whole(visit.request.query_params, "pageToken", default=0, low=0, high=_FAR)
    mine = await batches_of(visit.parts.books.db, visit.caller.scope, limit=_PAGE + 1, skip=skip)
    found = []
    for batch in mine[:_PAGE]:
        answer = await _looked(visit.parts, batch)
        if answer.status == 200:
            operation = orjson.loads(answer.body)
            operation.pop("response", None)
            operation.get("metadata", {}).pop("output", None)
            found.append(operation)
    page: dict[str, Any] = {"operations": found} if found else {}
    if len(mine) > _PAGE:
        page["nextPageToken"] = str(skip + _PAGE)
    return Response(orjson.dumps(page), media_type=JSON)


async def one(visit: Visit) -> Response:
    """GET, DELETE /v1beta/batches/{name}; POST …:cancel and …:delete."""
    target_name, method = visit.request.path_params["name"], visit.request.method
    short, _, verb = target_name.partition(":")
    batch = await _mine(visit, f"batches/{short}")
    if method == "GET" and not verb:
        return as_it_came(await _looked(visit.parts, batch), {})
    if method == "POST" and verb == "cancel":
        return await passed(visit, errand_of(visit, f"v1beta/{batch.name}:cancel"), resources=(batch.name,))
    if (method == "DELETE" and not verb) or (method == "POST" and verb == "delete"):
        return await _deleted(visit, batch)
    raise refusals.absent(f"{batch.name} has no method {verb or method!r}")


async def _mine(visit: Visit, name: str) -> RemoteBatch:
    batch = await batch_named(visit.parts.books.db, name)
    if batch is None or visit.caller.scope not in scope_path(batch.scope):
        raise refusals.absent("Requested entity was not found.")
    return batch


async def _deleted(visit: Visit, batch: RemoteBatch) -> Response:
    """Settled first; what is still under way can never be told afterwards."""
    await _looked(visit.parts, batch, patient=True)
    errand = Errand(method="DELETE", path=f"v1beta/{batch.name}")
    answer, _ = await answered(visit, errand, resources=(batch.name,))
    if answer.status == 200:
        left = await batch_named(visit.parts.books.db, batch.name)
        if left is not None and not left.settled:
            await batch_money.unknown(Ledger(visit.parts.books.db), batch.hold_id, rows=batch.rows)
        await forget_batch(visit.parts.books.db, batch.name)
    return as_it_came(answer, {})


async def _looked(parts: Parts, batch: RemoteBatch, *, patient: bool = False) -> RawAnswer:
    """The provider's word on a batch; where it is over, its rows are booked.

    Rows in a file are many: whoever is not patient leaves them to the next look.
    """
    errand = Errand(method="GET", path=f"v1beta/{batch.name}")
    door = await parts.router.door()
    async with running(door, errand, scope=batch.scope, resources=(batch.name,)) as reply:
        body = b"".join([piece async for piece in reply.running.pieces])
        answer = RawAnswer(status=reply.running.status, headers=reply.running.headers, body=body)
        operation = orjson.loads(body) if answer.status == 200 else {"done": True}
        file = batch_money.result_file(operation)
        if file is not None and not batch.settled:
            await remember_file(parts.books.db, file, scope=batch.scope)
            await reply.bind_for(file, LIFE / 10**6)
    if batch.settled or answer.status not in (200, 404):
        return answer
    if file is not None and not patient:
        await hurry_batch(parts.books.db, batch.name)
    else:
        await _settled(parts, batch, operation)
    return answer


async def _settled(parts: Parts, batch: RemoteBatch, operation: Any) -> None:
    ledger, world = Ledger(parts.books.db), parts.router.world()
    door = await parts.router.door()

    def results(file: str) -> AsyncGenerator[Any]:
        return answers_in(door, file, scope=batch.scope)

    if await batch_money.settled(ledger, batch, operation=operation, results=results, world=world):
        await end_batch(parts.books.db, batch.name)


@asynccontextmanager
async def settling(parts: Parts, duty: Duty) -> AsyncIterator[None]:
    """Looks at open batches beside the requests; several processes share the work."""
    task = asyncio.create_task(_settle_all(parts))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _settle_all(parts: Parts) -> None:
    while True:
        try:
            while batch := await take_due(parts.books.db, every=int(EVERY * 10**6)):
                await _looked(parts, batch, patient=True)
        except (ImageRouterError, orjson.JSONDecodeError) as problem:
            log.warning("a batch could not be looked at, and will be again: %s", problem)
        await asyncio.sleep(EVERY / 3)
