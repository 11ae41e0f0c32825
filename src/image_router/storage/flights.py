"""Single flight: identical requests without a key, at the same time in one process, are paid for once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    leader: str
    aboard: int = 0


class Flights(Generic[T]):
    """For one event loop. What a flight brings, result or error, all who joined it get."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Flight[T]] = {}

    def leader(self, key: str) -> str | None:
        """The name of whoever began the flight that is under way, and pays for it."""
        flight = self._under_way.get(key)
        return flight.leader if flight else None

    async def join(self, key: str, fly: Callable[[], Awaitable[T]], *, name: str = "") -> T:
        """The result for a key: of the flight under way, else of one that this caller begins.

        A caller who gives up does not end the flight while others wait; the last one to give up does, and
        leaves when it has ended.
        """
        flight = self._under_way.get(key)
        if flight is None:
            flight = _Flight(asyncio.ensure_future(_run(fly)), leader=name)
            self._under_way[key] = flight
            flight.task.add_done_callback(lambda done: self._landed(key, done))
        flight.aboard += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            await self._leave(key, flight)
            raise

    async def _leave(self, key: str, flight: _Flight[T]) -> None:
        flight.aboard -= 1
        if flight.aboard or flight.task.done():
            return
        self._landed(key, flight.task)
        flight.task.cancel()
        # What was paid is written down before the caller goes on to close the books.
        await asyncio.wait({flight.task})

    def _landed(self, key: str, task: asyncio.Task[T]) -> None:
        flight = self._under_way.get(key)
        if flight is not None and flight.task is task:
            del self._under_way[key]


async def _run(fly: Callable[[], Awaitable[T]]) -> T:
    return await fly()
