"""Single flight: identical requests without a key, at the same time in one process, are paid for once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """For one event loop. What a flight brings, result or error, all who joined it get."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Task[T]] = {}
        self._aboard: dict[str, int] = {}

    async def join(self, key: str, fly: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The result for a key, and whether this caller is the one who pays for it.

        A caller who gives up does not end the flight while others wait; the last one to give up does.
        """
        task = self._under_way.get(key)
        first = task is None
        if task is None:
            task = asyncio.ensure_future(_run(fly))
            self._under_way[key] = task
            self._aboard[key] = 0
            task.add_done_callback(lambda done: self._landed(key, done))
        self._aboard[key] += 1
        try:
            return await asyncio.shield(task), first
        except asyncio.CancelledError:
            self._leave(key, task)
            raise

    def _leave(self, key: str, task: asyncio.Task[T]) -> None:
        if self._under_way.get(key) is not task:
            return
        self._aboard[key] -= 1
        if self._aboard[key] == 0:
            self._landed(key, task)
            task.cancel()

    def _landed(self, key: str, task: asyncio.Task[T]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key], self._aboard[key]


async def _run(fly: Callable[[], Awaitable[T]]) -> T:
    return await fly()
