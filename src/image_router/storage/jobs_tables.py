"""Tables of jobs and their values; migration 6 makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Table, Text

from image_router.core.budget import Micros
from image_router.core.money import Nanos
from image_router.core.router_keys import KeyRules
from image_router.storage.schema import metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("key_id", Text),
    Column("rules", Text),
    Column("asked_key", Text),
    Column("fingerprint", Text, nullable=False),
    Column("request", LargeBinary),
    Column("terms", Text, nullable=False),
    Column("images", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("request_id", Text),
    Column("cost", BigInteger),
    Column("result", LargeBinary),
    Column("problem", Text),
    Column("cancel_asked", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("owner", Text),
    Column("turn", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("lease_epoch", Text, nullable=False),
)

job_blobs = Table(
    "job_blobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
)


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as it is asked for."""

    id: str
    scope: str
    """Who pays."""
    kind: str
    """generation or edit."""
    key_id: str | None
    rules: str | None
    """Of the key at this moment (key_tables.rules_text); they hold for the job however the key changes."""
    asked_key: str | None
    """The caller's idempotency key."""
    fingerprint: str
    """Digest of all that was asked; the same key with another one is a conflict."""
    request: bytes = field(repr=False)
    """A REQUEST record; its pieces are blobs."""
    blobs: frozenset[str]
    terms: str
    """JSON of whoever made the job."""
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands."""

    id: str
    scope: str
    kind: str
    state: JobState
    key_id: str | None
    rules: KeyRules | None
    asked_key: str | None
    terms: str
    images: int
    done: int
    """Pictures that came so far."""
    failed: int
    request_id: str | None
    cost: Nanos
    """Booked so far, or in all once it is over."""
    problem: str | None
    """JSON: why it failed."""
    cancel_asked: bool
    created_at: Micros
    started_at: Micros | None
    ended_at: Micros | None
    turn: int
    lost: int
    """How often whoever was at it was not heard of any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaim:
    """This process does the job now."""

    job: Job
    request: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """What became of a job. `result` is a RESULT record, `problem` JSON."""

    state: JobState
    result: bytes | None = field(default=None, repr=False)
    blobs: frozenset[str] = frozenset()
    """That the result needs."""
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who claims jobs, for how long at a time."""

    owner: str
    lease: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs to list, newest first."""

    scope: str | None = None
    """This one and all below it."""
    state: JobState | None = None
    before: str | None = None
    """Id of the last one seen."""
    limit: int = 50
