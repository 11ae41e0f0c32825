"""Circuit breakers: what is ill is left alone for a while, then tried again by one caller. Pure.

What trips a circuit, where and for how long is data (`TripRule`, read from data/limits/circuits.toml). Times
are seconds of a wall clock that the caller hands in, so that a circuit outlives the process. A clock that
jumps back behind the moment of opening makes the circuit due: nobody stays locked out by a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from image_router.core.causes import Cause, Kind
from image_router.core.outcome import Outcome


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """Due to be tried: one caller may."""
    PROBING = "probing"
    """One caller is trying; for all others it is open."""


class Place(StrEnum):
    """Where a circuit opens: what the failure says is ill."""

    MODEL = "model"
    """For everyone: the provider cannot serve it."""
    PROJECT_MODEL = "project_model"
    """A quota, or an entitlement."""
    KEY = "key"
    PROJECT = "project"


class OpenFor(StrEnum):
    SECONDS = "seconds"
    MIDNIGHT = "midnight"
    """Until the next midnight in the rule's zone, then as many seconds as a failed probe costs."""
    FOR_EVER = "for_ever"


class Probe(StrEnum):
    """How a circuit that is due is tried."""

    FREE = "free"
    """By an empty call, which costs nothing and tells whether the model and the key are known."""
    CALL = "call"
    """By the next caller's own request."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Circuit:
    """The name of one circuit; an empty field stands for all."""

    project: str = ""
    key: str = ""
    model: str = ""

    def __str__(self) -> str:
        named = (("project", self.project), ("key", self.key), ("model", self.model))
        return ", ".join(f"{what} {name}" for what, name in named if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What one call goes through. Names, never secrets."""

    project: str
    key: str
    model: str

    def circuit(self, place: Place) -> Circuit:
        """The circuit of this call at a place."""
        match place:
            case Place.MODEL:
                return Circuit(model=self.model)
            case Place.PROJECT_MODEL:
                return Circuit(project=self.project, model=self.model)
            case Place.KEY:
                return Circuit(project=self.project, key=self.key)
            case Place.PROJECT:
                return Circuit(project=self.project)

    @property
    def circuits(self) -> tuple[Circuit, ...]:
        """All circuits the call depends on, the widest first."""
        return tuple(self.circuit(place) for place in (Place.KEY, Place.PROJECT, *_OF_THE_MODEL))


_OF_THE_MODEL = (Place.PROJECT_MODEL, Place.MODEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TripRule:
    """Which failures open a circuit, where, and for how long. Times in seconds."""

    name: str
    causes: frozenset[Cause]
    at: Place
    after: int
    """Failures in a row."""
    open_for: OpenFor
    seconds: float
    """The first time; twice as long after each failed probe, up to `longest`."""
    longest: float
    probe: Probe
    gone: bool = False
    """The model does not exist here: the next living model of its tier shall serve."""
    zone: str = "America/Los_Angeles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The state of one circuit. A pristine one is Breaker()."""

    rule: str = ""
    """Name of the rule that counts or opened it."""
    streak: int = 0
    """Failures in a row while closed."""
    trips: int = 0
    """Openings since it was last closed; 0 means closed."""
    opened_at: float = 0.0
    until: float | None = None
    """When it is due to be tried; None: never by itself."""
    probe_from: float = 0.0
    probe_until: float = 0.0
    cause: Cause = Cause.OK
    detail: str = ""
    """The provider's own words."""
    model: str = ""
    """The model whose call opened it, for a probe."""

    def state(self, now: float) -> BreakerState:
        """The state at a moment."""
        if not self.trips:
            return BreakerState.CLOSED
        if self.until is None or self.opened_at <= now < self.until:
            return BreakerState.OPEN
        if self.probe_from <= now < self.probe_until:
            return BreakerState.PROBING
        return BreakerState.HALF_OPEN

    def wait(self, now: float) -> float | None:
        """Seconds until one more caller may try; None when that never happens by itself."""
        match self.state(now):
            case BreakerState.OPEN:
                return None if self.until is None else self.until - now
            case BreakerState.PROBING:
                return self.probe_until - now
            case _:
                return 0.0


def rule_of(outcome: Outcome, rules: Sequence[TripRule]) -> TripRule | None:
    """The first rule that names the outcome's cause."""
    return next((rule for rule in rules if outcome.cause in rule.causes), None)


def proves_health(outcome: Outcome) -> bool:
    """Whether the model answered, with a picture or without: key, project and model are well."""
    return outcome.kind in (Kind.IMAGE, Kind.NO_IMAGE, Kind.REFUSED)


def failed(breaker: Breaker, rule: TripRule, *, outcome: Outcome, model: str, now: float) -> Breaker:
    """A failure that the rule names: counts, opens, or opens again for longer."""
    state = breaker.state(now)
    if state is BreakerState.CLOSED:
        streak = breaker.streak + 1 if breaker.rule == rule.name else 1
        if streak < rule.after:
            return Breaker(rule=rule.name, streak=streak)
        return _opened(breaker, rule, outcome, model=model, now=now)
    if state is BreakerState.OPEN:
        # A call sent before the opening may still come back with worse news, never with better.
        other = _opened(Breaker(), rule, outcome, model=model, now=now)
        return other if _later(other.until, breaker.until) else breaker
    return _opened(breaker, rule, outcome, model=model, now=now)


def succeeded(breaker: Breaker, now: float) -> Breaker:
    """The model answered. What is still open stays so: the answer belongs to a call sent before."""
    return breaker if breaker.state(now) is BreakerState.OPEN else Breaker()


def claimed(breaker: Breaker, now: float, *, lease: float) -> Breaker | None:
    """Take the one probe of a circuit that is due; None when it is not, or another caller has it.

    A claim ends after `lease` seconds, so that a prober that died locks nobody out; on a clock that was set
    back to before the opening, the circuit stays due when the clock comes there again.
    """
    if breaker.state(now) is not BreakerState.HALF_OPEN:
        return None
    return replace(breaker, until=min(now, breaker.until or now), probe_from=now, probe_until=now + lease)


def undecided(breaker: Breaker) -> Breaker:
    """The probe told nothing, for instance because it was never sent: the next caller may try."""
    return replace(breaker, probe_from=0.0, probe_until=0.0)


def delayed(breaker: Breaker, now: float, *, seconds: float) -> Breaker:
    """The free probe told nothing: ask again later, without growing impatient or patient by it."""
    return replace(undecided(breaker), opened_at=now, until=now + seconds)


def next_midnight(now: float, zone: str) -> float:
    """The next midnight of a time zone; all times in seconds of the epoch."""
    here = datetime.fromtimestamp(now, ZoneInfo(zone))
    tomorrow = datetime.combine(here.date() + timedelta(days=1), time(), here.tzinfo)
    return tomorrow.timestamp()


def _opened(breaker: Breaker, rule: TripRule, outcome: Outcome, *, model: str, now: float) -> Breaker:
    return Breaker(
        rule=rule.name,
        trips=breaker.trips + 1,
        opened_at=now,
        until=_until(rule, breaker.trips, now),
        cause=outcome.cause,
        detail=outcome.detail,
        model=model,
    )


def _until(rule: TripRule, trips: int, now: float) -> float | None:
    if rule.open_for is OpenFor.FOR_EVER:
        return None
    if rule.open_for is OpenFor.MIDNIGHT and not trips:
        return next_midnight(now, rule.zone)
    failed_probes = trips - 1 if rule.open_for is OpenFor.MIDNIGHT else trips
    # 2**30 times any span is beyond every `longest`, and larger exponents overflow a float.
    return now + min(rule.longest, rule.seconds * 2.0 ** min(failed_probes, 30))


def _later(one: float | None, other: float | None) -> bool:
    return other is not None and (one is None or one > other)
