"""The input file of a remote job: each row a line, each picture uploaded once to its project and named."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from image_router.bulk.remote_parts import MICROS, LaneParts
from image_router.core.budget import Micros
from image_router.core.decision import Candidate, Decision
from image_router.core.errors import AssetError, RequestError
from image_router.core.fingerprint import request_fingerprint
from image_router.core.ids import new_id
from image_router.core.money import Nanos
from image_router.core.runs import OVER, Row, RowEnd, RowState, Run
from image_router.core.types import Reference
from image_router.engine.calls import call_for
from image_router.providers.batch_wire import FileRef, RemoteFile, row_line
from image_router.providers.batches import BatchApi
from image_router.storage.database import Transaction
from image_router.storage.remote_jobs import go_interactive, leave_job, plan_for, set_request
from image_router.storage.remote_jobs_tables import RemoteJob, Upload
from image_router.storage.runs_rows import finish_row
from image_router.storage.work_rows import Claimant, Claimed, Running, Work, let_go, take

KEY_LEASE: Final = 96 * 3600
"""Seconds the keys of a job's rows are held: longer than the provider keeps a job or its result."""
_SPARE: Final = 3600
"""Seconds a picture must still be there for beyond the longest that a job waits."""
_AT_ONCE: Final = 50
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of an input file, and the most it may cost."""

    number: int
    request_id: str
    ceiling: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input file that was uploaded."""

    file: str
    until: Micros | None
    lines: tuple[Line, ...] = field(repr=False)


class _Out(Protocol):
    def write(self, data: bytes, /) -> int: ...


@dataclass(frozen=True, slots=True)
class _Ready:
    """A row that may be sent."""

    row: Row
    decision: Decision
    candidate: Candidate
    work: Work


async def upload_input(parts: LaneParts, job: RemoteJob, *, run: Run) -> Input | None:
    """Write the lines of a job's rows to a file and upload it. None: not one row is left in the job.

    A row leaves the job that can no longer be made as planned, or whose key is another's. May be repeated.
    """
    api = parts.api(job)
    rows = [row for row in await parts.jobs.rows_of(job.id) if row.state not in OVER]
    with _scratch() as (path, out):
        lines = [line async for line in _lines(parts, job, run, rows=rows, api=api, out=out)]
        out.close()
        if not lines:
            return None
        stored = await api.upload(path, name=job.id)
    return Input(file=stored.name, until=stored.expires_at, lines=tuple(lines))


class _Scratch:
    """A file that is written line by line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, data: bytes, /) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()


@contextmanager
def _scratch() -> Iterator[tuple[Path, _Scratch]]:
    with tempfile.TemporaryDirectory(prefix="image-router-batch-") as folder:
        path = Path(folder) / "rows.jsonl"
        out = _Scratch(path)
        try:
            yield path, out
        finally:
            out.close()


async def _lines(
    parts: LaneParts, job: RemoteJob, run: Run, *, rows: Sequence[Row], api: BatchApi, out: _Out
) -> AsyncIterator[Line]:
    for start in range(0, len(rows), _AT_ONCE):
        ready = [one for row in rows[start : start + _AT_ONCE] if (one := await _ready(parts, job, run, row))]
        claimed = await parts.db.write(_claiming(job, ready))
        for one in ready:
            request_id = claimed.get(one.row.planned.number)
            if request_id is None:
                continue
            call = await asyncio.to_thread(call_for, one.decision.request, one.candidate)
            files = await _uploaded(parts, job, call.request.references, api=api)
            line = row_line(str(one.row.planned.number), call, files=files)
            out.write(line)
            yield Line(
                number=one.row.planned.number,
                request_id=request_id,
                ceiling=one.candidate.quote.ceiling,
            )


async def _ready(parts: LaneParts, job: RemoteJob, run: Run, row: Row) -> _Ready | None:
    """What a row asks for now. It fails where it can no longer be asked for at all."""
    number = row.planned.number
    try:
        request = await parts.request_of(run, row)
        decision = parts.decider.decided(request, profile=run.profile)
    except (RequestError, AssetError) as problem:
        end = RowEnd(state=RowState.FAILED, cause=type(problem).__name__, message=str(problem))
        await parts.runs.finish(run.id, number, end=end)
        return None
    candidate = next((one for one in decision.candidates if one.model.id == job.model), None)
    if candidate is None:
        model = decision.head.model.id
        _log.info("row %d of run %s is made by %s, no longer by %s", number, run.id, model, job.model)
        await parts.db.write(lambda tx: plan_for(tx, run.id, number=number, model=model))
        return None
    fingerprint = request_fingerprint(request, profile=run.profile)
    work = Work(scope=request.scope, key=request.key or row.planned.key, fingerprint=fingerprint)
    return _Ready(row, decision, candidate, work)


class _Claiming:
    """Takes the keys of rows for a job, so that nobody makes them meanwhile; their request ids by number."""

    def __init__(self, job: RemoteJob, ready: Sequence[_Ready]) -> None:
        self._job, self._ready = job, ready

    def __call__(self, tx: Transaction) -> dict[int, str]:
        found = ((one.row.planned.number, self._claim(tx, one)) for one in self._ready)
        return {number: request_id for number, request_id in found if request_id is not None}

    def _claim(self, tx: Transaction, one: _Ready) -> str | None:
        job, row, number = self._job, one.row, one.row.planned.number
        lease = KEY_LEASE * MICROS
        claimant = Claimant(owner=job.owner, request_id=row.request_id or new_id("req_"), lease=lease)
        try:
            found = take(tx, one.work, claimant=claimant)
        except RequestError as conflict:
            end = RowEnd(state=RowState.FAILED, cause=type(conflict).__name__, message=str(conflict))
            finish_row(tx, job.run_id, number=number, end=end)
            return None
        if isinstance(found, Running) and found.owner == job.owner:
            return row.request_id
        if isinstance(found, Claimed):
            if not found.made and (row.resend or not found.unknown):
                set_request(tx, job.run_id, number=number, request_id=found.request_id)
                return found.request_id
            let_go(tx, found)
        # Somebody else is at it, or it is paid already: whoever asks by its key is told, and pays nothing.
        leave_job(tx, job.id, numbers=[number])
        go_interactive(tx, job.run_id, numbers=[number])
        return None


def _claiming(job: RemoteJob, ready: Sequence[_Ready]) -> _Claiming:
    return _Claiming(job, ready)


async def _uploaded(
    parts: LaneParts, job: RemoteJob, references: Sequence[Reference], *, api: BatchApi
) -> dict[str, FileRef]:
    """The names of these pictures in the job's project; one that is not there yet is uploaded."""
    if not references:
        return {}
    project = job.project or ""
    digests = {reference.digest for reference in references}
    until = await parts.jobs.now() + int((parts.limits.aim + _SPARE) * MICROS)
    there = await parts.jobs.uploads(project, digests, until=until)
    for reference in references:
        if reference.digest not in there:
            upload = await _upload(parts, project, reference, api=api)
            there[reference.digest] = upload
    return {digest: FileRef(uri=one.uri, media_type=one.media_type) for digest, one in there.items()}


async def _upload(parts: LaneParts, project: str, reference: Reference, *, api: BatchApi) -> Upload:
    file: RemoteFile = await _sent(api, reference)
    life = int(parts.limits.file_life * MICROS)
    upload = Upload(
        project=project,
        digest=reference.digest,
        name=file.name,
        uri=file.uri,
        media_type=reference.media_type,
        bytes=len(reference.data),
        until=min(file.expires_at or 2**62, await parts.jobs.now() + life),
    )
    await parts.jobs.remember(upload)
    return upload


async def _sent(api: BatchApi, reference: Reference) -> RemoteFile:
    handle, name = await asyncio.to_thread(tempfile.mkstemp, prefix="image-router-reference-")
    path = Path(name)
    try:
        await asyncio.to_thread(_fill, handle, reference.data)
        return await api.upload(path, name=reference.digest[:40], media_type=reference.media_type)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _fill(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def fresh(job: RemoteJob, now: Micros) -> bool:
    """Whether the job's input file is still there for a creation."""
    return job.input_file is not None and (job.input_until is None or job.input_until > now + 600 * MICROS)
