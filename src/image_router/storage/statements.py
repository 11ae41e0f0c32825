"""What was spent, on what, for whom: sums over the ledger's entries, and the entries themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, exists, func, literal_column, or_, select

from image_router.core.budget import SECOND, from_micros, zone_of
from image_router.core.causes import Cause
from image_router.core.holds import PROMPT_INDEX, AttemptKey, Entry, EntryKind, SendState
from image_router.core.reconcile import Call
from image_router.core.scopes import within
from image_router.core.statement import SUMS, By, Line, Period, Unknown, total_of
from image_router.core.types import Tier
from image_router.storage import schema
from image_router.storage.database import Transaction
from image_router.storage.rows import entry_of

_QUARTER = 15 * 60 * SECOND
"""Every time zone's midnight is a whole number of quarter hours from UTC's."""
_ENTRIES, _SENDS = schema.entries.c, schema.sends.c
# Written out: PostgreSQL takes two parameters of one value for different expressions to group by.
_QUARTER_OF_ENTRY = _ENTRIES.at // literal_column(str(_QUARTER), BigInteger)


def statement(tx: Transaction, by: Sequence[By], *, period: Period, zone: str = "UTC") -> tuple[Line, ...]:
    """Sums by any combination of columns, days being those of `zone`; lines in the order of what they are of.

    Holds and releases spend nothing and are left out.
    """
    groups = [_column(one) for one in by]
    query = (
        select(*groups, *_sums())
        .select_from(schema.entries.outerjoin(schema.sends, _same_attempt()))
        .where(_ENTRIES.attempt.is_not(None), *_during(period))
        .group_by(*groups)
    )
    lines: dict[tuple[str, ...], Line] = {}
    for row in tx.connection.execute(query):
        of = tuple(_words(one, value, zone) for one, value in zip(by, row, strict=False))
        line = Line(of=of, **{k: int(v or 0) for k, v in row._mapping.items() if k in SUMS})
        lines[of] = total_of((lines[of], line), of=of) if of in lines else line
    return tuple(lines[of] for of in sorted(lines))


def recent(
    tx: Transaction, *, limit: int = 50, before: int | None = None, scope: str | None = None
) -> list[Entry]:
    """The newest entries, newest first; `before` an entry's id continues a page."""
    query = select(schema.entries).where(*_during(Period(scope=scope)))
    if before is not None:
        query = query.where(_ENTRIES.id < before)
    rows = tx.connection.execute(query.order_by(_ENTRIES.id.desc()).limit(limit)).mappings()
    return [entry_of(row) for row in rows]


def entries_of(tx: Transaction, request_id: str) -> list[Entry]:
    """All that the ledger says about one request, oldest first."""
    holds = select(_ENTRIES.hold_id).where(_ENTRIES.request_id == request_id)
    query = select(schema.entries).where(
        or_(
            _ENTRIES.request_id == request_id,
            and_(_ENTRIES.hold_id.in_(holds), _ENTRIES.attempt.is_(None)),
        )
    )
    return [entry_of(row) for row in tx.connection.execute(query.order_by(_ENTRIES.id)).mappings()]


def entries_of_hold(tx: Transaction, hold_id: str) -> list[Entry]:
    """All that the ledger says about one hold, oldest first."""
    query = select(schema.entries).where(_ENTRIES.hold_id == hold_id).order_by(_ENTRIES.number)
    return [entry_of(row) for row in tx.connection.execute(query).mappings()]


def unknowns(tx: Transaction, *, scope: str | None = None) -> list[Unknown]:
    """Calls of unknown outcome, oldest first, with what each counts for now."""
    holds = schema.holds.c
    query = (
        select(schema.sends, holds.scope, holds.request_id.label("hold_request"))
        .join_from(schema.sends, schema.holds, holds.id == _SENDS.hold_id)
        .where(_SENDS.state == SendState.UNKNOWN, *_inside(holds.scope, scope))
        .order_by(_SENDS.sent_at)
    )
    return [_unknown(row) for row in tx.connection.execute(query).mappings()]


def calls(tx: Transaction, period: Period | None = None) -> list[Call]:
    """Every call sent in the period, oldest first, with what the ledger counts for it now."""
    asked, holds = period or Period(), schema.holds.c
    named = (
        select(*_ATTEMPT, func.max(_ENTRIES.response_id).label("told_id"))
        .where(_ENTRIES.response_id.is_not(None))
        .group_by(*_ATTEMPT)
        .subquery()
    )
    same = [named.c[name] == column for name, column in zip(_ATTEMPT_NAMES, _SEND_KEY, strict=True)]
    during = [_SENDS.sent_at >= asked.start, *([_SENDS.sent_at < asked.end] if asked.end is not None else [])]
    query = (
        select(schema.sends, holds.scope, holds.request_id.label("hold_request"), named.c.told_id)
        .join_from(schema.sends, schema.holds, holds.id == _SENDS.hold_id)
        .outerjoin(named, and_(*same))
        .where(*during, *_inside(holds.scope, asked.scope))
        .order_by(_SENDS.sent_at, *_SEND_KEY)
    )
    return [_call(row) for row in tx.connection.execute(query).mappings()]


def scopes(tx: Transaction) -> list[str]:
    """Every scope that ever held money, or has a budget."""
    used = select(schema.holds.c.scope).union(select(schema.budgets.c.scope))
    return sorted(tx.connection.execute(used).scalars())


_ATTEMPT_NAMES = ("hold_id", "attempt_request", "image_index", "attempt")
_ATTEMPT = tuple(_ENTRIES[name] for name in _ATTEMPT_NAMES)
_SEND_KEY = (_SENDS.hold_id, _SENDS.request_id, _SENDS.image_index, _SENDS.attempt)


def _sums() -> list[ColumnElement[Any]]:
    counted = _ENTRIES.kind.in_((EntryKind.SETTLE, EntryKind.EXPIRE))
    beyond = _ENTRIES.spent + _ENTRIES.held
    useful = or_(_pictured(), and_(_ENTRIES.image_index == PROMPT_INDEX, _ENTRIES.outcome == Cause.OK))
    nothing = and_(_SENDS.state == SendState.KNOWN, _ENTRIES.spent != 0, _ENTRIES.images == 0, ~useful)
    return [
        func.sum(case((counted, 1), else_=0)).label("calls"),
        func.sum(_ENTRIES.images).label("images"),
        func.sum(_ENTRIES.spent).label("spent"),
        func.sum(case((_SENDS.state == SendState.UNKNOWN, _ENTRIES.spent), else_=0)).label("unconfirmed"),
        func.sum(case((nothing, _ENTRIES.spent), else_=0)).label("for_nothing"),
        func.sum(case((and_(counted, beyond > 0), beyond), else_=0)).label("overrun"),
    ]


def _pictured() -> ColumnElement[bool]:
    """Whether any entry of the same attempt knows of a picture: an adjustment alone does not."""
    other = schema.entries.alias("other")
    same = [other.c[name] == column for name, column in zip(_ATTEMPT_NAMES, _ATTEMPT, strict=True)]
    return exists().where(*same, other.c.images > 0)


def _same_attempt() -> ColumnElement[bool]:
    return and_(*(sent == told for sent, told in zip(_SEND_KEY, _ATTEMPT, strict=True)))


def _during(period: Period) -> list[ColumnElement[bool]]:
    conditions = [_ENTRIES.at >= period.start, *_inside(_ENTRIES.scope, period.scope)]
    if period.end is not None:
        conditions.append(_ENTRIES.at < period.end)
    return conditions


def _inside(column: ColumnElement[str], scope: str | None) -> list[ColumnElement[bool]]:
    if scope is None:
        return []
    low, high = within(scope)
    return [or_(column == scope, and_(column >= low, column < high))]


def _column(by: By) -> ColumnElement[Any]:
    return _QUARTER_OF_ENTRY.label("day") if by is By.DAY else _ENTRIES[by.value]


def _words(by: By, value: Any, zone: str) -> str:
    if by is By.DAY:
        return from_micros(value * _QUARTER).astimezone(zone_of(zone)).date().isoformat()
    return value or ""


def _unknown(row: Any) -> Unknown:
    return Unknown(
        hold_id=row["hold_id"],
        attempt=AttemptKey(number=row["attempt"], index=row["image_index"], request_id=row["request_id"]),
        request_id=row["request_id"] or row["hold_request"],
        scope=row["scope"],
        model=row["model"],
        tier=Tier(row["tier"]) if row["tier"] else None,
        at_risk=row["counted"],
        sent_at=row["sent_at"],
        response_id=row["response_id"],
    )


def _call(row: Any) -> Call:
    return Call(
        hold_id=row["hold_id"],
        attempt=AttemptKey(number=row["attempt"], index=row["image_index"], request_id=row["request_id"]),
        request_id=row["request_id"] or row["hold_request"],
        scope=row["scope"],
        model=row["model"],
        state=SendState(row["state"]),
        amount=row["counted"],
        sent_at=row["sent_at"],
        response_id=row["response_id"] or row["told_id"],
    )
