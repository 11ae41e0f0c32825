"""One piece of work for one key, for ever: done once, waited for, or handed out again for free.

A key belongs to its scope and names one request. What a dead owner left is found through the request id,
which all turns of a piece of work share: pictures in the assets, calls of unknown outcome in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from image_router.core.budget import SECOND, Micros, from_micros
from image_router.core.errors import (
    AllAttemptsFailed,
    AssetError,
    ContentRefused,
    ImageRouterError,
    InvalidRequest,
    ProviderError,
)
from image_router.core.holds import LEASE
from image_router.core.money import Nanos, show_usd
from image_router.core.rates import Cost
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.scopes import scope_path
from image_router.core.storing import StoreMode
from image_router.storage import work_rows
from image_router.storage.asset_queries import why_no_bytes
from image_router.storage.assets import Assets
from image_router.storage.blobs import BlobFault
from image_router.storage.database import Database, Transaction
from image_router.storage.landing import Note
from image_router.storage.records import REFUSAL, RESULT
from image_router.storage.work_rows import Claimant, Claimed, Row, Running, Work, WorkState

MAX_KEY: Final = 255
_log = logging.getLogger(__name__)
_POLL: Final = (0.05, 1.0)
"""Seconds between looks at work that somebody else does: first, longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Done before: the result, free, with the bytes it had. `saved` is what it cost then."""

    result: ImageResult = field(repr=False)
    at: Micros
    saved: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Refused before, by the provider, for its content: asking again would be refused again."""

    error: ProviderError
    at: Micros


Claim = Claimed | Finished | Refused | Running


class Works:
    """Keys and their work. `owner` names this process to others and to people."""

    def __init__(
        self,
        db: Database,
        assets: Assets,
        *,
        owner: str | None = None,
        lease: float = LEASE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._db = db
        self._assets = assets
        self._sleep = sleep
        self._lease = int(lease * SECOND)
        self._mine: set[Claimed] = set()
        self._returning: set[asyncio.Task[None]] = set()
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def claim(self, work: Work, request_id: str, *, wait: float = 0.0) -> Claim:
        """Take the work of a key, or learn what became of it; `wait` seconds for another who is at it.

        Raises IdempotencyConflict when the key names another request, AssetError when the work is done and
        its pictures are gone: it is never paid for again under the same key.
        """
        check_key(work)
        deadline, pause = time.monotonic() + wait, _POLL[0]
        while True:
            found = await self._look(work, request_id)
            left = deadline - time.monotonic()
            if not isinstance(found, Running) or left <= 0:
                return found
            await self._sleep(min(pause, left))
            pause = min(2 * pause, _POLL[1])

    async def recover(self, claim: Claimed, settle: Callable[[Transaction, Note], object]) -> Claimed:
        """What earlier turns left, pictures included that are stored and not yet booked: `settle` books them.

        To be called before anything is sent for a claim whose turn is not the first.
        """
        if claim.turn == 1:
            return claim
        async for found in self._assets.stranded(older=0, request_id=claim.request_id):
            await self._assets.adopt(found, settle)
        return await self._db.read(lambda tx: work_rows.left_of(tx, claim))

    async def made(self, claim: Claimed) -> dict[int, GeneratedImage]:
        """Pictures of earlier turns by their place among the n, free. AssetError when one is gone."""
        found: dict[int, GeneratedImage] = {}
        for asset in claim.made:
            if asset.index not in found:
                image = await self._assets.load(asset.id)
                note = f"made and paid by an earlier try, on {from_micros(asset.made_at):%Y-%m-%d %H:%M} UTC"
                warnings = (*image.warnings, note)
                found[asset.index] = replace(image, cached=True, cost=Cost(), warnings=warnings)
        return found

    async def beat(self) -> tuple[Claimed, ...]:
        """Renew the leases of all work under way; those that were lost, because another has taken over."""
        mine = tuple(self._mine)
        if not mine:
            return ()
        kept = await self._db.write(lambda tx: work_rows.renew(tx, mine, lease=self._lease))
        lost = tuple(claim for claim in mine if claim not in kept)
        self._mine.difference_update(lost)
        return lost

    async def record_of(self, work: Work, outcome: ImageResult | ProviderError) -> bytes | None:
        """What `finish` or `refuse` stores; None where the scope keeps nothing to hand out again."""
        mode = (await self._assets.rules.of(work.scope)).store
        if isinstance(outcome, ProviderError):
            return None if mode is StoreMode.NONE else REFUSAL.write(outcome).data
        return (await asyncio.to_thread(RESULT.write, outcome)).data if mode is StoreMode.ALL else None

    def finish(self, tx: Transaction, claim: Claimed, *, record: bytes | None, cost: Nanos) -> bool:
        """Remember the result, in the transaction that settles its last cost.

        False when another was first, whose result counts.
        """
        return self._ended(tx, claim, WorkState.FINISHED, record, cost)

    def refuse(self, tx: Transaction, claim: Claimed, *, record: bytes | None, cost: Nanos) -> bool:
        """Remember that the provider refuses this content."""
        return self._ended(tx, claim, WorkState.REFUSED, record, cost)

    def let_go(self, tx: Transaction, claim: Claimed) -> None:
        """It failed, or was given up: whoever comes next may try again, and finds what is left of this try.

        A try that left neither a picture nor a call of unknown outcome is forgotten, and its key is free.
        """
        work_rows.let_go(tx, claim)

    async def drain(self) -> None:
        """Give back the claims whose callers were cancelled; before the database is closed."""
        while self._returning:
            await asyncio.wait(self._returning)

    def ended(self, claim: Claimed) -> None:
        """The transaction with finish, refuse or let_go is on disk: nothing is to be renewed any more."""
        self._mine.discard(claim)

    def _ended(
        self, tx: Transaction, claim: Claimed, state: WorkState, record: bytes | None, cost: Nanos
    ) -> bool:
        return work_rows.end(tx, claim, state=state, record=record, cost=cost)

    async def _look(self, work: Work, request_id: str) -> Claim:
        found: work_rows.Found | None = await self._db.read(lambda tx: work_rows.look(tx, work))
        if found is None:
            claimant = Claimant(owner=self.owner, request_id=request_id, lease=self._lease)
            found = await self._take(work, claimant)
        if isinstance(found, Claimed):
            self._mine.add(found)
            return found
        if isinstance(found, Running):
            return found
        if found.state is WorkState.REFUSED:
            return Refused(error=_refusal(work, found), at=found.ended_at)
        return await self._finished(work, found)

    async def _take(self, work: Work, claimant: Claimant) -> work_rows.Found:
        taking = asyncio.ensure_future(self._db.write(lambda tx: work_rows.take(tx, work, claimant=claimant)))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            task = asyncio.ensure_future(self._give_back(taking))
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)
            raise

    async def _give_back(self, taking: asyncio.Future[work_rows.Found]) -> None:
        """The caller is gone and the claim still on its way: nobody would end it before its lease does."""
        try:
            found = await taking
            if isinstance(found, Claimed):
                await self._db.write(lambda tx: work_rows.let_go(tx, found))
        except ImageRouterError as problem:
            _log.warning("a claim whose caller left ends with its lease: %s", problem)

    async def _finished(self, work: Work, row: Row) -> Finished:
        day = f"{from_micros(row.ended_at):%Y-%m-%d %H:%M} UTC"
        done = f"the work of key {work.key!r} was finished on {day} for {show_usd(row.cost)}"
        if row.record is None:
            raise AssetError(
                f"{done}, and its result is not kept (scope {work.scope!r} stores no pictures, or was "
                f"forgotten); use a new key to pay for it anew"
            )
        try:
            pieces = await self._assets.pieces(await asyncio.to_thread(RESULT.needs, row.record))
        except BlobFault as fault:
            gone = await self._db.read(lambda tx: work_rows.removed(tx, row.request_id))
            why = "; ".join(why_no_bytes(asset) for asset in gone) or str(fault)
            raise AssetError(f"{done}, but {why}. Use a new key to pay for it anew") from fault
        result = await asyncio.to_thread(RESULT.read, row.record, pieces)
        return Finished(
            result=for_free(result, f"{done}; handed out again for free"), at=row.ended_at, saved=row.cost
        )


def for_free(result: ImageResult, note: str) -> ImageResult:
    """A stored result as it is handed out again: same bytes, no cost, no attempts, and a word about it."""
    images = tuple(replace(image, cached=True, cost=Cost()) for image in result.images)
    return replace(result, images=images, attempts=(), warnings=(*result.warnings, note))


def is_refusal(error: ImageRouterError) -> bool:
    """Whether a failure is remembered for its key: only what the provider refused for its content."""
    if isinstance(error, AllAttemptsFailed):
        return bool(error.failures) and all(is_refusal(failure) for failure in error.failures)
    return isinstance(error, ContentRefused)


def check_key(work: Work) -> None:
    """Raises InvalidRequest for a key or scope that cannot be stored."""
    scope_path(work.scope)
    if not work.key or len(work.key) > MAX_KEY or not work.key.isprintable():
        raise InvalidRequest(
            f"the key {work.key[:40]!r} has {len(work.key)} characters; use 1 to {MAX_KEY} printable ones"
        )


def _refusal(work: Work, row: Row) -> ProviderError:
    if row.record is not None:
        return REFUSAL.read(row.record, {})
    day = f"{from_micros(row.ended_at):%Y-%m-%d %H:%M} UTC"
    return ContentRefused(
        f"the content of key {work.key!r} was refused on {day}; the provider's words are not kept. Rephrase "
        f"the prompt, under a new key."
    )
