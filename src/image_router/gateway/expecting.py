"""Room for replies: what pictures may take in memory until they are delivered is taken before money is.

Whoever finds none waits: their call is not sent yet, so nothing is lost. Taken is an upper bound, as nobody
knows the size of a picture before it is drawn; it is given back when the HTTP request ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from image_router.core.decision import Decision
from image_router.core.errors import ProcessFull
from image_router.core.money import Nanos
from image_router.core.types import Size
from image_router.engine.customers import Customer, Entry
from image_router.gateway.intake import Intake

HELD: Final[Mapping[Size, int]] = {
    Size.S512: 2 << 20,
    Size.K1: 5 << 20,
    Size.K2: 16 << 20,
    Size.K4: 44 << 20,
}
"""Bytes of one picture on its way: as base64 in the provider's answer, and decoded. A PNG of 4K has 18 MB."""


class Expecting:
    """A caller whose pictures take room. Implements engine.customers.Customer, for one HTTP request."""

    def __init__(self, caller: Customer, intake: Intake) -> None:
        self._caller, self._intake = caller, intake
        self._each = 0

    def allowed(self, decision: Decision) -> Decision:
        found = self._caller.allowed(decision)
        self._each = max(HELD[candidate.parameters.size] for candidate in found.candidates)
        return found

    def let_in(self, *, images: int, ceiling: Nanos) -> AbstractAsyncContextManager[Entry]:
        """Raises ProcessFull as well."""
        return self._with_room(images, ceiling)

    @asynccontextmanager
    async def _with_room(self, images: int, ceiling: Nanos) -> AsyncIterator[Entry]:
        if images:
            await self._intake.expect(images * self._each)
        async with self._caller.let_in(images=images, ceiling=ceiling) as entry:
            yield entry


def full(size: int, total: int, *, waited: float) -> ProcessFull:
    """What is told to whoever waited in vain."""
    return ProcessFull(
        f"no room for pictures of up to {size:,} bytes: this process holds at most {total:,} of all callers, "
        f"and nothing became free within {waited:g} s; nothing was spent"
    )
