"""The OpenTelemetry metrics: the GenAI conventions' two for clients, and our money and overhead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.metrics import MeterProvider
from opentelemetry.util.types import AttributeValue

from image_router._version import __version__
from image_router.core.events import AttemptLost, RequestEnded
from image_router.core.money import USD, Nanos
from image_router.core.results import Attempt
from image_router.core.types import Lane
from image_router.telemetry.words import ErrorWord, word_of

_SECONDS: Final = (
    0.01,
    0.02,
    0.04,
    0.08,
    0.16,
    0.32,
    0.64,
    1.28,
    2.56,
    5.12,
    10.24,
    20.48,
    40.96,
    81.92,
    163.84,
)
"""The conventions' own bounds and one more: 4K pictures take up to three minutes."""
_TOKENS: Final = tuple(4.0**power for power in range(14))
_OVERHEADS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Meters:
    """Instruments, and the attributes that all measurements share."""

    def __init__(self, provider: MeterProvider, common: Mapping[str, AttributeValue]) -> None:
        meter = provider.get_meter("image_router", __version__)
        self._common = common
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._requests = meter.create_histogram(
            "image_router.request.duration",
            "s",
            "From the request to its result.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._overhead = meter.create_histogram(
            "image_router.request.overhead",
            "s",
            "Time of a request that was ours: no call, no wait.",
            explicit_bucket_boundaries_advisory=_OVERHEADS,
        )
        self._cost = meter.create_counter("image_router.cost", "{USD}", "Settled, by what it bought.")
        self._at_risk = meter.create_counter(
            "image_router.at_risk", "{USD}", "Of calls that may have been billed."
        )
        self._saved = meter.create_counter(
            "image_router.cache.saved", "{USD}", "Quoted price of images the cache had."
        )

    def call(self, attempt: Attempt, *, lane: Lane, error: ErrorWord) -> None:
        """One call came to its end."""
        about = {**self._common, "gen_ai.request.model": attempt.model, "image_router.lane": lane}
        failed = {} if error is ErrorWord.NONE else {"error.type": error}
        self._duration.record(attempt.elapsed, {**about, **failed})
        if usage := attempt.usage:
            output = usage.candidates_tokens + usage.thoughts_tokens
            self._tokens.record(usage.prompt_tokens, {**about, "gen_ai.token.type": "input"})
            self._tokens.record(output, {**about, "gen_ai.token.type": "output"})
        paid = {**about, "image_router.tier": attempt.tier or "none"}
        if attempt.cost.total:
            kind = "delivered" if attempt.delivered else "paid_for_nothing"
            self._cost.add(_usd(attempt.cost.total), {**paid, "image_router.spend.kind": kind})
        if attempt.at_risk:
            self._at_risk.add(_usd(attempt.at_risk), paid)

    def lost(self, event: AttemptLost) -> None:
        """The caller went away."""
        candidate, lane = event.sent.candidate, event.sent.request.lane
        about = {**self._common, "gen_ai.request.model": candidate.model.id, "image_router.lane": lane}
        self._duration.record(event.elapsed, {**about, "error.type": ErrorWord.CALLER_CANCELLED})
        self._at_risk.add(_usd(event.at_risk), {**about, "image_router.tier": candidate.tier or "none"})

    def saved(self, amount: Nanos, *, model: str) -> None:
        """The cache had it."""
        if amount:
            self._saved.add(_usd(amount), {**self._common, "gen_ai.request.model": model})

    def request(self, event: RequestEnded) -> None:
        """One request came to its end."""
        model = event.decision.head.model.id if event.decision else "unknown"
        about = {**self._common, "gen_ai.request.model": model}
        failed = {"error.type": word_of(event.error)} if event.error else {}
        self._requests.record(event.elapsed, {**about, **failed})
        if not event.replayed:
            self._overhead.record(event.overhead, about)


def _usd(amount: Nanos) -> float:
    return amount / USD
