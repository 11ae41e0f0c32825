"""What was paid before and what becomes of what is paid now: keys, cache and pictures, or nothing at all.

Whether a store stands behind these protocols (engine/shelving) or nothing is wiring's choice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from image_router.core.decision import Candidate, Decision
from image_router.core.results import Attempt, GeneratedImage, ImageResult
from image_router.core.storing import CacheMode
from image_router.core.types import Adaptation, ImageRequest

if TYPE_CHECKING:
    from image_router.engine.accounts import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request before anything is decided."""

    request: ImageRequest
    profile: str | None
    request_id: str
    wait: float
    """Seconds to wait for another who is at the same key."""
    body: str | None = None
    """sha256 of the body that is sent as it came; None: one is made of the request."""


@dataclass(slots=True, kw_only=True)
class Turn:
    """A request's turn at the work of its key; without a key, simply its turn."""

    request_id: str
    """Of all turns at the same work."""
    made: Mapping[int, GeneratedImage] = field(default_factory=dict)
    """Images of earlier turns by their index: free."""
    unknown: frozenset[int] = frozenset()
    """Indexes that earlier turns sent, which may be paid without a picture."""
    finished: ImageResult | None = None
    """Done before: to be handed out again."""
    result: ImageResult | None = None
    """What came of this turn; set by whoever takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A picture that has just come, with all that belongs to it."""

    image: GeneratedImage
    decision: Decision
    candidate: Candidate
    """The one that made it."""
    attempt: Attempt
    hold_id: str | None
    allowed: frozenset[Adaptation] = frozenset()
    """The rewritings that its attempts could make."""
    cache: CacheMode = CacheMode.BYPASS


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A picture whose bytes are as safe as its scope wants them."""

    row: Row | None = None
    """What is still to be written, in the transaction that settles the picture's cost."""
    trouble: str | None = None
    """Why it could not be stored; it is paid and returned all the same."""


class Shelf(Protocol):
    """Where keys, the cache and pictures are kept."""

    def turn(self, wish: Wish) -> AbstractAsyncContextManager[Turn]:
        """Take the work of the request's key, or learn that it is finished.

        Raises IdempotencyConflict, KeyBusy, AssetError where the result is gone, and the provider's refusal
        of an earlier turn.
        """
        ...

    async def cached(
        self, decision: Decision, indexes: Collection[int], *, allowed: frozenset[Adaptation]
    ) -> Mapping[int, GeneratedImage]:
        """Images that were paid before for an equal request, by index."""
        ...

    async def alike(self, request: ImageRequest) -> str | None:
        """A word about something alike that was paid before."""
        ...

    def placing(self, paid: Paid) -> AbstractAsyncContextManager[Placed]:
        """Make the bytes safe; inside, the caller settles and writes the row; after, it is tidied up.

        An error that leaves it means that the row was not written: the picture stays where it can be found.
        """
        ...

    async def note_uses(self) -> None:
        """Write down which pictures of the cache were used lately."""
        ...

    async def aclose(self) -> None:
        """Finish what was begun."""
        ...


class NoShelf:
    """For callers who store and remember nothing, such as tests with a script."""

    @asynccontextmanager
    async def turn(self, wish: Wish) -> AsyncIterator[Turn]:
        yield Turn(request_id=wish.request_id)

    async def cached(
        self, decision: Decision, indexes: Collection[int], *, allowed: frozenset[Adaptation]
    ) -> Mapping[int, GeneratedImage]:
        return {}

    async def alike(self, request: ImageRequest) -> str | None:
        return None

    @asynccontextmanager
    async def placing(self, paid: Paid) -> AsyncIterator[Placed]:
        yield Placed()

    async def note_uses(self) -> None:
        """There are none."""

    async def aclose(self) -> None:
        return None
