"""Events as OpenTelemetry spans and metrics by the GenAI conventions. Needs the extra `otel`.

One span for each request, with a client span for each call below it. Names of
https://github.com/open-telemetry/semantic-conventions-genai (status: development), read 2026-11-22; what has
none there is called image_router.*. Tokens stand on the calls alone, so that no backend counts them twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
    TraceState,
)
from opentelemetry.util.types import AttributeValue

from image_router._version import __version__
from image_router.core.causes import Cause, Kind
from image_router.core.events import (
    AttemptEnded,
    AttemptLost,
    AttemptRefused,
    AttemptSent,
    CacheAsked,
    Decided,
    Event,
    Hedged,
    Paced,
    PaceEnded,
    PromptShortened,
    RequestEnded,
    RequestStarted,
)
from image_router.core.money import USD, Nanos
from image_router.core.tracing import TRACE, TraceContext
from image_router.core.types import Usage
from image_router.telemetry.log import outcome_of
from image_router.telemetry.otel_metrics import Meters
from image_router.telemetry.words import ErrorWord, word_of, word_of_cause

OPERATION: Final = "generate_content"
"""The conventions have no word of their own for making images."""

Attributes = dict[str, AttributeValue]


@dataclass(slots=True)
class _Open:
    """The spans of one request that have not ended."""

    span: Span
    calls: dict[tuple[int, int], Span] = field(default_factory=dict)
    """By index of the image and number of the attempt."""


class OtelSink:
    """Spans and metrics for the providers that are handed in.

    `provider_name` is a value of gen_ai.provider.name, `server` the host that is called; `prompts` puts the
    prompt on the request's span.
    """

    def __init__(
        self,
        *,
        tracers: TracerProvider,
        meters: MeterProvider,
        provider_name: str = "gcp.gemini",
        server: str | None = None,
        prompts: bool = False,
    ) -> None:
        self.providers: Final = (tracers, meters)
        self._tracer = tracers.get_tracer("image_router", __version__)
        self._common: Attributes = {
            "gen_ai.operation.name": OPERATION,
            "gen_ai.provider.name": provider_name,
        }
        if server:
            self._common["server.address"] = server
        self._meters = Meters(meters, self._common)
        self._prompts = prompts
        # Each task of a request has its own copy of the context, and all copies hold this one object.
        self._open: ContextVar[_Open | None] = ContextVar("image_router_spans", default=None)
        self._tell: Mapping[type, Callable[[Any], None]] = {
            RequestStarted: self._started,
            Decided: self._decided,
            CacheAsked: self._cache,
            AttemptRefused: self._refused,
            AttemptSent: self._sent,
            AttemptEnded: self._called,
            AttemptLost: self._lost,
            PromptShortened: self._shortened,
            Paced: self._paced,
            PaceEnded: self._turn,
            Hedged: self._hedged,
            RequestEnded: self._ended,
        }

    def __call__(self, event: Event) -> None:
        if tell := self._tell.get(type(event)):
            tell(event)

    def _started(self, event: RequestStarted) -> None:
        attributes = self._common | {
            "gen_ai.output.type": "image",
            "image_router.request.id": event.request_id,
        }
        span = self._tracer.start_span(OPERATION, context=_above(), attributes=attributes)
        self._open.set(_Open(span))
        TRACE.set(_place(span))

    def _decided(self, event: Decided) -> None:
        if not (opened := self._open.get()):
            return
        decision, head, request = event.decision, event.decision.head, event.decision.request
        attributes: Attributes = {
            "gen_ai.request.model": head.model.id,
            "image_router.purpose": request.purpose,
            "image_router.lane": request.lane,
            "image_router.scope": request.scope,
            "image_router.tier": head.tier or "none",
            "image_router.rule": decision.rule,
            "image_router.policy": decision.policy,
            "image_router.quote_usd": _usd(decision.quote.total),
        }
        if request.n > 1:
            attributes["gen_ai.request.choice.count"] = request.n
        if request.seed is not None:
            attributes["gen_ai.request.seed"] = request.seed
        if self._prompts:
            said = [{"role": "user", "parts": [{"type": "text", "content": request.prompt}]}]
            attributes["gen_ai.input.messages"] = json.dumps(said, ensure_ascii=False)
        opened.span.update_name(f"{OPERATION} {head.model.id}")
        opened.span.set_attributes(attributes)

    def _cache(self, event: CacheAsked) -> None:
        self._note("cache", {"hits": event.hits, "wanted": event.wanted})
        self._meters.saved(event.saved, model=event.model)

    def _refused(self, event: AttemptRefused) -> None:
        self._note("attempt not sent", {"model": event.model, "cause": event.cause, "image": event.index})

    def _paced(self, event: Paced) -> None:
        self._note(
            "waits for a limit", {"model": event.model, "limit": event.limit, "estimate_s": event.wait}
        )

    def _turn(self, event: PaceEnded) -> None:
        self._note(
            "waited for a limit", {"model": event.model, "limit": event.limit, "seconds": event.waited}
        )

    def _hedged(self, event: Hedged) -> None:
        self._note("hedged", {"first": event.first, "second": event.second, "after_s": event.after})

    def _note(self, name: str, facts: Attributes) -> None:
        if opened := self._open.get():
            opened.span.add_event(name, {f"image_router.{key}": value for key, value in facts.items()})

    def _sent(self, event: AttemptSent) -> None:
        if not (opened := self._open.get()):
            return
        candidate = event.candidate
        attributes = self._common | {
            "gen_ai.output.type": "image",
            "gen_ai.request.model": candidate.model.id,
            "image_router.tier": candidate.tier or "none",
            "image_router.dialect": candidate.model.dialect,
            "image_router.size": candidate.parameters.size,
            "image_router.image": event.index,
            "image_router.attempt": event.number,
            "image_router.waited_s": event.waited,
        }
        name = f"{OPERATION} {candidate.model.id}"
        above = trace.set_span_in_context(opened.span)
        span = self._tracer.start_span(name, context=above, kind=SpanKind.CLIENT, attributes=attributes)
        opened.calls[event.index, event.number] = span
        TRACE.set(_place(span))

    def _shortened(self, event: PromptShortened) -> None:
        for attempt in event.attempts:
            self._meters.call(attempt, lane=event.decision.request.lane, error=word_of_cause(attempt.cause))

    def _called(self, event: AttemptEnded) -> None:
        a, lane = event.attempt, event.sent.request.lane
        word = word_of_cause(a.cause)
        self._meters.call(a, lane=lane, error=word)
        if span := self._call_of(event.sent):
            attributes: Attributes = {
                "image_router.cause": a.cause,
                "image_router.billed": a.billed,
                "image_router.cost_usd": _usd(a.cost.total),
                "image_router.at_risk_usd": _usd(a.at_risk),
                "gen_ai.usage.cost": _usd(a.cost.total),
            }
            if a.response_id:
                attributes["gen_ai.response.id"] = a.response_id
            if a.usage:
                attributes |= _tokens(a.usage)
            span.set_attributes(attributes)
            _end(span, word if a.kind is not Kind.IMAGE or a.cause is not Cause.OK else ErrorWord.NONE)

    def _lost(self, event: AttemptLost) -> None:
        self._meters.lost(event)
        if span := self._call_of(event.sent):
            span.set_attribute("image_router.at_risk_usd", _usd(event.at_risk))
            _end(span, ErrorWord.CALLER_CANCELLED)

    def _call_of(self, sent: AttemptSent) -> Span | None:
        opened = self._open.get()
        if opened is None:
            return None
        TRACE.set(_place(opened.span))
        return opened.calls.pop((sent.index, sent.number), None)

    def _ended(self, event: RequestEnded) -> None:
        self._meters.request(event)
        if not (opened := self._open.get()):
            return
        self._open.set(None)
        for call in opened.calls.values():
            _end(call, ErrorWord.OTHER)
        opened.span.set_attributes(
            {
                "image_router.request.id": event.request_id,
                "image_router.outcome": outcome_of(event),
                "image_router.images": event.images,
                "image_router.failures": event.failures,
                "image_router.free": event.free,
                "image_router.attempts": len(event.attempts),
                "image_router.cost_usd": _usd(event.cost),
                "image_router.at_risk_usd": _usd(event.at_risk),
                "image_router.overhead_s": event.overhead,
            }
        )
        _end(opened.span, word_of(event.error))


def _above() -> Context | None:
    """The caller's span: one of this process, else the one whose traceparent was handed in."""
    caller = TRACE.get()
    if caller is None or trace.get_current_span().get_span_context().is_valid:
        return None
    place = SpanContext(
        trace_id=int(caller.trace_id, 16),
        span_id=int(caller.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if caller.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([caller.state]) if caller.state else None,
    )
    return trace.set_span_in_context(NonRecordingSpan(place))


def _place(span: Span) -> TraceContext:
    context = span.get_span_context()
    return TraceContext(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        sampled=context.trace_flags.sampled,
        state=context.trace_state.to_header(),
    )


def _end(span: Span, error: ErrorWord) -> None:
    if error is not ErrorWord.NONE:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _tokens(usage: Usage) -> Attributes:
    words_in = usage.prompt_tokens - usage.prompt_image_tokens
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.candidates_tokens + usage.thoughts_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.thoughts_tokens,
        "gen_ai.usage.image.input_tokens": usage.prompt_image_tokens,
        "gen_ai.usage.image.output_tokens": usage.image_tokens,
        "gen_ai.usage.text.input_tokens": words_in,
        "gen_ai.usage.text.output_tokens": max(0, usage.candidates_tokens - usage.image_tokens),
    }


def _usd(amount: Nanos) -> float:
    return amount / USD
