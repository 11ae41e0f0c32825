"""How full the provider's limits are, from the meters that all processes of a database share."""

from __future__ import annotations

from dataclasses import dataclass

from image_router.core.money import show_usd
from image_router.core.pacing import Limit, Meter, MeterKey, Moment, Resource, allowed, sent
from image_router.gateway.app import Visit
from image_router.storage.traffic import DatabaseTraffic
from image_router.wiring import traffic_rules_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One limit of one project."""

    project: str
    model: str
    """Empty: of all models together."""
    limit: str
    sent: str
    allowed: str
    percent: int
    learned: bool
    """Less is allowed than Google publishes: a refusal taught it."""


async def gauges(visit: Visit) -> list[Gauge]:
    """The limits that something was sent under, the fullest first. Raises StorageError."""
    settings = visit.parts.settings
    rules = traffic_rules_of(settings, paced=not settings.offline)
    meters, now = await DatabaseTraffic(visit.parts.books.db).meters()
    found = []
    for key, meter in meters.items():
        limits = rules.limits(key.model, key.project)
        limit = next((limit for limit in limits if limit.name == key.limit), None)
        if limit is not None:
            most = allowed(meter, limit, learning=rules.book.learning, now=now)
            found.append(_gauge(key, meter, limit=limit, most=most, now=now))
    return sorted(found, key=lambda one: (-one.percent, one.project, one.model, one.limit))


def _gauge(key: MeterKey, meter: Meter, *, limit: Limit, most: int | None, now: Moment) -> Gauge:
    count = sent(meter, limit, now=now)
    return Gauge(
        project=key.project,
        model=key.model,
        limit=limit.name,
        sent=_amount(count, limit),
        allowed="any" if most is None else _amount(most, limit),
        percent=0 if not most else min(999, 100 * count // most),
        learned=most is not None and limit.amount is not None and most < limit.amount,
    )


def _amount(number: int, limit: Limit) -> str:
    return show_usd(number) if limit.resource is Resource.DOLLARS else f"{number:,}"
