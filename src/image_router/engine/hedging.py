"""Hedging: when a call takes unusually long, ask a second candidate too, and keep whoever is first.

Off unless a policy is given. Both sides are real calls that are paid: the loser is cancelled, which stops our
waiting and not the provider's bill, so a loser that was sent is of unknown outcome.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from math import ceil
from typing import Generic, TypeVar

from image_router.core.causes import Billed, Cause, FailureScope, Kind, Retry
from image_router.core.decision import Candidate, Decision
from image_router.core.outcome import Outcome
from image_router.core.types import Lane

T = TypeVar("T")
log = logging.getLogger("image_router")


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgePolicy:
    """When to hedge."""

    percentile: int = 95
    """Of the latencies seen: a call slower than so many of a hundred is hedged."""
    least: int = 20
    """Latencies of a model that must be known first."""
    remembered: int = 200
    """Latencies of a model that are kept, the newest."""
    at_most_percent: int = 10
    """Of all calls: when everything is slow, hedging would only double the load and the bill."""


class Hedging:
    """What is known of latencies, and how often it was hedged. One event loop."""

    def __init__(self, policy: HedgePolicy | None = None) -> None:
        self._policy = policy
        self._seen: dict[str, deque[float]] = {}
        self._calls = self._hedges = 0

    def observe(self, model: str, seconds: float) -> None:
        """A call brought a picture after so many seconds."""
        if self._policy:
            kept: deque[float] = deque(maxlen=self._policy.remembered)
            self._seen.setdefault(model, kept).append(seconds)

    def after(self, model: str) -> float | None:
        """Ask once for each call: seconds after which it is to be hedged; None: not at all."""
        self._calls += 1
        seen, policy = self._seen.get(model, ()), self._policy
        if policy is None or len(seen) < policy.least:
            return None
        if (self._hedges + 1) * 100 > self._calls * policy.at_most_percent:
            return None
        return sorted(seen)[ceil(len(seen) * policy.percentile / 100) - 1]

    def hedged(self) -> None:
        """A second call was made."""
        self._hedges += 1


def rival(decision: Decision, candidate: Candidate) -> Candidate | None:
    """Whom to ask beside a candidate: the next one on another model. None where a different model would
    change the picture's identity, or nobody waits."""
    request = decision.request
    if request.lane is not Lane.INTERACTIVE or request.locks_identity:
        return None
    later = decision.candidates[decision.candidates.index(candidate) + 1 :]
    return next((other for other in later if other.model.id != candidate.model.id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg(Generic[T]):
    """One side of a race."""

    run: Callable[[], Awaitable[T | None]]
    """Make the call; None when it may not be made after all (no money, no permit)."""
    lost: Callable[[], T | None]
    """What to say of the call after it was cancelled; None when it had not been sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced(Generic[T]):
    """What became of a race. Whatever is here was sent, and is paid or at risk."""

    winner: T
    other: T | None = None
    """The other side, when it was sent: cancelled, or done as well."""


async def race(
    first: Leg[T],
    second: Leg[T],
    *,
    after: float,
    good: Callable[[T], bool],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Raced[T]:
    """Run the first side, and beside it the second when `after` seconds have passed; keep the first good one.

    When neither is good the first side's answer stands. A first side that fails before the time is up is not
    hedged: that is for failover. Cancelling the race cancels both sides.
    """
    one = asyncio.ensure_future(first.run())
    pause = asyncio.ensure_future(sleep(after))
    two: asyncio.Future[T | None] | None = None
    try:
        await asyncio.wait({one, pause}, return_when=asyncio.FIRST_COMPLETED)
        if one.done():
            return Raced(winner=_answer(one))
        two = asyncio.ensure_future(second.run())
        sides = _Side(first, one), _Side(second, two)
        await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
        if not any(side.won(good) for side in sides):
            await asyncio.wait({one, two})
        loser, winner = sorted(sides, key=lambda side: (side.won(good), side is sides[0]))
        return Raced(winner=_answer(winner.task), other=await loser.left())
    finally:
        await _stop(task for task in (one, pause, two) if task is not None)


def lost_race(seconds: float, winner: str) -> Outcome:
    """The outcome of a call that was sent and cancelled because another was first: it may be billed."""
    return Outcome(
        kind=Kind.AMBIGUOUS,
        cause=Cause.CONNECTION_LOST,
        detail=f"cancelled after {seconds:.1f} s: {winner} was first",
        billed=Billed.UNKNOWN,
        scope=FailureScope.REQUEST,
        retry=Retry.NEVER,
        elapsed=seconds,
    )


@dataclass(frozen=True, slots=True)
class _Side(Generic[T]):
    leg: Leg[T]
    task: asyncio.Future[T | None]

    def won(self, good: Callable[[T], bool]) -> bool:
        if not self.task.done() or self.task.exception():
            return False
        answer = self.task.result()
        return answer is not None and good(answer)

    async def left(self) -> T | None:
        """What is to be said of the side that did not win; a call that ends while it is cancelled counts."""
        await _stop([self.task])
        if self.task.cancelled():
            return self.leg.lost()
        if problem := self.task.exception():
            # The winner may hold a paid picture, which the other side's trouble must not lose.
            log.error("the other side of a hedged call failed", exc_info=problem)
            return self.leg.lost()
        return self.task.result()


def _answer(task: asyncio.Future[T | None]) -> T:
    answer = task.result()
    if answer is None:
        raise AssertionError("the first side of a race always makes its call")
    return answer


async def _stop(tasks: Iterable[asyncio.Future[T]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
