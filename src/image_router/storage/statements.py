"""What was spent, on what, for whom: sums over the ledger's entries, and the entries themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, func, literal_column, or_, select

from image_router.core.budget import SECOND, Micros, from_micros, within, zone_of
from image_router.core.causes import Billed
from image_router.core.holds import AttemptKey, Entry, EntryKind, SendState
from image_router.core.money import Nanos
from image_router.core.types import Tier
from image_router.storage import schema
from image_router.storage.database import Transaction
from image_router.storage.rows import entry_of

_QUARTER = 15 * 60 * SECOND
"""Every time zone's midnight is a whole number of quarter hours from UTC's."""
_ENTRIES, _SENDS = schema.entries.c, schema.sends.c
# Written out: PostgreSQL takes two parameters of one value for different expressions to group by.
_QUARTER_OF_ENTRY = _ENTRIES.at // literal_column(str(_QUARTER), BigInteger)


class By(StrEnum):
    """What a statement has one line for."""

    TIER = "tier"
    MODEL = "model"
    PURPOSE = "purpose"
    SCOPE = "scope"
    LANE = "lane"
    SIZE = "size"
    OUTCOME = "outcome"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Which entries count: written from `start` on and before `end`, for a scope and all below it."""

    start: Micros = 0
    end: Micros | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a statement. `spent` contains all that follows it."""

    of: tuple[str, ...]
    """The values grouped by, in the order asked; '' where an entry has none."""
    calls: int
    """Settled attempts and those given up as unknown."""
    images: int
    spent: Nanos
    unconfirmed: Nanos
    """Counted for calls of unknown outcome, until somebody says better."""
    for_nothing: Nanos
    """Charged for calls that brought no image."""
    overrun: Nanos
    """Charged beyond what was held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A call of which nobody knows whether it was billed."""

    hold_id: str
    attempt: AttemptKey
    request_id: str
    scope: str
    model: str
    tier: Tier | None
    at_risk: Nanos
    """What is counted for it now."""
    sent_at: Micros
    response_id: str | None


def statement(tx: Transaction, by: Sequence[By], period: Period, *, zone: str = "UTC") -> tuple[Line, ...]:
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
        line = Line(of=of, **{k: int(v or 0) for k, v in row._mapping.items() if k in _SUM_NAMES})
        lines[of] = _together(lines[of], line) if of in lines else line
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


_SUM_NAMES = frozenset({"calls", "images", "spent", "unconfirmed", "for_nothing", "overrun"})


def _sums() -> list[ColumnElement[Any]]:
    counted = _ENTRIES.kind.in_((EntryKind.SETTLE, EntryKind.EXPIRE))
    beyond = _ENTRIES.spent + _ENTRIES.held
    # Only a settlement knows of images: of an adjustment's, that nothing came is not known.
    nothing = and_(_ENTRIES.kind == EntryKind.SETTLE, _ENTRIES.images == 0, _ENTRIES.billed == Billed.YES)
    return [
        func.sum(case((counted, 1), else_=0)).label("calls"),
        func.sum(_ENTRIES.images).label("images"),
        func.sum(_ENTRIES.spent).label("spent"),
        func.sum(case((_SENDS.state == SendState.UNKNOWN, _ENTRIES.spent), else_=0)).label("unconfirmed"),
        func.sum(case((nothing, _ENTRIES.spent), else_=0)).label("for_nothing"),
        func.sum(case((and_(counted, beyond > 0), beyond), else_=0)).label("overrun"),
    ]


def _same_attempt() -> ColumnElement[bool]:
    return and_(
        _SENDS.hold_id == _ENTRIES.hold_id,
        _SENDS.request_id == _ENTRIES.attempt_request,
        _SENDS.image_index == _ENTRIES.image_index,
        _SENDS.attempt == _ENTRIES.attempt,
    )


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


def _together(one: Line, other: Line) -> Line:
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in _SUM_NAMES})


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
