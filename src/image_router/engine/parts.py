"""All a router works with: what wiring hands it, and what of that is open."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Self

from image_router.core import ids
from image_router.core.decision import Decision
from image_router.core.storing import CacheMode
from image_router.core.types import OnAmbiguous
from image_router.engine.accounts import Accounts, NoAccounts
from image_router.engine.deciding import Facts
from image_router.engine.door import Door, OpenDoor
from image_router.engine.hedging import HedgePolicy, Hedging
from image_router.engine.sharing import Sharing
from image_router.engine.shelf import NoShelf, Shelf
from image_router.providers.base import Provider
from image_router.storage.conversations import ConversationStore
from image_router.telemetry import Announcer


async def _open_door(provider: Provider) -> Door:
    return OpenDoor(provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(Facts):
    """All a router works with; wiring makes it."""

    provider: Callable[[], Provider]
    """Called at the first paid request, so that explaining needs no key."""
    conversations: ConversationStore
    on_ambiguous: OnAmbiguous | None = None
    wait_for_budget: float = 0.0
    wait_for_key: float = 0.0
    cache: CacheMode | None = None
    """None: as `wanted_of_cache` says."""
    accounts: Callable[[], Accounts] = NoAccounts
    """Called at the first paid request, so that explaining opens no database."""
    shelf: Callable[[], Shelf] = NoShelf
    """Where pictures are kept, likewise."""
    door: Callable[[Provider], Awaitable[Door]] = _open_door
    """The way to the provider, likewise."""
    approve: Callable[[Decision], None] = lambda decision: None
    """Called with what is left to make before money is held for it; what it raises, nothing is spent on."""
    hedge: HedgePolicy | None = None
    """None: no call is hedged."""
    single_flight: bool = False
    """Identical requests without a key, at the same time, are made once."""
    announce: Announcer = field(default_factory=Announcer)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dice: Callable[[], float] = lambda: secrets.randbelow(2**32) / 2**32
    new_id: Callable[[], str] = lambda: ids.new_id("req_")


class Staff:
    """Who works for a router; each is called when first needed."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._provider: Provider | None = None
        self._accounts: Accounts | None = None
        self._shelf: Shelf | None = None
        self._door: Door | None = None
        self._opening = asyncio.Lock()
        self.hedging = Hedging(parts.hedge)
        self.sharing = Sharing()

    async def keeping(self, accounts: Accounts) -> Self:
        """The same, over other books: all else is opened first and shared. Nobody closes the copy."""
        await self.door()
        other = copy(self)
        other._shelf, other._accounts = self.shelf, accounts
        return other

    async def aclose(self) -> None:
        """Close the store, the books and the provider's connections."""
        if self._door is not None:
            await self._door.aclose()
            self._door = None
        if self._shelf is not None:
            await self._shelf.aclose()
            self._shelf = None
        if self._accounts is not None:
            await self._accounts.aclose()
            self._accounts = None
        if self._provider is not None:
            await self._provider.aclose()
            self._provider = None

    @property
    def provider(self) -> Provider:
        """The provider, made when first needed. Raises ConfigError without a key."""
        if self._provider is None:
            self._provider = self._parts.provider()
        return self._provider

    @property
    def accounts(self) -> Accounts:
        """Who keeps the books, asked for when money is first needed."""
        if self._accounts is None:
            self._accounts = self._parts.accounts()
        return self._accounts

    @property
    def shelf(self) -> Shelf:
        """Where pictures are kept, asked for when the first one is wanted."""
        if self._shelf is None:
            self._shelf = self._parts.shelf()
        return self._shelf

    async def door(self) -> Door:
        """The way to the provider, made when first needed."""
        if self._door is not None:
            return self._door
        async with self._opening:
            if self._door is None:
                self._door = await self._parts.door(self.provider)
            return self._door
