"""The batch lane: rows of a chunk as jobs of the provider, at half price, each step safe to repeat.

    for job in await lane.prepare(run_id, chunk):      # rows are packed, jobs written down
        while not (looked := await lane.step(job)).ended:
            await sleep(looked.wait)                   # durable, where it is to outlive the process

A step looks at what is written down and does what comes next: `open` (upload, hold, create or adopt), `look`,
`collect` (keep, settle). `give_up` cancels a job; its rows then wait to be made one by one. Rows that are not
over when all jobs of a chunk have ended wait: for the next `prepare`, or to be made at once.
"""

from __future__ import annotations

import logging
from typing import Final

from image_router.bulk.remote_collecting import GONE, collected
from image_router.bulk.remote_opening import opened
from image_router.bulk.remote_packing import prepare
from image_router.bulk.remote_parts import MICROS, LaneParts, Looked
from image_router.bulk.remote_releasing import release_key, released
from image_router.core.errors import InvalidRequest
from image_router.core.runs import OVER
from image_router.providers.base import Unreachable
from image_router.providers.batches import Declined
from image_router.storage.database import Transaction
from image_router.storage.ledger import Ledger
from image_router.storage.remote_jobs import go_interactive, job_rows
from image_router.storage.remote_jobs_tables import RemoteJob, RemoteState
from image_router.storage.runs_rows import free_rows

_CANCELLING: Final = (2.0, 5.0, 15.0)
"""Seconds between looks at a job that was cancelled, before its rows go elsewhere without its last word."""
_log = logging.getLogger(__name__)


class RemoteLane:
    """Jobs of one database at one provider. Every method may be called again after a crash.

    Raises StorageError; BudgetExceeded, ProviderError, ConfigError, AssetError where a run must pause: then
    nothing is lost, and the same call goes on when the reason is gone.
    """

    def __init__(self, parts: LaneParts) -> None:
        self.parts = parts

    async def prepare(self, run_id: str, chunk: int) -> tuple[str, ...]:
        """The jobs of a chunk that are not ended, after its waiting rows were packed into new ones."""
        return await prepare(self.parts, run_id, chunk=chunk)

    async def step(self, job_id: str) -> Looked:
        """Do what comes next, if it is due."""
        job = await self._job(job_id)
        left = job.look_at - await self.parts.jobs.now()
        if job.state is RemoteState.ENDED:
            return Looked(job=job.id, state=job.state, reason=job.reason)
        if left > 0:
            return Looked(job=job.id, state=job.state, wait=left / MICROS, reason=job.reason)
        return await self._step(job)

    async def open(self, job_id: str) -> Looked:
        """Have the job made: uploaded, paid for, created, or adopted under its name."""
        job = await self._job(job_id)
        if job.state in (RemoteState.INTENT, RemoteState.ASKED):
            return await opened(self.parts, job)
        return Looked(job=job.id, state=job.state)

    async def look(self, job_id: str) -> Looked:
        """Ask the provider how far it is."""
        job = await self._job(job_id)
        return await self._look(job) if job.state is RemoteState.OPEN else Looked(job=job.id, state=job.state)

    async def collect(self, job_id: str) -> Looked:
        """Fetch and settle the results of a job that is over."""
        job = await self._job(job_id)
        if job.state is not RemoteState.OVER:
            return Looked(job=job.id, state=job.state)
        return await collected(self.parts, job)

    async def give_up(self, job_id: str, *, reason: str) -> Looked:
        """Cancel the job. What it has made is kept; its other rows wait to be made one by one.

        Where the provider does not confirm it soon, they wait all the same, and what comes in spite of it
        is adopted as long as no replacement was sent, else kept beside it.
        """
        job = await self._job(job_id)
        if job.state is RemoteState.ENDED:
            return Looked(job=job.id, state=job.state)
        if job.given_up_at is None:
            now = await self.parts.jobs.now()
            job = await self.parts.jobs.change(job.id, given_up_at=now, look_at=now, reason=reason)
        if job.state is RemoteState.INTENT:
            await released(self.parts, job, reason=reason)
            return Looked(job=job.id, state=RemoteState.ENDED, reason=reason)
        if job.state is RemoteState.ASKED:
            return await self._step(job)
        return await self._cancelled(job)

    async def run(self, job_id: str) -> Looked:
        """Take all steps, one after the other, until the job has ended."""
        while not (looked := await self.step(job_id)).ended:
            await self.parts.sleep(looked.wait)
        return looked

    async def _step(self, job: RemoteJob) -> Looked:
        if job.state is RemoteState.OPEN:
            return await self._look(job)
        if job.state is RemoteState.OVER:
            return await collected(self.parts, job)
        looked = await opened(self.parts, job)
        if job.given_up_at is not None and looked.state is RemoteState.OPEN:
            return await self._cancelled(await self._job(job.id))
        return looked

    async def _look(self, job: RemoteJob) -> Looked:
        parts = self.parts
        try:
            operation = await parts.api(job).get(job.name or "")
        except Declined as problem:
            if problem.error.http_status != 404:
                return await self._unseen(job, problem)
            _log.error("the provider no longer knows batch job %s (%s)", job.id, job.name)
            return await self._over(job, told=GONE, reason=str(problem))
        except Unreachable as problem:
            return await self._unseen(job, problem)
        if operation.over:
            return await self._over(
                job,
                told=operation.state,
                result_file=operation.result_file,
                succeeded=operation.succeeded,
                reason=operation.error.message if operation.error else "",
            )
        await Ledger(parts.db).heartbeat([job.hold_id or ""])
        looks = job.looks + 1
        return await parts.waiting(job, parts.pause(looks), looks=looks, told=operation.state)

    async def _over(self, job: RemoteJob, **told: object) -> Looked:
        now = await self.parts.jobs.now()
        over = {"state": RemoteState.OVER, "looks": 0, "look_at": now, "over_at": now}
        job = await self.parts.jobs.change(job.id, **over, **told)
        return Looked(job=job.id, state=job.state, reason=job.reason)

    async def _cancelled(self, job: RemoteJob) -> Looked:
        """Cancel it, wait a little for its last word, and let its rows go."""
        looked = Looked(job=job.id, state=job.state)
        if job.state is RemoteState.OPEN:
            await self._cancel(job)
            for seconds in _CANCELLING:
                looked = await self._look(job)
                if looked.state is RemoteState.OVER:
                    break
                await self.parts.sleep(seconds)
        if looked.state is RemoteState.OVER:
            return await self.collect(job.id)
        run = await self.parts.runs.get(job.run_id)
        await self.parts.db.write(lambda tx: _freed(tx, job, scope=run.scope))
        return looked

    async def _cancel(self, job: RemoteJob) -> None:
        try:
            await self.parts.api(job).cancel(job.name or "")
        except (Declined, Unreachable) as problem:
            _log.warning("batch job %s could not be cancelled and may still be made: %s", job.id, problem)

    async def _unseen(self, job: RemoteJob, problem: Exception) -> Looked:
        looks = job.looks + 1
        return await self.parts.waiting(job, self.parts.pause(looks), looks=looks, reason=str(problem))

    async def _job(self, job_id: str) -> RemoteJob:
        job = await self.parts.jobs.get(job_id)
        if job is None:
            raise InvalidRequest(
                f"there is no batch job {job_id!r}; `image-router batch list` shows them all"
            )
        return job


def _freed(tx: Transaction, job: RemoteJob, *, scope: str) -> None:
    """Rows of a job that may still make them wait to be made elsewhere, which its owner has allowed."""
    rows = [row for row in job_rows(tx, job.id) if row.state not in OVER]
    for row in rows:
        release_key(tx, scope, key=row.planned.key, request_id=row.request_id)
    numbers = [row.planned.number for row in rows]
    free_rows(tx, job.run_id, numbers=numbers)
    go_interactive(tx, job.run_id, numbers=numbers, resend=True)
