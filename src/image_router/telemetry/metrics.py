"""The Prometheus metrics by name: base units, bounded labels, children bound once.

Labels are roles, model ids of the catalog, and closed vocabularies; never a scope, a key or a prompt. Amounts
are US dollars as floats, which round; what was spent to the nano-dollar, the ledger knows.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

DURATIONS: Final = (0.1, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0)
"""Seconds: an image takes 3 to 60, a 4K one with thinking up to 180; below 1 are answers without a call."""
OVERHEADS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
WAITS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)

_SPREAD: Final = 1.0
"""Seconds until other processes see what was counted."""


class Amount:
    """What was added to a counter or gauge since it was last written down."""

    __slots__ = ("_book", "_child", "_noted", "_since")

    def __init__(self, child: Counter | Gauge, book: Book) -> None:
        self._child, self._book, self._noted, self._since = child, book, False, 0.0

    def inc(self, amount: float = 1.0) -> None:
        if not self._noted:
            self._book.note(self)
            self._noted = True
        self._since += amount

    def write(self) -> None:
        self._child.inc(self._since)
        self._noted, self._since = False, 0.0


class Readings:
    """What a histogram observed since it was last written down: counts of each bucket, and the sum."""

    __slots__ = ("_book", "_bounds", "_child", "_counts", "_sum")

    def __init__(self, child: Histogram, book: Book) -> None:
        self._child, self._book, self._sum = child, book, 0.0
        self._bounds: list[float] = list(child._upper_bounds)
        self._counts: dict[int, int] = {}

    def observe(self, value: float) -> None:
        if not self._counts:
            self._book.note(self)
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._sum += value

    def write(self) -> None:
        # The library's own observe() takes one value at a time, for more than all our counting together.
        for bucket, count in self._counts.items():
            self._child._buckets[bucket].inc(count)
        self._child._sum.inc(self._sum)
        self._counts, self._sum = {}, 0.0


class Book:
    """Amounts wait here as plain numbers, which is many times faster than prometheus_client's own: until they
    are asked for, or, where processes share a folder, for a second. One event loop."""

    def __init__(self, *, shared: bool) -> None:
        self._waiting: list[Amount | Readings] = []
        self._shared = shared

    def note(self, what: Amount | Readings) -> None:
        """Something has changed that was in order."""
        if self._shared and not self._waiting:
            asyncio.get_running_loop().call_later(_SPREAD, self.write)
        self._waiting.append(what)

    def write(self) -> None:
        """Write everything down."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.write()


_M = TypeVar("_M", Counter, Gauge, Histogram)
_C = TypeVar("_C")


class Family(Generic[_C]):
    """A metric whose children are made once for each set of label values, in the order of its labels."""

    def __init__(self, child: Callable[[tuple[str, ...]], _C]) -> None:
        self._child = child
        self._children: dict[tuple[str, ...], _C] = {}

    def __call__(self, *values: str) -> _C:
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._child(values)
        return child


class Metrics:
    """All of them, on one registry."""

    def __init__(self, registry: CollectorRegistry, *, shared: bool) -> None:
        self._registry = registry
        self.book = Book(shared=shared)
        self._requests()
        self._calls()
        self._money()
        self._health()
        self._http()

    def _requests(self) -> None:
        self.requests = self._counter(
            "requests",
            "Requests by how they ended",
            "purpose lane tier model outcome error domain",
        )
        self.request_seconds = self._histogram(
            "request_duration_seconds", "From the request to its result", "lane model outcome", DURATIONS
        )
        self.overhead_seconds = self._histogram(
            "request_overhead_seconds", "Time of a request that was ours: no call, no wait", "", OVERHEADS
        )
        self.in_progress = self._gauge("requests_in_progress", "Requests under way", "")
        self.images = self._counter("images", "Images handed out: made now, or free", "tier model source")
        self.image_bytes = self._counter(
            "image_bytes", "Bytes of references taken in and of images handed out", "direction"
        )
        self.decisions = self._counter("decisions", "Decisions by the tier chosen", "purpose tier model")
        self.guard_acts = self._counter("guard_acts", "Requests the budget guard moved", "chosen served")
        self.replays = self._counter("idempotent_replays", "Requests answered by their key's result", "")

    def _calls(self) -> None:
        self.calls = self._counter(
            "provider_calls",
            "Calls by what came of them",
            "tier model dialect lane outcome cause error domain",
        )
        self.call_seconds = self._histogram(
            "provider_call_duration_seconds", "One call to the provider", "model dialect outcome", DURATIONS
        )
        self.calls_in_progress = self._gauge("provider_calls_in_progress", "Calls under way", "model")
        self.tokens = self._counter("provider_tokens", "Tokens the provider counted", "model type")
        self.retries = self._counter("retries", "Attempts on the model of the attempt before", "model")
        self.fallbacks = self._counter("fallbacks", "Attempts on the next candidate", "after model")
        self.hedges = self._counter("hedges", "Second candidates asked beside a slow first", "first second")
        self.flights = self._counter("flights_joined", "Requests that shared an identical one under way", "")
        self.refused = self._counter("attempts_refused", "Attempts not sent: circuit or limit", "model cause")

    def _money(self) -> None:
        self.spend = self._counter(
            "spend_dollars", "Settled: for images delivered, or paid for nothing", "tier model kind"
        )
        self.at_risk = self._counter("at_risk_dollars", "Of calls that may have been billed", "tier model")
        self.overrun = self._counter("overrun_dollars", "Settled above what was held", "tier model")
        self.holds = self._gauge("holds", "Holds that are open", "")
        self.held = self._gauge("held_dollars", "Set aside by open holds, as taken", "")
        self.cache = self._counter("cache_lookups", "Images looked for in the cache", "model result")
        self.saved = self._counter("cache_saved_dollars", "Quoted price of images the cache had", "model")
        self.alerts = self._counter(
            "budget_alerts", "Thresholds of budgets that were passed", "window percent"
        )

    def _health(self) -> None:
        self.circuit_open = self._state("circuit_open", "1 while the circuit is not closed", "place model")
        self.openings = self._counter("circuit_openings", "Circuits opened", "place model cause")
        self.queue = self._gauge("pacing_queue", "Calls that wait for a limit", "model")
        self.queue_seconds = self._histogram(
            "pacing_wait_seconds", "How long a call waited for a limit", "model", WAITS
        )
        self.learned = self._counter("limits_learned", "Refusals that taught a smaller limit", "model limit")
        self.sink_failures = self._counter("sink_failures", "Events a sink broke on", "sink event")

    def _http(self) -> None:
        self.http_requests = self._counter(
            "http_requests", "HTTP requests by route template", "route method status"
        )
        self.http_seconds = self._histogram(
            "http_request_duration_seconds", "Until the last byte", "route method", DURATIONS
        )
        self.http_received = self._counter("http_received_bytes", "Bytes of request bodies", "route")
        self.http_sent = self._counter("http_sent_bytes", "Bytes of response bodies", "route")

    def _counter(self, name: str, words: str, labels: str) -> Family[Amount]:
        metric = self._made(Counter, name, words, labels=labels)
        return Family(lambda values: Amount(_child(metric, values), self.book))

    def _gauge(self, name: str, words: str, labels: str) -> Family[Amount]:
        metric = self._made(Gauge, name, words, labels=labels, multiprocess_mode="livesum")
        return Family(lambda values: Amount(_child(metric, values), self.book))

    def _state(self, name: str, words: str, labels: str) -> Family[Gauge]:
        """Of several processes the newest word counts."""
        metric = self._made(Gauge, name, words, labels=labels, multiprocess_mode="mostrecent")
        return Family(lambda values: _child(metric, values))

    def _histogram(self, name: str, words: str, labels: str, buckets: tuple[float, ...]) -> Family[Readings]:
        metric = self._made(Histogram, name, words, labels=labels, buckets=buckets)
        return Family(lambda values: Readings(_child(metric, values), self.book))

    def _made(self, kind: type[_M], name: str, words: str, *, labels: str, **how: Any) -> _M:
        names = tuple(labels.split())
        return kind(name, words, labelnames=names, namespace="image_router", registry=self._registry, **how)


def _child(metric: _M, values: tuple[str, ...]) -> _M:
    return metric.labels(*values) if values else metric
