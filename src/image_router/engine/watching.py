"""One request from its start to its end: the two events that frame it, and the time that was ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from image_router.core.decision import Decision
from image_router.core.events import RequestEnded, RequestStarted, Sink
from image_router.core.results import ImageResult
from image_router.core.tracing import TRACE, traced
from image_router.core.types import ImageRequest


@dataclass(slots=True, kw_only=True)
class Watch:
    """What is known of a request so far. Whoever learns more writes it down."""

    request_id: str = ""
    clock: Callable[[], float] = time.monotonic
    started: float = 0.0
    request: ImageRequest | None = None
    decision: Decision | None = None
    result: ImageResult | None = None
    free: int = 0
    """Images that needed no call."""
    replayed: bool = False
    """The result is one of earlier."""
    _away: list[tuple[float, float]] = field(default_factory=list)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Inside, others work or are waited for. Images made side by side are away at the same time."""
        began = self.clock()
        try:
            yield
        finally:
            self._away.append((began, self.clock()))

    def was_away(self, seconds: float) -> None:
        """The last `seconds` were a wait."""
        now = self.clock()
        self._away.append((now - seconds, now))

    def ended(self, error: BaseException | None) -> RequestEnded:
        """The event of now."""
        result, elapsed = self.result, self.clock() - self.started
        return RequestEnded(
            request_id=result.request_id if result else self.request_id,
            images=len(result.images) if result else 0,
            failures=len(result.failures) if result else 0,
            cost=result.cost if result else 0,
            at_risk=result.at_risk if result else 0,
            request=self.request,
            decision=result.decision if result else self.decision,
            attempts=result.attempts if result else (),
            free=self.free,
            replayed=self.replayed,
            error=error,
            elapsed=elapsed,
            overhead=max(0.0, elapsed - covered(self._away)),
        )


def covered(spans: list[tuple[float, float]]) -> float:
    """Seconds that at least one of the spans (start, end) covers."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


@contextmanager
def watched(request_id: str, announce: Sink, *, clock: Callable[[], float]) -> Iterator[Watch]:
    """Announces the start at once and the end on every way out."""
    with traced(TRACE.get()):
        watch = Watch(request_id=request_id, clock=clock, started=clock())
        announce(RequestStarted(request_id=request_id))
        with ExitStack() as stack:
            stack.push(lambda _kind, error, _trace: announce(watch.ended(error)))
            yield watch
