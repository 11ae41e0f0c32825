"""Bytes by their digest: stored once, checked whenever they are read, thrown away in two steps.

Layout: `blobs/ab/<sha256>`; `trash/<sha256>` for what nobody refers to any more, from where reading still
finds it until the grace period is over; `landing/<name>` for pictures whose row is not yet in the database.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from enum import StrEnum

from image_router.core.errors import AssetError
from image_router.storage.objects import Listed, ObjectStore

BLOBS, TRASH, LANDING = "blobs", "trash", "landing"


class Fault(StrEnum):
    """What can be wrong with a stored blob."""

    MISSING = "missing"
    CORRUPT = "corrupt"


class BlobFault(AssetError):
    """Stored bytes are gone, or are not those that were stored."""

    def __init__(self, message: str, *, digest: str, fault: Fault) -> None:
        super().__init__(message)
        self.digest = digest
        self.fault = fault


class Blobs:
    """Every method raises AssetError when the store cannot do its work."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    async def put(self, digest: str, data: bytes) -> None:
        """Durable when it returns. A blob of another length under this digest is damaged and is replaced."""
        name = _name(digest)
        if not await self.store.put(name, data) and await self.store.size(name) != len(data):
            await self.store.put(name, data, replace=True)

    async def read(self, digest: str) -> bytes:
        """The bytes, checked. Raises BlobFault."""
        data = await self.store.get(_name(digest))
        if data is None:
            return await self._from_trash(digest)
        found = await asyncio.to_thread(digest_of, data)
        if found != digest:
            raise BlobFault(
                f"the stored picture {digest[:12]}… in {self.store.where} is damaged: its {len(data):,} "
                f"bytes have sha256 {found[:12]}…; restore {_name(digest)} from a backup",
                digest=digest,
                fault=Fault.CORRUPT,
            )
        return data

    async def there(self, digest: str) -> bool:
        """Whether there is something under this digest, unchecked."""
        return await self.store.size(_name(digest)) is not None

    async def throw_away(self, digest: str) -> None:
        """To the trash: reading still finds it until it is deleted there."""
        await self.store.move(_name(digest), f"{TRASH}/{digest}")

    async def take_back(self, digest: str) -> bool:
        """Out of the trash; False when it is not there."""
        return await self.store.move(f"{TRASH}/{digest}", _name(digest))

    async def delete(self, digest: str) -> None:
        """For good, wherever it is."""
        await self.store.delete(_name(digest))
        await self.store.delete(f"{TRASH}/{digest}")

    async def list(self, folder: str) -> AsyncIterator[tuple[str, Listed]]:
        """Digest and facts of all in BLOBS or TRASH; foreign files are left out."""
        async for listed in self.store.list(folder):
            digest = listed.name.rpartition("/")[2]
            if len(digest) == 64:
                yield digest, listed

    async def _from_trash(self, digest: str) -> bytes:
        # Somebody came to need it just when it was thrown away as needed by nobody.
        if await self.take_back(digest):
            return await self.read(digest)
        raise BlobFault(
            f"the stored picture {digest[:12]}… is missing from {self.store.where}: it was removed, or the "
            f"store is another one; restore {_name(digest)} from a backup",
            digest=digest,
            fault=Fault.MISSING,
        )


def _name(digest: str) -> str:
    return f"{BLOBS}/{digest[:2]}/{digest}"


def digest_of(data: bytes) -> str:
    """sha256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()
