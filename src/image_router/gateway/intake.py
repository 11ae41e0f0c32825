"""Room for bodies and replies: what one process holds of them at once. Whoever finds none waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from image_router.config import Limits
from image_router.gateway import refusals

FREE: Final = 64 << 10
"""Bytes that are not counted: the server's own buffer of each connection has as many."""
_KEY: Final = "image_router.intake"


class Room:
    """So many bytes for all; taken in the order of arrival, given back at the end of a request."""

    def __init__(
        self, total: int, *, patience: float, full: Callable[..., Exception] = refusals.no_room
    ) -> None:
        """`full` makes what is raised, of the size that was asked for, the total and `waited` seconds."""
        self._left, self._total, self._patience = total, total, patience
        self._full = full
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def total(self) -> int:
        """Bytes."""
        return self._total

    @property
    def taken(self) -> int:
        """Bytes."""
        return self._total - self._left

    async def take(self, size: int) -> None:
        """Wait for so many bytes. Raises what `full` makes when they do not become free in time."""
        if not self._waiting and size <= self._left:
            self._left -= size
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except (TimeoutError, asyncio.CancelledError) as gone:
            if turn.cancelled():
                self._serve()
            else:
                self.give(size)  # its turn came just as it left
            if isinstance(gone, TimeoutError):
                raise self._full(size, self._total, waited=self._patience) from None
            raise

    def give(self, size: int) -> None:
        """Put bytes back."""
        self._left += size
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if size > self._left:
                    return
                self._left -= size
                turn.set_result(None)
            self._waiting.popleft()


@dataclass(slots=True, kw_only=True)
class Intake:
    """What one request takes of the rooms for bodies and for replies, until it ends."""

    room: Room
    replies: Room
    limits: Limits
    _size: int = field(default=0, init=False)
    _held: int = field(default=0, init=False)
    _expected: int = field(default=0, init=False)

    async def hold(self, size: int) -> None:
        """Have room for `size` bytes more: of the body, and of pictures it points to. Raises Refusal."""
        self._size += size
        most = 2 * max(self.limits.json_body, self.limits.form_body)
        if self._size > most:
            raise refusals.too_large("the request with all it points to", None, limit=most)
        missing = self._size - FREE - self._held
        if missing > 0:
            await self.room.take(missing)
            self._held += missing

    async def expect(self, size: int) -> None:
        """Have room for pictures that are to come; of more than there is, for all. Raises ProcessFull."""
        size = min(size, self.replies.total - self._expected)
        await self.replies.take(size)
        self._expected += size

    def release(self) -> None:
        """Give everything back."""
        if self._held:
            self.room.give(self._held)
        if self._expected:
            self.replies.give(self._expected)
        self._held = self._expected = 0

    def put(self, scope: Scope) -> None:
        """Where `of` finds it."""
        scope[_KEY] = self


def of(request: Request) -> Intake:
    """The intake of a request."""
    intake: Intake = request.scope[_KEY]
    return intake
