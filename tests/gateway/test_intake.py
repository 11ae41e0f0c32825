"""The room for bodies: never overdrawn, fair, and whole again when everybody has left."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.config import Limits
from image_router.gateway.intake import FREE, Intake, Room
from image_router.gateway.surfaces import Refusal


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_whoever_waits_is_served_in_order() -> None:
    """A small one that comes later does not pass a large one."""
    room, order = Room(10, patience=60), []
    await room.take(8)

    async def take(name: str, size: int) -> None:
        await room.take(size)
        order.append(name)

    tasks = [asyncio.create_task(take("large", 9)), asyncio.create_task(take("small", 1))]
    await _settle()
    assert order == []
    room.give(8)
    await asyncio.gather(*tasks)
    assert order == ["large", "small"]
    assert room.taken == 10


async def test_who_waits_too_long_is_told_to_come_back() -> None:
    """503, and those behind it are served if they fit."""
    room = Room(10, patience=0.1)
    await room.take(5)
    large = asyncio.create_task(room.take(9))
    await asyncio.sleep(0.05)
    small = asyncio.create_task(room.take(2))
    with pytest.raises(Refusal, match="no room for 9 bytes"):
        await large
    await small
    assert room.taken == 7


@given(st.lists(st.tuples(st.integers(1, 10), st.sampled_from(["give", "cancel", "both"])), max_size=12))
def test_nothing_is_lost_however_they_leave(guests: list[tuple[int, str]]) -> None:
    """Given back, cancelled while waiting, or cancelled as the turn comes: the room is empty at the end."""

    async def play() -> None:
        room = Room(10, patience=60)

        async def stay(size: int, leave: asyncio.Event) -> None:
            await room.take(size)
            try:
                await leave.wait()
            finally:
                room.give(size)

        events = [asyncio.Event() for _ in guests]
        tasks = [
            asyncio.create_task(stay(size, leave)) for (size, _), leave in zip(guests, events, strict=True)
        ]
        for (_, way), leave, task in zip(guests, events, tasks, strict=True):
            await _settle()
            assert 0 <= room.taken <= 10
            if way in ("give", "both"):
                leave.set()
            if way in ("cancel", "both"):
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert room.taken == 0

    asyncio.run(play())


async def test_small_bodies_are_not_counted() -> None:
    """The server's own buffers are as large; what is above counts until the release."""
    room = Room(1000, patience=0.01)
    intake = Intake(room=room, replies=Room(10, patience=0.01), limits=Limits())
    await intake.hold(FREE)
    assert room.taken == 0
    await intake.hold(300)
    await intake.hold(200)
    assert room.taken == 500
    intake.release()
    assert room.taken == 0


async def test_one_request_has_an_end() -> None:
    """Body and fetched pictures together: 413 before the room is asked."""
    limits = Limits(json_body=100_000, form_body=100_000, bodies=1 << 20)
    intake = Intake(room=Room(1 << 20, patience=0.01), replies=Room(10, patience=0.01), limits=limits)
    await intake.hold(200_000)
    with pytest.raises(Refusal, match="at most 200,000"):
        await intake.hold(1)
