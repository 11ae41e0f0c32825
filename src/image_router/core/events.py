"""The facts the router announces: the only window for logs, metrics, progress and dashboards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from image_router.core.breaker import Circuit
from image_router.core.budget import BudgetAlert
from image_router.core.causes import Cause
from image_router.core.decision import Decision
from image_router.core.money import Nanos
from image_router.core.results import Attempt, FailedImage, GeneratedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    request_id: str
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    request_id: str
    index: int
    """Which of the n images."""
    number: int
    model: str
    wait: float
    """Seconds before it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    request_id: str
    index: int
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMade:
    request_id: str
    image: GeneratedImage
    key: str = ""
    """The chain item it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFailed:
    request_id: str
    failure: FailedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEnded:
    request_id: str
    images: int
    failures: int
    cost: Nanos
    at_risk: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitOpened:
    """Something is ill and left alone for a while; again, for longer, after a probe that failed."""

    circuit: Circuit
    cause: Cause
    detail: str
    opening: int
    """1 for the first; more after failed probes."""
    wait: float | None
    """Seconds until it is tried again; None: never by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitClosed:
    """It is well again."""

    circuit: Circuit
    cause: Cause
    """Why it was open."""
    lasted: float
    """Seconds since it was last opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """A call waits for its turn under a limit."""

    model: str
    scope: str
    limit: str
    """Such as 'requests per minute'."""
    wait: float
    """Seconds, as estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLearned:
    """A refusal taught a smaller limit."""

    project: str
    model: str
    """Empty for a limit of the whole project."""
    limit: str
    allowed: int
    """In units of the limit; dollars in nano-dollars."""
    published: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedged:
    """A second candidate was asked because the first one takes unusually long."""

    request_id: str
    index: int
    first: str
    second: str
    after: float
    """Seconds."""


TrafficEvent: TypeAlias = CircuitOpened | CircuitClosed | Paced | LimitLearned | Hedged
Event: TypeAlias = (
    Decided
    | AttemptStarted
    | AttemptEnded
    | ImageMade
    | ImageFailed
    | RequestEnded
    | BudgetAlert
    | TrafficEvent
)
Sink: TypeAlias = Callable[[Event], None]
