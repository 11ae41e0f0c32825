"""The one seam to the outside: something that makes images.

A provider never raises for what the network or the API does: it returns a Reply that says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from image_router.core.types import ImageRequest, Lane

# Explaining makes calls and reads no replies: it need not wait for their classes.
if TYPE_CHECKING:
    from image_router.core.catalog import Model
    from image_router.core.decision import Parameters
    from image_router.core.reply import ApiError, RawAnswer, Reply
    from image_router.core.text_calls import TextCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call for one image."""

    request: ImageRequest
    model: Model
    parameters: Parameters
    max_output_tokens: int | None
    """None for a model priced per image."""
    lane: Lane = Lane.INTERACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A body that is passed on as it came."""

    path: str
    """Below the API's version, with its query, such as models/gemini-3-pro-image:generateContent."""
    body: bytes = field(repr=False)
    listener: Callable[[RawAnswer], None] | None = field(default=None, repr=False)
    """Hears each piece of an answer of status 200 when it comes; None: nobody waits for pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """One entry of the provider's models.list: no proof of entitlement."""

    id: str
    methods: tuple[str, ...]
    input_tokens: int | None
    output_tokens: int | None


class Entitlement(StrEnum):
    """What a free probe says about a model id."""

    ENTITLED = "entitled"
    NOT_FOUND = "not_found"
    KEY_REFUSED = "key_refused"
    UNKNOWN = "unknown"


class ModelsUnavailable(Exception):
    """The provider's list of models could not be read."""

    def __init__(self, reason: str, error: ApiError | None = None) -> None:
        super().__init__(reason)
        self.error = error


class Provider(Protocol):
    """Makes images. Implementations: rest.RestProvider, sdk.SdkProvider, testing.ScriptedProvider."""

    name: str
    real: bool
    """False when nothing it does can cost money (the emulator, a script)."""

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        """One call for one image; `timeout` in seconds covers everything."""
        ...

    async def write(self, call: TextCall, *, timeout: float) -> Reply:
        """One call for words; `timeout` in seconds covers everything."""
        ...

    async def models(self) -> tuple[ListedModel, ...]:
        """All pages of models.list. Raises ModelsUnavailable."""
        ...

    async def probe(self, model: Model) -> Entitlement:
        """Ask for nothing (an empty body): 400 says entitled, 404 says not; costs nothing."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A call that costs nothing, such as one about a file."""

    method: str
    path: str
    """On the host, with version and query: v1beta/files/abc."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An answer whose headers are there; its body comes piece by piece."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class Unreachable(Exception):
    """The provider could not be reached, or its answer broke off."""


@runtime_checkable
class Relays(Protocol):
    """A provider that can also pass on what somebody else wrote."""

    def errand(self, errand: Errand) -> AbstractAsyncContextManager[Running]:
        """Run an errand once, as it is. Raises Unreachable."""
        ...

    async def relay(self, letter: Letter, model: Model, *, timeout: float) -> Reply:
        """Send the letter once, as it is, to one of its model's methods. Raises nothing the network does."""
        ...
