"""Made pictures: bytes in a store by digest, what is known of them in the database.

Throwing things away is in storage/keeping. The bytes that came are the bytes that are kept and given out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from image_router.core.budget import SECOND, Micros
from image_router.core.errors import AssetError, StorageError
from image_router.core.results import GeneratedImage
from image_router.core.storing import StoreMode
from image_router.storage.asset_queries import (
    Family,
    Query,
    family_of,
    find_asset,
    list_assets,
    note_thumbnail,
    why_no_bytes,
)
from image_router.storage.asset_values import Asset, Made, asset_of, parents_of
from image_router.storage.blobs import Blobs, digest_of
from image_router.storage.database import Database, Transaction
from image_router.storage.landing import Landed, Note, Stranded, insert_asset, land, stranded
from image_router.storage.objects import now_micros
from image_router.storage.records import IMAGE
from image_router.storage.storing_rules import StoringRules
from image_router.storage.thumbnails import thumbnail_of

STRANDED_AFTER: Final = 600.0
"""Seconds after which a note belongs to a process that died; a living one needs far less."""
_READS: Final = 4
_log = logging.getLogger(__name__)


class Assets:
    """Every method that touches bytes raises AssetError, and StorageError where the database fails."""

    def __init__(
        self, db: Database, blobs: Blobs, *, rules: StoringRules, clock: Callable[[], Micros] = now_micros
    ) -> None:
        self.db = db
        self.blobs = blobs
        self.rules = rules
        self._clock = clock
        self._drawing = asyncio.Semaphore(1)
        self._later: set[asyncio.Task[None]] = set()

    async def land(self, made: Made) -> Landed | None:
        """Make the bytes safe, as far as the scope keeps any; None where it keeps nothing at all.

        What comes back goes to `insert_asset` in the transaction that settles, then to `done`.
        """
        mode = (await self.rules.of(made.decision.request.scope)).store
        if mode is StoreMode.NONE:
            return None
        asset, parents = asset_of(made, at=self._clock(), mode=mode), parents_of(made)
        if mode is StoreMode.METADATA:
            return Landed(asset=asset, parents=parents)
        note = Note(
            asset=asset,
            image=made.image,
            request=made.decision.request,
            attempt=made.attempt,
            hold_id=made.hold_id,
            parents=parents,
        )
        return await land(self.blobs, note)

    async def done(self, landed: Landed) -> None:
        """The row is written: remove the note, and make the thumbnail when there is time for it."""
        if landed.note is None:
            return
        await self.blobs.store.delete(landed.note)
        task = asyncio.create_task(self._draw_quietly(landed.asset.id))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def stranded(
        self, *, older: float = STRANDED_AFTER, request_id: str | None = None
    ) -> AsyncIterator[Stranded]:
        """What processes left behind that died between a reply and its row; `older` in seconds.

        Of a request whose owner is known to be dead everything may be asked for, with older=0.
        """
        before = self._clock() + SECOND - int(older * SECOND)
        return stranded(self.blobs, before=before, request_id=request_id)

    async def adopt(self, found: Stranded, settle: Callable[[Transaction, Note], object]) -> bool:
        """Book a stranded picture: `settle` and its row in one transaction. False: there is no picture."""
        note, landed = found.note, found.landed
        if note is None or landed is None:
            await self.blobs.store.delete(found.name)
            return False

        def book(tx: Transaction) -> None:
            settle(tx, note)
            insert_asset(tx, landed)

        await self.db.write(book)
        await self.done(landed)
        return True

    async def list(self, query: Query | None = None) -> list[Asset]:
        """Assets, newest first."""
        return await self.db.read(lambda tx: list_assets(tx, query or Query()))

    async def get(self, asset_id: str) -> Asset:
        """One asset, by its id or the beginning of its digest (8 digits or more)."""
        return (await self.db.read(lambda tx: find_asset(tx, asset_id)))[0]

    async def family(self, asset_id: str) -> Family:
        """One asset with its lineage."""
        return await self.db.read(lambda tx: family_of(tx, asset_id))

    async def load(self, asset_id: str) -> GeneratedImage:
        """The picture as it was made: its bytes unchanged, its conversation ready to go on."""
        asset, record = await self.db.read(lambda tx: find_asset(tx, asset_id))
        if record is None:
            raise AssetError(why_no_bytes(asset))
        pieces = await self.pieces(await asyncio.to_thread(IMAGE.needs, record))
        return await asyncio.to_thread(IMAGE.read, record, pieces)

    async def read(self, asset: Asset) -> bytes:
        """The bytes of a picture, checked against their digest."""
        if not asset.stored or asset.removed_at is not None:
            raise AssetError(why_no_bytes(asset))
        return await self.blobs.read(asset.digest)

    async def pieces(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Bytes by digest, all of them checked."""
        gate = asyncio.Semaphore(_READS)
        found: dict[str, bytes] = {}

        async def read(digest: str) -> None:
            async with gate:
                found[digest] = await self.blobs.read(digest)

        await asyncio.gather(*(read(digest) for digest in digests))
        return found

    async def thumbnail(self, asset_id: str) -> bytes:
        """WebP of at most 320 pixels; made now if it was not made before."""
        asset = await self.get(asset_id)
        if asset.thumbnail is not None and await self.blobs.there(asset.thumbnail):
            return await self.blobs.read(asset.thumbnail)
        return await self._draw(asset)

    async def aclose(self) -> None:
        """Finish the thumbnails that were begun."""
        while self._later:
            await asyncio.gather(*self._later)

    async def _draw_quietly(self, asset_id: str) -> None:
        try:
            async with self._drawing:
                await self._draw(await self.get(asset_id))
        except (AssetError, StorageError) as problem:
            _log.warning("no thumbnail yet, it is tried again when asked for: %s", problem)

    async def _draw(self, asset: Asset) -> bytes:
        data = await self.read(asset)
        small = await asyncio.to_thread(thumbnail_of, data, asset.digest)
        digest = await asyncio.to_thread(digest_of, small)
        await self.blobs.put(digest, small)
        await self.db.write(lambda tx: note_thumbnail(tx, asset.id, digest=digest))
        return small
