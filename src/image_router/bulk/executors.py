"""This process among others that make chunks: it says that it lives, ends when it was taken for dead, and
takes over from those that are."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from image_router.core.errors import StorageError
from image_router.storage.executors import Executors
from image_router.storage.ledger import Ledger

FENCED: Final = 70
"""Exit code of a process that was taken for dead while it stood still: others do its work."""
TTL: Final = 30.0
"""Seconds without a sign of life after which an executor's work is taken over."""
_log = logging.getLogger(__name__)

TakeBack = Callable[[str], Awaitable[None]]
"""Put what a dead executor was at back in line."""


def die() -> None:
    """End at once, without writing anything more."""
    _log.error("this process stood still for so long that others do its work; it ends")
    os._exit(FENCED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Beats for one executor and watches over the others."""

    executor: str
    label: str
    executors: Executors
    ledger: Ledger
    take_back: TakeBack
    ttl: float = TTL
    fenced: Callable[[], None] = die
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when work can be taken over; a process that still starts lives as well."""

    async def stand(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if not await self.executors.beat(self.executor):
                    self.fenced()
                    return
                if self.ready.is_set():
                    await self.take_over()
            except StorageError as problem:
                _log.warning("signs of life cannot be written: %s", problem)
            await asyncio.sleep(self.ttl / 3)

    async def take_over(self) -> None:
        """From every executor that is silent, or left: repeated by whoever comes next if this process dies at
        it."""
        for dead in await self.executors.fence(silent=self.ttl):
            _log.warning("executor %s was not heard of for %g s; its work is taken over", dead, self.ttl)
            # First what it held: what it sent without an answer is counted as unknown before anybody begins.
            for hold in await self.executors.holds_of(dead):
                await self.ledger.close(hold)
            await self.executors.free_keys(dead)
            await self.take_back(dead)
            await self.executors.forget(dead)
