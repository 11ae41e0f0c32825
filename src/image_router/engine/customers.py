"""For whom a request is made: what they may use, and how much of it at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from image_router.core.decision import Decision
from image_router.core.money import Nanos


class Entry(Protocol):
    """A request that was let in, for as long as it lasts."""

    def settle(self, spent: Nanos) -> None:
        """Say what it cost, what may have been billed included."""
        ...


class Customer(Protocol):
    """Whoever a router works for, with rights and limits of their own beside any budget's."""

    def allowed(self, decision: Decision) -> Decision:
        """The decision without what they may not use. Raises KeyForbids when nothing is left."""
        ...

    def let_in(self, *, images: int, ceiling: Nanos) -> AbstractAsyncContextManager[Entry]:
        """Count a request in before money is held for it, and out when it ends. Raises KeyLimited."""
        ...


class Anybody:
    """May do everything, as often as they like."""

    def allowed(self, decision: Decision) -> Decision:
        return decision

    @asynccontextmanager
    async def let_in(self, *, images: int, ceiling: Nanos) -> AsyncIterator[Entry]:
        yield self

    def settle(self, spent: Nanos) -> None:
        """Nobody counts."""
