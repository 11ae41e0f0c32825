"""What a whole plan comes to: rows by model, a quote whose lines add up, how long it would take. Pure.

A table may have millions of lines, so a plan is added up row by row and kept nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from image_router.core.money import Nanos
from image_router.core.pacing import Daily, Limit, Resource
from image_router.core.rates import CostLine, LineKind, Quote
from image_router.core.runs import PlannedRow, Stage
from image_router.core.types import Lane, Tier

_DAY: Final = 86_400.0
_TALLIES: Final = 4_096
_INPUTS: Final = frozenset({LineKind.TEXT_INPUT, LineKind.REFERENCE_INPUT, LineKind.INPUT})


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """How rows are made."""

    model: str
    lane: Lane
    tier: Tier | None = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SumLine(CostLine):
    """Lines of all quotes that say the same."""

    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one way of making pictures has of a plan."""

    way: Way
    rows: int
    quote: Nanos
    ceiling: Nanos
    input_tokens: int
    """As the quotes expect them."""
    stages: int
    """1, or 2 where some rows wait for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long the rows of one way take at least."""

    way: Way
    seconds: float | None
    """None: no limit is known, nothing can be said."""
    because: str
    """The limit that decides it, in words."""


@dataclass(slots=True)
class _Tally:
    """How many rows are like this one."""

    row: PlannedRow
    quote: Quote
    rows: int = 0


class Sums:
    """A plan added up row by row."""

    def __init__(self) -> None:
        self.rows = self.duplicates = self.finished = self.lines_left_out = 0
        self.quote = self.ceiling = 0
        self.notes: Counter[str] = Counter()
        """Rows that are made otherwise than asked, by how."""
        self._tallies: dict[tuple[Any, ...], _Tally] = {}
        self._purposes: Counter[str] = Counter()
        self._counts: Counter[Way] = Counter()
        self._quotes: Counter[Way] = Counter()
        self._ceilings: Counter[Way] = Counter()
        self._tokens: Counter[Way] = Counter()
        self._stages: dict[Way, set[Stage]] = {}
        self._units: Counter[tuple[str, LineKind, str, Nanos]] = Counter()

    def add(self, row: PlannedRow, quote: Quote, *, note: str = "") -> None:
        """Count a row; one that is priced at zero adds nothing to the money."""
        self.rows += 1
        self.duplicates += row.duplicate_of is not None
        self.finished += row.finished and row.duplicate_of is None
        if not row.priced:
            return
        if note:
            self.notes[note] += 1
        self.quote += row.quote
        self.ceiling += row.ceiling
        # Most rows of a table are alike; a quote's id is its own for as long as the tally keeps it.
        alike = (id(quote), row.ceiling, row.model, row.ask.lane, row.ask.purpose, row.stage)
        tally = self._tallies.get(alike)
        if tally is None:
            if len(self._tallies) >= _TALLIES:
                self._fold()
            tally = self._tallies[alike] = _Tally(row, quote)
        tally.rows += 1

    def _fold(self) -> None:
        for tally in self._tallies.values():
            self._fold_in(tally)
        self._tallies.clear()

    def _fold_in(self, tally: _Tally) -> None:
        row, rows = tally.row, tally.rows
        way = Way(row.model, row.ask.lane, row.tier)
        self._purposes[row.ask.purpose] += rows
        self._counts[way] += rows
        self._quotes[way] += rows * row.quote
        self._ceilings[way] += rows * row.ceiling
        self._stages.setdefault(way, set()).add(row.stage)
        for line in tally.quote.lines:
            self._units[row.model, line.kind, line.unit, line.rate] += rows * line.units
            if line.kind in _INPUTS:
                self._tokens[way] += rows * line.units

    @property
    def purposes(self) -> Mapping[str, int]:
        """The most frequent first."""
        self._fold()
        return dict(self._purposes.most_common())

    @property
    def priced(self) -> int:
        """Rows that something will be spent on."""
        return self.rows - self.duplicates - self.finished

    @property
    def lines(self) -> tuple[SumLine, ...]:
        """They add up to the quote, to the nano-dollar."""
        self._fold()
        return tuple(
            SumLine(model=model, kind=kind, unit=unit, rate=rate, units=units)
            for (model, kind, unit, rate), units in sorted(self._units.items())
            if units
        )

    @property
    def shares(self) -> tuple[Share, ...]:
        """The largest first."""
        self._fold()
        return tuple(
            Share(
                way=way,
                rows=rows,
                quote=self._quotes[way],
                ceiling=self._ceilings[way],
                input_tokens=self._tokens[way],
                stages=len(self._stages[way]),
            )
            for way, rows in self._counts.most_common()
        )


def estimates(sums: Sums, limits: Callable[[str], Iterable[Limit]], *, aim: float) -> tuple[Estimate, ...]:
    """How long each way takes at least, from what one project may send of each model.

    `aim` is the seconds within which the provider wants a batch to be done.
    """
    return tuple(_estimate(share, limits(share.way.model), aim) for share in sums.shares)


def _estimate(share: Share, limits: Iterable[Limit], aim: float) -> Estimate:
    if share.way.lane is Lane.BATCH:
        words = f"the provider wants a batch to be done within {aim / 3600:.0f} h, each stage"
        return Estimate(way=share.way, seconds=aim * share.stages, because=words)
    needs = {
        Resource.REQUESTS: share.rows,
        Resource.IMAGES: share.rows,
        Resource.TOKENS: share.input_tokens,
        Resource.DOLLARS: share.quote,
    }
    slowest = Estimate(way=share.way, seconds=None, because="no limit is known: set the usage tier")
    for limit in limits:
        if limit.amount is None:
            continue
        span = _DAY if isinstance(limit.window, Daily) else float(limit.window.seconds)
        # What fits the first window is sent at once.
        windows = -(-needs[limit.resource] // limit.amount) - 1
        seconds = windows * span
        if slowest.seconds is None or seconds > slowest.seconds:
            slowest = Estimate(way=share.way, seconds=seconds, because=f"{limit.name} of the usage tier")
    return slowest
