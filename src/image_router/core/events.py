"""The facts the router announces: the only window for logs, metrics, progress and dashboards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

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


Event: TypeAlias = Decided | AttemptStarted | AttemptEnded | ImageMade | ImageFailed | RequestEnded
Sink: TypeAlias = Callable[[Event], None]
