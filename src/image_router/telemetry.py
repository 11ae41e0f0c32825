"""Events → sinks. A sink that fails is reported once per event in the log and never stops the work."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from image_router.core.events import AttemptEnded, Decided, Event, RequestEnded, Sink
from image_router.core.money import show_usd

log = logging.getLogger("image_router")


class Announcer:
    """Hands every event to every sink, in order."""

    def __init__(self, sinks: Sequence[Sink] = ()) -> None:
        self._sinks = tuple(sinks)

    def __call__(self, event: Event) -> None:
        for sink in self._sinks:
            try:
                sink(event)
            except Exception:  # a broken log or metric must not lose a paid picture
                log.exception("a sink failed on %s", type(event).__name__)

    def also(self, sink: Sink | None) -> Announcer:
        """The same, with one more sink for one request."""
        return Announcer((*self._sinks, sink)) if sink else self


def log_sink(event: Event) -> None:
    """One line per decision, attempt and request; prompts and pictures never enter the log."""
    match event:
        case Decided(request_id=rid, decision=decision):
            head = decision.head
            log.info("%s decided %s (%s) by rule %r", rid, head.tier, head.model.id, decision.rule)
        case AttemptEnded(request_id=rid, index=index, attempt=a):
            log.info(
                "%s image %d attempt %d on %s: %s %s, %s in %.1f s",
                rid,
                index,
                a.number,
                a.model,
                a.kind,
                a.cause,
                show_usd(a.cost.total),
                a.elapsed,
            )
        case RequestEnded(request_id=rid, images=made, failures=failed, cost=cost):
            log.info("%s ended: %d made, %d failed, %s", rid, made, failed, show_usd(cost))
