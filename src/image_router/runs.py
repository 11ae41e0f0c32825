"""Runs of one installation, for programs: catalogs and batches, started, made, watched and steered.

    async with open_runs(offline=True) as runs:
        run, left_out = await runs.start_table("products.csv", template="ecommerce", max_cost="40")
        run = await runs.make(run.id)
        progress = await runs.steer.progress(run.id)

The command line works on the same runs; so does every worker of the same database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from image_router import facts
from image_router.bulk.exporting import Exported, Exporting
from image_router.bulk.parts import Bulk, BulkParts, new_executor, opened
from image_router.bulk.planning import Planner, RowProblem
from image_router.bulk.remote_handle import BatchHandle, submit
from image_router.bulk.remote_lane import RemoteLane
from image_router.bulk.remote_parts import LaneParts
from image_router.bulk.row_requests import RowRequests
from image_router.bulk.runs import Runs, new_run
from image_router.bulk.tables import open_table
from image_router.bulk.working import Terms, working
from image_router.config import Settings, load_settings
from image_router.core.errors import InvalidRequest
from image_router.core.events import Sink
from image_router.core.money import parse_usd
from image_router.core.run_plan import Sums
from image_router.core.runs import PlannedRow, Run, RunKind, RunState, RunTerms
from image_router.core.types import Lane
from image_router.engine.router import ImageRouter
from image_router.providers.base import Provider
from image_router.storage.assets import Assets
from image_router.storage.database import Database
from image_router.storage.runs import StoredRuns
from image_router.storage.stores import open_store
from image_router.wiring import (
    Doors,
    announcer_of,
    assets_on,
    database_of,
    facts_of,
    parts_on,
    pool_of,
    traffic_rules_of,
)

LOOK = 0.5
"""Seconds between looks at a run that is waited for."""


@asynccontextmanager
async def open_runs(
    settings: Settings | None = None, *, via: Provider | None = None, **overrides: Any
) -> AsyncIterator[OpenRuns]:
    """The runs of the database that the settings name. Raises ConfigError and StorageError."""
    settings = settings or load_settings(**overrides)
    async with opened(bulk_of(settings, via=via)) as bulk:
        yield OpenRuns(settings=settings, bulk=bulk)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRuns:
    """Made by `open_runs`."""

    settings: Settings
    bulk: Bulk

    @property
    def steer(self) -> Runs:
        """Look at runs, pause, resume, cancel, approve and retry them."""
        return self.bulk.runs

    async def start_table(
        self,
        table: str | Path,
        *,
        template: str = "plain",
        lane: Lane | str | None = None,
        name: str | None = None,
        max_cost: str | int | None = None,
        terms: RunTerms | None = None,
    ) -> tuple[Run, tuple[RowProblem, ...]]:
        """Store a table's rows and let the run go; the run, and the lines that are left out.

        `template` is a name (see `catalog templates`); `max_cost` is in dollars. Nothing is made until `make`
        is called, or a worker does it. Raises InvalidRequest, AssetError and ConfigError.
        """
        problems: list[RowProblem] = []
        path = Path(table)
        agreed = terms or RunTerms()
        if max_cost is not None:
            agreed = replace(agreed, max_cost=parse_usd(max_cost, name="max_cost"))
        new = new_run(name or path.stem, RunKind.CATALOG, scope=self.settings.scope, terms=agreed)
        new = replace(new, profile=self.settings.profile)
        planner = self._planner(template, path.parent, lane)
        with open_table(path) as source:
            planned = planner.plan(source.lines, Sums())
            run = await self.steer.start(new, rows_to_make(planned, problems=problems))
        return run, tuple(problems)

    async def submit(self, prompt: str, **asked: Any) -> BatchHandle:
        """One request on the batch lane: at half price, within a day or `within` so many seconds.

        Arguments as bulk.remote_handle.submit takes them. Raises InvalidRequest, RequestError.
        """
        return await submit(
            self.bulk, prompt, **{"scope": self.settings.scope, "profile": self.settings.profile, **asked}
        )

    def batch(self, batch_id: str) -> BatchHandle:
        """A batch that was submitted before, by its id."""
        return BatchHandle(id=batch_id, bulk=self.bulk)

    async def make(self, run_id: str, *, terms: Terms | None = None) -> Run:
        """Take part in making runs until this one is over, or stands still for whoever must act."""
        async with working(self.bulk, terms):
            return await self.over(run_id)

    async def over(self, run_id: str) -> Run:
        """Wait until a run that others make is over, or stands still for whoever must act."""
        while True:
            run = await self.steer.get(run_id)
            waits = run.state is RunState.PAUSED and run.resumes_at is None
            if waits or run.state in (RunState.DONE, RunState.CANCELLED):
                return run
            await asyncio.sleep(LOOK)

    async def export(
        self,
        run_id: str,
        to: str | Path,
        *,
        sheets: bool = True,
        parquet: bool = True,
        told: Callable[[Exported], None] = lambda _: None,
    ) -> Exported:
        """Write what a run made into a folder, or a bucket by its URL, with manifest and contact sheets.

        Raises InvalidRequest for an unknown run, AssetError, and ConfigError where an extra is missing.
        """
        exporting = Exporting(
            runs=self.bulk.bench.runs,
            blobs=self.bulk.bench.assets.blobs,
            to=open_store(to),
            sheets=sheets,
            parquet=parquet,
        )
        return await exporting.export(await self.steer.get(run_id), told)

    def _planner(self, template: str, folder: Path, lane: Lane | str | None) -> Planner:
        known = facts.load_templates(self.settings.home)
        if template not in known:
            raise InvalidRequest(f"template {template!r} is not one of {', '.join(sorted(known))}")
        return Planner(
            decider=self.bulk.bench.router,
            template=known[template],
            scope=self.settings.scope,
            folder=folder,
            profile=self.settings.profile,
            lane=Lane(lane) if lane else None,
        )


async def rows_to_make(
    planned: AsyncIterator[PlannedRow | RowProblem], *, problems: list[RowProblem]
) -> AsyncIterator[PlannedRow]:
    """The rows alone; lines that are left out are put among the problems."""
    async for row in planned:
        if isinstance(row, RowProblem):
            problems.append(row)
        else:
            yield row


def bulk_of(
    settings: Settings, *, via: Provider | None = None, sinks: tuple[Sink, ...] | None = None
) -> BulkParts:
    """What runs are stored with and made with; nothing is opened yet. Raises ConfigError."""
    known, executor = facts_of(settings), new_executor()
    announce = announcer_of(settings, sinks)
    doors = Doors(settings, announce=announce, catalog=known.catalog, owner=executor.id)
    parts = parts_on(settings, known, doors=doors)
    return BulkParts(
        router=replace(parts, provider=lambda: via) if via else parts,
        executor=executor,
        database=doors.database,
        address=database_of(settings),
        assets=partial(assets_on, settings),
        lane=partial(_lane_on, settings),
    )


def _lane_on(settings: Settings, db: Database, assets: Assets, router: ImageRouter) -> RemoteLane:
    rules = traffic_rules_of(settings)
    return RemoteLane(
        LaneParts(
            db=db,
            assets=assets,
            keys=lambda: pool_of(settings, router.provider),
            limits=facts.load_batch_limits(settings.home),
            decider=router,
            request_of=RowRequests(router=router, runs=StoredRuns(db), assets=assets),
            tiers=rules.tiers,
            tier=rules.tier,
            version=settings.api_version,
        )
    )
