"""Rows into remote jobs, and remote jobs into projects: nothing is ever packed beyond a limit.

Pure and streaming: of the rows only those of jobs that are still being filled are kept, one job a group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, TypeVar

from image_router.core.limits import UsageTier
from image_router.core.promise import Pace
from image_router.core.types import Size

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What rows take of the limits."""

    rows: int = 1
    input_bytes: int = 0
    """Of their lines in the input file."""
    result_bytes: int = 0
    """Expected at most of their lines in the result."""
    tokens: int = 0
    """Input tokens they are expected to count as while they are enqueued."""

    def __add__(self, other: Weight) -> Weight:
        return Weight(
            rows=self.rows + other.rows,
            input_bytes=self.input_bytes + other.input_bytes,
            result_bytes=self.result_bytes + other.result_bytes,
            tokens=self.tokens + other.tokens,
        )


NOTHING = Weight(rows=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """The most that one remote job may hold."""

    rows: int
    input_bytes: int
    result_bytes: int
    tokens: int | None = None
    """None: not published for the model."""

    def exceeded(self, weight: Weight) -> str | None:
        """The first limit that a weight is above, in words with numbers."""
        for what, has, most in (
            ("rows", weight.rows, self.rows),
            ("input bytes", weight.input_bytes, self.input_bytes),
            ("result bytes", weight.result_bytes, self.result_bytes),
            ("enqueued tokens", weight.tokens, self.tokens),
        ):
            if most is not None and has > most:
                return f"{has:,} {what}, a batch job takes {most:,}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """Seconds between looks at a remote job."""

    first: float
    longest: float
    growth_percent: int

    def pause(self, looks: int, dice: float) -> float:
        """How long to wait after so many looks; `dice` is from 0 to below 1 and spreads many jobs."""
        pause, steps = self.first, looks
        while steps > 0 and pause < self.longest:
            pause, steps = pause * (100 + self.growth_percent) / 100, steps - 1
        return min(pause, self.longest) * (0.75 + dice / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What is known of the Batch API's limits. Durations in seconds."""

    job: JobLimits
    inline_bytes: int
    open_jobs: int
    """Of one project."""
    stored_bytes: int
    """In a project's files."""
    aim: float
    pending: float
    file_life: float
    result_life: float
    reply_bytes: Mapping[Size, int]
    enqueued: Mapping[str, Mapping[UsageTier, int]]
    """Model id → tokens by usage tier."""
    polling: Polling
    adopt_lists: int
    adopt_wait: float
    pace: Pace
    source: str
    checked: date
    notes: tuple[str, ...] = ()

    def tokens(self, model: str, tier: UsageTier | None) -> int | None:
        """The most a project of this tier may have enqueued of a model; None: nobody says."""
        return None if tier is None else self.enqueued.get(model, {}).get(tier)

    def job_of(self, model: str, tiers: Collection[UsageTier | None]) -> JobLimits:
        """The most that one job of a model may hold so that some project of these tiers can take it."""
        known = [self.tokens(model, tier) for tier in tiers]
        most = None if None in known or not known else max(amount for amount in known if amount is not None)
        return JobLimits(
            rows=self.job.rows,
            input_bytes=self.job.input_bytes,
            result_bytes=self.job.result_bytes,
            tokens=most,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Generic[T]):
    """Rows that fit one remote job."""

    group: Hashable
    rows: tuple[T, ...]
    weight: Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit(Generic[T]):
    """A row that no remote job takes, be it alone in it."""

    row: T
    reason: str


def pack(
    rows: Iterable[T],
    *,
    weigh: Callable[[T], Weight],
    group: Callable[[T], Hashable],
    limits: Callable[[T], JobLimits],
) -> Iterator[Load[T] | Unfit[T]]:
    """Loads in the order in which they are full, then what is left, each with rows of one group alone.

    Rows keep their order within a group. `limits` is asked once a group, with its first row.
    """
    open_: dict[Hashable, _Filling[T]] = {}
    for row in rows:
        name, weight = group(row), weigh(row)
        filling = open_.get(name)
        if filling is None:
            filling = open_[name] = _Filling(name, limits(row))
        if reason := filling.limits.exceeded(weight):
            yield Unfit(row=row, reason=reason)
            continue
        if filling.limits.exceeded(filling.weight + weight):
            yield filling.taken()
        filling.rows.append(row)
        filling.weight += weight
    yield from (filling.taken() for filling in open_.values() if filling.rows)


@dataclass(slots=True)
class _Filling(Generic[T]):
    group: Hashable
    limits: JobLimits
    rows: list[T] = field(default_factory=list)
    weight: Weight = NOTHING

    def taken(self) -> Load[T]:
        load = Load(group=self.group, rows=tuple(self.rows), weight=self.weight)
        self.rows, self.weight = [], NOTHING
        return load


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectUse:
    """What one project has under way."""

    project: str
    tier: UsageTier | None = None
    jobs: int = 0
    """Not over."""
    tokens: Mapping[str, int] = field(default_factory=dict)
    """Model id → enqueued."""
    stored_bytes: int = 0
    """In its files that are still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoom:
    """Why no project can take a job now."""

    reason: str


def place(weight: Weight, model: str, *, uses: Iterable[ProjectUse], limits: BatchLimits) -> str | NoRoom:
    """The project with the fewest jobs under way among those that have room for one more of this weight."""
    refusals: list[str] = []
    for use in sorted(uses, key=lambda use: (use.jobs, use.stored_bytes)):
        reason = _lacking(weight, model, use, limits)
        if reason is None:
            return use.project
        refusals.append(f"project {use.project}: {reason}")
    return NoRoom(reason="; ".join(refusals) or "there is no project")


def _lacking(weight: Weight, model: str, use: ProjectUse, limits: BatchLimits) -> str | None:
    if use.jobs >= limits.open_jobs:
        return f"{use.jobs} of {limits.open_jobs} batch jobs are open"
    stored = use.stored_bytes + weight.input_bytes
    if stored > limits.stored_bytes:
        return f"{stored:,} bytes of files, {limits.stored_bytes:,} are allowed"
    most, queued = limits.tokens(model, use.tier), use.tokens.get(model, 0)
    if most is not None and queued + weight.tokens > most:
        return f"{queued:,} of {most:,} tokens of {model} are enqueued, the job needs {weight.tokens:,}"
    return None
