"""Events → sinks. A sink that fails is logged once, counted by the others, and never stops the work."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from image_router.core.events import Event, Sink, SinkFailed

log = logging.getLogger("image_router")


@dataclass(slots=True, eq=False)
class _Listener:
    sink: Sink
    failed: bool = False
    """Its first failure was logged."""

    @property
    def name(self) -> str:
        named = getattr(self.sink, "__qualname__", None)
        return named if isinstance(named, str) else type(self.sink).__qualname__


class Announcer:
    """Hands every event to every sink, in order."""

    def __init__(self, sinks: Sequence[Sink] = ()) -> None:
        self._listeners = tuple(_Listener(sink) for sink in sinks)

    def __call__(self, event: Event) -> None:
        for listener in self._listeners:
            try:
                listener.sink(event)
            except Exception:  # noqa: BLE001 - a broken log or metric must not lose a paid picture
                self._broken(listener, event)

    def also(self, sink: Sink | None) -> Announcer:
        """The same, with one more sink for one request."""
        return self._with((*self._listeners, _Listener(sink))) if sink else self

    @classmethod
    def _with(cls, listeners: Iterable[_Listener]) -> Self:
        announcer = cls()
        announcer._listeners = tuple(listeners)
        return announcer

    def _broken(self, listener: _Listener, event: Event) -> None:
        kind = type(event).__name__
        if not listener.failed:
            listener.failed = True
            log.exception("a sink failed on %s: %s; later failures are only counted", kind, listener.name)
        if not isinstance(event, SinkFailed):
            self(SinkFailed(sink=listener.name, event=kind))
