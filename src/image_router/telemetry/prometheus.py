"""Events as Prometheus metrics, for one process or for all workers of one gateway. Needs the extra `gateway`.

What is counted is named in telemetry/metrics.py and explained in docs/observability.md.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from image_router.core.breaker import Circuit
from image_router.core.budget import BudgetAlert
from image_router.core.causes import Kind
from image_router.core.events import (
    AttemptEnded,
    AttemptLost,
    AttemptRefused,
    AttemptSent,
    CacheAsked,
    CircuitOpened,
    CircuitsSeen,
    Decided,
    Event,
    FlightJoined,
    Hedged,
    Held,
    HoldClosed,
    HttpAnswered,
    ImageMade,
    LimitLearned,
    Overrun,
    Paced,
    PaceEnded,
    PromptShortened,
    RequestEnded,
    RequestStarted,
    SinkFailed,
)
from image_router.core.money import USD, Nanos
from image_router.core.results import Attempt
from image_router.core.types import Tier
from image_router.telemetry.log import outcome_of
from image_router.telemetry.metrics import Metrics
from image_router.telemetry.words import word_of, word_of_cause

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own variable. It is read when that library is first imported."""
_UNKNOWN: Final = "unknown"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class PrometheusSink:
    """Counts every event of the routers of one event loop.

    Made while PROMETHEUS_MULTIPROC_DIR is set, and then called in a running loop, it shares what it counts
    with the other processes within a second.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._folder = os.environ.get(SHARED_FOLDER)
        self._metrics = Metrics(self._registry, shared=self._folder is not None)
        if self._folder:
            atexit.register(self._metrics.book.write)
        self._ill: frozenset[tuple[str, str]] = frozenset()
        self._counts: Mapping[type, Callable[[Any], None]] = {
            RequestStarted: lambda _: self._metrics.in_progress().inc(),
            Decided: self._decided,
            CacheAsked: self._cache,
            FlightJoined: lambda _: self._metrics.flights().inc(),
            Held: self._held,
            HoldClosed: self._closed,
            Overrun: self._overrun,
            AttemptSent: self._sent,
            AttemptRefused: lambda e: self._metrics.refused(e.model, e.cause).inc(),
            AttemptEnded: self._called,
            AttemptLost: self._lost,
            PromptShortened: self._shortened,
            ImageMade: self._image,
            RequestEnded: self._ended,
            CircuitOpened: self._opened,
            CircuitsSeen: self._seen,
            Paced: lambda e: self._metrics.queue(e.model).inc(),
            PaceEnded: self._paced,
            LimitLearned: lambda e: self._metrics.learned(e.model or "all", e.limit).inc(),
            Hedged: lambda e: self._metrics.hedges(e.first, e.second).inc(),
            BudgetAlert: lambda e: self._metrics.alerts(e.window, str(e.percent)).inc(),
            HttpAnswered: self._answered,
            SinkFailed: lambda e: self._metrics.sink_failures(e.sink, e.event).inc(),
        }

    def __call__(self, event: Event) -> None:
        if count := self._counts.get(type(event)):
            count(event)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics as text and its content type; OpenMetrics where the Accept header asks for it.

        Of all workers, where they share a folder: that reads files and takes milliseconds.
        """
        encode, content_type = choose_encoder(accept)
        self._metrics.book.write()
        if self._folder:
            _bury(Path(self._folder))
            everybody = CollectorRegistry()
            MultiProcessCollector(everybody, self._folder)
            return encode(everybody), content_type
        return encode(self._registry), content_type

    def _decided(self, event: Decided) -> None:
        decision, m = event.decision, self._metrics
        request, head = decision.request, decision.head
        m.decisions(request.purpose, _tier(head.tier), head.model.id).inc()
        if decision.guard:
            m.guard_acts(decision.guard.chosen, decision.guard.served).inc()
        if request.references:
            m.image_bytes("in").inc(sum(len(reference.data) for reference in request.references))

    def _cache(self, event: CacheAsked) -> None:
        m = self._metrics
        if event.hits:
            m.cache(event.model, "hit").inc(event.hits)
            m.saved(event.model).inc(_dollars(event.saved))
        if event.wanted > event.hits:
            m.cache(event.model, "miss").inc(event.wanted - event.hits)

    def _held(self, event: Held) -> None:
        self._metrics.holds().inc()
        self._metrics.held().inc(_dollars(event.amount))

    def _closed(self, event: HoldClosed) -> None:
        self._metrics.holds().inc(-1)
        self._metrics.held().inc(-_dollars(event.amount))

    def _overrun(self, event: Overrun) -> None:
        attempt = event.attempt
        self._metrics.overrun(_tier(attempt.tier), attempt.model).inc(_dollars(event.amount))

    def _sent(self, event: AttemptSent) -> None:
        m, model = self._metrics, event.candidate.model.id
        m.calls_in_progress(model).inc()
        if event.retry:
            m.retries(model).inc()
        elif event.after is not None:
            m.fallbacks(event.after, model).inc()

    def _called(self, event: AttemptEnded) -> None:
        m, a, sent = self._metrics, event.attempt, event.sent
        tier, dialect, word = _tier(a.tier), sent.candidate.model.dialect, word_of_cause(a.cause)
        m.calls_in_progress(a.model).inc(-1)
        m.calls(tier, a.model, dialect, sent.request.lane, a.kind, a.cause, word, word.domain).inc()
        m.call_seconds(a.model, dialect, a.kind).observe(a.elapsed)
        self._paid(a)

    def _shortened(self, event: PromptShortened) -> None:
        for attempt in event.attempts:
            self._paid(attempt)

    def _paid(self, a: Attempt) -> None:
        m, tier = self._metrics, _tier(a.tier)
        if a.cost.total:
            kind = "delivered" if a.delivered else "paid_for_nothing"
            m.spend(tier, a.model, kind).inc(_dollars(a.cost.total))
        if a.at_risk:
            m.at_risk(tier, a.model).inc(_dollars(a.at_risk))
        if a.usage:
            m.tokens(a.model, "input").inc(a.usage.prompt_tokens)
            m.tokens(a.model, "image_output").inc(a.usage.image_tokens)
            m.tokens(a.model, "text_output").inc(a.usage.text_output_tokens)

    def _lost(self, event: AttemptLost) -> None:
        m, sent = self._metrics, event.sent
        tier, model = _tier(sent.candidate.tier), sent.candidate.model
        m.calls_in_progress(model.id).inc(-1)
        cause, word, domain = "cancelled", "caller_cancelled", "caller"
        kind = Kind.AMBIGUOUS
        m.calls(tier, model.id, model.dialect, sent.request.lane, kind, cause, word, domain).inc()
        m.call_seconds(model.id, model.dialect, kind).observe(event.elapsed)
        m.at_risk(tier, model.id).inc(_dollars(event.at_risk))

    def _image(self, event: ImageMade) -> None:
        image, m = event.image, self._metrics
        m.images(_tier(image.tier), image.model, "free" if image.cached else "made").inc()
        m.image_bytes("out").inc(len(image.data))

    def _ended(self, event: RequestEnded) -> None:
        m, word, outcome = self._metrics, word_of(event.error), outcome_of(event)
        request, head = event.request, event.decision.head if event.decision else None
        purpose = request.purpose if request else _UNKNOWN
        lane = request.lane if request else _UNKNOWN
        tier, model = (_tier(head.tier), head.model.id) if head else (_UNKNOWN, _UNKNOWN)
        m.in_progress().inc(-1)
        m.requests(purpose, lane, tier, model, outcome, word, word.domain).inc()
        m.request_seconds(lane, model, outcome).observe(event.elapsed)
        if event.replayed:
            m.replays().inc()
        else:
            m.overhead_seconds().observe(event.overhead)

    def _opened(self, event: CircuitOpened) -> None:
        self._metrics.openings(*_place(event.circuit), event.cause).inc()

    def _seen(self, event: CircuitsSeen) -> None:
        ill = frozenset(map(_place, event.open))
        for place in self._ill | ill:
            self._metrics.circuit_open(*place).set(place in ill)
        self._ill = ill

    def _paced(self, event: PaceEnded) -> None:
        self._metrics.queue(event.model).inc(-1)
        self._metrics.queue_seconds(event.model).observe(event.waited)

    def _answered(self, event: HttpAnswered) -> None:
        m, method = self._metrics, event.method if event.method in _METHODS else "OTHER"
        m.http_requests(event.route, method, str(event.status)).inc()
        m.http_seconds(event.route, method).observe(event.elapsed)
        m.http_received(event.route).inc(event.bytes_in)
        m.http_sent(event.route).inc(event.bytes_out)


@contextmanager
def shared_between_workers() -> Iterator[Path]:
    """A folder through which the workers started inside share their metrics; empty at first, gone at the end.

    Enter it in the process that starts them, which serves nothing itself. A folder that is set already stays
    as it is: who set it empties it between runs, as prometheus_client asks.
    """
    if folder := os.environ.get(SHARED_FOLDER):
        yield Path(folder)
        return
    made = tempfile.mkdtemp(prefix="image-router-metrics-")
    os.environ[SHARED_FOLDER] = made
    try:
        yield Path(made)
    finally:
        del os.environ[SHARED_FOLDER]
        shutil.rmtree(made, ignore_errors=True)


def _bury(folder: Path) -> None:
    """Gauges of workers that died count no more; their counters stay."""
    for pid in {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*_*.db")}:
        if pid.isdigit() and not _alive(int(pid)):
            mark_process_dead(int(pid), str(folder))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _place(circuit: Circuit) -> tuple[str, str]:
    """(place, model): keys and projects are not named, since each caller may bring its own."""
    if circuit.key:
        return "key", "all"
    if not circuit.model:
        return "project", "all"
    return ("project_model" if circuit.project else "model"), circuit.model


def _tier(tier: Tier | None) -> str:
    return tier or "none"


def _dollars(amount: Nanos) -> float:
    return amount / USD
