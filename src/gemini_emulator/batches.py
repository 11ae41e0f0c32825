"""Batch jobs: states, rows, result. A job moves on when it is looked at, or by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import orjson

from gemini_emulator.clock import Clock, stamp
from gemini_emulator.errors import ApiError, Json
from gemini_emulator.faults import Fault

MOST_AT_ONCE = 100  # https://ai.google.dev/gemini-api/docs/rate-limits, concurrent batch requests
INLINE_BYTES = 20 * 1024 * 1024  # https://ai.google.dev/gemini-api/docs/batch-api
LIFE = timedelta(hours=48)
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
_PATIENCE_S = 20.0  # a poll that finds the rows unfinished waits so long for them


class JobState(StrEnum):
    """States as they stand on the wire, after BATCH_STATE_."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


ACTIVE = frozenset({JobState.PENDING, JobState.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request of a job. `metadata` comes back with an inline row, `key` with a line of a file."""

    request: Json
    metadata: object = None
    key: str | None = None

    def dressed(self, result: Json) -> Json:
        if self.key is not None:
            return {**result, "key": self.key}
        return {**result, "metadata": self.metadata} if self.metadata is not None else result


@dataclass(slots=True, kw_only=True)
class Job:
    """One batch job. `file_mode`: rows came from a file and the result goes to one."""

    id: str
    owner: str
    key: str
    model_id: str
    display_name: str
    created: datetime
    rows: list[Row]
    file_mode: bool
    fault: Fault | None = None
    state: JobState = JobState.PENDING
    polls: int = 0
    ended: datetime | None = None
    error: Json | None = None
    results: list[tuple[Json, bool]] = field(default_factory=list)
    result_file: str | None = None
    work: asyncio.Task[None] | None = None

    @property
    def stuck(self) -> bool:
        return self.fault is not None and self.fault.name == "batch_stuck"

    @property
    def late(self) -> int | None:
        """At which look it is done, cancelled or not; None: when it is due."""
        late = self.fault is not None and self.fault.name == "batch_late"
        return self.fault.count("polls", 6) if self.fault is not None and late else None

    def to_wire(self, *, with_rows: bool = True) -> Json:
        """The operation, with the inline answers twice as the provider sends them."""
        name = f"batches/{self.id}"
        metadata: Json = {
            "@type": _TYPE,
            "model": f"models/{self.model_id}",
            "displayName": self.display_name,
        }
        output = (
            self._output() if self.state is JobState.SUCCEEDED and (with_rows or self.file_mode) else None
        )
        if output is not None:
            metadata["output"] = output
        metadata["createTime"] = stamp(self.created)
        if self.ended is not None:
            metadata["endTime"] = stamp(self.ended)
        metadata["updateTime"] = stamp(self.ended or self.created)
        metadata |= {"batchStats": self._stats(), "state": f"BATCH_STATE_{self.state}", "name": name}
        operation: Json = {"name": name, "metadata": metadata}
        if self.state not in ACTIVE:
            operation["done"] = True
        if self.error is not None:
            operation["error"] = self.error
        if output is not None:
            operation["response"] = {"@type": f"{_TYPE}Output", **output}
        return operation

    def _output(self) -> Json:
        if self.file_mode:
            return {"responsesFile": f"files/{self.result_file}"}
        return {"inlinedResponses": {"inlinedResponses": [result for result, _ in self.results]}}

    def _stats(self) -> Json:
        count = len(self.rows)
        stats: Json = {"requestCount": str(count)}
        if self.state in ACTIVE:
            return stats | {"pendingRequestCount": str(count)}
        good = sum(1 for _, success in self.results if success)
        bad = count - good if self.state is not JobState.SUCCEEDED else len(self.results) - good
        if good:
            stats["successfulRequestCount"] = str(good)
        if bad:
            stats["failedRequestCount"] = str(bad)
        return stats


class Batches:
    """Every job of an emulator."""

    def __init__(self, clock: Clock, *, polls: int, seconds: float) -> None:
        self._clock = clock
        self._polls = polls
        self._seconds = timedelta(seconds=seconds)
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job, work: Awaitable[None]) -> None:
        """Take a job on; its rows begin to run at once, unseen."""
        self._jobs[job.id] = job
        job.work = asyncio.ensure_future(work)

    def active(self, owner: str) -> int:
        return sum(1 for job in self._jobs.values() if job.owner == owner and job.state in ACTIVE)

    def get(self, job_id: str, owner: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise ApiError(404, "Requested entity was not found.")
        return job

    def mine(self, owner: str) -> list[Job]:
        """The caller's jobs, newest first."""
        return [job for job in reversed(self._jobs.values()) if job.owner == owner]

    async def look(self, job: Job) -> None:
        """One poll: PENDING, then RUNNING, then done at the poll or the time it is due."""
        job.polls += 1
        if job.state not in ACTIVE:
            return
        age = self._clock.now() - job.created
        if age >= LIFE and (job.stuck or age - LIFE >= self._seconds):
            self._end(job, JobState.EXPIRED)
        elif job.stuck:
            job.state = JobState(job.fault.options.get("state", "PENDING")) if job.fault else job.state
        elif self._due(job, age) and await self._worked(job):
            failed = job.fault is not None and job.fault.name == "batch_fails"
            job.error = {"code": 13, "message": "Internal error encountered."} if failed else None
            self._end(job, JobState.FAILED if failed else JobState.SUCCEEDED)
        else:
            job.state = JobState.RUNNING

    def _due(self, job: Job, age: timedelta) -> bool:
        if job.late is not None:
            return job.polls >= job.late
        return job.polls >= self._polls or age >= self._seconds

    def cancel(self, job: Job) -> None:
        if job.state in ACTIVE and job.late is None:
            self._stop(job)
            self._end(job, JobState.CANCELLED)

    def delete(self, job: Job) -> None:
        self._stop(job)
        del self._jobs[job.id]

    async def reset(self) -> None:
        """Drop every job and wait for its work to stop."""
        jobs = list(self._jobs.values())
        self._jobs.clear()
        for job in jobs:
            self._stop(job)
        await asyncio.gather(*(job.work for job in jobs if job.work), return_exceptions=True)

    def _end(self, job: Job, state: JobState) -> None:
        job.state = state
        job.ended = self._clock.now()

    def _stop(self, job: Job) -> None:
        if job.work is not None:
            job.work.cancel()

    async def _worked(self, job: Job) -> bool:
        if job.work is None:
            return True
        done, _ = await asyncio.wait({job.work}, timeout=_PATIENCE_S)
        if done:
            job.work.result()
        return bool(done)


def read_lines(raw: bytes) -> list[Json]:
    """The rows of a JSONL input file. Raises ApiError 400 naming the first bad line."""
    lines = [line for line in raw.splitlines() if line.strip()]
    rows: list[Json] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ApiError(400, f"Failed to parse line {number} of the input file as JSON.") from error
        if not isinstance(row, dict):
            raise ApiError(400, f"Line {number} of the input file is not a JSON object.")
        rows.append(row)
    return rows
