"""The table of chains (migration 10) and what its rows say. Times in microseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from image_router.core.budget import Micros
from image_router.core.chain import REFERENCE_KEY, variant_key
from image_router.storage.jobs_tables import Job
from image_router.storage.schema import metadata

chains = Table(
    "chains",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("key_id", Text),
    Column("rules", Text),
    Column("asked_key", Text),
    Column("fingerprint", Text, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("prompts", Text, nullable=False),
    Column("terms", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)


class ChainState(StrEnum):
    """How far a chain is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    """Over, and some variants did not come."""
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain as it was asked for, and its state."""

    id: str
    scope: str
    state: ChainState = ChainState.RUNNING
    key_id: str | None
    rules: str | None
    """Of the key when the chain was made (key_tables.rules_text)."""
    asked_key: str | None
    fingerprint: str
    request: bytes = field(repr=False)
    """A REQUEST record: the character."""
    prompts: tuple[str, ...]
    """Of the reference, then of each variant."""
    terms: str
    """JSON of whoever made the chain, for each of its jobs."""
    created_at: Micros = 0
    ended_at: Micros | None = None

    @property
    def key(self) -> str:
        """What the keys of its pictures begin with."""
        return self.asked_key or self.id

    @property
    def keys(self) -> tuple[str, ...]:
        """Of its pictures: the reference, then each variant."""
        return (REFERENCE_KEY, *(variant_key(place) for place in range(1, len(self.prompts))))

    def job_id(self, item: str) -> str:
        return f"{self.id}.{item}"

    def work_key(self, item: str) -> str:
        """The key under which a picture is paid once."""
        return f"{self.key}/{item}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainItem:
    """One picture of a chain: its job, if there is one yet, and what is kept of it."""

    key: str
    prompt: str
    job: Job | None
    asset_id: str | None
