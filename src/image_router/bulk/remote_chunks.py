"""A chunk of the batch lane: its jobs side by side to their ends, what they leave made one by one, in time.

Like a chunk of the other lane it may be repeated at any point, by any process.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from image_router.bulk.chunks import LOOK, Bench, run_chunk
from image_router.bulk.judging import judged
from image_router.bulk.remote_lane import RemoteLane
from image_router.bulk.remote_parts import MICROS, Looked
from image_router.core.budget import Micros
from image_router.core.errors import ImageRouterError, StorageError, StorageProblem
from image_router.core.promise import give_up_at
from image_router.core.runs import OVER, Pause, RowState, Run, RunState
from image_router.storage import runs_rows
from image_router.storage.remote_jobs import go_interactive
from image_router.storage.remote_jobs_tables import RemoteState
from image_router.storage.runs import Stopped
from image_router.storage.runs_rows import RowQuery

_AT_PROVIDER: Final = (RemoteState.OPEN, RemoteState.OVER)


async def run_remote_chunk(lane: RemoteLane, bench: Bench, *, run_id: str, number: int) -> Run:
    """Make all rows of a batch chunk; the run as it stands then.

    Returns as well when all that is left is to wait for the provider (`storage.runs_line` says when to come
    again), when the run was cancelled or stands still, or the process drains. A job that is late for what the
    run promises is given up in time.
    """
    chunk = await bench.runs.begin_chunk(run_id, number)
    turn = _Turn(lane, bench, run_id, number)
    try:
        rest = await turn.go()
    except StorageError as error:
        if error.problem not in (StorageProblem.GONE, StorageProblem.LOCKED):
            await bench.runs.pause(run_id, Stopped(pause=Pause.STORE, reason=str(error)))
        await bench.sleep(LOOK)
        rest = False
    run = await bench.runs.end_chunk(chunk)
    return await run_chunk(bench, run_id, number=number) if rest else run


@dataclass(slots=True)
class _Turn:
    """One try at a chunk."""

    lane: RemoteLane
    bench: Bench
    run_id: str
    number: int
    stopped: list[Stopped] = field(default_factory=list)

    async def go(self) -> bool:
        """Whether something is left to be made one by one."""
        while (run := await self._run()).state is RunState.RUNNING and not self.bench.draining.is_set():
            await self._too_late_for_jobs(run)
            jobs = await self.lane.prepare(self.run_id, self.number)
            if not jobs:
                return await self._rest()
            if not all(await asyncio.gather(*(self._driven(job) for job in jobs))):
                return False
        if run.state is RunState.CANCELLED:
            await self._cancelled()
        elif not self.bench.draining.is_set():
            # What is made already is fetched while it is there, whatever the run waits for.
            jobs_out = await self.lane.parts.jobs.of_chunk(self.run_id, self.number)
            await asyncio.gather(*(self._driven(job.id) for job in jobs_out))
        return False

    async def _run(self) -> Run:
        return await self.bench.runs.get(self.run_id)

    async def _rest(self) -> bool:
        """Nothing is left for a batch: rows for the other lane, duplicates; or variants that still wait."""
        if await self.lane.parts.jobs.waiting(self.run_id, self.number):
            return False
        open_ = RowQuery(run_id=self.run_id, chunk=self.number, states=frozenset(RowState) - OVER)
        return await self.bench.runs.count(open_) > 0

    async def _too_late_for_jobs(self, run: Run) -> None:
        """Rows that no job can be waited for any more go to the other lane at once."""
        rows = await self.lane.parts.jobs.waiting(self.run_id, self.number)
        if rows and await self._left(run) <= 0:
            numbers = [row.planned.number for row in rows]
            await self.bench.runs.db.write(lambda tx: go_interactive(tx, self.run_id, numbers=numbers))

    async def _left(self, run: Run) -> float:
        """Seconds for which jobs can still be waited for; a month where nothing is promised."""
        due = await self._give_up_at(run)
        if due is None:
            return 30 * 86_400.0
        return (due - await self.lane.parts.jobs.now()) / MICROS

    async def _give_up_at(self, run: Run) -> Micros | None:
        """All rows of the run that are open by then would have to be made one by one."""
        if run.terms.by is None:
            return None
        open_ = RowQuery(run_id=self.run_id, states=frozenset(RowState) - OVER)
        rows = await self.bench.runs.count(open_)
        return give_up_at(run.terms.by, self.lane.parts.limits.pace, rows=rows)

    async def _driven(self, job_id: str) -> bool:
        """Take a job as far as it goes now; whether it has ended."""
        while not self.bench.draining.is_set():
            run = await self._run()
            going = run.state is RunState.RUNNING and not self.stopped
            looked = await self._stepped(job_id, run, going=going)
            if looked is None or looked.ended:
                return looked is not None
            if looked.wait > 0:
                await self._due(looked, run)
                return False
        return False

    async def _stepped(self, job_id: str, run: Run, *, going: bool) -> Looked | None:
        """The job's next step; None where the run has to stand still for it."""
        job = await self.lane.parts.jobs.get(job_id)
        if job is None or (not going and job.state not in _AT_PROVIDER):
            return None
        try:
            if job.given_up_at is None and await self._left(run) <= 0:
                reason = "it would not be done by the time that was promised"
                return await self.lane.give_up(job_id, reason=reason)
            return await self.lane.step(job_id)
        except StorageError:
            raise
        except ImageRouterError as error:
            await self._stand_still(error)
            return None

    async def _stand_still(self, error: ImageRouterError) -> None:
        verdict = judged(error, tries=0)
        if not isinstance(verdict, Stopped):
            reason = f"{type(error).__name__}: {error}"
            verdict = Stopped(pause=Pause.ASKED, reason=reason)
        self.stopped.append(verdict)
        await self.bench.runs.pause(self.run_id, verdict)

    async def _due(self, looked: Looked, run: Run) -> None:
        """Where the promise ends before the next look is due, look then."""
        job, due = await self.lane.parts.jobs.get(looked.job), await self._give_up_at(run)
        if job is not None and job.given_up_at is None and due is not None and due < job.look_at:
            await self.lane.parts.jobs.change(job.id, look_at=due)

    async def _cancelled(self) -> None:
        """Cancel the run's jobs, keep what they made, end what is left."""
        for job in await self.lane.parts.jobs.of_chunk(self.run_id, self.number):
            looked = await self.lane.give_up(job.id, reason="the run was cancelled")
            if not looked.ended:
                await self._driven(job.id)
        mine = RowQuery(run_id=self.run_id, chunk=self.number)
        why = "the run was cancelled"
        await self.bench.runs.db.write(lambda tx: runs_rows.cancel_rows(tx, mine, why=why))
