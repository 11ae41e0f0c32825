"""Rows of runs, in the caller's transaction: sent with the ledger's note, over with its settlement.

So what a row says of money is never ahead of the ledger, nor behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, insert, select, update

from image_router.core.budget import SECOND
from image_router.core.holds import HoldState, SendState
from image_router.core.money import Nanos
from image_router.core.runs import OVER, PlannedRow, Progress, Row, RowEnd, RowState, Run, Stage
from image_router.storage.database import Transaction
from image_router.storage.runs_tables import row_from, row_values, run_rows
from image_router.storage.schema import holds, sends

SPEED_OVER: Final = 300
"""Seconds that a run's speed is measured over."""
_ROWS: Final = run_rows.c


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """Which rows of a run, in the order of their numbers; what is None does not matter."""

    run_id: str
    states: Collection[RowState] | None = None
    chunk: int | None = None
    stage: Stage | None = None
    subjects: Collection[str] | None = None
    remote_job: str | None = None
    after: int = 0
    """The number of the last one seen."""
    limit: int | None = None


def insert_rows(tx: Transaction, run_id: str, *, placed: Sequence[tuple[PlannedRow, int]]) -> None:
    """Store planned rows with the chunks they belong to."""
    if placed:
        tx.connection.execute(
            insert(run_rows), [row_values(run_id, row, chunk=chunk) for row, chunk in placed]
        )


def find_rows(tx: Transaction, query: RowQuery) -> list[Row]:
    wanted = select(run_rows).where(_which(query)).order_by(_ROWS.number).limit(query.limit)
    return [row_from(row) for row in tx.connection.execute(wanted).mappings()]


def count_rows(tx: Transaction, query: RowQuery) -> int:
    return tx.connection.execute(select(func.count()).where(_which(query))).scalar_one()


def mark_sent(
    tx: Transaction,
    run_id: str,
    *,
    numbers: Collection[int],
    hold_id: str | None,
    request_id: str | None = None,
    remote_job: str | None = None,
) -> int:
    """Say that these rows are about to be sent, in the transaction in which the ledger notes it; how many
    were not over. What an earlier hold counted for a row is added up first."""
    found = select(_ROWS.number, _ROWS.hold_id, _ROWS.request_id).where(
        _ROWS.run_id == run_id, _ROWS.number.in_(numbers), _ROWS.state.not_in(OVER)
    )
    there = tx.connection.execute(found).all()
    for number, before, asked_before in there:
        values: dict[str, Any] = {
            "state": RowState.SENT,
            "hold_id": hold_id,
            "request_id": request_id or asked_before,
            "remote_job": remote_job,
        }
        if before is not None and before != hold_id and asked_before is not None:
            cost, at_risk = counted(tx, before, request_id=asked_before)
            values |= {"cost": _ROWS.cost + cost, "at_risk": _ROWS.at_risk + at_risk}
        tx.connection.execute(update(run_rows).where(_is(run_id, number)).values(values))
    return len(there)


def free_rows(tx: Transaction, run_id: str, *, numbers: Collection[int], tries: int = 1) -> None:
    """Let rows wait again that are not over: their call was given up, and cost what it cost."""
    open_ = and_(_ROWS.run_id == run_id, _ROWS.number.in_(numbers), _ROWS.state.not_in(OVER))
    values = {"state": RowState.WAITING, "remote_job": None, "tries": _ROWS.tries + tries}
    tx.connection.execute(update(run_rows).where(open_).values(values))


def finish_row(tx: Transaction, run_id: str, *, number: int, end: RowEnd) -> bool:
    """Write down what became of a row, once; False where that was known already.

    `cost` and `at_risk` are added to what earlier holds counted for it.
    """
    values = {
        "state": end.state,
        "cause": end.cause,
        "message": end.message,
        "cost": _ROWS.cost + end.cost,
        "at_risk": _ROWS.at_risk + end.at_risk,
        "ended_at": tx.now.wall,
        "tries": _ROWS.tries + 1,
    }
    optional = {"request_id": end.request_id, "asset": end.asset, "model": end.model}
    values |= {name: value for name, value in optional.items() if value is not None}
    open_ = and_(_is(run_id, number), _ROWS.state.not_in(OVER))
    return tx.connection.execute(update(run_rows).where(open_).values(values)).rowcount == 1


def finish_counted(tx: Transaction, run_id: str, *, number: int, end: RowEnd) -> bool:
    """finish_row with what the ledger counts for its calls on its last hold."""
    on = select(_ROWS.hold_id, _ROWS.request_id).where(_is(run_id, number))
    hold_id, request_id = tx.connection.execute(on).one()
    if hold_id is not None and request_id is not None:
        cost, at_risk = counted(tx, hold_id, request_id=request_id)
        end = replace(end, cost=cost, at_risk=at_risk)
    return finish_row(tx, run_id, number=number, end=end)


def counted(tx: Transaction, hold_id: str, *, request_id: str) -> tuple[Nanos, Nanos]:
    """What the calls of one row on one hold count for: known cost, and amount at risk."""
    mine = select(sends.c.state, func.sum(sends.c.counted)).where(
        sends.c.hold_id == hold_id, sends.c.request_id == request_id
    )
    sums = {state: int(total) for state, total in tx.connection.execute(mine.group_by(sends.c.state))}
    return sums.get(SendState.KNOWN, 0), sums.get(SendState.UNKNOWN, 0)


def again(tx: Transaction, query: RowQuery, *, resend: bool) -> int:
    """Let rows that are over wait again; how many. `resend`: also those whose call may have been paid.

    What their last hold counted was added up when they ended, so they know of no hold any more.
    """
    values: dict[str, Any] = {"state": RowState.WAITING, "cause": "", "message": "", "tries": 0}
    values |= {"ended_at": None, "hold_id": None}
    over = and_(_which(query), _ROWS.state.in_(OVER - {RowState.DONE}))
    return tx.connection.execute(update(run_rows).where(over).values(resend=resend, **values)).rowcount


def cancel_rows(tx: Transaction, query: RowQuery, *, why: str) -> int:
    """End rows that wait; how many."""
    values = {"state": RowState.CANCELLED, "message": why, "ended_at": tx.now.wall}
    waiting = and_(_which(query), _ROWS.state == RowState.WAITING)
    return tx.connection.execute(update(run_rows).where(waiting).values(values)).rowcount


def progress_of(tx: Transaction, run: Run) -> Progress:
    """How far a run is, as its rows and its holds say."""
    mine = _ROWS.run_id == run.id
    by_state = select(_ROWS.state, func.count(), func.sum(_ROWS.at_risk), func.sum(_ROWS.quote))
    found = tx.connection.execute(by_state.where(mine).group_by(_ROWS.state)).all()
    states = {RowState(state): int(count) for state, count, _, _ in found}
    left = sum(count for state, count in states.items() if state not in OVER)
    quotes = sum(int(quote) for state, _, _, quote in found if RowState(state) not in OVER)
    until = run.ended_at or tx.now.wall
    since = max(until - SPEED_OVER * SECOND, run.started_at or run.created_at)
    lately = and_(mine, _ROWS.state == RowState.DONE, _ROWS.ended_at >= since)
    made = tx.connection.execute(select(func.count()).where(lately)).scalar_one()
    per_minute = made * 60 * SECOND / max(SECOND, until - since)
    spent, held = purse_of(tx, run.purse)
    return Progress(
        rows=sum(states.values()),
        states=states,
        spent=spent,
        at_risk=sum(int(at_risk) for _, _, at_risk, _ in found),
        held=held,
        projected=spent + quotes,
        per_minute=per_minute,
        seconds_left=0.0 if not left else 60 * left / per_minute if per_minute else None,
    )


def purse_of(tx: Transaction, purse: str) -> tuple[Nanos, Nanos]:
    """What was spent from a run's scope (unknown calls included), and what is held in it."""
    open_ = holds.c.state == HoldState.OPEN
    sums = select(
        func.coalesce(func.sum(holds.c.settled), 0),
        func.coalesce(func.sum(holds.c.remainder).filter(open_), 0),
    )
    spent, held = tx.connection.execute(sums.where(holds.c.scope == purse)).one()
    return int(spent), int(held)


def _which(query: RowQuery) -> ColumnElement[bool]:
    asked = [_ROWS.run_id == query.run_id]
    if query.after:
        asked.append(_ROWS.number > query.after)
    for column, value in ((_ROWS.chunk, query.chunk), (_ROWS.stage, query.stage)):
        if value is not None:
            asked.append(column == int(value))
    if query.remote_job is not None:
        asked.append(_ROWS.remote_job == query.remote_job)
    for column, among in ((_ROWS.state, query.states), (_ROWS.subject, query.subjects)):
        if among is not None:
            asked.append(column.in_(among))
    return and_(*asked)


def _is(run_id: str, number: int) -> ColumnElement[bool]:
    return and_(_ROWS.run_id == run_id, _ROWS.number == number)
