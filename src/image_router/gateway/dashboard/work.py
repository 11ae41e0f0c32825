"""Work that goes on beside requests: jobs, bulk runs and the provider's batches, each with how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import orjson

from image_router.core.budget import SECOND, Micros, from_micros
from image_router.core.money import Nanos
from image_router.core.runs import Pause, Progress, RowState, Run, RunState
from image_router.gateway.app import Visit
from image_router.storage.jobs_tables import Job, JobQuery, JobState
from image_router.storage.objects import now_micros
from image_router.storage.remote_batches import RemoteBatch, batches_of
from image_router.storage.runs import StoredRuns

_LIVING: Final = 200
_ENDED: Final = 6
_RUNS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One job or run as it is shown."""

    id: str
    name: str
    scope: str
    state: str
    of: int
    """Pictures in all."""
    done: int
    failed: int
    cost: Nanos
    created_at: Micros
    left: str = ""
    """In words: when it will be over, or how it stands in line."""
    problem: str = ""
    projected: Nanos | None = None
    page: str = ""
    """Of its own."""

    @property
    def percent(self) -> int:
        return 100 * (self.done + self.failed) // max(self.of, 1)


async def jobs(visit: Visit, scope: str | None) -> tuple[list[Work], list[Work]]:
    """Those that are not over, the oldest first, and the latest of those that are."""
    stored = visit.parts.jobs
    running = await stored.listed(JobQuery(scope=scope, state=JobState.RUNNING, limit=_LIVING))
    queued = await stored.listed(JobQuery(scope=scope, state=JobState.QUEUED, limit=_LIVING))
    latest = await stored.listed(JobQuery(scope=scope, limit=_ENDED + len(running) + len(queued)))
    ended = [job for job in latest if job.state.over][:_ENDED]
    now, each = now_micros(), _seconds_each(ended)
    line = sorted(queued, key=lambda job: job.created_at)
    living = [_work(job, left=_of_running(job, each, now)) for job in reversed(running)]
    ahead = [sum(job.images for job in line[:place]) for place in range(len(line))]
    waiting = [
        _work(job, left=_of_queued(place, images, each, beside=len(running)))
        for place, (job, images) in enumerate(zip(line, ahead, strict=True), 1)
    ]
    return [*living, *waiting], [_work(job) for job in ended]


async def runs(visit: Visit, scope: str | None) -> list[Work]:
    """Bulk runs, the newest first."""
    stored = StoredRuns(visit.parts.books.db)
    return [await of_run(visit, run) for run in await stored.listed(scope=scope, limit=_RUNS)]


async def of_run(visit: Visit, run: Run) -> Work:
    """One of them, as far as it is."""
    far = await StoredRuns(visit.parts.books.db).progress(run.id)
    failed = far.states.get(RowState.FAILED, 0) + far.states.get(RowState.UNKNOWN, 0)
    return Work(
        id=run.id,
        name=f"{run.kind} {run.name}",
        scope=run.scope,
        state="waits for approval" if run.pause is Pause.APPROVAL else run.state,
        of=far.rows,
        done=far.states.get(RowState.DONE, 0),
        failed=failed,
        cost=far.spent,
        created_at=run.created_at,
        left=_of_run(run, far),
        problem="" if run.pause is Pause.APPROVAL else run.reason,
        projected=far.projected,
        page=f"/dashboard/runs/{run.id}",
    )


def _of_run(run: Run, far: Progress) -> str:
    if run.ended_at:
        return f"{from_micros(run.ended_at):%Y-%m-%d %H:%M} UTC"
    return f"about {duration(far.seconds_left)}" if far.seconds_left and run.state is RunState.RUNNING else ""


async def batches(visit: Visit, scope: str | None) -> list[RemoteBatch]:
    """The provider's batches that clients made through here, the newest first."""
    return await batches_of(visit.parts.books.db, scope, limit=_RUNS)


def duration(seconds: float) -> str:
    """8 s, 3 min, 2 h 5 min: as exact as an estimate may be."""
    whole = max(1, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _seconds_each(ended: Sequence[Job]) -> float | None:
    """What a picture took of late; None where no job has ended."""
    took = [
        (job.ended_at - job.started_at) / SECOND / job.images
        for job in ended
        if job.started_at and job.ended_at and job.state is JobState.SUCCEEDED
    ]
    return median(took) if took else None


def _of_running(job: Job, each: float | None, now: Micros) -> str:
    """By its own pace, once it has one."""
    over, left = job.done + job.failed, job.images - job.done - job.failed
    spent = max(0, now - (job.started_at or now)) / SECOND
    if over:
        return f"about {duration(left * spent / over)}" if left else "being written down"
    if each is None:
        return "nobody knows yet"
    return f"about {duration(max(1.0, left * each - spent))}"


def _of_queued(place: int, ahead: int, each: float | None, *, beside: int) -> str:
    if each is None:
        return f"no. {place} in line"
    return f"no. {place} in line, begins in about {duration(ahead * each / max(beside, 1))}"


def _work(job: Job, *, left: str = "") -> Work:
    return Work(
        id=job.id,
        name=f"{job.kind} job",
        scope=job.scope,
        state="cancelling" if job.cancel_asked and not job.state.over else job.state,
        of=job.images,
        done=job.done,
        failed=job.failed,
        cost=job.cost,
        created_at=job.created_at,
        left=left or (f"{from_micros(job.ended_at):%Y-%m-%d %H:%M} UTC" if job.ended_at else ""),
        problem=_why(job),
    )


def _why(job: Job) -> str:
    return str(orjson.loads(job.problem).get("message", "")) if job.problem else ""
