"""Tables of webhooks and their values; migration 7 makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from image_router.core.budget import Micros
from image_router.storage.schema import metadata

endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("off_at", BigInteger),
    Column("off_why", Text),
)

hook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("old_secret", LargeBinary),
    Column("old_until", BigInteger),
    Column("made_at", BigInteger, nullable=False),
    Column("made_by", Text, nullable=False),
)

deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("endpoint_id", Text),
    Column("url", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("tries", Integer, nullable=False),
    Column("status", Integer),
    Column("trouble", Text),
    Column("lease_until", BigInteger, nullable=False),
    Column("lease_epoch", Text, nullable=False),
)


class HookEvent(StrEnum):
    """What can be told."""

    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    BUDGET_ALERT = "budget.alert"
    KEY_REVOKED = "key.revoked"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address that is told of what happens in a scope and all below it."""

    id: str
    scope: str
    url: str
    events: tuple[HookEvent, ...]
    created_at: Micros
    created_by: str
    off_at: Micros | None = None
    off_why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A signing secret, for the one time it is shown."""

    secret: bytes = field(repr=False)
    old_until: Micros | None = None
    """Until then the one before signs too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to be told. `payload` is the JSON text that is sent, byte for byte, at every try."""

    scope: str
    event: HookEvent
    subject: str
    """Id of what it is about."""
    payload: str
    url: str | None = None
    """Told there as well, beside the endpoints of its scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notice on its way to one address; `id` stays the same at every try."""

    id: str
    scope: str
    event: HookEvent
    subject: str
    endpoint_id: str | None
    url: str
    payload: str = field(repr=False)
    state: DeliveryState
    created_at: Micros
    begun_at: Micros
    """Since when it is tried; a delivery that is sent again begins anew."""
    next_at: Micros
    ended_at: Micros | None
    tries: int
    status: int | None
    """HTTP status of the last answer."""
    trouble: str | None
    """Why the last try failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of one try."""

    state: DeliveryState
    status: int | None = None
    trouble: str | None = None
    wait: float = 0.0
    """Seconds until the next try, where there is one."""
    gone: bool = False
    """The receiver says that it is no more: its endpoint is switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQuery:
    """Which deliveries to list, newest first."""

    scope: str | None = None
    """This one and all below it."""
    state: DeliveryState | None = None
    subject: str | None = None
    limit: int = 50
