"""From a reply to the store: the order in which a paid picture becomes safe.

First a note in `landing/` that says what is coming, then every part, the picture itself last. Whoever finds a
note whose picture is there can adopt it; a note without its picture is a call of unknown outcome.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import insert, select

from image_router.core.budget import Micros
from image_router.core.results import Attempt, GeneratedImage
from image_router.core.types import ImageRequest
from image_router.storage.asset_tables import asset_blobs, asset_parents, assets
from image_router.storage.asset_values import Asset, BlobRole, Parent, row_of
from image_router.storage.blobs import LANDING, BlobFault, Blobs
from image_router.storage.database import Transaction
from image_router.storage.records import IMAGE, Kind

_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """All that is needed to finish the booking of a picture after its process died."""

    asset: Asset
    image: GeneratedImage
    request: ImageRequest
    attempt: Attempt
    hold_id: str | None = None
    parents: tuple[Parent, ...] = ()


NOTE: Final = Kind("landing", Note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """A picture whose bytes are safe and whose row is still to be written, by `insert_asset`."""

    asset: Asset
    parents: tuple[Parent, ...] = ()
    blobs: tuple[tuple[str, BlobRole], ...] = ()
    record: bytes | None = field(default=None, repr=False)
    note: str | None = None
    """Name of its note, to be removed once the row is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranded:
    """What a process left behind that died before it wrote the row."""

    name: str
    note: Note | None
    """None: its picture never arrived; the outcome of the call is unknown."""
    landed: Landed | None = None
    changed_at: Micros


async def land(blobs: Blobs, note: Note) -> Landed:
    """Write note and bytes durably. Raises AssetError when the store does not take them."""
    record = await asyncio.to_thread(NOTE.write, note)
    name = _name_of(note)
    await blobs.store.put(name, record.data, replace=True)
    picture = note.image.digest
    gate = asyncio.Semaphore(_AT_ONCE)

    async def put(digest: str, data: bytes) -> None:
        async with gate:
            await blobs.put(digest, data)

    await asyncio.gather(*(put(*piece) for piece in record.pieces.items() if piece[0] != picture))
    await blobs.put(picture, record.pieces[picture])
    return await asyncio.to_thread(_landed, note, record.pieces, name=name)


async def stranded(blobs: Blobs, *, before: Micros, request_id: str | None = None) -> AsyncIterator[Stranded]:
    """Notes older than a moment, of one request or of all, with what became of their pictures."""
    begins = f"{LANDING}/{_hashed(request_id)}." if request_id is not None else LANDING
    async for listed in blobs.store.list(LANDING):
        if listed.changed_at >= before or not listed.name.startswith(begins):
            continue
        data = await blobs.store.get(listed.name)
        if data is None:
            continue
        try:
            pieces = {digest: await blobs.read(digest) for digest in sorted(NOTE.needs(data))}
        except BlobFault:
            yield Stranded(name=listed.name, note=None, changed_at=listed.changed_at)
            continue
        note = NOTE.read(data, pieces)
        landed = await asyncio.to_thread(_landed, note, pieces, name=listed.name)
        yield Stranded(name=listed.name, note=note, landed=landed, changed_at=listed.changed_at)


def insert_asset(tx: Transaction, landed: Landed) -> None:
    """Write the rows of a picture, in the transaction that settles what it cost. Doing it twice is once."""
    connection, asset = tx.connection, landed.asset
    there = connection.execute(select(assets.c.digest).where(assets.c.id == asset.id)).first()
    if there is not None and there.digest != asset.digest:
        # The call was sent again and both pictures came: both are paid, so both are kept.
        asset = replace(asset, id=f"{asset.id}.{landed.asset.digest}")
        there = connection.execute(select(assets.c.digest).where(assets.c.id == asset.id)).first()
    if there is not None:
        return
    connection.execute(insert(assets).values(row_of(asset, landed.record)))
    if landed.blobs:
        rows = [{"asset_id": asset.id, "digest": digest, "role": role} for digest, role in landed.blobs]
        connection.execute(insert(asset_blobs), rows)
    parents = [
        {"asset_id": asset.id, "place": place, "digest": p.digest, "role": p.role, "name": _plain(p.name)}
        for place, p in enumerate(landed.parents)
    ]
    if parents:
        connection.execute(insert(asset_parents), parents)


def _landed(note: Note, pieces: Mapping[str, bytes], *, name: str) -> Landed:
    referred = {reference.digest for reference in note.request.references}

    def role(digest: str) -> BlobRole:
        if digest == note.image.digest:
            return BlobRole.IMAGE
        return BlobRole.REFERENCE if digest in referred else BlobRole.PART

    return Landed(
        asset=note.asset,
        parents=note.parents,
        blobs=tuple((digest, role(digest)) for digest in sorted(pieces)),
        record=IMAGE.write(note.image).data,
        note=name,
    )


def _name_of(note: Note) -> str:
    # The hold tells apart the turns of a key, which share their request id and count attempts from one.
    turn = _hashed(note.hold_id or "")[:8]
    return f"{LANDING}/{_hashed(note.asset.request_id)}.{note.asset.index}.{note.attempt.number}.{turn}"


def _hashed(request_id: str) -> str:
    # Rows of a catalog may be called anything; files may not.
    return hashlib.sha256(request_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _plain(name: str | None) -> str | None:
    """File names may hold what PostgreSQL's text does not take."""
    return name and name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
