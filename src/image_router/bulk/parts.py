"""What bulk work is done with: wiring makes the parts, `opened` opens them."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from image_router.bulk.chunks import Bench
from image_router.bulk.remote_lane import RemoteLane
from image_router.bulk.runs import Runs
from image_router.engine.parts import Parts
from image_router.engine.router import ImageRouter
from image_router.storage.assets import Assets
from image_router.storage.database import Database
from image_router.storage.lazy import LazyDatabase
from image_router.storage.ledger import Ledger
from image_router.storage.runs import StoredRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """One process that may make chunks. Its id is never used again, by whatever runs on the same host."""

    id: str
    label: str
    """Host and process, for people."""


def new_executor() -> Executor:
    """This process under a name of its own."""
    label = f"{socket.gethostname()}:{os.getpid()}"
    return Executor(id=f"{label}:{secrets.token_hex(6)}", label=label)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkParts:
    """Not opened yet."""

    router: Parts
    executor: Executor
    database: LazyDatabase
    address: str | Path
    """Of the database, password included."""
    assets: Callable[[Database], Assets]
    lane: Callable[[Database, Assets, ImageRouter], RemoteLane]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """Opened: runs to steer, and a bench to make them on."""

    db: Database
    runs: Runs
    bench: Bench
    lane: RemoteLane
    executor: Executor
    address: str | Path


@asynccontextmanager
async def opened(parts: BulkParts) -> AsyncIterator[Bulk]:
    """Open the database and all else; closed in the order that loses nothing. Raises StorageError."""
    async with AsyncExitStack() as closing:
        db = await parts.database.opened()
        closing.push_async_callback(parts.database.aclose)
        ledger = Ledger(db, on_alert=parts.router.announce)
        closing.push_async_callback(ledger.drain)
        router = await closing.enter_async_context(ImageRouter(parts.router))
        assets = parts.assets(db)
        closing.push_async_callback(assets.aclose)
        bench = Bench(
            router=router,
            ledger=ledger,
            runs=StoredRuns(db),
            assets=assets,
            announce=parts.router.announce,
            owner=parts.executor.id,
        )
        yield Bulk(
            db=db,
            runs=Runs(db, rules=assets.rules),
            bench=bench,
            lane=parts.lane(db, assets, router),
            executor=parts.executor,
            address=parts.address,
        )
