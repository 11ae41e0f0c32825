"""What is next: chunks that somebody should make, and paused runs that may go on."""

from __future__ import annotations

from sqlalchemy import and_, exists, func, or_, select

from image_router.core.runs import OVER, Chunk, ChunkState, Pause, Run, RunState, Stage
from image_router.core.types import Lane
from image_router.storage.budgets import strain
from image_router.storage.database import Transaction
from image_router.storage.runs_tables import chunk_from, run_chunks, run_from, run_rows, runs


def next_chunks(tx: Transaction, *, limit: int) -> list[Chunk]:
    """The first chunks in line that nobody is at: of runs that go, and of cancelled ones what is still to be
    settled. Variants of the batch lane wait until all references of their run are over."""
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
            run_chunks.c.state == ChunkState.WAITING,
            runs.c.state.in_((RunState.RUNNING, RunState.CANCELLED)),
            ~waits,
        )
        .order_by(run_chunks.c.place, run_chunks.c.run_id, run_chunks.c.number)
        .limit(limit)
    )
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


def is_idle(tx: Transaction, run_id: str) -> bool:
    """Whether nobody is at any chunk of a run."""
    busy = or_(run_chunks.c.state == ChunkState.RUNNING)
    mine = select(run_chunks.c.number).where(run_chunks.c.run_id == run_id, busy).limit(1)
    return tx.connection.execute(mine).first() is None
