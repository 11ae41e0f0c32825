"""Budgets as values: who pays (scopes), how much and how long (caps, windows), how near the end (pressure).

Reads no clock and no table. Times are whole microseconds since 1970-01-01 UTC; amounts are nano-dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from image_router.core.errors import BudgetExceeded, InvalidRequest
from image_router.core.money import USD, Nanos, show_usd
from image_router.core.scopes import scope_path

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Micros: TypeAlias = int
"""A moment: microseconds since 1970-01-01 UTC."""

SECOND: Final[Micros] = 1_000_000
LARGEST: Final[Nanos] = 1_000_000_000 * USD
"""A billion dollars: the largest amount of one cap, hold or settlement."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Window(StrEnum):
    """How long a cap counts. A hold belongs for ever to the windows in which it was taken."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Span:
    """One window on the time line: from `start` on, before `end` (None: never ends)."""

    start: Micros
    end: Micros | None

    def __contains__(self, moment: Micros) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


EVER: Final = Span(0, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one scope may spend. A cap of None is no cap.

    Resetting budgets have a day or month cap, in days and months of `zone`; a prepaid one has only its total,
    which top-ups raise. Raises InvalidRequest for caps that make no sense.
    """

    scope: str
    day: Nanos | None = None
    month: Nanos | None = None
    total: Nanos | None = None
    per_request: Nanos | None = None
    """Compared with the dearest possible price of one image."""
    zone: str = "UTC"
    guard_percent: int | None = None
    """Where the guard acts for this scope; None: where the policy says."""
    alerts: tuple[int, ...] = ()
    """Percents of a cap whose first crossing in a window is announced."""
    prepaid: bool = False

    def __post_init__(self) -> None:
        scope_path(self.scope)
        zone_of(self.zone)
        for name in ("day", "month", "total", "per_request"):
            cap = getattr(self, name)
            if cap is not None:
                check_amount(cap, f"the {name} cap of {self.scope!r}")
        if self.prepaid and (self.day is not None or self.month is not None or self.total is None):
            raise InvalidRequest(
                f"the prepaid budget {self.scope!r} has a total and no day or month cap; set total alone"
            )
        if self.guard_percent is not None and not _is_percent(self.guard_percent):
            raise InvalidRequest(f"guard_percent is {self.guard_percent}; choose 1 to 100")
        if not all(map(_is_percent, self.alerts)) or len(set(self.alerts)) < len(self.alerts):
            raise InvalidRequest(f"alerts are {self.alerts}; give different percents from 1 to 100")

    @property
    def caps(self) -> Mapping[Window, Nanos]:
        """The caps that are set, by window; the one per request is none of them."""
        found = {Window.DAY: self.day, Window.MONTH: self.month, Window.TOTAL: self.total}
        return {window: cap for window, cap in found.items() if cap is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why a hold was refused: which cap, what is gone of it, what was asked."""

    scope: str
    window: str
    """day, month, total or request."""
    cap: Nanos
    spent: Nanos
    held: Nanos
    asked: Nanos
    window_end: datetime | None = None
    """In the budget's own time zone; None when the window never ends."""
    resets_in: float | None = None
    """Seconds until then."""
    basis: str = ""
    """How `asked` comes about, in words."""

    @property
    def hopeless(self) -> bool:
        """Whether it would not even fit if everything held were given back."""
        return self.spent + self.asked > self.cap

    def in_vain(self, seconds: float) -> bool:
        """Whether waiting that long cannot help."""
        resets = self.resets_in is not None and self.resets_in <= seconds
        return self.hopeless and not (resets and self.asked <= self.cap)

    def error(self) -> BudgetExceeded:
        """The refusal in words."""
        return BudgetExceeded(self._words(), shortfall=self)

    def _words(self) -> str:
        cap = show_usd(self.cap)
        asked = f"{show_usd(self.asked)} ({self.basis})" if self.basis else show_usd(self.asked)
        if self.window == "request":
            return (
                f"Budget '{self.scope}' allows {cap} for one image and this one may cost {asked}; raise the "
                f"cap per request or ask for a cheaper tier."
            )
        helps = self.window_end and self.asked <= self.cap
        way_out = f" or wait until {self.window_end:%Y-%m-%d}" if helps else ""
        return (
            f"Budget '{self.scope}' cannot cover {asked}: {show_usd(self.spent)} of {cap} spent, "
            f"{show_usd(self.held)} held; raise the cap{way_out}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """A budget passed one of its thresholds, for the first time in this window."""

    scope: str
    window: Window
    percent: int
    """The threshold."""
    cap: Nanos
    spent: Nanos
    held: Nanos


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name. Raises InvalidRequest when there is none."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # 3 ms that explaining need not wait for

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(f"time zone {name!r} is unknown; write it like Europe/Berlin or UTC") from None


def check_amount(amount: object, name: str, *, least: Nanos = 1) -> Nanos:
    """A whole number of nano-dollars between `least` and a billion dollars, or InvalidRequest."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise InvalidRequest(f"{name} must be whole nano-dollars, not {amount!r}; parse_usd reads dollars")
    if not least <= amount <= LARGEST:
        raise InvalidRequest(
            f"{name} is {show_usd(amount)}; it must be {show_usd(least)} to {show_usd(LARGEST)}"
        )
    return amount


@lru_cache(maxsize=256)
def span_of(window: Window, moment: Micros, *, zone: str) -> Span:
    """The window a moment falls into. Windows of one kind and zone follow each other without gap or overlap,
    whatever clocks do at midnight: a day lasts from the first instant of its date to that of the next."""
    if window is Window.TOTAL:
        return EVER
    here = zone_of(zone)
    day = from_micros(moment).astimezone(here).date()
    near = _months_near(day) if window is Window.MONTH else _days_near(day)
    starts = sorted({_first_instant(start, here) for start in near})
    return Span(
        max(start for start in starts if start <= moment),
        min(start for start in starts if start > moment),
    )


def _is_percent(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100


def percent_used(settled: Nanos, held: Nanos, *, cap: Nanos) -> int:
    """Settled and held as whole percent of the cap, rounded down: 90 is reached when nine tenths are."""
    return max(0, settled + held) * 100 // cap


def to_micros(moment: datetime) -> Micros:
    """An aware datetime as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(moment: Micros) -> datetime:
    """Microseconds since 1970 as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=moment)


def moment_text(moment: Micros, zone: str = "UTC") -> str:
    """A moment for programs: ISO 8601 with the zone's offset."""
    return from_micros(moment).astimezone(zone_of(zone)).isoformat(timespec="seconds")


def _days_near(day: date) -> list[date]:
    return [day + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2)]


def _months_near(day: date) -> list[date]:
    months = day.year * 12 + day.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(months - 1, months + 3)]


def _first_instant(day: date, zone: ZoneInfo) -> Micros:
    """When the date begins. Midnight may happen twice (the first counts) or not at all: clocks that jump over
    it make the date begin where they land, which lies between the two readings of a midnight that is not."""
    early, late = (
        to_micros(datetime.combine(day, time(), tzinfo=zone).replace(fold=fold).astimezone(UTC))
        for fold in (1, 0)
    )
    if early >= late:
        return late
    while late - early > SECOND:
        middle = (early + late) // 2 // SECOND * SECOND
        if from_micros(middle).astimezone(zone).date() >= day:
            late = middle
        else:
            early = middle
    return late if from_micros(early).astimezone(zone).date() < day else early
