"""From settings to the gateway's parts, opened in the process that serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from image_router.aio import ImageRouter
from image_router.books import open_books
from image_router.config import load_settings
from image_router.gateway.app import Parts
from image_router.gateway.callers import KeyedDoors, OpenDoors
from image_router.gateway.journaling import JournalSink
from image_router.gateway.links import Links
from image_router.gateway.live import Live
from image_router.gateway.sessions import Sessions
from image_router.storage.chains import Chains
from image_router.storage.jobs import Jobs
from image_router.storage.journal import Journal
from image_router.storage.key_ring import KeyRing
from image_router.storage.secrets import shared_secret
from image_router.storage.webhooks import Outbox
from image_router.telemetry.prometheus import PrometheusSink


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the operator chose for the gateway itself; picklable, so that it reaches every worker."""

    open: bool = False
    """Nobody needs a key."""
    url: str | None = None


@asynccontextmanager
async def opened(choices: Choices, settings: Mapping[str, Any]) -> AsyncIterator[Parts]:
    """The parts, until the server stops. Raises ConfigError and StorageError."""
    known = load_settings(**settings)
    metrics, noted = PrometheusSink(), JournalSink()
    async with (
        open_books(known) as books,
        KeyRing(books.db) as ring,
        ImageRouter(known, sinks=[metrics, noted]) as router,
    ):
        yield Parts(
            router=router,
            books=books,
            doorkeeper=OpenDoors(known.scope, url=choices.url) if choices.open else KeyedDoors(ring),
            ring=ring,
            metrics=metrics,
            jobs=Jobs(books.db, books.assets.blobs),
            chains=Chains(books.db, books.assets.blobs),
            outbox=Outbox(books.db),
            journal=Journal(books.db),
            noted=noted,
            live=Live(books.db),
            settings=known,
            private_hooks=known.webhooks_private,
            links=Links(secret=await shared_secret(books.db, "links")),
            sessions=Sessions(secret=await shared_secret(books.db, "sessions")),
            limits=known.limits,
            url=choices.url,
        )
