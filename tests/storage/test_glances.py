"""Reads that are shared."""

from __future__ import annotations

import asyncio

import pytest

from image_router.core.errors import StorageError
from image_router.storage.glances import Glances


class _Slow:
    """Each look takes until it is let go, and answers how many there were."""

    def __init__(self) -> None:
        self.looks: list[asyncio.Event] = []
        self._begun = asyncio.Condition()

    async def __call__(self, name: str) -> int:
        go = asyncio.Event()
        async with self._begun:
            self.looks.append(go)
            number = len(self.looks)
            self._begun.notify_all()
        await go.wait()
        return number

    async def begun(self, count: int) -> None:
        async with self._begun:
            await self._begun.wait_for(lambda: len(self.looks) >= count)


async def test_those_who_ask_meanwhile_share_the_next_look() -> None:
    """A look answers only who asked before it began; all others share the one after it."""
    slow = _Slow()
    glances = Glances(slow)
    first = asyncio.ensure_future(glances.at("a"))
    await slow.begun(1)
    others = [asyncio.ensure_future(glances.at("a")) for _ in range(5)]
    slow.looks[0].set()
    assert await first == 1
    await slow.begun(2)
    late = asyncio.ensure_future(glances.at("a"))
    await asyncio.sleep(0)
    slow.looks[1].set()
    assert await asyncio.gather(*others) == [2] * 5
    await slow.begun(3)
    slow.looks[2].set()
    assert await late == 3


async def test_names_do_not_wait_for_each_other() -> None:
    """What is looked at under one name holds up no other."""
    slow = _Slow()
    glances = Glances(slow)
    both = [asyncio.ensure_future(glances.at(name)) for name in "ab"]
    await slow.begun(2)
    for look in slow.looks:
        look.set()
    assert sorted(await asyncio.gather(*both)) == [1, 2]


async def test_who_leaves_takes_nobody_along() -> None:
    """A caller that is cancelled ends no look that others share, and the next one begins after it."""
    slow = _Slow()
    glances = Glances(slow)
    first = asyncio.ensure_future(glances.at("a"))
    await slow.begun(1)
    second, third = (asyncio.ensure_future(glances.at("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    slow.looks[0].set()
    await slow.begun(2)
    slow.looks[1].set()
    assert await third == 2


async def test_error_reaches_all_who_share_it() -> None:
    """A look that fails fails for its callers alone: the next question looks again."""
    fails = [True]

    async def look(name: str) -> str:
        await asyncio.sleep(0)
        if fails.pop() if fails else False:
            raise StorageError("the database is gone")
        return "fine"

    glances = Glances(look)
    with pytest.raises(StorageError):
        await glances.at("a")
    assert await glances.at("a") == "fine"
