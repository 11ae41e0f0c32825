"""Reads that many ask for at once: one look answers all who asked before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Glances(Generic[T]):
    """What stands under a name, never older than the question. One event loop."""

    def __init__(self, look: Callable[[str], Awaitable[T]]) -> None:
        self._look = look
        self._looking: dict[str, asyncio.Task[T]] = {}
        self._next: dict[str, asyncio.Task[T]] = {}

    async def at(self, name: str) -> T:
        """Look, or share the look that follows the one under way. Raises what looking raises."""
        under_way = self._looking.get(name)
        if under_way is None:
            task = self._looking[name] = self._begun(name, self._now(name))
        else:
            task = self._next.get(name) or self._begun(name, self._after(name, under_way))
            if not task.done():
                self._next[name] = task
        return await asyncio.shield(task)

    def _begun(self, name: str, work: Awaitable[T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        task.add_done_callback(_seen)
        return task

    async def _now(self, name: str) -> T:
        try:
            return await self._look(name)
        finally:
            self._looking.pop(name, None)

    async def _after(self, name: str, before: asyncio.Task[T]) -> T:
        await asyncio.wait([before])
        self._looking[name] = self._next.pop(name)
        return await self._now(name)


def _seen(task: asyncio.Task[T]) -> None:
    """Whoever still waits is told; an error that nobody waits for any more is nobody's."""
    if not task.cancelled():
        task.exception()
