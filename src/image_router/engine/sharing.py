"""Identical requests without a key at the same time: one is made and paid for, all get its pictures.

Within one router. Across processes and for ever, a key does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, replace

from image_router.core.errors import ImageRouterError, ProviderError
from image_router.core.events import FlightJoined, Sink
from image_router.core.fingerprint import NOT_THE_WORK, request_fingerprint
from image_router.core.results import ImageResult
from image_router.core.storing import CacheMode
from image_router.core.types import ImageRequest
from image_router.engine.making import hand_out
from image_router.engine.watching import Watch
from image_router.storage.flights import Flights


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a request is made, beside what it asks for."""

    profile: str | None
    mode: CacheMode
    pressure: int
    wait: float | None
    """Seconds to wait for money that others hold; None: as set."""


class Sharing:
    """For one event loop."""

    def __init__(self) -> None:
        self._flights: Flights[ImageResult] = Flights()

    async def join(
        self,
        request: ImageRequest,
        terms: Terms,
        *,
        make: Callable[[], Awaitable[ImageResult]],
        announce: Sink,
        watch: Watch,
    ) -> ImageResult:
        """The result of `make`, or of an identical request under way; then it costs nothing.

        Its errors reach all; only whoever began it is told of their attempts and their cost.
        """
        key = _key(request, terms)
        leader = self._flights.leader(key)
        if leader is None:
            return await self._flights.join(key, make, name=watch.request_id)
        announce(FlightJoined(request_id=watch.request_id, paid_by=leader))
        try:
            result = await self._flights.join(key, make)
        except ImageRouterError as error:
            raise _free(error) from error
        return hand_out(_shared(result, watch.request_id, leader), announce, watch=watch)


def _key(request: ImageRequest, terms: Terms) -> str:
    """Requests are identical when they ask for the same work, on the same terms, at the same cost of the same
    scope."""
    limits = tuple(repr(getattr(request, name)) for name in sorted(NOT_THE_WORK))
    return repr((request_fingerprint(request, profile=terms.profile), limits, terms))


def _shared(result: ImageResult, request_id: str, leader: str) -> ImageResult:
    return replace(
        result,
        request_id=request_id,
        images=tuple(replace(image, cached=True) for image in result.images),
        attempts=(),
        warnings=(*result.warnings, f"shared with the identical request {leader}, which paid for it"),
    )


def _free(error: ImageRouterError) -> ImageRouterError:
    free = copy(error)
    if isinstance(free, ProviderError):
        free.attempts = ()
    return free
