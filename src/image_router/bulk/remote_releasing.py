"""Letting go of a job of which nothing was made: its money is free, its rows and their keys are too."""

from __future__ import annotations

from collections.abc import Collection

from image_router.bulk.remote_parts import LaneParts
from image_router.core.causes import Billed, Cause
from image_router.core.errors import ImageRouterError
from image_router.core.holds import Settlement
from image_router.core.runs import RowState
from image_router.storage.database import Transaction
from image_router.storage.remote_jobs import (
    change_job,
    claim_of,
    find_job,
    go_interactive,
    job_rows,
    leave_job,
    unsettled,
)
from image_router.storage.remote_jobs_tables import RemoteJob, RemoteState
from image_router.storage.runs_rows import free_rows
from image_router.storage.steps import closing, settling, take_steps
from image_router.storage.work_rows import let_go


async def released(parts: LaneParts, job: RemoteJob, *, reason: str) -> None:
    """Nothing of the job was billed. Its rows wait for another job; given up, to be made one by one."""
    run = await parts.runs.get(job.run_id)
    await parts.db.write(lambda tx: _release(tx, job.id, scope=run.scope, reason=reason))


def _release(tx: Transaction, job_id: str, *, scope: str, reason: str) -> None:
    job = find_job(tx, job_id)
    if job.hold_id is not None:
        settle_rest(tx, job.hold_id, billed=Billed.NO, cause=Cause.UNKNOWN_ERROR)
    rows = [row for row in job_rows(tx, job_id) if row.state is not RowState.DONE]
    numbers = [row.planned.number for row in rows]
    for row in rows:
        release_key(tx, scope, key=row.planned.key, request_id=row.request_id)
    leave_job(tx, job_id, numbers=numbers)
    # A job that was never made is no try of its rows.
    free_rows(tx, job.run_id, numbers=numbers, tries=0)
    if job.given_up_at is not None:
        go_interactive(tx, job.run_id, numbers=numbers)
    change_job(tx, job_id, state=RemoteState.ENDED, ended_at=tx.now.wall, reason=reason)


def let_wait(tx: Transaction, job: RemoteJob, *, numbers: Collection[int], scope: str) -> None:
    """Rows that were never sent leave the job, and their keys are free."""
    for row in job_rows(tx, job.id):
        if row.planned.number in numbers:
            release_key(tx, scope, key=row.planned.key, request_id=row.request_id)
    leave_job(tx, job.id, numbers=numbers)


def settle_rest(tx: Transaction, hold_id: str, *, billed: Billed, cause: Cause) -> None:
    """Say the same of every call of a hold that nobody has spoken of, and close it."""
    rest = unsettled(tx, hold_id)
    steps = [settling(hold_id, Settlement(attempt=key, billed=billed, outcome=cause)) for key in rest]
    results, _ = take_steps(tx, [*steps, closing(hold_id)])
    for result in results:
        if isinstance(result, ImageRouterError):
            raise result


def release_key(tx: Transaction, scope: str, *, key: str, request_id: str | None) -> None:
    """Let others make what the key names; what is paid already, they get."""
    if request_id is not None and (claim := claim_of(tx, scope, key=key, request_id=request_id)):
        let_go(tx, claim)
