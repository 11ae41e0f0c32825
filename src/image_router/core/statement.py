"""What was spent, in lines that add up: the words of a statement and the sums over its lines.

The lines themselves come from storage/statements. Amounts are nano-dollars, moments microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final

from image_router.core.budget import Micros, Window, span_of, to_micros, zone_of
from image_router.core.errors import InvalidRequest
from image_router.core.holds import AttemptKey
from image_router.core.money import Nanos
from image_router.core.types import Tier

_FIRST_DAY: Final = date(1970, 1, 1)
_LAST_DAY: Final = date(9000, 1, 1)


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
    calls: int = 0
    """Settled attempts and those given up as unknown."""
    images: int = 0
    spent: Nanos = 0
    unconfirmed: Nanos = 0
    """Counted for calls of unknown outcome, until somebody says better."""
    for_nothing: Nanos = 0
    """Charged for calls that brought no image."""
    overrun: Nanos = 0
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


SUMS: Final = ("calls", "images", "spent", "unconfirmed", "for_nothing", "overrun")


def total_of(lines: Iterable[Line], *, of: tuple[str, ...] = ()) -> Line:
    """All lines as one."""
    lines = tuple(lines)
    return Line(of=of, **{name: sum(getattr(line, name) for line in lines) for name in SUMS})


def rolled_up(lines: Iterable[Line], columns: Sequence[int]) -> tuple[Line, ...]:
    """The same sums by some of the columns only, in the order of their values."""
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(line.of[column] for column in columns), []).append(line)
    return tuple(total_of(groups[of], of=of) for of in sorted(groups))


def period_of(
    first: date | None = None, last: date | None = None, *, zone: str = "UTC", scope: str | None = None
) -> Period:
    """Whole days of a time zone, both included; None: since ever, until ever.

    Raises InvalidRequest for days out of order or out of reach, or an unknown zone.
    """
    zone_of(zone)
    if first is not None and last is not None and last < first:
        raise InvalidRequest(f"the period ends on {last}, before it begins on {first}; swap the days")
    start = _day(first, zone)[0] if first is not None else 0
    end = _day(last, zone)[1] if last is not None else None
    return Period(start=start, end=end, scope=scope)


def within_period(period: Period, moment: Micros) -> bool:
    """Whether a moment lies in the period."""
    return period.start <= moment and (period.end is None or moment < period.end)


def _day(day: date, zone: str) -> tuple[Micros, Micros | None]:
    if not _FIRST_DAY <= day < _LAST_DAY:
        raise InvalidRequest(f"{day} is out of reach; name a day from {_FIRST_DAY} on and before {_LAST_DAY}")
    noon = to_micros(datetime.combine(day, time(12), tzinfo=zone_of(zone)))
    span = span_of(Window.DAY, noon, zone=zone)
    return span.start, span.end
