"""A request's time and its share that was ours; two events frame it whatever happens."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from desk import router
from image_router.core.errors import ImageRouterError
from image_router.core.events import (
    AttemptRefused,
    AttemptSent,
    CacheAsked,
    Event,
    RequestEnded,
    RequestStarted,
)
from image_router.core.reply import Reply
from image_router.core.tracing import TRACE, TraceContext
from image_router.engine.watching import Watch, covered, watched
from image_router.providers.base import Call
from image_router.testing import FrozenClock, Script, ScriptedProvider, overloaded


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0.0),
        ([(1.0, 3.0)], 2.0),
        ([(1.0, 3.0), (5.0, 6.0)], 3.0),
        ([(5.0, 6.0), (1.0, 3.0), (2.0, 4.0)], 4.0),
        ([(1.0, 9.0), (2.0, 3.0)], 8.0),
        ([(1.0, 2.0), (2.0, 3.0)], 2.0),
    ],
)
def test_covered(spans: list[tuple[float, float]], seconds: float) -> None:
    """Time that several calls share counts once."""
    assert covered(spans) == seconds


class Slow(ScriptedProvider):
    """Each call takes ten seconds of the clock."""

    def __init__(self, clock: FrozenClock, script: Script | None = None) -> None:
        super().__init__(script)
        self.clock = clock

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        self.clock.now += 10.0
        return await super().generate(call, timeout=timeout)


async def told(script: Script | None = None, **asked: Any) -> list[Event]:
    """The events of one request to a slow provider."""
    events: list[Event] = []
    clock = FrozenClock()
    shop, _, _ = router(provider=lambda: Slow(clock, script), clock=clock, sleep=clock.sleep)
    with suppress(ImageRouterError):
        await shop.generate("a fox", **{"purpose": "hero", **asked}, on_event=events.append)
    return events


async def test_whose_time_it_was() -> None:
    """Calls and waits before a retry belong to the elapsed time and not to our overhead."""
    events = await told(Script().fail(overloaded()))
    end = events[-1]
    assert isinstance(end, RequestEnded)
    assert (end.elapsed, end.overhead) == (21.0, 0.0)
    assert [attempt.cause for attempt in end.attempts] == ["overloaded", "ok"]


@pytest.mark.parametrize("asked", [{"n": 0}, {"lane": "batch"}, {"max_cost": "0.001"}, {}])
async def test_one_start_and_one_end(asked: dict[str, Any]) -> None:
    """Whatever becomes of a request, it starts once and ends once, under one id."""
    events = await told(**asked)
    start, end = events[0], events[-1]
    assert isinstance(start, RequestStarted)
    assert isinstance(end, RequestEnded)
    assert start.request_id == end.request_id
    assert (end.error is None) == (not asked)
    assert sum(isinstance(event, RequestStarted | RequestEnded) for event in events) == 2


async def test_the_cache_is_told() -> None:
    """Looking through the cache is announced, with what was wanted and found."""
    events = await told(n=2, cache="use")
    [asked] = [event for event in events if isinstance(event, CacheAsked)]
    assert (asked.wanted, asked.hits, asked.saved) == (2, 0, 0)
    assert not [event for event in await told() if isinstance(event, CacheAsked)]


async def test_a_cancelled_request_ends() -> None:
    """Cancelling is an end, too."""
    events: list[Event] = []
    with pytest.raises(asyncio.CancelledError), watched("req_1", events.append, clock=FrozenClock()):
        raise asyncio.CancelledError
    end = events[-1]
    assert isinstance(end, RequestEnded)
    assert isinstance(end.error, asyncio.CancelledError)


def test_the_trace_is_put_back() -> None:
    """A span that a sink begins for the request is not left to the caller's next one."""
    mine = TraceContext(trace_id="a" * 32, span_id="b" * 16)
    with watched("req_1", lambda event: TRACE.set(mine) and None, clock=FrozenClock()):
        assert TRACE.get() == mine
    assert TRACE.get() is None


def test_a_wait_that_is_known_afterwards() -> None:
    """A wait can be written down when it is over."""
    clock = FrozenClock()
    watch = Watch(clock=clock)
    clock.now = 30.0
    watch.was_away(20.0)
    assert watch.ended(None).overhead == 10.0


async def test_sent_or_refused() -> None:
    """Every attempt that starts is sent or refused."""
    events = await told(Script().fail(overloaded(), times=2))
    assert [type(event) for event in events if isinstance(event, AttemptSent | AttemptRefused)] == [
        AttemptSent
    ] * 3
