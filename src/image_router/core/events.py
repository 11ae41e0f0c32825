"""The facts the router announces: the only window for logs, metrics, progress and dashboards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from image_router.core.breaker import Circuit
from image_router.core.budget import BudgetAlert
from image_router.core.causes import Cause
from image_router.core.decision import Candidate, Decision
from image_router.core.money import Nanos
from image_router.core.results import Attempt, FailedImage, GeneratedImage
from image_router.core.types import ImageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted:
    """A request came, before anything of it is read. One RequestEnded follows, whatever happens."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    request_id: str
    decision: Decision
    replayed: bool = False
    """The result is there already: it is one of earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptShortened:
    """A text model was asked to shorten the prompt; `decision.compression` says what came of it."""

    request_id: str
    decision: Decision
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheAsked:
    """The cache was looked through for the images of a request."""

    request_id: str
    model: str
    wanted: int
    """Images."""
    hits: int
    saved: Nanos
    """What the first choice was quoted for as many images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightJoined:
    """An identical request is under way: this one waits for its pictures and pays nothing."""

    request_id: str
    paid_by: str
    """Id of the request that pays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Money was set aside for a request."""

    request_id: str
    scope: str
    amount: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldClosed:
    """The hold of a request ended: what was not settled went back."""

    request_id: str
    scope: str
    amount: Nanos
    """What was set aside in the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """A settlement was above what was held for it."""

    request_id: str
    attempt: Attempt
    amount: Nanos
    """The excess."""


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
class AttemptRefused:
    """A circuit or a limit kept the attempt from being sent; nothing was spent."""

    request_id: str
    index: int
    number: int
    model: str
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSent:
    """The call leaves now. One AttemptEnded or AttemptLost follows."""

    request_id: str
    index: int
    number: int
    candidate: Candidate
    request: ImageRequest
    after: str | None
    """Model of the attempt before, sent or not: the same for a retry, another for a fallback."""
    waited: float
    """Seconds in the queue before a limit."""
    project: str = ""
    key: str = ""
    """Name of the key in the pool, never the key."""

    @property
    def retry(self) -> bool:
        return self.after == self.candidate.model.id

    @property
    def fallback(self) -> bool:
        return self.after is not None and not self.retry


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    request_id: str
    index: int
    attempt: Attempt
    sent: AttemptSent


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost:
    """The caller went away while the call was under way: it may be billed."""

    sent: AttemptSent
    at_risk: Nanos
    elapsed: float
    """Seconds."""


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
    """Announced on every way out. `decision` and `request` are None where it failed before there was one."""

    request_id: str
    """That of the result: for work under a key, of the turn that began it."""
    images: int
    failures: int
    cost: Nanos
    at_risk: Nanos
    request: ImageRequest | None = None
    decision: Decision | None = None
    attempts: tuple[Attempt, ...] = ()
    free: int = 0
    """Images that needed no call: from the cache, or of earlier turns at the same key."""
    replayed: bool = False
    """The key's work was finished before; cost, at_risk and attempts are those of then."""
    error: BaseException | None = None
    """What the caller got instead of a result."""
    elapsed: float = 0.0
    """Seconds."""
    overhead: float = 0.0
    """Seconds of them in which neither a call, nor a wait for a turn or for money, was under way."""


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
class PaceEnded:
    """The wait that was announced as Paced is over, with or without a turn."""

    model: str
    scope: str
    limit: str
    waited: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitsSeen:
    """What this process now takes for open, whoever opened or closed it; announced when it changes."""

    open: frozenset[Circuit]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswered:
    """The gateway answered one HTTP request to its end."""

    route: str
    """The template, such as /v1/images/generations: never the path with its values."""
    method: str
    status: int
    elapsed: float
    """Seconds until the last byte."""
    bytes_in: int
    bytes_out: int
    id: str = ""
    """As its answer says in x-request-id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFailed:
    """A sink broke on an event; the others are told."""

    sink: str
    event: str


TrafficEvent: TypeAlias = (
    CircuitOpened | CircuitClosed | CircuitsSeen | Paced | PaceEnded | LimitLearned | Hedged
)
AttemptEvent: TypeAlias = AttemptStarted | AttemptRefused | AttemptSent | AttemptEnded | AttemptLost
MoneyEvent: TypeAlias = Held | HoldClosed | Overrun | BudgetAlert
Event: TypeAlias = (
    RequestStarted
    | Decided
    | PromptShortened
    | CacheAsked
    | FlightJoined
    | AttemptEvent
    | ImageMade
    | ImageFailed
    | RequestEnded
    | MoneyEvent
    | TrafficEvent
    | HttpAnswered
    | SinkFailed
)
Sink: TypeAlias = Callable[[Event], None]
