"""Identical requests at the same time are one call."""

from __future__ import annotations

import asyncio

import pytest

from image_router.storage.flights import Flights


class Flight:
    """A call that ends when it is told to, and counts how often it was made."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.cancelled = False
        self.go = asyncio.Event()
        self._error = error

    async def __call__(self) -> str:
        self.calls += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self._error:
            raise self._error
        return f"picture {self.calls}"


async def together(flights: Flights[str], call: Flight, count: int = 3) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(flights.join("same", call)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_callers_at_the_same_time_share_one_call() -> None:
    """All have the picture of the one call that was made."""
    flights, call = Flights[str](), Flight()
    tasks = await together(flights, call)
    call.go.set()
    assert await asyncio.gather(*tasks) == ["picture 1"] * 3
    assert call.calls == 1


async def test_who_began_a_flight_is_known_while_it_lasts() -> None:
    """The name of the first caller stands for the flight until it has landed."""
    flights, call = Flights[str](), Flight()
    assert flights.leader("same") is None
    first = asyncio.create_task(flights.join("same", call, name="ann"))
    await asyncio.sleep(0)
    second = asyncio.create_task(flights.join("same", call, name="bob"))
    await asyncio.sleep(0)
    assert flights.leader("same") == "ann"
    call.go.set()
    await asyncio.gather(first, second)
    assert flights.leader("same") is None


async def test_a_later_caller_starts_anew() -> None:
    """A flight that has landed is no cache."""
    flights, call = Flights[str](), Flight()
    call.go.set()
    assert await flights.join("same", call) == "picture 1"
    assert await flights.join("same", call) == "picture 2"


async def test_other_keys_fly_alone() -> None:
    """Only equal requests are shared."""
    flights, call = Flights[str](), Flight()
    call.go.set()
    await asyncio.gather(flights.join("one", call), flights.join("two", call))
    assert call.calls == 2


async def test_an_error_reaches_all() -> None:
    """What failed for one failed for everyone who joined."""
    flights, call = Flights[str](), Flight(ValueError("no"))
    tasks = await together(flights, call)
    call.go.set()
    assert [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == ["no"] * 3


async def test_who_gives_up_does_not_end_it_for_others() -> None:
    """Even the one who started it may leave."""
    flights, call = Flights[str](), Flight()
    first, *others = await together(flights, call)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    call.go.set()
    assert await asyncio.gather(*others) == ["picture 1"] * 2


async def test_when_all_give_up_the_call_ends() -> None:
    """Nobody pays for what nobody waits for; the next caller starts anew."""
    flights, call = Flights[str](), Flight()
    tasks = await together(flights, call)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert call.cancelled
    call.go.set()
    assert await flights.join("same", call) == "picture 2"
