"""Requests let in within the limits of their keys, counted in the database for all who share it.

A request in flight is a lease that its process renews: what a killed process leaves counts until that ends.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

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
        wish = Wish(key=key, flight=secrets.token_hex(12), images=images, ceiling=ceiling, lease=self._lease)
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
            await asyncio.shield(self._leave(wish, charges, admission.spent))

    async def close(self) -> None:
        """Wait until all that ended is written down."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        while self._tasks:
            await asyncio.wait(self._tasks)

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
            trying.add_done_callback(lambda done: self._undo(wish, done))
            raise

    def _undo(self, wish: Wish, done: asyncio.Future[tuple[Charge, ...]]) -> None:
        """The caller went away before it heard that it was let in."""
        if not done.cancelled() and done.exception() is None:
            self._leave(wish, done.result(), 0)

    def _leave(self, wish: Wish, charges: tuple[Charge, ...], spent: Nanos | None) -> asyncio.Future[None]:
        self._flying.discard(wish.flight)
        flight = wish.flight if wish.key.rules.in_flight is not None else None
        if flight is None and not any(one.limit.resource is Resource.DOLLARS for one in charges):
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        task = asyncio.create_task(self._write(Ended(flight=flight, charges=charges, spent=spent)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
