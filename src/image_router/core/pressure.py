"""How full the budgets of a request are before it, and where they want the guard to act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from image_router.core.budget import SECOND, Budget, Micros, Span, Window, from_micros, percent_used, zone_of
from image_router.core.money import Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one cap stands now."""

    scope: str
    window: Window
    span: Span
    cap: Nanos
    settled: Nanos
    held: Nanos
    zone: str = "UTC"

    @property
    def left(self) -> Nanos:
        """What may still be held; below zero after an overrun or when the cap was lowered."""
        return self.cap - self.settled - self.held

    @property
    def percent(self) -> int:
        return percent_used(self.settled, self.held, cap=self.cap)

    @property
    def window_end(self) -> datetime | None:
        """In the budget's own time zone; None when the window never ends."""
        end = self.span.end
        return None if end is None else from_micros(end).astimezone(zone_of(self.zone))

    def stays_at(self, percent: int, *, until: Micros) -> bool:
        """Whether it is at least so full until then, even if everything held is given back."""
        resets = self.span.end is not None and self.span.end <= until
        return not resets and percent_used(self.settled, 0, cap=self.cap) >= percent


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLine:
    """Where the guard acts, and the scope that says so."""

    scope: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strain:
    """Every cap that a request touches, as it stands before the request."""

    at: Micros = 0
    """When they were looked at."""
    standings: tuple[Standing, ...] = ()
    line: GuardLine | None = None
    """None: the guard acts where the policy says."""

    @property
    def percents(self) -> Mapping[str, int]:
        """{'acme/studio-a day': 87, …}"""
        return {f"{one.scope} {one.window}": one.percent for one in self.standings}

    @property
    def fullest(self) -> Standing | None:
        return max(self.standings, key=lambda one: one.percent, default=None)

    def lasts(self, percent: int, *, seconds: float) -> bool:
        """Whether one of the caps is at least so full for so long, whatever others give back."""
        until = self.at + round(seconds * SECOND)
        return any(one.stays_at(percent, until=until) for one in self.standings)


NO_STRAIN = Strain()


def guard_line(budgets: Iterable[Budget]) -> GuardLine | None:
    """Of the touched scopes the one that wants the guard earliest; None where none says anything."""
    lines = [
        GuardLine(scope=budget.scope, percent=budget.guard_percent)
        for budget in budgets
        if budget.guard_percent is not None
    ]
    return min(lines, key=lambda line: line.percent, default=None)
