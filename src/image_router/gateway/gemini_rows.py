"""Rows of a batch that come as a file: read while the file passes through, since nobody hands it out again.

Google gives no uploaded file back (https://ai.google.dev/gemini-api/docs/files, read 2026-11-22). So what
each row may cost is noted when its line passes, with one piece of the upload in memory at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from image_router.core.catalog import Model
from image_router.core.errors import ProviderUnavailable
from image_router.core.relaying import Written
from image_router.engine.door import Door
from image_router.engine.errands import running
from image_router.gateway import bodies, refusals
from image_router.gateway import gemini_bodies as read
from image_router.gateway.app import Visit
from image_router.gateway.surfaces import Refusal
from image_router.providers.base import Errand
from image_router.providers.batches import split_lines
from image_router.storage.remote_rows import Reading, begin_reading, go_on_reading, reading_of

MOST_ROWS: Final = 5000
"""Rows of one file: each is noted in the books before the batch is made."""
MOST_LINE: Final = 32 << 20
"""Bytes of one row; Google's limit for a whole batch of inline rows is 20 MB."""
_GONE: Final = frozenset({403, 404})
_TYPE: Final = "x-goog-upload-header-content-type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one row of a batch asks for, as far as its cost and rights need it."""

    written: Written
    files: tuple[str, ...] = ()
    """Files at the provider that it names."""


def holds_rows(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an upload may be the rows of a batch: by its type, as it is told when it is opened."""
    try:
        file = read.value(orjson.loads(body or b"{}"), "file")
    except orjson.JSONDecodeError:
        file = None
    return "json" in f"{headers.get(_TYPE, '')} {read.word(file, 'mimeType') or ''}".lower()


async def begun(visit: Visit, upload: str) -> None:
    """An upload that may be rows was opened."""
    await begin_reading(visit.parts.books.db, upload)


async def taken(visit: Visit, upload: str, *, piece: bytes, at: int, file: str | None) -> None:
    """The provider took a piece, whose first byte is byte `at`; with the last one it told the file's name."""
    db = visit.parts.books.db
    reading = await reading_of(db, upload=upload)
    if reading is None:
        return
    most = visit.parts.limits.json_values
    now = await asyncio.to_thread(_read_on, reading, piece, at=at, over=file is not None, most=most)
    await go_on_reading(db, replace(now, file=file), was=reading.taken)


async def rows_of(visit: Visit, file: str, *, model: Model) -> list[Row]:
    """The rows of a file of the caller's. Raises Refusal where they were not read, or cannot be held."""
    reading = await reading_of(visit.parts.books.db, file=file)
    if reading is None:
        raise refusals.malformed(
            f"{file}: its rows were not read when it was uploaded; upload it through here with a mimeType of "
            f"JSON lines, such as application/jsonl",
            param="fileName",
        )
    if reading.fault:
        raise refusals.malformed(f"{file}: {reading.fault}", param="fileName")
    found = await asyncio.to_thread(orjson.loads, reading.rows)
    if not found:
        raise refusals.malformed(f"{file} has no rows", param="fileName")
    return [_row(told, model) for told in found]


async def answers_in(door: Door, file: str, *, scope: str) -> AsyncGenerator[Any]:
    """What a result file says of each row, one line in memory at a time; nothing where it is gone.

    Raises ProviderUnavailable where it breaks off.
    """
    errand = Errand(method="GET", path=f"v1beta/{file}:download?alt=media")
    async with running(door, errand, scope=scope, resources=(file,)) as reply:
        if reply.running.status != 200:
            if reply.running.status in _GONE:
                return
            raise ProviderUnavailable(f"{file} was answered with HTTP {reply.running.status}")
        async for line in split_lines(reply.running.pieces):
            yield await asyncio.to_thread(_answer, line)


def _answer(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None  # a row that nobody can read counts as one that is missing


def row_of(request: Any, model: Model) -> Row:
    """A row that stands in the body itself."""
    return Row(written=read.written(request, model), files=read.files(request))


def _row(told: dict[str, Any], model: Model) -> Row:
    files = tuple(told.pop("files", ()))
    return Row(written=Written(model=model, **told), files=files)


def _read_on(reading: Reading, piece: bytes, *, at: int, over: bool, most: int) -> Reading:
    """The reading after a piece; bytes that it has seen already are passed over."""
    if at > reading.taken:
        fault = reading.fault or f"its bytes from {reading.taken:,} to {at:,} did not pass through here"
        return replace(reading, taken=at + len(piece), tail=b"", fault=fault)
    fresh = piece[reading.taken - at :]
    now = replace(reading, taken=reading.taken + len(fresh))
    if reading.fault:
        return now
    *lines, rest = (reading.tail + fresh).split(b"\n")
    lines, rest = ([*lines, rest], b"") if over else (lines, rest)
    rows, number = orjson.loads(reading.rows), reading.lines
    try:
        for line in lines:
            number += 1
            if line.strip():
                rows.append(_told(line, most))
        _check(rows, rest)
    except Refusal as refusal:
        return replace(now, tail=b"", rows="[]", fault=f"line {number:,}: {refusal.problem.message}")
    return replace(now, tail=rest, rows=orjson.dumps(rows).decode(), lines=number)


def _told(line: bytes, most: int) -> dict[str, Any]:
    request = read.value(bodies.document(line, most=most), "request")
    if not isinstance(request, dict):
        raise refusals.malformed("it has no request")
    files = read.files(request)
    known = {name: found for name, found in read.measured(request).items() if found}
    return {**known, "files": files} if files else known


def _check(rows: list[Any], rest: bytes) -> None:
    if len(rows) > MOST_ROWS:
        raise refusals.malformed(f"it is row {len(rows):,}; at most {MOST_ROWS:,} are taken in one batch")
    if len(rest) > MOST_LINE:
        raise refusals.malformed(f"a row has more than {MOST_LINE:,} bytes")
