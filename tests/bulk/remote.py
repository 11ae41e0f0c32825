"""A batch lane over an open bulk room, and rows for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bulk.made_rows import rows_of
from image_router.bulk.parts import Bulk
from image_router.bulk.remote_lane import RemoteLane
from image_router.bulk.remote_parts import LaneParts
from image_router.bulk.row_requests import RowRequests
from image_router.bulk.runs import new_run
from image_router.core.runs import OVER, PlannedRow, Row, RowState, Run, RunKind, RunTerms
from image_router.core.types import Lane, Purpose
from image_router.engine.pool import Member, Pool
from image_router.facts import load_batch_limits
from image_router.storage.runs_rows import RowQuery


class Naps:
    """Sleeps that take no time and are remembered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def lane_of(bulk: Bulk, **changes: Any) -> RemoteLane:
    """A lane whose looks are due at once: nobody waits in a test."""
    bench = bulk.bench
    limits = load_batch_limits(None)
    polling = replace(limits.polling, first=0, longest=0)
    parts: dict[str, Any] = {
        "db": bulk.db,
        "assets": bench.assets,
        "keys": lambda: Pool([Member(name="only", provider=bench.router.provider, project="p1")]),
        "limits": replace(limits, polling=polling, adopt_wait=0),
        "decider": bench.router,
        "request_of": RowRequests(router=bench.router, runs=bench.runs, assets=bench.assets),
        "sleep": Naps(),
        **changes,
    }
    return RemoteLane(LaneParts(**parts))


def plain(bulk: Bulk, count: int = 4, **ask: Any) -> Iterator[PlannedRow]:
    """Rows that wait for nothing, each a subject of its own."""
    asked = {"lane": Lane.BATCH, "purpose": Purpose.HERO, **ask}
    return rows_of(bulk, subjects=count, variants=0, **asked)


async def begun(bulk: Bulk, rows: Iterator[PlannedRow] | None = None, **terms: Any) -> Run:
    new = new_run("batch", RunKind.BATCH, scope="acme", terms=RunTerms(**terms))
    return await bulk.runs.start(new, rows or plain(bulk))


async def rows_now(bulk: Bulk, run: Run) -> list[Row]:
    return await bulk.bench.runs.rows_of(RowQuery(run_id=run.id))


async def states_now(bulk: Bulk, run: Run) -> list[RowState]:
    return [row.state for row in await rows_now(bulk, run)]


async def done(bulk: Bulk, lane: RemoteLane, run: Run, *, chunk: int = 1) -> None:
    """Let all jobs of a chunk run to their ends, until nothing waits for a batch any more."""
    while jobs := await lane.prepare(run.id, chunk):
        for job in jobs:
            assert (await lane.run(job)).ended


async def over(bulk: Bulk, run: Run) -> bool:
    return all(state in OVER for state in await states_now(bulk, run))
