"""The door to the provider as dispatching sees it; engine/traffic stands behind it, or nothing.

Every permit is either reported or released, whatever happens to the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from image_router.core.causes import Billed, Cause, FailureScope, Kind, Retry
from image_router.core.money import Nanos
from image_router.core.outcome import Outcome
from image_router.engine.admission import Ask, Permit, Refusal
from image_router.engine.pool import Member
from image_router.engine.traffic import TrafficSnapshot
from image_router.providers.base import Provider

CALL_TIME = 60.0
"""Seconds of a deadline kept for the call itself while waiting for a turn."""


class Door(Protocol):
    """What engine/traffic.Traffic is to those who send."""

    async def snapshot(self) -> TrafficSnapshot: ...

    async def admit(self, ask: Ask, *, patience: float) -> Permit | Refusal: ...

    def why(self, model: str) -> Refusal: ...

    async def report(self, permit: Permit, outcome: Outcome, *, spent: Nanos | None) -> Outcome: ...

    async def release(self, permit: Permit) -> None: ...

    async def bind(self, resource: str, permit: Permit, *, until: float) -> None: ...

    async def owner(self, resource: str) -> Member | None: ...

    async def aclose(self) -> None: ...


class OpenDoor:
    """Nothing is limited, nothing is learned: for callers with a provider and no more, such as tests."""

    def __init__(self, provider: Provider) -> None:
        self._member = Member(name="only", provider=provider)

    async def snapshot(self) -> TrafficSnapshot:
        return TrafficSnapshot()

    async def admit(self, ask: Ask, *, patience: float) -> Permit | Refusal:
        return Permit(ask=ask, member=self._member, charges=(), waited=0.0)

    def why(self, model: str) -> Refusal:
        raise AssertionError("an open door shuts no model")

    async def report(self, permit: Permit, outcome: Outcome, *, spent: Nanos | None) -> Outcome:
        return outcome

    async def release(self, permit: Permit) -> None:
        return None

    async def bind(self, resource: str, permit: Permit, *, until: float) -> None:
        return None

    async def owner(self, resource: str) -> Member | None:
        return self._member

    async def aclose(self) -> None:
        return None


@dataclass(slots=True)
class Passage:
    """One call on its way through the door."""

    door: Door
    permit: Permit
    sent: bool = False
    reported: Outcome | None = None

    async def report(self, outcome: Outcome, *, spent: Nanos | None) -> Outcome:
        """What came of the call; the outcome as failover should see it."""
        self.reported = await self.door.report(self.permit, outcome, spent=spent)
        return self.reported


@asynccontextmanager
async def passing(door: Door, permit: Permit) -> AsyncIterator[Passage]:
    """Give the permit back, or report the call as lost, on every way out that reported nothing."""
    passage = Passage(door, permit)
    try:
        yield passage
    finally:
        if passage.reported is None:
            left = door.report(permit, _CUT_OFF, spent=None) if passage.sent else door.release(permit)
            await asyncio.shield(left)


_CUT_OFF = Outcome(
    kind=Kind.AMBIGUOUS,
    cause=Cause.CONNECTION_LOST,
    detail="cancelled after it was sent",
    billed=Billed.UNKNOWN,
    scope=FailureScope.REQUEST,
    retry=Retry.NEVER,
)
