"""What comes out of a request: pictures with their cost, and what went wrong beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from image_router.core.decision import Decision
from image_router.core.errors import ImageRouterError
from image_router.core.money import Nanos
from image_router.core.outcome import Billed, Cause, Kind
from image_router.core.rates import Cost
from image_router.core.types import Conversation, Pixels, Tier, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to a provider: what it was for, what came of it, what it cost."""

    number: int
    model: str
    tier: Tier | None
    kind: Kind
    cause: Cause
    detail: str
    billed: Billed
    cost: Cost
    at_risk: Nanos = 0
    """What an attempt of unknown outcome may have cost; 0 when the cost is known."""
    usage: Usage | None = None
    images: int = 0
    """Pictures that came of it, extra ones included."""
    response_id: str | None = None
    elapsed: float = 0.0
    """Seconds."""

    @property
    def delivered(self) -> bool:
        """Whether what it cost brought something: a picture, or words that were used."""
        return self.kind is Kind.IMAGE or (self.kind is Kind.WORDS and self.cause is Cause.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedImage:
    """A picture exactly as the provider sent it."""

    data: bytes = field(repr=False)
    media_type: str
    """From the bytes, not as declared."""
    pixels: Pixels
    digest: str
    tier: Tier | None
    model: str
    cost: Cost
    """Of the call that made it; failed attempts before it are in the result's attempts."""
    usage: Usage | None
    request_id: str
    response_id: str | None
    index: int = 0
    """Which of the n images asked for."""
    extras: tuple[bytes, ...] = field(default=(), repr=False)
    """Further pictures of the same call, made and paid."""
    drafts: tuple[bytes, ...] = field(default=(), repr=False)
    """What the model drew while it thought, first to last; they came with the reply and are not kept."""
    text: str = ""
    cached: bool = False
    warnings: tuple[str, ...] = ()
    conversation: Conversation | None = field(default=None, repr=False)
    """History with signatures, to continue editing."""

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"{self.request_id} image {self.index + 1}"

    @property
    def extension(self) -> str:
        """File extension of the real format, with its dot."""
        return {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}[self.media_type]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedImage:
    """One of the n images that did not come, and why."""

    index: int
    error: ImageRouterError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """Everything one request brought: images and failures side by side, each with its cost."""

    request_id: str
    images: tuple[GeneratedImage, ...]
    failures: tuple[FailedImage, ...]
    attempts: tuple[Attempt, ...]
    decision: Decision
    warnings: tuple[str, ...] = ()

    @property
    def image(self) -> GeneratedImage:
        """The first image."""
        return self.images[0]

    @property
    def cost(self) -> Nanos:
        """All attempts together, failed ones included."""
        return sum(attempt.cost.total for attempt in self.attempts)

    @property
    def at_risk(self) -> Nanos:
        """What attempts of unknown outcome may have cost on top."""
        return sum(attempt.at_risk for attempt in self.attempts)
