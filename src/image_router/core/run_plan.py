"""What a whole plan comes to: rows by model, a quote whose lines add up, how long it would take. Pure.

A table may have millions of lines, so a plan is added up row by row and kept nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from image_router.core.money import Nanos
from image_router.core.pacing import Daily, Limit, Resource
from image_router.core.rates import LineKind, Quote
from image_router.core.runs import PlannedRow, Stage
from image_router.core.types import Lane, Tier

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """How rows are made."""

    model: str
    lane: Lane
    tier: Tier | None = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SumLine:
    """Lines of all quotes that say the same."""

    model: str
    kind: LineKind
    unit: str
    rate: Nanos
    units: int

    @property
    def amount(self) -> Nanos:
        return self.units * self.rate


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


class Sums:
    """A plan added up row by row."""

    def __init__(self) -> None:
        self.rows = self.duplicates = self.finished = self.lines_left_out = 0
        self.quote = self.ceiling = 0
        self.purposes: Counter[str] = Counter()
        self._counts: Counter[Way] = Counter()
        self._quotes: Counter[Way] = Counter()
        self._ceilings: Counter[Way] = Counter()
        self._tokens: Counter[Way] = Counter()
        self._stages: dict[Way, set[Stage]] = {}
        self._units: Counter[tuple[str, LineKind, str, Nanos]] = Counter()

    def add(self, row: PlannedRow, quote: Quote) -> None:
        """Count a row; one that is priced at zero adds nothing to the money."""
        self.rows += 1
        self.duplicates += row.duplicate_of is not None
        self.finished += row.finished and row.duplicate_of is None
        if not row.priced:
            return
        way = Way(row.model, row.ask.lane, row.tier)
        self.purposes[row.ask.purpose] += 1
        self.quote += row.quote
        self.ceiling += row.ceiling
        self._counts[way] += 1
        self._quotes[way] += row.quote
        self._ceilings[way] += row.ceiling
        self._stages.setdefault(way, set()).add(row.stage)
        for line in quote.lines:
            self._units[row.model, line.kind, line.unit, line.rate] += line.units
            if line.kind in (LineKind.TEXT_INPUT, LineKind.REFERENCE_INPUT, LineKind.INPUT):
                self._tokens[way] += line.units

    @property
    def priced(self) -> int:
        """Rows that something will be spent on."""
        return self.rows - self.duplicates - self.finished

    @property
    def lines(self) -> tuple[SumLine, ...]:
        """They add up to the quote, to the nano-dollar."""
        return tuple(
            SumLine(model=model, kind=kind, unit=unit, rate=rate, units=units)
            for (model, kind, unit, rate), units in sorted(self._units.items())
            if units
        )

    @property
    def shares(self) -> tuple[Share, ...]:
        """The largest first."""
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
