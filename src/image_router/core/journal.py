"""Calls as they went, and what processes are at: values for looking at, beside the ledger's money.

Moments are microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from image_router.core.breaker import Circuit
from image_router.core.budget import Micros
from image_router.core.causes import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNote:
    """One call to a provider: how long it took, and what came of it."""

    request_id: str
    scope: str
    model: str
    tier: str | None
    cause: Cause
    detail: str
    """The provider's own words; empty for a call that brought what was asked."""
    elapsed: Micros
    waited: Micros
    """In the queue before a limit."""
    at: Micros = 0
    """When it was written down; 0 for one that is yet to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long the calls of one model took that brought a picture. Seconds."""

    model: str
    calls: int
    p50: float
    p90: float
    p99: float
    failures: int
    """Calls of the same time that brought none; they are not among those measured."""
    waited: int
    """Calls that stood in a queue first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Calls of one process that wait before a limit."""

    model: str
    limit: str
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shut:
    """A circuit that one process holds open."""

    circuit: Circuit
    cause: Cause
    detail: str
    opened_at: Micros
    until: Micros | None
    """When it is tried again; None: never by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """What one process is at."""

    queues: tuple[Queue, ...] = ()
    shut: tuple[Shut, ...] = ()


def latencies(notes: Iterable[CallNote]) -> tuple[Latency, ...]:
    """By model, the busiest first."""
    by_model: dict[str, list[CallNote]] = {}
    for note in notes:
        by_model.setdefault(note.model, []).append(note)
    found = (_latency(model, of_model) for model, of_model in by_model.items())
    return tuple(sorted(found, key=lambda one: (-one.calls, one.model)))


def _latency(model: str, notes: Sequence[CallNote]) -> Latency:
    took = sorted(note.elapsed for note in notes if note.cause is Cause.OK)
    return Latency(
        model=model,
        calls=len(took),
        p50=percentile(took, 50) / 1_000_000,
        p90=percentile(took, 90) / 1_000_000,
        p99=percentile(took, 99) / 1_000_000,
        failures=len(notes) - len(took),
        waited=sum(note.waited > 0 for note in notes),
    )


def percentile(ordered: Sequence[int], percent: int) -> int:
    """The smallest value that so many of a hundred do not exceed; 0 of nothing."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else 0
