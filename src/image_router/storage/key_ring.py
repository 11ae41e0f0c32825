"""Router keys as one process checks them: from memory, never older than BOUND seconds.

The first request after FRESH seconds asks the database in passing what changed; one that comes when the
answer is older than BOUND waits for the next. So a key that was revoked, rotated or changed anywhere counts
everywhere within BOUND seconds, without a query per request. Where the database cannot be asked, requests are
refused with StorageError once that time is over. Moments are those of the database's clock: all hosts agree.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from sqlalchemy import select

from image_router.core.budget import SECOND, Micros
from image_router.core.errors import StorageError
from image_router.core.holds import LEASE
from image_router.core.key_secret import claimed_id, digest_of, key_id_of
from image_router.core.money import Nanos
from image_router.core.router_keys import RouterKey
from image_router.storage.database import Database, Transaction
from image_router.storage.key_admission import Admission, Turnstile
from image_router.storage.key_tables import StoredKey, changes
from image_router.storage.router_keys import opened, stored, version

FRESH: Final = 0.25
"""Seconds after which the database is asked again, beside the requests."""
BOUND: Final = 1.0
"""Seconds after which no request is answered from memory."""
_MOST_KNOWN: Final = 50_000
_MOST_STRANGERS: Final = 10_000
_LOOKUPS: Final = 4
"""Keys looked up at once: a flood of invented ids waits in line, and known keys pass it by."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What changed since a version, and when the database said so."""

    version: int
    changed: frozenset[str]
    wall: Micros


class KeyRing:
    """What a gateway asks about keys. One event loop; close it before its database."""

    def __init__(
        self,
        db: Database,
        *,
        fresh: float = FRESH,
        bound: float = BOUND,
        lease: float = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db, self._fresh, self._bound, self._clock = db, fresh, bound, clock
        self._turnstile = Turnstile(db, lease=lease)
        self._known: dict[str, StoredKey] = {}
        self._strangers: set[str] = set()
        self._version = 0
        self._looked = float("-inf")
        self._ahead: Micros = 0
        """What the database's clock shows at zero of ours."""
        self._asking: asyncio.Task[None] | None = None
        self._line = asyncio.Semaphore(_LOOKUPS)

    async def check(self, secret: str | None) -> RouterKey:
        """The living key that a secret opens. Raises KeyInvalid, and StorageError when nobody can tell."""
        secret = secret or ""
        now = await self._fresh_enough()
        found = self._known.get(claimed_id(secret)) or await self._fetch(key_id_of(secret))
        return opened(found, digest_of(secret), now=now)

    async def check_again(self, key_id: str, digest: bytes) -> RouterKey:
        """The same for a secret that was shown before, of which its digest was kept."""
        now = await self._fresh_enough()
        return opened(self._known.get(key_id) or await self._fetch(key_id), digest, now=now)

    async def _fresh_enough(self) -> Micros:
        """See that what is known is not too old; answers what the database's clock shows."""
        now = self._clock()
        if now - self._looked > self._fresh:
            await self._freshen(now)
        return self._ahead + int(now * SECOND)

    def admit(
        self, key: RouterKey, *, images: int = 1, ceiling: Nanos = 0
    ) -> AbstractAsyncContextManager[Admission]:
        """Let a request in within the key's limits, for as long as the block lasts.

            async with ring.admit(key, images=2, ceiling=decision.ceiling) as admission:
                result = await router.generate(request)
                admission.settle(result.cost + result.at_risk)

        `ceiling` is the most it can cost in nano-dollars; 0: it costs nothing. Limits are shared by all who
        share the database and never passed. Raises KeyLimited with `retry_after`, KeyForbids for a request
        that alone is above a limit, StorageError. A key without limits costs no database access.
        """
        if key.rules.counted:
            return self._turnstile.admit(key, images=images, ceiling=ceiling)
        return Admission(ceiling=ceiling)

    async def refresh(self) -> None:
        """Ask the database what changed, now: for a process that has just changed a key itself."""
        began, seen = self._clock(), self._version
        news = await self._db.read(lambda tx: _since(tx, seen))
        for key_id in news.changed:
            self._known.pop(key_id, None)
        if news.version > seen:
            self._strangers.clear()
        self._version = max(self._version, news.version)
        self._looked = max(self._looked, began)
        self._ahead = news.wall - int(began * SECOND)

    async def drain(self) -> None:
        """Wait until every request that ended is written down: it is, a moment after its answer."""
        await self._turnstile.drain()

    async def close(self) -> None:
        """Wait for what was begun. Requests still inside keep their leases until these end."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        await self._turnstile.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _freshen(self, arrived: float) -> None:
        """Ask beside the request; before it only when what is known is too old for it."""
        asking = self._ask()
        while arrived - self._looked > self._bound:
            # The one that was under way may have begun too early: the next one did not.
            await asyncio.shield(asking)
            asking = self._ask() if arrived - self._looked > self._bound else asking

    def _ask(self) -> asyncio.Task[None]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self.refresh())
            self._asking.add_done_callback(_noted)
        return self._asking

    async def _fetch(self, key_id: str) -> StoredKey | None:
        if key_id in self._strangers:
            return None
        async with self._line:
            while True:
                as_of, found = await self._db.read(lambda tx: (version(tx), stored(tx, key_id)))
                # What was read before a change that this process has heard of since must not be kept.
                if as_of >= self._version:
                    self._remember(key_id, found)
                    return found

    def _remember(self, key_id: str, found: StoredKey | None) -> None:
        if found is None:
            if len(self._strangers) >= _MOST_STRANGERS:
                self._strangers.clear()
            self._strangers.add(key_id)
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key_id] = found


def _since(tx: Transaction, seen: int) -> _News:
    later = select(changes.c.key_id).where(changes.c.number > seen).distinct()
    return _News(
        version=version(tx),
        changed=frozenset(tx.connection.execute(later).scalars()),
        wall=tx.now.wall,
    )


def _noted(done: asyncio.Task[None]) -> None:
    """Asking beside the requests failed: whoever waits for it is told, the log in any case."""
    if not done.cancelled() and isinstance(done.exception(), StorageError):
        _log.warning("changes of router keys cannot be read: %s", done.exception())
