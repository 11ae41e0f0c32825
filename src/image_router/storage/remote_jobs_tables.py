"""Tables of remote jobs (migration 14), and the values in them. Times in microseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, RowMapping, Table, Text

from image_router.core.budget import Micros
from image_router.core.types import Purpose, Tier
from image_router.storage.schema import metadata

remote_jobs = Table(
    "remote_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("chunk", Integer, nullable=False),
    Column("scope", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", Text),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("input_bytes", BigInteger, nullable=False),
    Column("result_bytes", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("project", Text),
    Column("member", Text),
    Column("name", Text),
    Column("input_file", Text),
    Column("input_until", BigInteger),
    Column("result_file", Text),
    Column("hold_id", Text),
    Column("told", Text, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("lists", Integer, nullable=False),
    Column("look_at", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("asked_at", BigInteger),
    Column("given_up_at", BigInteger),
    Column("over_at", BigInteger),
    Column("ended_at", BigInteger),
)

remote_uploads = Table(
    "remote_uploads",
    metadata,
    Column("project", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("uri", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)


class RemoteState(StrEnum):
    """How far a remote job is on our side."""

    INTENT = "intent"
    """Its rows are chosen. Nothing of it is at the provider but files."""
    ASKED = "asked"
    """Money is held, rows are sent; whether the provider has made it, is to be found out."""
    OPEN = "open"
    """The provider has it, under `name`."""
    OVER = "over"
    """The provider is done with it; its results are to be fetched."""
    ENDED = "ended"
    """Every row is settled."""


AT_PROVIDER: Final = frozenset({RemoteState.ASKED, RemoteState.OPEN})
"""States in which it counts among a project's open jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteJob:
    """One batch job. Its id is the display name it has at the provider."""

    id: str
    run_id: str
    chunk: int
    scope: str
    """In which its money is held."""
    model: str
    tier: Tier | None
    purpose: Purpose
    """Of its first row."""
    state: RemoteState
    rows: int
    input_bytes: int
    result_bytes: int
    tokens: int
    project: str | None = None
    member: str | None = None
    """The key through which it was made."""
    name: str | None = None
    """batches/…"""
    input_file: str | None = None
    input_until: Micros | None = None
    result_file: str | None = None
    hold_id: str | None = None
    told: str = ""
    """The provider's last word of its state."""
    succeeded: int = 0
    """Rows that the provider says it made."""
    reason: str = ""
    looks: int = 0
    lists: int = 0
    """How often it was looked for in vain since it was asked for."""
    look_at: Micros = 0
    made_at: Micros = 0
    asked_at: Micros | None = None
    given_up_at: Micros | None = None
    """When it was cancelled, to have its rows made elsewhere; what comes of it all the same is kept."""
    over_at: Micros | None = None
    ended_at: Micros | None = None

    @property
    def owner(self) -> str:
        """Who holds the keys of its rows meanwhile."""
        return f"batch job {self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A picture in a project's files."""

    project: str
    digest: str
    name: str
    uri: str
    media_type: str
    bytes: int
    until: Micros


def job_from(row: RowMapping) -> RemoteJob:
    values: dict[str, Any] = dict(row)
    values |= {
        "state": RemoteState(row["state"]),
        "tier": Tier(row["tier"]) if row["tier"] else None,
        "purpose": Purpose(row["purpose"]),
    }
    return RemoteJob(**values)


def job_values(job: RemoteJob) -> dict[str, Any]:
    return {name: getattr(job, name) for name in RemoteJob.__slots__}
