"""One reply of a provider as a value: what came over the wire, before anyone judges it.

Wire modules make it, engine/media adds what the bytes say, core/outcome judges it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from image_router.core.types import Pixels, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What the bytes themselves say."""

    media_type: str
    pixels: Pixels
    digest: str
    """sha256, hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyText:
    text: str
    thought: bool = False
    signature: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyImage:
    """An image part. Once inspected, exactly one of `facts` and `defect` is set."""

    data: bytes = field(repr=False)
    declared_type: str
    thought: bool = False
    signature: str | None = field(default=None, repr=False)
    facts: ImageFacts | None = None
    defect: str | None = None
    """Why the bytes are no complete image."""
    notes: tuple[str, ...] = ()
    """What had to be done to read the bytes, for the warnings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiError:
    """An error body, whatever its wrapping (object, array, SSE line or HTML page)."""

    http_status: int
    status: str = ""
    """google.rpc code name, such as RESOURCE_EXHAUSTED; empty when the body was no JSON error."""
    message: str = ""
    reasons: tuple[str, ...] = ()
    """ErrorInfo.reason of each detail, such as API_KEY_INVALID."""
    quota_ids: tuple[str, ...] = ()
    quota_values: tuple[str, ...] = ()
    retry_after: float | None = None
    """Seconds, from RetryInfo in the body or a Retry-After header."""
    field_violations: tuple[str, ...] = ()


class FaultKind(StrEnum):
    """How the transport failed."""

    CONNECT = "connect"
    """DNS, refused, TLS: the request never left."""
    DROPPED = "dropped"
    """The connection closed after the request was sent, before a whole reply."""
    TIMEOUT = "timeout"
    """No whole reply within the time allowed."""
    TRUNCATED = "truncated"
    """The body ended early or its JSON is cut off."""
    MALFORMED = "malformed"
    """A whole body that is not what the API speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportFault:
    kind: FaultKind
    sent: bool
    """Whether the provider may have received the request."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An answer as it came, for callers who get the very bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Everything one call brought back. `error` and `fault` exclude parts."""

    http_status: int | None = None
    parts: tuple[ReplyText | ReplyImage, ...] = ()
    has_candidates: bool = False
    finish_reason: str | None = None
    finish_message: str | None = None
    block_reason: str | None = None
    block_message: str | None = None
    filtered: tuple[str, ...] = ()
    """Imagen's raiFilteredReason of each picture held back."""
    usage: Usage | None = None
    response_id: str | None = None
    model_version: str | None = None
    error: ApiError | None = None
    fault: TransportFault | None = None
    elapsed: float = 0.0
    """Seconds."""
    raw: RawAnswer | None = None
    """Only of a call whose body was passed on as it came, if its answer is whole."""

    @property
    def images(self) -> tuple[ReplyImage, ...]:
        return tuple(part for part in self.parts if isinstance(part, ReplyImage))

    @property
    def text(self) -> str:
        """The words of the answer without its thoughts."""
        return "".join(p.text for p in self.parts if isinstance(p, ReplyText) and not p.thought)
