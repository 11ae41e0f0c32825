"""The shelf over storage: bytes land before their cost is settled, and rows come with the settlement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from image_router.core.errors import AssetError, ImageRouterError, StorageError
from image_router.engine.bookkeeping import settlement_of
from image_router.engine.shelf import Paid, Placed
from image_router.storage.asset_values import Made
from image_router.storage.assets import Assets
from image_router.storage.database import Database, Transaction
from image_router.storage.landing import Landed, Note, insert_asset
from image_router.storage.lazy import LazyDatabase
from image_router.storage.ledger import settling, take_steps

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Opened:
    db: Database
    assets: Assets


class DurableShelf:
    """Opened when the first picture comes; whoever made the database closes it, after the shelf."""

    def __init__(self, database: LazyDatabase, *, assets: Callable[[Database], Assets]) -> None:
        self._database = database
        self._assets = assets
        self._opening = asyncio.Lock()
        self._parts: _Opened | None = None

    async def _opened(self) -> _Opened:
        async with self._opening:
            if self._parts is None:
                db = await self._database.opened()
                self._parts = _Opened(db, self._assets(db))
                await _adopt_stranded(self._parts.assets)
            return self._parts

    @asynccontextmanager
    async def placing(self, paid: Paid) -> AsyncIterator[Placed]:
        parts = await self._opened()
        try:
            landed = await parts.assets.land(_made(paid))
        except (AssetError, StorageError) as problem:
            yield Placed(trouble=f"the picture is paid and not stored: {problem}")
            return
        if landed is None:
            yield Placed()
            return
        yield Placed(row=lambda tx: insert_asset(tx, landed))
        await _tidied(parts.assets, landed)

    async def aclose(self) -> None:
        if self._parts is not None:
            await self._parts.assets.aclose()
            self._parts = None


def settle(tx: Transaction, note: Note) -> None:
    """Book what a stranded picture cost. Raises what the ledger refuses."""
    if note.hold_id is None:
        return
    settlement = settlement_of(note.attempt, index=note.asset.index, size=note.request.size)
    (done,), _ = take_steps(tx, [settling(note.hold_id, settlement)])
    if isinstance(done, ImageRouterError):
        raise done


async def _adopt_stranded(assets: Assets) -> None:
    """Pictures of processes that died. A store that is away must not stand in the way of new ones."""
    try:
        async for found in assets.stranded():
            await assets.adopt(found, settle)
    except ImageRouterError as problem:
        _log.warning("pictures of a process that died are not yet taken in: %s", problem)


async def _tidied(assets: Assets, landed: Landed) -> None:
    try:
        await assets.done(landed)
    except AssetError as problem:
        _log.warning("a note stays and is looked at again at the next start: %s", problem)


def _made(paid: Paid) -> Made:
    return Made(image=paid.image, decision=paid.decision, attempt=paid.attempt, hold_id=paid.hold_id)
