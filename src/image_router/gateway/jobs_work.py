"""Jobs being done: every process takes those that wait, as many at once as it may, and gives them back when
it stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Final, TypeVar

import orjson

from image_router.core.budget import SECOND
from image_router.core.errors import ImageRouterError, KeyBusy, KeyLimited, StorageError
from image_router.core.events import Decided, Event, ImageFailed, ImageMade
from image_router.core.results import ImageResult
from image_router.gateway.app import Duty, Parts
from image_router.gateway.callers import Caller
from image_router.gateway.failures import retry_after
from image_router.gateway.jobs_views import Terms, notice_of
from image_router.gateway.rounds import rounds
from image_router.gateway.surfaces import Problem, problem_of
from image_router.storage.blobs import BlobFault
from image_router.storage.database import Transaction
from image_router.storage.jobs import LEASE, LOST_AT_MOST
from image_router.storage.jobs_tables import Job, JobClaim, JobEnd, JobState
from image_router.storage.objects import now_micros
from image_router.storage.records import REQUEST, RESULT, Record
from image_router.storage.webhooks import post

POLL: Final = 0.5
"""Seconds between looks for jobs, and at who cancelled one."""
_BEATS: Final = LEASE / 3
"""Seconds between renewals of the leases."""
_SWEEPS: Final = 600.0
"""Seconds between looks for jobs that are old enough to be deleted."""
_PATIENCE: Final = 86_400
"""Seconds a job may wait for the limits of its key before it fails with them."""
_AGAIN: Final = 2.0
"""Seconds until a job is tried again where nothing says better."""
_LAST: Final = 10.0
"""Seconds that writing down may take when the process stops."""
_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True, kw_only=True, eq=False)
class _Run:
    """A job that this process does. Also the sink of its events."""

    claim: JobClaim
    task: asyncio.Task[None] | None = None
    request_id: str = ""
    done: int = 0
    failed: int = 0
    news: bool = False
    unwanted: bool = False
    """Its caller has cancelled it."""
    lost: bool = False
    """Another process has taken it over."""
    ending: bool = False
    """It is made, and what came of it is being written down: too late to stop."""

    def __call__(self, event: Event) -> None:
        match event:
            case Decided(request_id=request_id):
                self.request_id = request_id
            case ImageMade():
                self.done += 1
            case ImageFailed():
                self.failed += 1
            case _:
                return
        self.news = True


@asynccontextmanager
async def working(parts: Parts, duty: Duty) -> AsyncIterator[None]:
    """Do jobs for as long as the block lasts; those that run at its end are given back."""
    foreman = Foreman(parts, duty)
    looking = asyncio.create_task(foreman.look_after())
    try:
        yield
    finally:
        foreman.stopping.set()
        await looking
        await foreman.give_back()


class Foreman:
    """Who takes jobs in one process. Made by `working`."""

    def __init__(self, parts: Parts, duty: Duty) -> None:
        self._parts, self._duty = parts, duty
        self._jobs = parts.jobs
        self._runs: set[_Run] = set()
        self._beaten, self._swept = time.monotonic(), 0.0
        self.stopping = asyncio.Event()

    async def look_after(self) -> None:
        """Look again and again, until `stopping`."""
        await rounds(self._look, after="jobs", every=POLL, until=self.stopping)

    async def give_back(self) -> None:
        """Stop what runs, for others to take up at once; what is being written down has a while to end."""
        tasks = [run.task for run in self._runs if run.task]
        for run in self._runs:
            self._stop(run)
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=_LAST)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _look(self) -> None:
        if self._runs:
            await self._look_at_runs()
        if not self._duty.stopping:
            for claim in await self._jobs.claim(self._parts.limits.jobs - len(self._runs)):
                self._begin(claim)
        if time.monotonic() - self._swept > _SWEEPS or not self._swept:
            self._swept = time.monotonic()
            freed = await self._jobs.expire(keep=self._parts.limits.jobs_kept)
            await self._parts.books.keeper.let_go(freed)

    async def _look_at_runs(self) -> None:
        runs = {run.claim.job.id: run for run in self._runs}
        wanted = [run.claim for run in runs.values() if not run.unwanted]
        for job_id in await self._jobs.unwanted(wanted):
            runs[job_id].unwanted = True
            self._stop(runs[job_id])
        if time.monotonic() - self._beaten > _BEATS:
            self._beaten = time.monotonic()
            kept = await self._jobs.renew([run.claim for run in runs.values()])
            for job_id in runs.keys() - kept:
                runs[job_id].lost = True
                self._stop(runs[job_id])
        for run in runs.values():
            await self._tell(run)

    def _stop(self, run: _Run) -> None:
        if run.task is not None and not run.ending:
            run.task.cancel()

    async def _tell(self, run: _Run) -> None:
        if run.news:
            run.news = False
            await self._jobs.progress(run.claim, done=run.done, failed=run.failed, request_id=run.request_id)

    def _begin(self, claim: JobClaim) -> None:
        run = _Run(claim=claim)
        self._runs.add(run)
        self._duty.under_way += 1
        run.task = asyncio.create_task(self._do(run))
        run.task.add_done_callback(lambda task: self._ended(run, task))

    def _ended(self, run: _Run, task: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        self._duty.under_way -= 1
        if not task.cancelled() and (bug := task.exception()):
            # The lease ends, and another tries: as often as a job may lose whoever is at it.
            _log.error("job %s broke off", run.claim.job.id, exc_info=bug)

    async def _do(self, run: _Run) -> None:
        try:
            end, record = await self._done(run)
        except asyncio.CancelledError:
            if not run.unwanted:
                await self._hand_on(run)
                raise
            end, record = JobEnd(state=JobState.CANCELLED), None
        except (KeyLimited, KeyBusy, BlobFault) as error:
            if _too_late(run.claim.job, error):
                end, record = failed(problem_of(error)), None
            else:
                wait = retry_after(error) or _AGAIN
                await self._surely(lambda: self._jobs.put_off(run.claim, seconds=wait))
                return
        except StorageError as problem:
            _log.warning("job %s is put off: %s", run.claim.job.id, problem)
            await self._surely(lambda: self._jobs.put_off(run.claim, seconds=_AGAIN))
            return
        except ImageRouterError as error:
            end, record = failed(problem_of(error)), None
        run.ending = True
        await self._end(run, end, record)

    async def _hand_on(self, run: _Run) -> None:
        if run.lost:
            return
        try:
            await self._tell(run)
            await self._jobs.put_off(run.claim, seconds=0.0)
        except StorageError as problem:
            _log.warning("job %s is free again when its lease ends: %s", run.claim.job.id, problem)

    async def _done(self, run: _Run) -> tuple[JobEnd, Record | None]:
        job = run.claim.job
        if job.cancel_asked:
            return JobEnd(state=JobState.CANCELLED), None
        if job.lost > LOST_AT_MOST:
            return failed(_given_up(job)), None
        result = await self._made(run)
        record = await asyncio.to_thread(RESULT.write, result)
        await self._jobs.keep(record)
        end = JobEnd(state=JobState.SUCCEEDED, result=record.data, blobs=frozenset(record.pieces))
        return end, record

    async def _made(self, run: _Run) -> ImageResult:
        parts, job = self._parts, run.claim.job
        caller = await self._caller(job)
        pieces = await parts.books.assets.pieces(REQUEST.needs(run.claim.request))
        stored = await asyncio.to_thread(REQUEST.read, run.claim.request, pieces)
        request = replace(stored, key=job.asked_key or job.id)
        terms = Terms.read(job.terms)
        router = parts.router.on_behalf_of(caller).waiting(for_key=0.0)
        return await router.generate(request, profile=terms.profile, cache=terms.cache, on_event=run)

    async def _caller(self, job: Job) -> Caller:
        """Who made the job, by the rules of then. Raises KeyInvalid for a key that is revoked or expired."""
        if job.key_id is None or job.rules is None:
            return Caller(scope=job.scope)
        key = await self._parts.books.keys.get(job.key_id)
        key.check_alive(now_micros())
        return Caller(scope=job.rules.scope, key=replace(key, rules=job.rules), ring=self._parts.ring)

    async def _end(self, run: _Run, end: JobEnd, record: Record | None) -> None:
        jobs, job_id = self._jobs, run.claim.job.id
        before = await self._surely(lambda: jobs.blobs_of(job_id))
        if run.request_id:
            run.news = True
            await self._surely(lambda: self._tell(run))
        ended = await self._surely(lambda: jobs.end(run.claim, end, then=tell))
        if ended is None:
            return
        if record is not None:
            # Garbage collection may have run between keeping and the row that says who needs it.
            await self._surely(lambda: jobs.keep(record))
        await self._surely(lambda: self._parts.books.keeper.let_go(before - end.blobs))

    async def _surely(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write it down as soon as the database and the store can: it is paid."""
        while True:
            try:
                return await write()
            except ImageRouterError as problem:
                _log.warning("what came of a job cannot be written down yet: %s", problem)
                await asyncio.sleep(_AGAIN)


def tell(tx: Transaction, job: Job) -> None:
    """Post the notice of a job that is over."""
    post(tx, notice_of(job))


def failed(problem: Problem) -> JobEnd:
    """The end of a job that failed."""
    stored = asdict(replace(problem, headers=None, wait=None))
    return JobEnd(state=JobState.FAILED, problem=orjson.dumps(stored).decode())


def _too_late(job: Job, error: ImageRouterError) -> bool:
    if isinstance(error, BlobFault):
        return job.turn > 1  # the first may have come before the bytes
    return now_micros() > job.created_at + _PATIENCE * SECOND


def _given_up(job: Job) -> Problem:
    return Problem(
        status=500,
        kind="server_error",
        google="INTERNAL",
        code="job_given_up",
        message=f"{job.lost} processes died at this job; it is not tried again. Its cost is what was booked.",
    )
