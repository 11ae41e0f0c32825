"""Projects whose limits are not known: only wishes to wait hold calls back, and they cost no trips."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TypeVar

from image_router import facts
from image_router.core.causes import Billed, Cause, FailureScope, Kind, Retry
from image_router.core.outcome import Outcome
from image_router.core.pacing import MeterKey, Meters, Moment
from image_router.engine.admission import Ask, Permit, Refusal, TrafficParts
from image_router.engine.circuits import FRESH
from image_router.engine.pool import Member, Pool
from image_router.engine.traffic import Traffic
from image_router.storage.traffic_memory import MemoryTraffic, MeterChange
from image_router.testing import FrozenClock, ScriptedProvider

T = TypeVar("T")
PRO = "gemini-3-pro-image"
RULES = replace(facts.load_traffic(None, tier=None, tiers={}, paced=True), tier=None)
IMAGE = Outcome(kind=Kind.IMAGE, billed=Billed.YES)
WAIT = Outcome(
    kind=Kind.FAILED,
    cause=Cause.RATE_LIMIT,
    scope=FailureScope.MODEL,
    retry=Retry.NEVER,
    retry_after=20.0,
)


@dataclass(slots=True)
class Counting(MemoryTraffic):
    """A store that other processes write to as well, and that counts how often it is asked."""

    changes: int = 0
    looks: int = 0
    begun: asyncio.Event | None = None
    coming: asyncio.Event | None = None
    """What was read is on its way from the one to the other."""

    async def change_meters(self, keys: Collection[MeterKey], change: MeterChange[T]) -> T:
        self.changes += 1
        return await MemoryTraffic.change_meters(self, keys, change)

    async def meters(self) -> tuple[Meters, Moment]:
        self.looks += 1
        read = await MemoryTraffic.meters(self)
        if self.begun and self.coming:
            self.begun.set()
            await self.coming.wait()
        return read


def gateways(count: int) -> tuple[FrozenClock, Counting, list[Traffic]]:
    """Processes that share one store."""
    clock = FrozenClock()
    store = Counting(steady=clock, wall=clock, shared=True)
    made = [
        Traffic(
            TrafficParts(
                pool=Pool([Member(name="k1", provider=ScriptedProvider(), project="shop")]),
                rules=RULES,
                models=facts.load_catalog(None).find,
                announce=lambda event: None,
                store=store,
                steady=clock,
                sleep=clock.sleep,
            )
        )
        for _ in range(count)
    ]
    return clock, store, made


async def admitted(traffic: Traffic) -> Permit | Refusal:
    return await traffic.admit(Ask(model=PRO, scope="a", dollars=1), patience=0.0)


async def permit(traffic: Traffic) -> Permit:
    got = await admitted(traffic)
    assert isinstance(got, Permit), got
    return got


async def test_what_counts_nothing_writes_nothing() -> None:
    """A hundred calls that went well change no meter, and look at the store once a second at most."""
    _, store, (traffic,) = gateways(1)
    for _ in range(100):
        await traffic.report(await permit(traffic), IMAGE, spent=1)
    assert (store.changes, store.looks) == (0, 1)


async def test_a_wish_to_wait_is_heeded_at_once_by_whoever_heard_it() -> None:
    """The next call of the same process is refused with the time that is left, and goes when it is over."""
    clock, store, (traffic,) = gateways(1)
    await traffic.report(await permit(traffic), WAIT, spent=0)
    refused = await admitted(traffic)
    assert isinstance(refused, Refusal)
    assert refused.wait == 20.0
    assert store.changes == 1
    clock.now += 20.5
    await permit(traffic)


async def test_a_wish_to_wait_is_heeded_by_others_within_a_second() -> None:
    """Another process that had looked before sees the wish when what it knows is no longer fresh."""
    clock, _, (one, other) = gateways(2)
    await permit(other)
    await one.report(await permit(one), WAIT, spent=0)
    clock.now += FRESH
    refused = await admitted(other)
    assert isinstance(refused, Refusal)
    assert refused.wait == 20.0 - FRESH


async def test_a_wish_that_comes_during_a_look_is_heeded_by_the_next() -> None:
    """What was read before the wish was written down, and came after it, is not what is known."""
    clock, store, (traffic,) = gateways(1)
    first = await permit(traffic)
    clock.now += FRESH
    store.coming, store.begun = asyncio.Event(), asyncio.Event()
    looking = asyncio.create_task(admitted(traffic))
    await store.begun.wait()
    await traffic.report(first, WAIT, spent=0)
    store.coming.set()
    assert isinstance(await looking, Permit)
    assert isinstance(await admitted(traffic), Refusal)
