"""The balances, each beside the sum of what the ledger's entries say about it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, select

from image_router.core.budget import SECOND, Micros, Window
from image_router.core.money import Nanos, show_usd
from image_router.core.running import Balance
from image_router.core.scopes import scope_path
from image_router.storage import schema
from image_router.storage.rows import balance_of

_LONGEST_WINDOW: Final = 33 * 86_400 * SECOND


@dataclass(slots=True)
class _Sum:
    kept: Balance
    settled: Nanos = 0
    held: Nanos = 0


@dataclass(slots=True)
class _Row:
    """All windows of one kind of one scope, by their beginning."""

    window: Window
    starts: list[Micros] = field(default_factory=list)
    sums: list[_Sum] = field(default_factory=list)

    def touched(self, moment: Micros) -> Iterator[_Sum]:
        """Windows of different time zones overlap when a budget changed its zone."""
        starts = self.starts
        for index in range(bisect_right(starts, moment) - 1, -1, -1):
            if self.window is not Window.TOTAL and starts[index] < moment - _LONGEST_WINDOW:
                return
            if moment in self.sums[index].kept.span:
                yield self.sums[index]


class WindowSums:
    """Holds are added one by one; then the differences are known."""

    def __init__(self, balances: Sequence[Balance]) -> None:
        self._sums = [
            _Sum(balance) for balance in sorted(balances, key=lambda b: (b.scope, b.window, b.span.start))
        ]
        self._rows: dict[str, list[_Row]] = {}
        for one in self._sums:
            rows = self._rows.setdefault(one.kept.scope, [])
            if not rows or rows[-1].window is not one.kept.window:
                rows.append(_Row(one.kept.window))
            rows[-1].starts.append(one.kept.span.start)
            rows[-1].sums.append(one)

    @classmethod
    def of(cls, connection: Connection) -> WindowSums:
        rows = connection.execute(select(schema.balances)).mappings()
        return cls([balance_of(row) for row in rows])

    def add(self, scope: str, moment: Micros, *, spent: Nanos, held: Nanos) -> None:
        """What one hold of a scope, taken at a moment, spent and still holds."""
        for name in scope_path(scope):
            for row in self._rows.get(name, ()):
                for one in row.touched(moment):
                    one.settled += spent
                    one.held += held

    def differences(self) -> Iterator[str]:
        for one in self._sums:
            kept = one.kept
            if (one.settled, one.held) != (kept.settled, kept.held):
                yield (
                    f"the {kept.window} balance of {kept.scope!r} says {show_usd(kept.settled)} spent and "
                    f"{show_usd(kept.held)} held; the entries say {show_usd(one.settled)} and "
                    f"{show_usd(one.held)}"
                )
