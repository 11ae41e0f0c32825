"""Throwing away and looking after: garbage, retention, forgetting, checking.

How a blob is deleted while others may be storing the same bytes: it goes to the trash first, then notes and
rows are asked who needs it. Whoever found it before the move had written a note before that; whoever comes
after the move stores it anew; so only what nobody needs is deleted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from sqlalchemy import select

from image_router.core.budget import SECOND, Micros
from image_router.storage import removing
from image_router.storage.asset_tables import asset_blobs
from image_router.storage.assets import Assets
from image_router.storage.blobs import BLOBS, LANDING, TRASH, BlobFault, Fault
from image_router.storage.chains import forget_chains
from image_router.storage.database import Transaction
from image_router.storage.jobs_rows import forget_jobs
from image_router.storage.landing import NOTE
from image_router.storage.objects import Listed, now_micros
from image_router.storage.webhooks import forget_notices

GRACE: Final = 86_400.0
"""Seconds a blob stays after nobody refers to it: time to restore yesterday's database beside it."""
_PAGE: Final = 500
_BEGINNING: Final = (-1, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """What gc found; with dry_run nothing was touched."""

    dry_run: bool
    blobs: int = 0
    """Of no use to any asset, and past their grace."""
    bytes: int = 0
    waiting: int = 0
    """Of no use either, but still in their grace."""
    taken_back: int = 0
    """Found in the trash and needed after all."""
    leftovers: int = 0
    """Unfinished files of killed writers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    assets: int
    works: int
    blobs: int
    """Deleted from the store; bytes that other scopes need as well stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Bytes that should be there and are not, or are others."""

    digest: str
    fault: Fault
    assets: tuple[str, ...]


class Keeper:
    """Every method raises AssetError when the store cannot do its work, StorageError for the database."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._db = assets.db
        self._blobs = assets.blobs

    async def gc(self, *, grace: float = GRACE, dry_run: bool = True) -> Garbage:
        """Delete blobs that no asset refers to and that are older than `grace` seconds."""
        before = now_micros() - int(grace * SECOND)
        taken_back = await self._sort_trash(dry_run)
        count = size = waiting = 0
        async for page in _pages(self._blobs.list(BLOBS)):
            needed = await self._needed(page.keys())
            loose = {digest: listed for digest, listed in page.items() if digest not in needed}
            old = {digest: listed for digest, listed in loose.items() if listed.changed_at < before}
            waiting += len(loose) - len(old)
            gone = old.keys() if dry_run else await self._delete(old.keys())
            count, size = count + len(gone), size + sum(old[digest].size for digest in gone)
        leftovers = 0 if dry_run else await self._blobs.store.tidy(before)
        return Garbage(
            dry_run=dry_run,
            blobs=count,
            bytes=size,
            waiting=waiting,
            taken_back=taken_back,
            leftovers=leftovers,
        )

    async def retain(self) -> int:
        """Remove bytes that their scopes keep no longer; how many pictures. gc deletes the blobs later."""
        rules = self._assets.rules
        look = partial(removing.remove_expired, rules=await rules.all(), default=rules.default)
        found, count = await self._db.write(partial(look, after=_BEGINNING)), 0
        count += len(found.assets)
        while found.last is not None:
            found = await self._db.write(partial(look, after=found.last))
            count += len(found.assets)
        return count

    async def remove(self, asset_id: str, *, why: str = "removed by hand") -> None:
        """Remove the bytes of one asset and, where nobody else needs them, delete them now."""
        asset = await self._assets.get(asset_id)
        removed = await self._db.write(lambda tx: removing.remove_bytes(tx, [asset.id], why=why))
        await self._delete(removed.digests)

    async def forget(self, scope: str) -> Forgotten:
        """Erase the prompts, pictures, thumbnails, lineage and jobs of a scope and all below it.

        What was paid stays in the ledger, and finished keys stay finished. Pictures under way while this runs
        are not erased. Calling it again finishes what was interrupted.
        """
        before, count, digests = now_micros(), 0, set[str]()
        while (found := await self._forget_some(scope, before)).assets:
            count += len(found.assets)
            digests |= found.digests
        works = await self._db.write(lambda tx: removing.forget_work(tx, scope, before=before))
        digests |= await self._db.write(lambda tx: forget_jobs(tx, scope, before=before))
        digests |= await self._db.write(lambda tx: forget_chains(tx, scope, before=before))
        await self._db.write(lambda tx: forget_notices(tx, scope, before=before))
        deleted = [await self._delete(page) for page in _slices(digests)]
        return Forgotten(assets=count, works=works, blobs=sum(len(page) for page in deleted))

    async def let_go(self, digests: Collection[str]) -> None:
        """Delete now what of these nobody needs any more."""
        for page in _slices(digests):
            await self._delete(page)

    async def check(self, *, deep: bool = False) -> AsyncIterator[Damage]:
        """Blobs that are missing; `deep` reads and checks every one of them."""
        last = ""
        while page := await self._db.read(partial(_digests, last=last)):
            for digest in page:
                fault = await self._fault(digest, deep)
                if fault is not None:
                    owners = await self._db.read(partial(_owners, digest=digest))
                    yield Damage(digest=digest, fault=fault, assets=owners)
            last = page[-1]

    async def _forget_some(self, scope: str, before: Micros) -> removing.Removed:
        return await self._db.write(lambda tx: removing.forget_some(tx, scope, before=before))

    async def _fault(self, digest: str, deep: bool) -> Fault | None:
        try:
            if deep or not await self._blobs.there(digest):
                await self._blobs.read(digest)
        except BlobFault as fault:
            return fault.fault
        return None

    async def _delete(self, digests: Collection[str]) -> frozenset[str]:
        """Delete what nobody needs; which."""
        for digest in digests:
            await self._blobs.throw_away(digest)
        needed = await self._needed(digests)
        for digest in digests:
            if digest in needed:
                await self._blobs.take_back(digest)
            else:
                await self._blobs.store.delete(f"{TRASH}/{digest}")
        return frozenset(digests) - needed

    async def _sort_trash(self, dry_run: bool) -> int:
        """What an interrupted run left in the trash: back where it is needed, else deleted."""
        taken_back = 0
        async for page in _pages(self._blobs.list(TRASH)):
            needed = await self._needed(page.keys())
            taken_back += len(needed)
            for digest in () if dry_run else page:
                if digest in needed:
                    await self._blobs.take_back(digest)
                else:
                    await self._blobs.store.delete(f"{TRASH}/{digest}")
        return taken_back

    async def _needed(self, digests: Collection[str]) -> frozenset[str]:
        """Notes first: when one is gone, its row was written before."""
        noted: set[str] = set()
        async for listed in self._blobs.store.list(LANDING):
            data = await self._blobs.store.get(listed.name)
            if data is not None:
                noted |= NOTE.needs(data)
        rows = await self._db.read(lambda tx: removing.referenced(tx, list(digests)))
        return rows | (frozenset(digests) & noted)


async def _pages(found: AsyncIterator[tuple[str, Listed]]) -> AsyncIterator[dict[str, Listed]]:
    page: dict[str, Listed] = {}
    async for digest, listed in found:
        page[digest] = listed
        if len(page) == _PAGE:
            yield page
            page = {}
    if page:
        yield page


def _slices(digests: Collection[str]) -> list[list[str]]:
    rest = iter(sorted(digests))
    return list(iter(lambda: list(islice(rest, _PAGE)), []))


def _digests(tx: Transaction, last: str) -> list[str]:
    digest = asset_blobs.c.digest
    return list(
        tx.connection.execute(
            select(digest).where(digest > last).distinct().order_by(digest).limit(_PAGE)
        ).scalars()
    )


def _owners(tx: Transaction, digest: str) -> tuple[str, ...]:
    mine = select(asset_blobs.c.asset_id).where(asset_blobs.c.digest == digest).distinct()
    return tuple(sorted(tx.connection.execute(mine).scalars()))
