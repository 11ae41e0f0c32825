"""What the batch lane works with, and what each of its steps answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from image_router.core.decision import Decision
from image_router.core.errors import ConfigError
from image_router.core.limits import UsageTier
from image_router.core.packing import BatchLimits
from image_router.core.routing import World
from image_router.core.runs import Row, Run
from image_router.core.types import ImageRequest
from image_router.engine.pool import Member, Pool
from image_router.providers.base import Relays
from image_router.providers.batches import BatchApi
from image_router.storage.assets import Assets
from image_router.storage.database import Database
from image_router.storage.remote_jobs import RemoteJobs
from image_router.storage.remote_jobs_tables import RemoteJob, RemoteState
from image_router.storage.runs import StoredRuns

MICROS = 10**6


class RowDecider(Protocol):
    """What the lane needs of the router."""

    def decided(self, request: ImageRequest, *, profile: str | None = None) -> Decision:
        """Decide without spending. Raises RequestError."""
        ...

    def world(self, profile: str | None = None) -> World: ...


RowRequests = Callable[[Run, Row], Awaitable[ImageRequest]]
"""What a row asks for under its key, in its run's scope, its references with their bytes.

Raises RequestError, AssetError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How far a remote job is, and when its next step is due."""

    job: str
    state: RemoteState
    wait: float = 0.0
    """Seconds until then; 0.0: at once."""
    reason: str = ""

    @property
    def ended(self) -> bool:
        return self.state is RemoteState.ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneParts:
    """Handed over by wiring."""

    db: Database
    assets: Assets
    keys: Callable[[], Pool]
    """Called when the provider is first needed: looking at what is written down needs no key."""
    limits: BatchLimits
    decider: RowDecider
    request_of: RowRequests
    tiers: Mapping[str, UsageTier] = field(default_factory=dict)
    """Project → usage tier."""
    tier: UsageTier | None = None
    """Of every project that `tiers` does not name; None: nobody knows."""
    version: str = "v1beta"
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dice: Callable[[], float] = random.random

    @property
    def jobs(self) -> RemoteJobs:
        return RemoteJobs(self.db)

    @property
    def runs(self) -> StoredRuns:
        return StoredRuns(self.db)

    @property
    def projects(self) -> dict[str, UsageTier | None]:
        """Usage tiers of the projects whose keys can make batch jobs."""
        able = {member.project for member in self.keys().members if isinstance(member.provider, Relays)}
        return {project: self.tiers.get(project, self.tier) for project in sorted(able)}

    def api(self, job: RemoteJob) -> BatchApi:
        """The Batch API as the job's project has it. Raises ConfigError where no key of it is left."""
        member = self._member(job)
        provider = member.provider
        if not isinstance(provider, Relays):
            raise ConfigError(f"provider {provider.name} makes no batch jobs; set provider = rest")
        return BatchApi(provider, version=self.version, sleep=self.sleep)

    def member_of(self, project: str) -> Member:
        """A key of a project. Raises ConfigError."""
        found = (member for member in self.keys().members if member.project == project)
        member = next(found, None)
        if member is None:
            raise ConfigError(
                f"project {project!r} has batch jobs under way and no key here any more; add one of its keys"
            )
        return member

    def _member(self, job: RemoteJob) -> Member:
        """The key that made it, else another of its project: jobs and files belong to projects."""
        return self.keys().member(job.member or "") or self.member_of(job.project or "")

    def pause(self, looks: int) -> float:
        """Seconds until the next look at a job."""
        return self.limits.polling.pause(looks, self.dice())

    async def waiting(self, job: RemoteJob, seconds: float, *, reason: str = "", **values: object) -> Looked:
        """Nothing to do for so long; that is remembered, so that nobody comes earlier."""
        due = await self.jobs.now() + int(seconds * MICROS)
        job = await self.jobs.change(job.id, look_at=due, reason=reason, **values)
        return Looked(job=job.id, state=job.state, wait=seconds, reason=reason)
