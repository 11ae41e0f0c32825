"""The words spoken at the door to the provider: what is asked, a permit or a refusal, and who works there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from image_router.core.breaker import Breaker, Circuit, Route
from image_router.core.catalog import Model
from image_router.core.causes import Cause, FailureScope, Kind, Retry
from image_router.core.decision import Candidate
from image_router.core.events import TrafficEvent
from image_router.core.limits import TrafficRules
from image_router.core.money import Nanos, show_usd
from image_router.core.outcome import Outcome
from image_router.core.pacing import Charge, Resource, Shortage
from image_router.core.rates import LineKind
from image_router.core.types import ImageRequest
from image_router.engine.pool import Member, Pool
from image_router.storage.traffic_memory import MemoryTraffic, TrafficStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call that wants to be sent."""

    model: str
    scope: str
    """Who pays; scopes take turns."""
    dollars: Nanos
    """The most the call can cost."""
    tokens: int = 0
    """Input tokens, as expected: a limit of tokens is no limit of money."""
    images: int = 1
    resources: tuple[str, ...] = ()
    """Names of files and batches at the provider; only the key that made them may use them."""

    @classmethod
    def of(cls, candidate: Candidate, request: ImageRequest, *, resources: tuple[str, ...] = ()) -> Ask:
        """One image of a request on a candidate."""
        quote, inputs = candidate.quote, (LineKind.TEXT_INPUT, LineKind.REFERENCE_INPUT)
        return cls(
            model=candidate.model.id,
            scope=request.scope,
            dollars=quote.ceiling // quote.images,
            tokens=sum(line.units for line in quote.lines if line.kind in inputs) // quote.images,
            resources=resources,
        )

    def amount(self, resource: Resource) -> int:
        """What the call adds to a limit on the resource."""
        match resource:
            case Resource.REQUESTS:
                return 1
            case Resource.IMAGES:
                return self.images
            case Resource.TOKENS:
                return self.tokens
            case Resource.DOLLARS:
                return self.dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Send now, through this member; then report what came of it."""

    ask: Ask
    member: Member
    charges: tuple[Charge, ...]
    waited: float
    """Seconds in the queue."""
    probing: tuple[Circuit, ...] = ()
    """Circuits that this call is the probe of."""
    queued: bool = False
    """It waited in line; else `waited` is only the time of asking."""

    @property
    def route(self) -> Route:
        return self.member.route(self.ask.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Not sent, and why; nothing was spent."""

    cause: Cause
    detail: str
    wait: float | None
    """Seconds until it may be worth asking again, honestly estimated; None: not by waiting."""
    scope: FailureScope = FailureScope.MODEL
    retry: Retry = Retry.FAILOVER
    waited: float = 0.0
    """Seconds in the queue."""
    queued: bool = False

    @property
    def outcome(self) -> Outcome:
        """The refusal as what failover understands: another model may serve."""
        return Outcome(
            kind=Kind.FAILED,
            cause=self.cause,
            detail=self.detail,
            scope=self.scope,
            retry=self.retry,
            retry_after=self.wait,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficParts:
    """All that traffic works with; tests hand in their own clocks."""

    pool: Pool
    rules: TrafficRules
    models: Callable[[str], Model | None]
    """The catalog's, by id: what a free probe needs."""
    announce: Callable[[TrafficEvent], None]
    store: TrafficStore = field(default_factory=MemoryTraffic)
    steady: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def ill(circuit: Circuit, breaker: Breaker, *, now: float) -> Refusal:
    """A circuit keeps the call from being sent: the provider's words of then, and when it is tried again."""
    scope = FailureScope.KEY if circuit.key else FailureScope.PROJECT
    scope = FailureScope.MODEL if circuit.model else scope
    words = f"{breaker.detail} " if breaker.detail else ""
    return Refusal(
        cause=breaker.cause,
        detail=f"{words}(not sent: {circuit} is left alone since {now - breaker.opened_at:.0f} s)",
        wait=breaker.wait(now),
        scope=scope,
        retry=Retry.FAILOVER if scope is FailureScope.MODEL else Retry.NEVER,
    )


def short(shortage: Shortage, patience: float) -> Refusal:
    """A limit keeps the call from being sent within the time it has."""
    limit = shortage.limit
    cause = Cause.SPEND_LIMIT if limit.resource is Resource.DOLLARS else Cause.RATE_LIMIT
    if shortage.wait is None:
        why = f"this call alone is above the limit of {_units(shortage)}"
    elif shortage.allowed is None:
        why = f"the provider asked to wait, {shortage.wait:.1f} s more; {patience:.1f} s are left to wait"
    else:
        why = f"{_units(shortage)} are used up for {shortage.wait:.1f} s; {patience:.1f} s are left to wait"
    return Refusal(cause=cause, detail=f"not sent: {why}", wait=shortage.wait)


def _units(shortage: Shortage) -> str:
    limit, allowed = shortage.limit, shortage.allowed or 0
    if limit.resource is Resource.DOLLARS:
        return f"{show_usd(allowed, decimals=2)} per {limit.window}"
    return f"{allowed:,} {limit.name}"
