"""What is next: chunks that somebody should make, and paused runs that may go on."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from image_router.core.runs import OVER, Chunk, ChunkState, Pause, Run, RunState, Stage
from image_router.core.types import Lane
from image_router.storage.budgets import strain
from image_router.storage.database import Transaction
from image_router.storage.remote_jobs_tables import RemoteState, remote_jobs
from image_router.storage.runs_tables import chunk_from, run_chunks, run_from, run_rows, runs


def next_chunks(tx: Transaction, *, limit: int) -> list[Chunk]:
    """The first chunks in line that nobody is at: of runs that go, and of cancelled ones what is still to be
    settled. Variants of the batch lane wait until all references of their run are over; a chunk whose jobs
    the provider has, until a look is due. A run that stands still fetches what its jobs have made."""
    first = run_rows.alias()
    references = exists().where(
        first.c.run_id == run_chunks.c.run_id,
        first.c.stage == Stage.FIRST,
        first.c.state.not_in(OVER),
    )
    waits = and_(run_chunks.c.lane == Lane.BATCH, run_chunks.c.stage == Stage.SECOND, references)
    wanted = (
        select(run_chunks)
        .join(runs, runs.c.id == run_chunks.c.run_id)
        .where(
            or_(run_chunks.c.state == ChunkState.WAITING, _cancelled_with_jobs()),
            or_(runs.c.state.in_((RunState.RUNNING, RunState.CANCELLED)), _still_with_jobs(tx)),
            ~waits,
            ~_at_provider(tx),
        )
        .order_by(run_chunks.c.place, run_chunks.c.run_id, run_chunks.c.number)
        .limit(limit)
    )
    return [chunk_from(row) for row in tx.connection.execute(wanted).mappings()]


def _still_with_jobs(tx: Transaction) -> ColumnElement[bool]:
    """Whether a run stands still and a chunk of it has jobs at the provider, or results to be fetched."""
    jobs = remote_jobs.c
    out = and_(
        jobs.run_id == run_chunks.c.run_id,
        jobs.chunk == run_chunks.c.number,
        jobs.state.in_((RemoteState.OPEN, RemoteState.OVER)),
        jobs.look_at <= tx.now.wall,
    )
    return and_(runs.c.state == RunState.PAUSED, exists().where(out))


def _cancelled_with_jobs() -> ColumnElement[bool]:
    """Whether a chunk has nothing left to make but jobs to be cancelled, whose rows' keys they hold."""
    jobs = remote_jobs.c
    out = exists().where(
        jobs.run_id == run_chunks.c.run_id, jobs.chunk == run_chunks.c.number, jobs.ended_at.is_(None)
    )
    return and_(runs.c.state == RunState.CANCELLED, run_chunks.c.state == ChunkState.DONE, out)


def _at_provider(tx: Transaction) -> ColumnElement[bool]:
    """Whether a chunk has jobs that are not ended, of which none is due."""
    jobs = remote_jobs.c
    mine = and_(
        jobs.run_id == run_chunks.c.run_id, jobs.chunk == run_chunks.c.number, jobs.ended_at.is_(None)
    )
    return and_(exists().where(mine), ~exists().where(mine, jobs.look_at <= tx.now.wall))


def begun_chunks(tx: Transaction) -> list[Chunk]:
    """Chunks that somebody should be at."""
    wanted = select(run_chunks).where(run_chunks.c.state == ChunkState.RUNNING)
    return [chunk_from(row) for row in tx.connection.execute(wanted).mappings()]


def may_go_on(tx: Transaction) -> list[Run]:
    """Paused runs that are to be looked at again by now; one without money, only where there is some."""
    due = and_(runs.c.state == RunState.PAUSED, runs.c.resumes_at <= tx.now.wall)
    found = [run_from(row) for row in tx.connection.execute(select(runs).where(due)).mappings()]
    return [run for run in found if run.pause is not Pause.BUDGET or _has_money(tx, run)]


def _has_money(tx: Transaction, run: Run) -> bool:
    """Whether the cheapest row that is left fits every cap."""
    open_ = and_(run_rows.c.run_id == run.id, run_rows.c.state.not_in(OVER))
    least = tx.connection.execute(select(func.min(run_rows.c.ceiling)).where(open_)).scalar()
    return all(standing.left >= (least or 0) for standing in strain(tx, run.purse).standings)
