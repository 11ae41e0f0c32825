"""Millions of pictures a day on paper: `python bench/scale.py` prints the tables of docs/scale.md.

Which limit binds first, and how many projects, hosts, databases and dollars it takes. The provider's limits
and prices are the shipped data; what a picture costs us was measured; what is neither is assumed and says so.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import cycle, islice
from math import ceil
from typing import Final, NamedTuple

from image_router import facts
from image_router.core.limits import UsageTier
from image_router.core.pacing import Limit, Resource
from image_router.core.packing import BatchLimits
from image_router.core.rates import card_on
from image_router.core.routing import World, decide
from image_router.core.types import ImageRequest, Lane, Size

SECONDS: Final = 86_400
TARGET: Final = 10_000_000
LOADS: Final = (100_000, 1_000_000, TARGET, 100_000_000)
DOLLAR: Final = 1_000_000_000
PROMPT: Final = "A stoneware mug on an oak table, three-quarter view, soft daylight, plain background. " * 3
USAGE_TIER: Final = UsageTier.T3
SIBLING: Final = "gemini-2.5-flash-image"
"""The economy model that limits were published for; the next one has none."""
SIDE_BY_SIDE: Final = "workers: calls side by side"
CELL_LOAD: Final = 0.5
"""Of what one PostgreSQL carries: the rest is for peaks and for the day its standby takes over."""


class Figure(NamedTuple):
    """A number that no data file of the product holds."""

    value: float
    what: str
    source: str


BENCHMARKS: Final = "measured, docs/benchmarks.md"
HERE: Final = "measured for this page, two busy cores"
ASSUMED: Final = "assumed"

FIGURES: Final[Mapping[str, Figure]] = {
    "interactive ms": Figure(21, "ms of a core for a small picture of a run, interactive", HERE),
    "batch ms": Figure(26, "ms of a core for a small picture of a run, batch", HERE),
    "1K ms": Figure(7, "ms of a core that the bytes of a 1K picture add", BENCHMARKS),
    "line ms": Figure(6.1, "ms of a core to read a batch result line of 2 MB and decode its picture", HERE),
    "settlements": Figure(427, "holds and settlements a second on one PostgreSQL", BENCHMARKS),
    "row bytes": Figure(35_000, "bytes of a picture in the database, its thought signature inside", HERE),
    "volume": Figure(10e12, "bytes of a database's volume", ASSUMED),
    "kept days": Figure(30, "days that rows and pictures are kept", ASSUMED),
    "picture bytes": Figure(1_600_000, "bytes of a 1K picture", BENCHMARKS),
    "slots": Figure(64, "pictures that one worker makes side by side: 4 chunks, 16 of each", "defaults"),
    "seconds": Figure(20, "seconds of one interactive call", ASSUMED),
    "host cores": Figure(8, "cores of a host, 60 % of them used", ASSUMED),
    "host dollars": Figure(9.6, "dollars of a host a day", ASSUMED),
    "database dollars": Figure(60, "dollars of a PostgreSQL with its standby and volume a day", ASSUMED),
    "host bytes": Figure(600e6, "bytes a second through the network of a host", ASSUMED),
    "bucket puts": Figure(3_500, "writes a second of one prefix of a bucket, from S3's guide", ASSUMED),
    "put dollars": Figure(5e-6, "dollars of one write to a bucket", ASSUMED),
    "month dollars": Figure(0.023, "dollars of a GB in a bucket for a month", ASSUMED),
}
BUSY: Final = 0.6
"""Of a core's time that is used."""
TURNAROUNDS: Final = (2, 8, 2, 8, 2, 24, 2, 8, 2, 8)
"""Hours of ten batch jobs in a row."""


def figure(name: str) -> float:
    return FIGURES[name].value


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A limit by what one unit of its resource carries."""

    what: str
    unit: str
    a_day: float
    """Pictures that one unit carries."""
    because: str

    def units(self, pictures: int) -> int:
        return ceil(pictures / self.a_day)


@cache
def day() -> date:
    return max(model.checked for model in facts.load_catalog(None).models.values())


@cache
def quoted(lane: Lane) -> tuple[str, int]:
    """Model and price in nano-dollars of an economy picture at 1K."""
    world = World(
        catalog=facts.load_catalog(None),
        card=card_on(day(), facts.load_cards(None)),
        policy=facts.load_policies(None, None)["default"],
        day=day(),
    )
    head = decide(ImageRequest(prompt=PROMPT, lane=lane), world).head
    return head.model.id, head.quote.total


@cache
def batch_limits() -> BatchLimits:
    return facts.load_batch_limits(None)


def job_rows() -> int:
    """Pictures at 1K of one batch job."""
    limits = batch_limits()
    return min(limits.job.rows, limits.job.result_bytes // limits.reply_bytes[Size.K1])


def most_open(pictures: int, hours: Sequence[int] = TURNAROUNDS, *, days: int = 4) -> int:
    """Batch jobs open at once at most, where pictures come evenly and jobs take these hours in turn."""
    every = SECONDS * job_rows() / pictures
    ends: list[float] = []
    most = 0
    for number, taken in enumerate(islice(cycle(hours), int(days * SECONDS / every))):
        now = number * every
        while ends and ends[0] <= now:
            heapq.heappop(ends)
        heapq.heappush(ends, now + taken * 3_600)
        most = max(most, len(ends))
    return most


@cache
def _limits(model: str) -> tuple[Limit, ...]:
    """Published ones of a project of the highest usage tier."""
    return facts.load_traffic(None, tier=3).book.limits(model, USAGE_TIER)


def spend(lane: Lane) -> Bound:
    window = next(limit for limit in _limits("") if limit.resource is Resource.DOLLARS)
    amount = window.amount or 0
    return Bound(
        what="provider: spend",
        unit="project",
        a_day=amount * SECONDS / window.window.seconds / quoted(lane)[1],
        because=f"${amount // DOLLAR} in {window.window}, usage tier {USAGE_TIER}",
    )


def requests() -> Bound:
    window = next(limit for limit in _limits(SIBLING) if limit.resource is Resource.REQUESTS)
    amount = window.amount or 0
    return Bound(
        what="provider: requests",
        unit="project",
        a_day=amount * SECONDS / window.window.seconds,
        because=f"{amount:,} a {window.window}, as published for {SIBLING}",
    )


def open_jobs(hours: Sequence[int], words: str) -> Bound:
    """Of a large pool; the last project is seldom full."""
    jobs = most_open(TARGET, hours)
    return Bound(
        what=f"provider: open batch jobs, {words}",
        unit="project",
        a_day=TARGET * batch_limits().open_jobs / jobs,
        because=f"{batch_limits().open_jobs} open jobs of {job_rows()} pictures "
        f"({batch_limits().reply_bytes[Size.K1] / 1e6:.1f} MB a result, {_gb()} GB a file)",
    )


def _gb() -> int:
    return batch_limits().job.result_bytes // 1_000_000_000


def milliseconds(lane: Lane) -> float:
    """Of a core, for one 1K picture."""
    if lane is Lane.INTERACTIVE:
        return figure("interactive ms") + figure("1K ms")
    scaled = batch_limits().reply_bytes[Size.K1] / 2e6
    return figure("batch ms") + figure("line ms") * scaled


def moved(lane: Lane) -> float:
    """Bytes that one picture moves through a host, in and out."""
    reply = batch_limits().reply_bytes[Size.K1]
    text = reply if lane is Lane.BATCH else figure("picture bytes") * 4 / 3
    return text + figure("picture bytes")


def ours(lane: Lane) -> Iterator[Bound]:
    cores = figure("host cores") * BUSY
    yield Bound(
        what="workers: processor",
        unit="host",
        a_day=cores * SECONDS * 1000 / milliseconds(lane),
        because=f"{milliseconds(lane):.0f} ms of a core a picture",
    )
    yield Bound(
        what="workers: network",
        unit="host",
        a_day=figure("host bytes") * SECONDS / moved(lane),
        because=f"{moved(lane) / 1e6:.1f} MB a picture in and out",
    )
    if lane is Lane.INTERACTIVE:
        yield Bound(
            what=SIDE_BY_SIDE,
            unit="process",
            a_day=figure("slots") / figure("seconds") * SECONDS,
            because=f"{figure('slots'):.0f} a process, {figure('seconds'):.0f} s each",
        )
    yield Bound(
        what="database: holds and settlements",
        unit="PostgreSQL",
        a_day=figure("settlements") * SECONDS,
        because=f"{figure('settlements'):.0f} a second on two busy cores, one a picture",
    )
    yield Bound(
        what="database: volume",
        unit="PostgreSQL",
        a_day=figure("volume") / figure("kept days") / figure("row bytes"),
        because=f"{figure('row bytes') / 1000:.0f} kB a picture, kept {figure('kept days'):.0f} days, "
        f"{figure('volume') / 1e12:.0f} TB",
    )
    yield Bound(
        what="bucket: writes",
        unit="prefix",
        a_day=figure("bucket puts") * SECONDS / 2,
        because=f"{figure('bucket puts'):,.0f} a second, a picture and its thumbnail",
    )


def bounds(lane: Lane) -> list[Bound]:
    """All limits of a lane, the narrowest first."""
    found = [spend(lane), *ours(lane)]
    if lane is Lane.BATCH:
        found.append(open_jobs((24,), "each 24 h"))
        found.append(open_jobs(TURNAROUNDS, f"{mean_hours():.1f} h in the mean"))
    else:
        found.append(requests())
    return sorted(found, key=lambda bound: bound.a_day)


def mean_hours() -> float:
    return sum(TURNAROUNDS) / len(TURNAROUNDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What so many pictures a day take."""

    pictures: int
    lane: Lane
    projects: int
    hosts: int
    cells: int
    gigabytes: float
    """Of pictures, a day."""
    provider: float
    """Dollars a day."""
    machines: float
    bucket: float
    """Dollars a day, each picture kept for thirty days."""


def need(pictures: int, lane: Lane) -> Need:
    limits = {bound.what: bound for bound in bounds(lane)}
    hosts = max(bound.units(pictures) for bound in limits.values() if bound.unit == "host")
    if (calls := limits.get(SIDE_BY_SIDE)) is not None:
        hosts = max(hosts, ceil(calls.units(pictures) / figure("host cores")))
    load = round(pictures / CELL_LOAD)
    cells = max(bound.units(load) for bound in limits.values() if bound.unit == "PostgreSQL")
    gigabytes = pictures * figure("picture bytes") / 1e9
    return Need(
        pictures=pictures,
        lane=lane,
        projects=max(bound.units(pictures) for bound in limits.values() if bound.unit == "project"),
        hosts=hosts,
        cells=cells,
        gigabytes=gigabytes,
        provider=pictures * quoted(lane)[1] / DOLLAR,
        machines=hosts * figure("host dollars") + cells * figure("database dollars"),
        bucket=2 * pictures * figure("put dollars") + gigabytes * figure("month dollars"),
    )


Cells = tuple[str, ...]


def bound_cells(lane: Lane) -> list[Cells]:
    head = ("Limit", "One unit carries a day", f"{TARGET / 1e6:.0f} million a day take", "Because")
    rows = [
        (bound.what, f"{bound.a_day:,.0f}", f"{bound.units(TARGET):,} × {bound.unit}", bound.because)
        for bound in bounds(lane)
    ]
    return [head, *rows]


def need_cells(lane: Lane) -> list[Cells]:
    head = (
        *("Pictures a day", "Projects", "Hosts", "PostgreSQL", "TB a day"),
        *("Provider, $ a day", "Machines, $ a day", "Bucket, $ a day"),
    )
    rows = [need(pictures, lane) for pictures in LOADS]
    return [
        head,
        *(
            (
                *(f"{row.pictures:,}", f"{row.projects:,}", f"{row.hosts:,}", f"{row.cells:,}"),
                *(f"{row.gigabytes / 1000:,.2f}", f"{row.provider:,.0f}"),
                *(f"{row.machines:,.0f}", f"{row.bucket:,.0f}"),
            )
            for row in rows
        ),
    ]


def figure_cells() -> list[Cells]:
    own = [(f"{each.value:g}", each.what, each.source) for each in FIGURES.values()]
    prices = [
        (
            f"{quoted(lane)[1] / DOLLAR:.6f}",
            f"dollars expected of a 1K picture, {lane}: {quoted(lane)[0]}",
            "data",
        )
        for lane in Lane
    ]
    return [("Figure", "What", "From"), *prices, *own]


TABLES: Final = {
    "batch limits": lambda: bound_cells(Lane.BATCH),
    "interactive limits": lambda: bound_cells(Lane.INTERACTIVE),
    "batch needs": lambda: need_cells(Lane.BATCH),
    "interactive needs": lambda: need_cells(Lane.INTERACTIVE),
    "figures": figure_cells,
}
"""Rows of cells by the name that docs/scale.md has for them, headings first."""


def main() -> None:
    for name, table in TABLES.items():
        rows = table()
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        print(f"\n{name}, prices of {day()}")
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
