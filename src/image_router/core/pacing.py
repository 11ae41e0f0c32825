"""Pacing: how much may be sent now, and how long until more may. Pure.

A limit counts requests, images, tokens or dollars in a window that rolls (a minute, ten minutes) or is a day
of a time zone. A rolling window is kept in slots and the slot that is just leaving still counts whole, so in
no window of its length more than the limit is ever admitted; that costs 1/SLOTS of the rate.

A 429 teaches a smaller limit, which grows back slowly; where no limit is published, that is the only one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

from image_router.core.causes import Cause

SLOTS = 60


class Resource(StrEnum):
    REQUESTS = "requests"
    IMAGES = "images"
    TOKENS = "tokens"
    """Input tokens, as the provider's limit counts them."""
    DOLLARS = "dollars"
    """In nano-dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now, on two clocks, in seconds."""

    steady: float
    """Never set back; the same for all who share a meter."""
    wall: float
    """Of the epoch: tells the day."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last so many seconds."""

    seconds: int

    def slot(self, now: Moment) -> int:
        return int(now.steady * SLOTS // self.seconds)

    def oldest(self, slot: int) -> int:
        """The first slot that still counts at a time within `slot`."""
        return slot - SLOTS

    def frees(self, slot: int, now: Moment) -> float:
        """Seconds until what was sent in a slot no longer counts."""
        return (slot + SLOTS + 1) * self.seconds / SLOTS - now.steady

    @property
    def longest(self) -> float:
        """Seconds after which an admission surely counts no more."""
        return self.seconds * (SLOTS + 1) / SLOTS

    def __str__(self) -> str:
        return "minute" if self.seconds == 60 else f"{self.seconds // 60} minutes"


@dataclass(frozen=True, slots=True)
class Daily:
    """The calendar day of a time zone; it ends at midnight there."""

    zone: str

    def slot(self, now: Moment) -> int:
        return datetime.fromtimestamp(now.wall, ZoneInfo(self.zone)).toordinal()

    def oldest(self, slot: int) -> int:
        return slot

    def frees(self, slot: int, now: Moment) -> float:
        tomorrow = date.fromordinal(slot) + timedelta(days=1)
        return datetime.combine(tomorrow, time(), ZoneInfo(self.zone)).timestamp() - now.wall

    @property
    def longest(self) -> float:
        return 86_400.0

    def __str__(self) -> str:
        return "day"


Window: TypeAlias = Rolling | Daily


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `amount` of a resource in a window; None: none is published, only a refusal teaches one."""

    resource: Resource
    window: Window
    amount: int | None
    learns_from: frozenset[Cause] = frozenset()
    by_project: bool = False
    """Counted over all models of the project."""
    counted: bool = True
    """False: nothing is counted and no rate is learned; only the provider's wish to wait is heeded."""

    @property
    def name(self) -> str:
        return f"{self.resource} per {self.window}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a refusal teaches. Percentages."""

    keep_percent: int = 80
    """Of what was sent in the window that was refused."""
    recover_percent: int = 5
    """Growth per minute, compound."""
    forget_after: float = 3_600.0
    """Seconds until a limit learned without a published one is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class MeterKey:
    project: str
    model: str
    """Empty for a limit of the whole project."""
    limit: str
    """Limit.name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What was sent, by slot, and what refusals taught. Shared by all processes of a project."""

    used: Mapping[int, int] = field(default_factory=dict)
    refused: Mapping[int, int] = field(default_factory=dict)
    """The part of `used` that the provider answered with a 429; it counts against a quota all the same."""
    learned: int | None = None
    learned_at: float = 0.0
    """On the steady clock, as the two below."""
    held_from: float = 0.0
    held_until: float = 0.0
    """The provider asked to wait until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why a call cannot go now."""

    limit: Limit
    wait: float | None
    """Seconds until it may go if nobody but those ahead comes first; None: never, the call alone is over
    the published limit."""
    allowed: int | None
    """What the limit is at present; None when only the provider's wish to wait holds it."""


def allowed(meter: Meter, limit: Limit, *, learning: Learning, now: Moment) -> int | None:
    """The limit at present: the published one, or what refusals taught, grown back since."""
    since = now.steady - meter.learned_at
    if meter.learned is None or since < 0:
        return limit.amount
    base = meter.learned if limit.amount is None else limit.amount
    grown = meter.learned + int(base * learning.recover_percent * since / 6_000)
    if limit.amount is None:
        return grown if since < learning.forget_after else None
    return min(limit.amount, grown)


def shortage(
    meter: Meter, limit: Limit, *, amount: int, learning: Learning, now: Moment, ahead: int = 0
) -> Shortage | None:
    """What keeps a call of this amount from going now, behind `ahead` of others; None: it may go.

    A learned limit never forbids a single call, however dear: it waits until the window is empty.
    """
    held = meter.held_until - now.steady if meter.held_from <= now.steady < meter.held_until else 0.0
    cap = allowed(meter, limit, learning=learning, now=now)
    if limit.amount is not None and amount > limit.amount:
        return Shortage(limit=limit, wait=None, allowed=limit.amount)
    wait = held if cap is None else max(held, _until_it_fits(meter, limit, amount, ahead, cap, now))
    return Shortage(limit=limit, wait=wait, allowed=cap) if wait > 0 else None


def charged(meter: Meter, limit: Limit, *, amount: int, now: Moment) -> Meter:
    """The meter after something was sent."""
    here = limit.window.slot(now)
    used = _live(meter.used, limit.window, now)
    used[here] = used.get(here, 0) + amount
    return replace(meter, used=used, refused=_live(meter.refused, limit.window, now))


def returned(meter: Meter, *, amount: int, slot: int) -> Meter:
    """The meter after a charge was taken back: nothing was sent, or it cost less than was charged."""
    if slot not in meter.used:
        return meter
    left = meter.used[slot] - amount
    used = {at: left if at == slot else n for at, n in meter.used.items() if at != slot or left > 0}
    return replace(meter, used=used)


def taught(meter: Meter, limit: Limit, *, amount: int, learning: Learning, now: Moment) -> Meter:
    """The meter after a refusal of this amount: the limit must lie near what passed in the window.

    Where nothing passed, somebody else uses the project up, and nothing is learned of a rate.
    """
    here = limit.window.slot(now)
    used, refused = _live(meter.used, limit.window, now), _live(meter.refused, limit.window, now)
    refused[here] = refused.get(here, 0) + amount
    passed = max(0, sum(used.values()) - sum(refused.values()))
    meter = replace(meter, used=used, refused=refused)
    if not passed:
        return meter
    present = allowed(meter, limit, learning=learning, now=now)
    learned = max(1, passed * learning.keep_percent // 100)
    if present is not None:
        learned = min(present, learned)
    return replace(meter, learned=learned, learned_at=now.steady)


def held(meter: Meter, *, seconds: float, now: Moment) -> Meter:
    """The meter after the provider asked to wait; of two wishes the longer one holds."""
    until = now.steady + seconds
    if meter.held_from <= now.steady and meter.held_until >= until:
        return meter
    return replace(meter, held_from=now.steady, held_until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one call was counted on one meter."""

    key: MeterKey
    limit: Limit
    amount: int
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a call adds to one meter, and what waits before it."""

    key: MeterKey
    limit: Limit
    amount: int
    ahead: int = 0


Meters: TypeAlias = Mapping[MeterKey, Meter]


def worst(meters: Meters, loads: Sequence[Load], *, learning: Learning, now: Moment) -> Shortage | None:
    """The shortage that lasts longest; None: the call may go."""
    found = [
        short
        for load in loads
        if (
            short := shortage(
                meters.get(load.key, Meter()),
                load.limit,
                amount=load.amount,
                learning=learning,
                now=now,
                ahead=load.ahead,
            )
        )
    ]
    return max(found, key=lambda short: float("inf") if short.wait is None else short.wait, default=None)


def admit(
    meters: Meters, loads: Sequence[Load], *, learning: Learning, now: Moment
) -> tuple[Meters, Shortage | tuple[Charge, ...]]:
    """Count a call on all its meters, or on none. Returns the meters that changed."""
    if short := worst(meters, loads, learning=learning, now=now):
        return {}, short
    changed = {
        load.key: charged(meters.get(load.key, Meter()), load.limit, amount=load.amount, now=now)
        for load in loads
        if load.limit.counted
    }
    charges = (
        Charge(key=load.key, limit=load.limit, amount=load.amount, slot=load.limit.window.slot(now))
        for load in loads
    )
    return changed, tuple(charges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What became of a call that was counted."""

    cause: Cause
    sent: bool = True
    spent: int | None = None
    """Nano-dollars; None when nobody can know, so the charge stands."""
    wait: float | None = None
    """Seconds the provider asked to wait."""


def settle(
    meters: Meters, charges: Sequence[Charge], *, after: Aftermath, learning: Learning, now: Moment
) -> Meters:
    """The meters after a call ended: what it really spent, and what a refusal taught."""
    return {
        charge.key: _settled(meters.get(charge.key, Meter()), charge, after, learning, now)
        for charge in charges
        if charge.limit.counted or heeds(charge, after)
    }


def heeds(charge: Charge, after: Aftermath) -> bool:
    """Whether the provider's wish to wait concerns what was charged."""
    return after.cause in charge.limit.learns_from and after.wait is not None


def _settled(meter: Meter, charge: Charge, after: Aftermath, learning: Learning, now: Moment) -> Meter:
    limit, amount = charge.limit, charge.amount
    if not limit.counted:
        return held(meter, seconds=after.wait or 0.0, now=now)
    if not after.sent:
        return returned(meter, amount=amount, slot=charge.slot)
    if limit.resource is Resource.DOLLARS and after.spent is not None:
        # Spending counts when it is billed, at the end of the call, not when the call was admitted.
        amount = after.spent
        meter = returned(meter, amount=charge.amount, slot=charge.slot)
        meter = charged(meter, limit, amount=amount, now=now)
    if after.cause in limit.learns_from:
        meter = taught(meter, limit, amount=amount, learning=learning, now=now)
        if after.wait is not None:
            meter = held(meter, seconds=after.wait, now=now)
    return meter


def sent(meter: Meter, limit: Limit, *, now: Moment) -> int:
    """What counts in the window that ends now."""
    return sum(_live(meter.used, limit.window, now).values())


def _live(slots: Mapping[int, int], window: Window, now: Moment) -> dict[int, int]:
    """What still counts. Slots of the future (the clock was set back) count as sent now."""
    here = window.slot(now)
    oldest = window.oldest(here)
    live: dict[int, int] = {}
    for slot, amount in slots.items():
        if slot >= oldest:
            at = min(slot, here)
            live[at] = live.get(at, 0) + amount
    return live


def _until_it_fits(meter: Meter, limit: Limit, amount: int, ahead: int, cap: int, now: Moment) -> float:
    """Seconds until the amount fits behind those ahead, who take what becomes free as it does."""
    cap = max(cap, amount)
    rounds, rest = divmod(ahead + amount - 1, cap)
    for seconds, freed in _openings(meter, limit, cap, now):
        rest -= freed
        if rest < 0:
            return rounds * limit.window.longest + seconds
    raise AssertionError("the openings of a window add up to its limit")


def _openings(meter: Meter, limit: Limit, cap: int, now: Moment) -> Iterator[tuple[float, int]]:
    """How much of the limit becomes free in how many seconds; together the whole of it, and so again in
    every window after."""
    used = sorted(_live(meter.used, limit.window, now).items())
    free = cap - sum(n for _, n in used)
    yield 0.0, max(0, free)
    for slot, n in used:
        over = min(n, max(0, -free))
        free += over
        yield limit.window.frees(slot, now), n - over
