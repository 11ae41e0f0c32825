"""Runs of one database: stored with their rows, begun, paused, resumed, ended.

What is to be done next is told by these tables alone; whatever carries the work may forget.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, select, update

from image_router.core.budget import SECOND
from image_router.core.errors import InvalidRequest
from image_router.core.runs import (
    OVER,
    Chunk,
    ChunkState,
    NewRun,
    Pause,
    PlannedRow,
    Progress,
    Row,
    RowEnd,
    RowState,
    Run,
    RunKind,
    RunState,
    Stage,
)
from image_router.storage import runs_rows as rows
from image_router.storage.asset_tables import under
from image_router.storage.database import Database, Transaction
from image_router.storage.runs_rows import RowQuery
from image_router.storage.runs_tables import chunk_from, run_chunks, run_from, run_rows, runs, terms_text

_OPEN: Final = frozenset(RowState) - OVER
_ENDED: Final = frozenset({RunState.DONE, RunState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Why a run pauses."""

    pause: Pause
    reason: str
    resumes_in: float | None = None
    """Seconds until it goes on by itself, from the moment the database writes this down."""


class StoredRuns:
    """Runs, rows and chunks. Methods raise StorageError; a run that is not there is InvalidRequest."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def create(self, new: NewRun, *, version: str) -> Run:
        """Store a run without rows; the same id again is the same run."""
        return await self.db.write(lambda tx: _create(tx, new, version))

    async def add_rows(self, run_id: str, placed: Sequence[tuple[PlannedRow, int]]) -> None:
        """Store some rows, each with the number of its chunk."""
        await self.db.write(lambda tx: rows.insert_rows(tx, run_id, placed=placed))

    async def drop(self, run_id: str) -> None:
        """Forget a run that never began."""
        await self.db.write(lambda tx: _drop(tx, run_id))

    async def complete(self, run_id: str, chunks: Sequence[Chunk], *, fingerprint: str) -> Run:
        """All rows are stored. Where an equal run of the same scope is not over, that one is returned and
        this one is dropped: the same table started twice is one run."""
        return await self.db.write(lambda tx: _complete(tx, run_id, chunks, fingerprint))

    async def get(self, run_id: str) -> Run:
        return await self.db.read(lambda tx: find_run(tx, run_id))

    async def listed(
        self,
        *,
        scope: str | None = None,
        kind: RunKind | None = None,
        states: Collection[RunState] | None = None,
        limit: int = 50,
    ) -> list[Run]:
        """Newest first."""
        wanted = select(runs).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
        if scope is not None:
            wanted = wanted.where(under(runs.c.scope, scope))
        if kind is not None:
            wanted = wanted.where(runs.c.kind == kind)
        if states is not None:
            wanted = wanted.where(runs.c.state.in_(states))
        return await self.db.read(
            lambda tx: [run_from(row) for row in tx.connection.execute(wanted).mappings()]
        )

    async def begin(self, run_id: str) -> Run:
        """Let a stored or paused run go on."""
        return await self.db.write(lambda tx: _begin(tx, run_id))

    async def pause(self, run_id: str, stopped: Stopped) -> Run:
        """Stand still, unless it is over or stands still already."""
        return await self.db.write(lambda tx: pause_run(tx, run_id, stopped=stopped))

    async def cancel(self, run_id: str) -> Run:
        """End it: what waits is cancelled, what was sent is still settled."""
        return await self.db.write(lambda tx: _cancel(tx, run_id))

    async def retry(self, run_id: str, states: Collection[RowState], *, resend: bool) -> int:
        """Let rows in these states wait again, and the run go on; how many."""
        return await self.db.write(lambda tx: _retry(tx, run_id, states, resend=resend))

    async def rows_of(self, query: RowQuery) -> list[Row]:
        return await self.db.read(lambda tx: rows.find_rows(tx, query))

    async def count(self, query: RowQuery) -> int:
        return await self.db.read(lambda tx: rows.count_rows(tx, query))

    async def finish(self, run_id: str, number: int, *, end: RowEnd) -> bool:
        """Say what became of a row outside any settlement, as of one that was never sent."""
        return await self.db.write(lambda tx: rows.finish_row(tx, run_id, number=number, end=end))

    async def progress(self, run_id: str) -> Progress:
        return await self.db.read(lambda tx: rows.progress_of(tx, find_run(tx, run_id)))

    async def chunk(self, run_id: str, number: int) -> Chunk:
        return await self.db.read(lambda tx: _chunk(tx, run_id, number))

    async def chunks_of(
        self, run_id: str, *, states: Collection[ChunkState] = frozenset(ChunkState)
    ) -> list[Chunk]:
        mine = and_(run_chunks.c.run_id == run_id, run_chunks.c.state.in_(states))
        wanted = select(run_chunks).where(mine).order_by(run_chunks.c.number)
        return await self.db.read(
            lambda tx: [chunk_from(row) for row in tx.connection.execute(wanted).mappings()]
        )

    async def begin_chunk(self, run_id: str, number: int) -> Chunk:
        """Say that somebody is at it; its `turn` is one more."""
        return await self.db.write(lambda tx: _begin_chunk(tx, run_id, number))

    async def end_chunk(self, chunk: Chunk) -> Run:
        """Done, where all its rows are over, else it waits again, unless somebody has begun it anew; with its
        last row the run is over. A run whose references are to be looked at pauses when they are made."""
        return await self.db.write(lambda tx: _end_chunk(tx, chunk))

    async def skip_turn(self, chunk: Chunk) -> None:
        """The turn that was to begin a waiting chunk is lost: let the next one do it."""
        same = and_(_is_chunk(chunk.run_id, chunk.number), run_chunks.c.turn == chunk.turn)
        mine = and_(same, run_chunks.c.state == ChunkState.WAITING)
        values = {"turn": chunk.turn + 1}
        await self.db.write(lambda tx: tx.connection.execute(update(run_chunks).where(mine).values(values)))

    async def release_chunk(self, run_id: str, number: int, *, turn: int | None = None) -> None:
        """Let a chunk wait again whose maker is gone; where a turn is given, unless another has begun."""
        mine = and_(_is_chunk(run_id, number), run_chunks.c.state == ChunkState.RUNNING)
        if turn is not None:
            mine = and_(mine, run_chunks.c.turn == turn)
        values = {"state": ChunkState.WAITING}
        await self.db.write(lambda tx: tx.connection.execute(update(run_chunks).where(mine).values(values)))

    async def approve(self, run_id: str, *, rejected: Collection[str] = ()) -> Run:
        """The references have been looked at: the variants of all subjects but the rejected are made."""
        return await self.db.write(lambda tx: _approve(tx, run_id, rejected))


def find_run(tx: Transaction, run_id: str) -> Run:
    """By id, or by a name that one run alone has. Raises InvalidRequest."""
    row = tx.connection.execute(select(runs).where(runs.c.id == run_id)).mappings().one_or_none()
    if row is not None:
        return run_from(row)
    named = select(runs).where(runs.c.name == run_id).order_by(runs.c.created_at.desc()).limit(2)
    found = [run_from(row) for row in tx.connection.execute(named).mappings()]
    if len(found) == 1:
        return found[0]
    ids = ", ".join(run.id for run in found)
    raise InvalidRequest(
        f"several runs are named {run_id!r}; say which by its id, such as {ids}"
        if found
        else f"there is no run {run_id!r}; `image-router catalog list` shows those there are"
    )


def pause_run(tx: Transaction, run_id: str, *, stopped: Stopped) -> Run:
    wait = stopped.resumes_in
    values = {
        "state": RunState.PAUSED,
        "pause": stopped.pause,
        "reason": stopped.reason,
        "resumes_at": None if wait is None else tx.now.wall + round(wait * SECOND),
    }
    _set(tx, run_id, values, where=runs.c.state == RunState.RUNNING)
    return find_run(tx, run_id)


def _create(tx: Transaction, new: NewRun, version: str) -> Run:
    there = tx.connection.execute(select(runs.c.id).where(runs.c.id == new.id)).first()
    if there is None:
        tx.connection.execute(
            insert(runs).values(
                id=new.id,
                name=new.name,
                kind=new.kind,
                scope=new.scope,
                profile=new.profile,
                terms=terms_text(new.terms),
                state=RunState.PLANNED,
                reason="",
                version=version,
                created_at=tx.now.wall,
            )
        )
    return find_run(tx, new.id)


def _complete(tx: Transaction, run_id: str, chunks: Sequence[Chunk], fingerprint: str) -> Run:
    run = find_run(tx, run_id)
    same = select(runs.c.id).where(
        runs.c.scope == run.scope,
        runs.c.fingerprint == fingerprint,
        runs.c.ended_at.is_(None),
        runs.c.id != run_id,
    )
    other = tx.connection.execute(same).scalars().first()
    if other is not None:
        _drop(tx, run_id)
        return find_run(tx, other)
    tx.connection.execute(delete(run_chunks).where(run_chunks.c.run_id == run_id))
    names = Chunk.__slots__
    if chunks:
        values = [{name: getattr(chunk, name) for name in names} for chunk in chunks]
        tx.connection.execute(insert(run_chunks), values)
    _set(tx, run_id, {"fingerprint": fingerprint, "rows": sum(chunk.rows for chunk in chunks)})
    return find_run(tx, run_id)


def _drop(tx: Transaction, run_id: str) -> None:
    if find_run(tx, run_id).state is not RunState.PLANNED:
        raise InvalidRequest(f"run {run_id} has begun; cancel it instead")
    for table in (run_rows, run_chunks):
        tx.connection.execute(delete(table).where(table.c.run_id == run_id))
    tx.connection.execute(delete(runs).where(runs.c.id == run_id))


def _begin(tx: Transaction, run_id: str) -> Run:
    run = find_run(tx, run_id)
    if run.rows is None:
        raise InvalidRequest(f"run {run.id} was not stored to its end; start it anew from its table")
    if run.state in _ENDED:
        raise InvalidRequest(f"run {run.id} is {run.state}; `catalog retry-failed` takes up what failed")
    if run.state is RunState.PLANNED:
        _line_up(tx, run)
    values = {
        "state": RunState.RUNNING,
        "pause": None,
        "reason": "",
        "resumes_at": None,
        "started_at": run.started_at or tx.now.wall,
    }
    _set(tx, run_id, values)
    _close_if_over(tx, run_id)
    return find_run(tx, run_id)


def _line_up(tx: Transaction, run: Run) -> None:
    """Places in line by turns: whoever comes later begins where the line is now, and each scope has one chunk
    after the other, so that scopes of one priority share fairly however long their runs are."""
    base = run.terms.priority * 1_000_000
    waiting = (
        select(func.min(run_chunks.c.place), func.max(run_chunks.c.place).filter(runs.c.scope == run.scope))
        .join(runs, runs.c.id == run_chunks.c.run_id)
        .where(
            runs.c.state == RunState.RUNNING,
            run_chunks.c.state != ChunkState.DONE,
            run_chunks.c.place.between(base + 1, base + 999_999),
        )
    )
    least, of_scope = tx.connection.execute(waiting).one()
    begins = max((least or base + 1) - 1, of_scope or base)
    highest = base + 999_999
    place = func.min if tx.connection.dialect.name == "sqlite" else func.least
    tx.connection.execute(
        update(run_chunks)
        .where(run_chunks.c.run_id == run.id)
        .values(place=place(highest, begins + run_chunks.c.number))
    )


def _cancel(tx: Transaction, run_id: str) -> Run:
    run = find_run(tx, run_id)
    if run.state in _ENDED:
        return run
    rows.cancel_rows(tx, RowQuery(run_id=run_id), why="the run was cancelled")
    over = and_(run_chunks.c.run_id == run_id, ~_open_rows(run_id))
    tx.connection.execute(update(run_chunks).where(over).values(state=ChunkState.DONE))
    reason = {"state": RunState.CANCELLED, "pause": None, "reason": "cancelled", "resumes_at": None}
    _set(tx, run_id, {**reason, "ended_at": tx.now.wall})
    return find_run(tx, run_id)


def _retry(tx: Transaction, run_id: str, states: Collection[RowState], *, resend: bool) -> int:
    run = find_run(tx, run_id)
    found = rows.again(tx, RowQuery(run_id=run.id, states=states), resend=resend)
    if found:
        done = run_chunks.c.state == ChunkState.DONE
        mine = and_(run_chunks.c.run_id == run.id, done, _open_rows(run.id))
        tx.connection.execute(update(run_chunks).where(mine).values(state=ChunkState.WAITING))
        again = {"state": RunState.RUNNING, "pause": None, "reason": "", "resumes_at": None}
        _set(tx, run.id, {**again, "ended_at": None})
    return found


def _chunk(tx: Transaction, run_id: str, number: int) -> Chunk:
    found = select(run_chunks).where(_is_chunk(run_id, number))
    return chunk_from(tx.connection.execute(found).mappings().one())


def _begin_chunk(tx: Transaction, run_id: str, number: int) -> Chunk:
    values = {"state": ChunkState.RUNNING, "turn": run_chunks.c.turn + 1}
    tx.connection.execute(update(run_chunks).where(_is_chunk(run_id, number)).values(values))
    return _chunk(tx, run_id, number)


def _end_chunk(tx: Transaction, chunk: Chunk) -> Run:
    mine = RowQuery(run_id=chunk.run_id, chunk=chunk.number, states=_OPEN)
    state = ChunkState.WAITING if rows.count_rows(tx, mine) else ChunkState.DONE
    same = and_(_is_chunk(chunk.run_id, chunk.number), run_chunks.c.turn == chunk.turn)
    tx.connection.execute(update(run_chunks).where(same).values(state=state))
    _close_if_over(tx, chunk.run_id)
    run = find_run(tx, chunk.run_id)
    if run.terms.approve_references and run.state is RunState.RUNNING and _references_made(tx, run):
        reason = "all references are made; look at them, then `image-router catalog approve`"
        return pause_run(tx, run.id, stopped=Stopped(pause=Pause.APPROVAL, reason=reason))
    return run


def _references_made(tx: Transaction, run: Run) -> bool:
    return not rows.count_rows(tx, RowQuery(run_id=run.id, stage=Stage.FIRST, states=_OPEN))


def _approve(tx: Transaction, run_id: str, rejected: Collection[str]) -> Run:
    run = find_run(tx, run_id)
    if run.pause is not Pause.APPROVAL:
        raise InvalidRequest(f"run {run.id} is {run.state} and waits for no approval")
    if rejected:
        mine = RowQuery(run_id=run.id, subjects=rejected, stage=Stage.SECOND)
        rows.cancel_rows(tx, mine, why="its reference was rejected")
    _set(tx, run.id, {"terms": terms_text(replace(run.terms, approve_references=False))})
    return _begin(tx, run.id)


def _close_if_over(tx: Transaction, run_id: str) -> None:
    """A run is done when none of its chunks is left: by then what they held is given back. A cancelled one
    stays cancelled."""
    left = select(run_chunks.c.number).where(
        run_chunks.c.run_id == run_id, run_chunks.c.state != ChunkState.DONE
    )
    if tx.connection.execute(left.limit(1)).first() is None:
        values = {"state": RunState.DONE, "pause": None, "reason": "", "resumes_at": None}
        going = runs.c.state.in_((RunState.RUNNING, RunState.PAUSED))
        _set(tx, run_id, {**values, "ended_at": tx.now.wall}, where=going)


def _open_rows(run_id: str) -> ColumnElement[bool]:
    """Whether a chunk has rows that are not over."""
    return exists().where(
        run_rows.c.run_id == run_id,
        run_rows.c.chunk == run_chunks.c.number,
        run_rows.c.state.not_in(OVER),
    )


def _set(
    tx: Transaction, run_id: str, values: dict[str, Any], *, where: ColumnElement[bool] | None = None
) -> None:
    mine = runs.c.id == run_id if where is None else and_(runs.c.id == run_id, where)
    tx.connection.execute(update(runs).where(mine).values(values))


def _is_chunk(run_id: str, number: int) -> ColumnElement[bool]:
    return and_(run_chunks.c.run_id == run_id, run_chunks.c.number == number)
