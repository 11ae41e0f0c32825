"""What becomes of a picture once it is paid, as dispatching sees it: stored, or nothing.

Whether a store stands behind these protocols (engine/shelving) or nothing is wiring's choice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from image_router.core.decision import Candidate, Decision
from image_router.core.results import Attempt, GeneratedImage

if TYPE_CHECKING:
    from image_router.engine.accounts import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A picture that has just come, with all that belongs to it."""

    image: GeneratedImage
    decision: Decision
    candidate: Candidate
    """The one that made it."""
    attempt: Attempt
    hold_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A picture whose bytes are as safe as its scope wants them."""

    row: Row | None = None
    """What is still to be written, in the transaction that settles the picture's cost."""
    trouble: str | None = None
    """Why it could not be stored; it is paid and returned all the same."""


class Shelf(Protocol):
    """Where pictures are kept."""

    def placing(self, paid: Paid) -> AbstractAsyncContextManager[Placed]:
        """Make the bytes safe; inside, the caller settles and writes the row; after, it is tidied up."""
        ...

    async def aclose(self) -> None:
        """Finish what was begun."""
        ...


class NoShelf:
    """For callers who store nothing, such as tests with a script."""

    @asynccontextmanager
    async def placing(self, paid: Paid) -> AsyncIterator[Placed]:
        yield Placed()

    async def aclose(self) -> None:
        return None
