"""The limits of a router key, counted like those of a provider (core/pacing): in no minute or window more.

Requests and images count when they are admitted. Dollars count at the most a request can cost while it runs,
and at what it did cost from its end on. Requests in flight are leases and are counted where they are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from image_router.core.causes import Cause
from image_router.core.errors import KeyForbids, KeyLimited, KeyRefused
from image_router.core.money import Nanos, show_usd
from image_router.core.pacing import (
    Aftermath,
    Charge,
    Learning,
    Limit,
    Load,
    MeterKey,
    Meters,
    Moment,
    Resource,
    Rolling,
    Shortage,
    admit,
    settle,
)
from image_router.core.router_keys import KeyRules, RouterKey, window_text

IN_FLIGHT_WAIT: Final = 1.0
"""Seconds to wait before asking again when too many requests run: nobody knows when one ends."""
_MINUTE: Final = Rolling(60)
_NO_LEARNING: Final = Learning()
_FIELD: Final = {
    Resource.REQUESTS: "requests_per_minute",
    Resource.IMAGES: "images_per_minute",
    Resource.DOLLARS: "dollars",
}


def limits_of(rules: KeyRules) -> tuple[Limit, ...]:
    """The limits that are set and kept on meters."""
    limits = []
    if rules.requests_per_minute is not None:
        limits.append(Limit(resource=Resource.REQUESTS, window=_MINUTE, amount=rules.requests_per_minute))
    if rules.images_per_minute is not None:
        limits.append(Limit(resource=Resource.IMAGES, window=_MINUTE, amount=rules.images_per_minute))
    if rules.dollars is not None:
        window = Rolling(rules.dollars.seconds)
        limits.append(Limit(resource=Resource.DOLLARS, window=window, amount=rules.dollars.amount))
    return tuple(limits)


def loads_of(key: RouterKey, *, images: int, ceiling: Nanos) -> tuple[Load, ...]:
    """What a request adds to the key's meters."""
    amounts = {Resource.REQUESTS: 1, Resource.IMAGES: images, Resource.DOLLARS: ceiling}
    return tuple(
        Load(key=meter_key(key.id, limit), limit=limit, amount=amounts[limit.resource])
        for limit in limits_of(key.rules)
        if amounts[limit.resource]
    )


def meter_key(key_id: str, limit: Limit) -> MeterKey:
    """A meter counts in slots of its window's length, so another window is another meter."""
    seconds = limit.window.seconds if isinstance(limit.window, Rolling) else 0
    return MeterKey(project=key_id, model="", limit=f"{limit.resource}/{seconds}")


def count(
    meters: Meters, loads: Sequence[Load], *, now: Moment
) -> tuple[Meters, Shortage | tuple[Charge, ...]]:
    """Count a request on all its meters, or on none; the meters that changed."""
    return admit(meters, loads, learning=_NO_LEARNING, now=now)


def settled(meters: Meters, charges: Sequence[Charge], *, spent: Nanos, now: Moment) -> Meters:
    """The meters after a request ended and cost this much."""
    after = Aftermath(cause=Cause.OK, spent=spent)
    return settle(meters, charges, after=after, learning=_NO_LEARNING, now=now)


def too_much(key: RouterKey, short: Shortage, *, asked: int) -> KeyRefused:
    """The refusal of a request that does not fit now, or never will."""
    limit = short.limit
    amount = limit.amount or 0
    money = limit.resource is Resource.DOLLARS
    most, wanted = (show_usd(amount), show_usd(asked)) if money else (f"{amount:,}", f"{asked:,}")
    what = "" if money else f" {limit.resource}"
    window = window_text(limit.window.seconds) if isinstance(limit.window, Rolling) else str(limit.window)
    numbers = {"key_id": key.id, "limit": f"{most} per {window}", "asked": wanted}
    field = _FIELD[limit.resource]
    if short.wait is None:
        smaller = "fewer images or a cheaper tier" if money else "fewer images in one request"
        return KeyForbids(
            f"{key} allows {most}{what} per {window} and this request alone may take {wanted}; ask for "
            f"{smaller}, or have whoever issued the key raise its limit",
            field=field,
            **numbers,
        )
    return KeyLimited(
        f"{key} allows {most}{what} per {window}, and {wanted} more do not fit now; try again in "
        f"{short.wait:.1f} seconds, or have whoever issued the key raise its limit",
        field=field,
        retry_after=short.wait,
        **numbers,
    )


def too_many(key: RouterKey, running: int) -> KeyLimited:
    """The refusal of one more request at once."""
    most = key.rules.in_flight
    return KeyLimited(
        f"{key} allows {most} requests in flight, and {running} are under way; wait for one to end, or have "
        f"whoever issued the key raise its limit",
        field="in_flight",
        retry_after=IN_FLIGHT_WAIT,
        key_id=key.id,
        limit=str(most),
        asked=str(running + 1),
    )
