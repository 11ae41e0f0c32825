"""The results of a job that is over: read line by line, each row settled with its picture, none forgotten.

May be repeated from its beginning at any moment: what is settled is settled once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from image_router.bulk.remote_parts import MICROS, LaneParts, Looked
from image_router.bulk.remote_releasing import release_key
from image_router.bulk.remote_rows import Judged, judged
from image_router.core.causes import Billed, Cause
from image_router.core.errors import ImageRouterError
from image_router.core.holds import AttemptKey, Settlement
from image_router.core.money import Nanos
from image_router.core.runs import OVER, Row, RowEnd, RowState, Run
from image_router.providers.aside import aside
from image_router.providers.base import Unreachable
from image_router.providers.batch_wire import JobState, RowAnswer, parse_row
from image_router.providers.batches import BatchApi, Declined
from image_router.storage.database import Transaction
from image_router.storage.landing import insert_asset
from image_router.storage.remote_jobs import (
    change_job,
    claim_of,
    forget_uploads,
    go_interactive,
    job_rows,
    paid_besides,
    row_now,
    unsettled,
)
from image_router.storage.remote_jobs_tables import RemoteJob, RemoteState
from image_router.storage.runs_rows import finish_row, free_rows
from image_router.storage.steps import closing, settling, take_steps
from image_router.storage.work_rows import WorkState, end

_TOGETHER: Final = 8
"""Rows whose pictures are made safe side by side, and which are settled in one transaction."""
_AT_ONCE: Final = 24 * 1024 * 1024
"""Bytes of lines that are in memory together; one line may be more."""
_UNPAID: Final = frozenset({JobState.FAILED, JobState.EXPIRED})
GONE: Final = "GONE"
"""What is told of a job that the provider no longer knows."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pass:
    """One reading of a result from its first line."""

    answers: int = 0
    """Rows that the provider made, settled before or now."""
    seen: set[int] = field(default_factory=set)


async def collected(parts: LaneParts, job: RemoteJob) -> Looked:
    """Fetch, keep and settle all rows; those that are missing are accounted for, and the job ends.

    Raises AssetError and StorageError where a picture cannot be kept: then nothing of its row is settled.
    """
    run, reading = await parts.runs.get(job.run_id), _Pass()
    if job.result_file is not None:
        try:
            async for rows in _groups(parts.api(job), job.result_file):
                await _settle_group(parts, job, run, rows=rows, reading=reading)
        except (Unreachable, Declined) as problem:
            now = await parts.jobs.now()
            if now < (job.over_at or now) + parts.limits.result_life * MICROS:
                return await _again_later(parts, job, problem)
            _log.error("the result of batch job %s is gone and was paid: %s", job.id, problem)
            reading.answers = -1
    tries = parts.decider.world(run.profile).policy.retry.capacity_tries
    await parts.db.write(lambda tx: _end(tx, job, run, reading=reading, tries=tries))
    await _tidied(parts, job)
    return Looked(job=job.id, state=RemoteState.ENDED)


async def _again_later(parts: LaneParts, job: RemoteJob, problem: Unreachable | Declined) -> Looked:
    reason = f"the result is not fetched yet: {problem}"
    return await parts.waiting(job, parts.pause(job.looks), reason=reason, looks=job.looks + 1)


async def _groups(api: BatchApi, file: str) -> AsyncIterator[list[RowAnswer]]:
    """Rows by a few, so that neither their number nor their size fills the memory."""
    group: list[RowAnswer] = []
    size = 0
    async for line in api.lines(file):
        try:
            group.append(await aside(len(line), parse_row, line))
        except ValueError as problem:
            _log.warning("a line of %s is no row, and counts as missing: %s", file, problem)
            continue
        size += len(line)
        if len(group) >= _TOGETHER or size >= _AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group


async def _settle_group(
    parts: LaneParts, job: RemoteJob, run: Run, *, rows: Sequence[RowAnswer], reading: _Pass
) -> None:
    answers: dict[int, RowAnswer] = {}
    for one in rows:
        number = int(one.key) if one.key.isdecimal() else 0
        if number in reading.seen or not number:
            _log.warning("batch job %s answers row %r twice or unasked; it is left out", job.id, one.key)
            continue
        reading.seen.add(number)
        reading.answers += one.reply.error is None
        answers[number] = one
    there = await parts.jobs.numbered(job.run_id, answers)
    open_ = await parts.db.read(lambda tx: _open(tx, job, list(there.values())))
    found = await asyncio.gather(
        *(
            judged(parts, job, run=run, row=there[number], reply=answers[number].reply)
            for number in answers
            if number in open_
        )
    )
    if found:
        await parts.db.write(lambda tx: _write(tx, job, found, scope=run.scope))
    for landed in (one.landed for one in found if one.landed is not None):
        await parts.assets.done(landed)


def _open(tx: Transaction, job: RemoteJob, rows: Collection[Row]) -> set[int]:
    """Which of these rows this job has sent and not settled, or not finished."""
    calls = {key.request_id for key in unsettled(tx, job.hold_id or "")}
    return {
        row.planned.number
        for row in rows
        if row.request_id in calls or (row.remote_job == job.id and row.state not in OVER)
    }


def _write(tx: Transaction, job: RemoteJob, found: Sequence[Judged], *, scope: str) -> None:
    """Settle rows with their pictures, their keys and their ends: all or nothing."""
    hold_id = job.hold_id or ""
    results, _ = take_steps(tx, [settling(hold_id, one.settlement) for one in found])
    for one, done in zip(found, results, strict=True):
        if isinstance(done, ImageRouterError):
            raise done
        if one.landed is not None:
            insert_asset(tx, one.landed)
        if one.gone:
            forget_uploads(tx, job.project or "", digests=one.gone)
        _write_row(tx, job, one, scope=scope, first=done.kind is not None)


def _write_row(tx: Transaction, job: RemoteJob, one: Judged, *, scope: str, first: bool) -> None:
    row = row_now(tx, job.run_id, number=one.row.planned.number)
    number, key = row.planned.number, row.planned.key
    mine = row.remote_job == job.id and row.state not in OVER
    free = row.remote_job is None and row.state is RowState.WAITING
    if not (mine or free):
        # Its replacement was sent before this came: both are paid, both pictures are kept.
        if first:
            paid_besides(tx, job.run_id, number=number, cost=one.end.cost, at_risk=one.end.at_risk)
        return
    if free and one.end.state is not RowState.DONE:
        return
    if one.again:
        _try_again(tx, job, number)
        release_key(tx, scope, key=key, request_id=row.request_id)
        return
    finish_row(tx, job.run_id, number=number, end=one.end)
    claim = claim_of(tx, scope, key=key, request_id=row.request_id or "")
    if claim is None:
        return
    if one.end.state is RowState.DONE or one.refused:
        state = WorkState.REFUSED if one.refused else WorkState.FINISHED
        end(tx, claim, state=state, record=one.record, cost=one.end.cost)
    else:
        release_key(tx, scope, key=key, request_id=row.request_id)


def _try_again(tx: Transaction, job: RemoteJob, number: int) -> None:
    free_rows(tx, job.run_id, numbers=[number])
    if job.given_up_at is not None:
        go_interactive(tx, job.run_id, numbers=[number])


def _end(tx: Transaction, job: RemoteJob, run: Run, *, reading: _Pass, tries: int) -> None:
    """Account for rows of which nothing came, close the hold, and end the job."""
    hold_id = job.hold_id or ""
    rest = unsettled(tx, hold_id)
    paid = _paid_without_answer(job, rest, reading)
    steps = [settling(hold_id, _of_missing(key, key in paid)) for key in rest]
    results, _ = take_steps(tx, [*steps, closing(hold_id)])
    for result in results:
        if isinstance(result, ImageRouterError):
            raise result
    lost = {key.request_id: rest[key] for key in paid}
    for row in job_rows(tx, job.id):
        if row.state not in OVER:
            _end_row(tx, job, row, at_risk=lost.get(row.request_id or ""), tries=tries)
            release_key(tx, run.scope, key=row.planned.key, request_id=row.request_id)
    change_job(tx, job.id, state=RemoteState.ENDED, ended_at=tx.now.wall)


def _end_row(tx: Transaction, job: RemoteJob, row: Row, *, at_risk: Nanos | None, tries: int) -> None:
    """A row without an answer: lost, if it was paid; else tried again, as often as policy allows."""
    number, words = row.planned.number, f"batch job {job.name or job.id} ended {job.told} without its answer"
    if at_risk is not None:
        message = f"{words}; it may have been paid"
        state, cause = RowState.UNKNOWN, Cause.CONNECTION_LOST
        end_ = RowEnd(state=state, cause=cause, message=message, at_risk=at_risk)
        finish_row(tx, job.run_id, number=number, end=end_)
    elif job.given_up_at is not None or row.tries + 1 < tries:
        _try_again(tx, job, number)
    else:
        end_ = RowEnd(state=RowState.FAILED, cause=Cause.EMPTY, message=f"{words}, {tries} times")
        finish_row(tx, job.run_id, number=number, end=end_)


def _paid_without_answer(
    job: RemoteJob, rest: dict[AttemptKey, Nanos], reading: _Pass
) -> frozenset[AttemptKey]:
    """Calls that count as paid although nothing came of them.

    A job that failed or was given up by the provider made nothing. Of any other the provider says how many
    rows it made: as many as are missing of those count, the dearest first, since nobody says which.
    """
    if job.told in _UNPAID:
        return frozenset()
    made = len(rest) if reading.answers < 0 or job.told == GONE else job.succeeded - reading.answers
    dearest = sorted(rest, key=lambda key: -rest[key])
    return frozenset(dearest[: max(0, made)])


def _of_missing(key: AttemptKey, paid: bool) -> Settlement:
    billed = Billed.UNKNOWN if paid else Billed.NO
    return Settlement(attempt=key, billed=billed, outcome=Cause.CONNECTION_LOST if paid else Cause.EMPTY)


async def _tidied(parts: LaneParts, job: RemoteJob) -> None:
    """Its input is of no more use, and counts among the project's files."""
    if job.input_file is None:
        return
    try:
        await parts.api(job).forget(job.input_file)
    except (Unreachable, Declined) as problem:
        _log.info("the input of batch job %s goes by itself after two days: %s", job.id, problem)
