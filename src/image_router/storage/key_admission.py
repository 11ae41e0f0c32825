"""Requests let in within the limits of their keys, counted in the database for all who share it.

A request in flight is a lease that its process renews: what a killed process leaves counts until that ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Self

from image_router.core.budget import SECOND
from image_router.core.errors import (
    BudgetExceeded,
    ImageRouterError,
    KeyBusy,
    KeyLimited,
    KeyRefused,
    ProviderError,
    RequestError,
    StorageError,
)
from image_router.core.ids import new_id
from image_router.core.money import Nanos
from image_router.core.pacing import Charge, Resource
from image_router.core.router_keys import RouterKey
from image_router.storage.database import Database, Together
from image_router.storage.key_counts import Ended, Wish, admit_all, end_all, renewing

_PAUSES: Final = (0.05, 0.2)
"""Seconds between tries when too many run: a client's next request may overtake the end of its last one."""
_FREE: Final = (RequestError, BudgetExceeded, KeyRefused, KeyBusy)
"""Errors that say nothing was spent."""
_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Admission:
    """A request that was let in, for as long as it lasts."""

    ceiling: Nanos
    spent: Nanos | None = None
    """None: not said, so the ceiling counts until its window has passed."""

    def settle(self, spent: Nanos) -> None:
        """Say what it cost, what may have been billed included; the last word counts."""
        self.spent = spent

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Nothing to give back: nothing was counted."""


class Turnstile:
    """Counts requests in and out. One event loop."""

    def __init__(self, db: Database, *, lease: float) -> None:
        self._db, self._lease = db, int(lease * SECOND)
        self._pause = lease / 3
        self._admitting: Together[Wish, tuple[Charge, ...]] = Together(admit_all)
        self._ending: Together[Ended, None] = Together(end_all)
        self._flying: set[str] = set()
        self._beating: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def admit(self, key: RouterKey, *, images: int, ceiling: Nanos) -> AsyncIterator[Admission]:
        """As KeyRing.admit."""
        wish = Wish(key=key, flight=new_id(""), images=images, ceiling=ceiling, lease=self._lease)
        charges = await self._enter(wish)
        self._keep(wish)
        admission = Admission(ceiling=ceiling)
        try:
            yield admission
        except ImageRouterError as error:
            if admission.spent is None:
                admission.spent = _spent(error)
            raise
        finally:
            self._leave(wish, charges, admission.spent)

    async def drain(self) -> None:
        """Wait until all that ended is written down."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Drain, and renew no lease any more."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        await self.drain()

    async def _enter(self, wish: Wish) -> tuple[Charge, ...]:
        for pause in _PAUSES:
            try:
                return await self._try(wish)
            except KeyLimited as refused:
                if refused.field != "in_flight":
                    raise
            await asyncio.sleep(pause)
        return await self._try(wish)

    async def _try(self, wish: Wish) -> tuple[Charge, ...]:
        trying = asyncio.ensure_future(self._db.write_together(self._admitting, wish))
        try:
            return await asyncio.shield(trying)
        except asyncio.CancelledError:
            self._behind(self._undo(wish, trying))
            raise

    async def _undo(self, wish: Wish, trying: asyncio.Future[tuple[Charge, ...]]) -> None:
        """The caller went away before it heard whether it was let in."""
        with suppress(KeyRefused, StorageError):
            self._leave(wish, await trying, 0)

    def _leave(self, wish: Wish, charges: tuple[Charge, ...], spent: Nanos | None) -> None:
        """Written behind the answer, which need not wait for the disk. This process's next request comes
        later into the same writer, and those of others are patient for a moment."""
        self._flying.discard(wish.flight)
        flight = wish.flight if wish.key.rules.in_flight is not None else None
        if flight is not None or any(one.limit.resource is Resource.DOLLARS for one in charges):
            self._behind(self._write(Ended(flight=flight, charges=charges, spent=spent)))

    def _behind(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, ended: Ended) -> None:
        try:
            await self._db.write_together(self._ending, ended)
        except StorageError as error:
            # The request is done and perhaps paid: its answer must not be lost with the counting. The lease
            # ends by itself, and the ceiling stands until its window has passed.
            _log.warning("the end of a request was not counted for its router key: %s", error)

    def _keep(self, wish: Wish) -> None:
        if wish.key.rules.in_flight is None:
            return
        self._flying.add(wish.flight)
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while self._flying:
            await asyncio.sleep(self._pause)
            if not self._flying:
                return
            try:
                await self._db.write(renewing(tuple(self._flying), self._lease))
            except StorageError as error:
                _log.warning("leases of requests in flight were not renewed, trying again: %s", error)


def _spent(error: ImageRouterError) -> Nanos | None:
    """What a request that failed cost at most, where its error says so."""
    if isinstance(error, ProviderError):
        return error.cost + error.at_risk
    return 0 if isinstance(error, _FREE) else None
