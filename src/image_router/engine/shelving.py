"""The shelf over storage: bytes land before their cost is settled, and rows come with the settlement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy import select

from image_router.core.budget import from_micros
from image_router.core.decision import Candidate, Decision
from image_router.core.errors import AssetError, ImageRouterError, KeyBusy, ProviderError, StorageError
from image_router.core.fingerprint import cache_key, request_fingerprint
from image_router.core.holds import LEASE
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.storing import CacheMode
from image_router.core.types import Adaptation, ImageRequest
from image_router.engine.bookkeeping import settlement_of
from image_router.engine.shelf import Paid, Placed, Turn, Wish
from image_router.storage.asset_values import Made
from image_router.storage.assets import Assets
from image_router.storage.cache import Cache
from image_router.storage.database import Database, Transaction
from image_router.storage.landing import Landed, Note, Stranded, insert_asset
from image_router.storage.lazy import LazyDatabase
from image_router.storage.schema import holds
from image_router.storage.steps import settling, take_steps
from image_router.storage.work import Finished, Refused, Works, is_refusal
from image_router.storage.work_rows import Claimed, Running, Work

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Opened:
    db: Database
    assets: Assets
    cache: Cache
    works: Works


class DurableShelf:
    """Opened when the first picture comes; whoever made the database closes it, after the shelf."""

    def __init__(
        self, database: LazyDatabase, *, assets: Callable[[Database], Assets], owner: str | None = None
    ) -> None:
        self._database = database
        self._assets = assets
        self._owner = owner
        self._opening = asyncio.Lock()
        self._parts: _Opened | None = None
        self._unbooked: dict[str, str] = {}
        """Notes of pictures that are safe and whose cost could not be written down → their request ids."""

    async def _opened(self) -> _Opened:
        if self._parts is not None:
            return self._parts
        async with self._opening:
            if self._parts is None:
                db = await self._database.opened()
                assets = self._assets(db)
                self._parts = _Opened(db, assets, Cache(db, assets), Works(db, assets, owner=self._owner))
                await _adopt_stranded(self._parts.assets)
            return self._parts

    @asynccontextmanager
    async def turn(self, wish: Wish) -> AsyncIterator[Turn]:
        """Also without a key the store is opened and asked for its rules: after paying it would be too late
        to learn that there is none."""
        parts = await self._opened()
        await parts.assets.rules.of(wish.request.scope)
        await self._book_late(parts)
        if wish.request.key is None:
            yield Turn(request_id=wish.request_id)
            return
        works = parts.works
        work = _work(wish)
        claim = await works.claim(work, wish.request_id, wait=wish.wait)
        match claim:
            case Finished(result=result):
                yield Turn(request_id=result.request_id, finished=result)
            case Refused(error=error):
                error.replayed, error.attempts = True, ()
                raise error
            case Running(owner=owner, since=since):
                raise KeyBusy(
                    f"{owner} is at the work of key {work.key!r} since {from_micros(since):%H:%M:%S} UTC and "
                    f"did not end within {wish.wait:g} s; ask again later, or wait longer (wait_for_key)"
                )
            case Claimed():
                async with self._claimed(claim) as turn:
                    yield turn

    @asynccontextmanager
    async def _claimed(self, claim: Claimed) -> AsyncIterator[Turn]:
        parts = await self._opened()
        async with _beating(parts.works):
            async with _never_left(parts, claim):
                claim = await parts.works.recover(claim, settle)
                turn = Turn(
                    request_id=claim.request_id,
                    made=await parts.works.made(claim),
                    unknown=claim.unknown,
                )
                yield turn
            if turn.result is not None:
                await _ended(parts, claim, turn.result)

    async def cached(
        self, decision: Decision, indexes: Collection[int], *, allowed: frozenset[Adaptation]
    ) -> Mapping[int, GeneratedImage]:
        cache, scope = (await self._opened()).cache, decision.request.scope
        found: dict[int, GeneratedImage] = {}
        for index in indexes:
            key = _cache_key(decision, decision.head, allowed=allowed, index=index)
            hit = await cache.get(scope, key)
            if hit is not None:
                found[index] = replace(hit.image, index=index)
        return found

    async def alike(self, request: ImageRequest) -> str | None:
        cache = (await self._opened()).cache
        found = await cache.similar(request.prompt, request.scope, text=request.text)
        return str(found) if found else None

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

        def write(tx: Transaction) -> None:
            insert_asset(tx, landed)
            parts.cache.insert(tx, landed)

        try:
            yield Placed(row=write)
        except ImageRouterError:
            if landed.note is not None:
                self._unbooked[landed.note] = paid.image.request_id
            raise
        await _tidied(parts, landed, paid.image)

    async def _book_late(self, parts: _Opened) -> None:
        """Try again to write down what could not be written when it was paid."""
        try:
            for request_id in set(self._unbooked.values()):
                async for found in parts.assets.stranded(older=0, request_id=request_id):
                    if found.name in self._unbooked and await _adopt(parts.assets, found):
                        self._unbooked.pop(found.name, None)
        except ImageRouterError as problem:
            _log.warning("paid pictures are not yet written down: %s", problem)

    async def note_uses(self) -> None:
        if self._parts is not None:
            await self._parts.cache.note_uses()

    async def aclose(self) -> None:
        if self._parts is not None:
            await self._book_late(self._parts)
            await self._parts.works.drain()
            await self._parts.cache.aclose()
            await self._parts.assets.aclose()
            self._parts = None


def settle(tx: Transaction, note: Note) -> None:
    """Book what a stranded picture cost. Raises what the ledger refuses."""
    if note.hold_id is None:
        return
    asked, of_hold = note.asset.request_id, select(holds.c.request_id).where(holds.c.id == note.hold_id)
    # A call names its request only where that is not its hold's.
    row = "" if tx.connection.execute(of_hold).scalar_one_or_none() == asked else asked
    settlement = settlement_of(note.attempt, index=note.asset.index, size=note.request.size, row=row)
    (done,), _ = take_steps(tx, [settling(note.hold_id, settlement)])
    if isinstance(done, ImageRouterError):
        raise done


async def _adopt_stranded(assets: Assets) -> None:
    """Pictures of processes that died. One that cannot be taken in must not stand in the way of others."""
    try:
        async for found in assets.stranded():
            await _adopt(assets, found)
    except ImageRouterError as problem:
        _log.warning("pictures of a process that died are not yet looked for: %s", problem)


async def _adopt(assets: Assets, found: Stranded) -> bool:
    """Whether it is taken in, and need not be tried again."""
    try:
        await assets.adopt(found, settle)
    except ImageRouterError as problem:
        _log.warning("the picture of note %s is not yet taken in: %s", found.name, problem)
        return False
    return True


async def _tidied(parts: _Opened, landed: Landed, image: GeneratedImage) -> None:
    try:
        await parts.assets.done(landed)
        await parts.cache.remember(landed, image)
    except (AssetError, StorageError) as problem:
        _log.warning("a picture is stored, and its note or place in memory is not in order: %s", problem)


def _made(paid: Paid) -> Made:
    key = None
    if paid.cache is not CacheMode.BYPASS:
        key = _cache_key(paid.decision, paid.candidate, allowed=paid.allowed, index=paid.image.index)
    return Made(
        image=paid.image,
        decision=paid.decision,
        attempt=paid.attempt,
        hold_id=paid.hold_id,
        cache_key=key,
    )


def _cache_key(
    decision: Decision, candidate: Candidate, *, allowed: frozenset[Adaptation], index: int
) -> str:
    return cache_key(
        decision.request,
        candidate,
        policy=decision.policy,
        allowed=allowed,
        index=index,
        compression=decision.compression,
    )


def _work(wish: Wish) -> Work:
    request = wish.request
    return Work(
        scope=request.scope,
        key=request.key or "",
        fingerprint=request_fingerprint(request, profile=wish.profile, body=wish.body),
    )


@asynccontextmanager
async def _beating(works: Works) -> AsyncIterator[None]:
    """Renew the leases meanwhile. A claim that is lost all the same is seen when it ends."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            try:
                await works.beat()
            except StorageError as problem:
                _log.warning("a lease could not be renewed: %s", problem)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _ended(parts: _Opened, claim: Claimed, result: ImageResult) -> None:
    """Remember the work, unless something of it may still succeed. The pictures are paid: nothing raises."""
    cost = result.cost + sum(asset.cost for asset in claim.made)
    try:
        if all(is_refusal(failure.error) for failure in result.failures):
            record = await parts.works.record_of(claim.work, result)
            await parts.db.write(lambda tx: parts.works.finish(tx, claim, record=record, cost=cost))
        else:
            await parts.db.write(lambda tx: parts.works.let_go(tx, claim))
    except ImageRouterError as problem:
        _log.warning("the work of key %r is done and could not be remembered: %s", claim.work.key, problem)
    parts.works.ended(claim)


@asynccontextmanager
async def _never_left(parts: _Opened, claim: Claimed) -> AsyncIterator[None]:
    """Whatever goes wrong inside, cancellation too, the key does not stay claimed."""

    async def _left(_kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            await asyncio.shield(_given_up(parts, claim, error))

    async with AsyncExitStack() as stack:
        stack.push_async_exit(_left)
        yield


async def _given_up(parts: _Opened, claim: Claimed, error: BaseException) -> None:
    """A refusal is remembered; after all else the key is free for whoever comes next."""
    works = parts.works
    try:
        if isinstance(error, ProviderError) and is_refusal(error):
            record = await works.record_of(claim.work, error)
            await parts.db.write(lambda tx: works.refuse(tx, claim, record=record, cost=error.cost))
        else:
            await parts.db.write(lambda tx: works.let_go(tx, claim))
    except ImageRouterError as problem:
        _log.warning("key %r is free again only when its lease ends: %s", claim.work.key, problem)
    works.ended(claim)
