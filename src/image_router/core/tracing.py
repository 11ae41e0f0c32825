"""The trace a request belongs to, as W3C Trace Context brings it to us and takes it on to the provider.

Source: https://www.w3.org/TR/trace-context/, read 2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST_STATE: Final = 512
"""Characters of tracestate that are given on; a longer one is dropped whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """A place in a trace. Ids are lowercase hexadecimal: 32 digits for the trace, 16 for the span."""

    trace_id: str
    span_id: str
    sampled: bool = True
    state: str = ""
    """tracestate as it came: other vendors' words, given on unread."""

    @classmethod
    def parse(cls, traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
        """The two headers; None for a traceparent that is absent or malformed, as the standard asks."""
        found = _PARENT.fullmatch((traceparent or "").strip())
        if found is None:
            return None
        version, trace, span, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or not (trace.strip("0") and span.strip("0")):
            return None
        state = (tracestate or "").strip()
        fits = len(state) <= _LONGEST_STATE and state.isascii() and state.isprintable()
        return cls(
            trace_id=trace, span_id=span, sampled=bool(int(flags, 16) & 1), state=state if fits else ""
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """What is sent on."""
        parent = f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"
        return {"traceparent": parent} | ({"tracestate": self.state} if self.state else {})


TRACE: Final[ContextVar[TraceContext | None]] = ContextVar("image_router_trace", default=None)
"""Where the running task is: the caller's span, or ours once a sink has begun one."""


def headers_onward() -> dict[str, str]:
    """What a call made now carries; nothing outside a trace."""
    context = TRACE.get()
    return dict(context.headers) if context else {}


@contextmanager
def traced(context: TraceContext | None) -> Iterator[None]:
    """Requests made inside belong to the trace; what sinks set meanwhile is undone at the end.

    with traced(TraceContext.parse(headers.get("traceparent"), headers.get("tracestate"))):
        await router.generate(...)
    """
    token = TRACE.set(context)
    try:
        yield
    finally:
        TRACE.reset(token)
