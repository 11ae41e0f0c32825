"""The doctor's look at the pool: its keys and projects, and what of the provider is left alone now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from image_router.books import open_books, there_are_books
from image_router.checkup.finding import Finding, Health
from image_router.config import ProjectKey, Settings
from image_router.core.breaker import Breaker, Circuit
from image_router.core.errors import ConfigError, StorageError
from image_router.core.failures import FAILURES
from image_router.engine.pool import UNSTATED, key_name
from image_router.storage.traffic import DatabaseTraffic


def pool_is(settings: Settings) -> Iterator[Finding]:
    """Each key by its name, never the key: its project, its weight, its usage tier."""
    if settings.offline or not settings.projects:
        return
    for key in settings.projects:
        yield _key(key, settings)
    unstated = Counter(key.name for key in settings.projects)[None]
    if unstated > 1:
        detail = f"{unstated} keys state no project and count as one: together they may send what one may"
        advice = "give each [[projects]] table the name of its project"
        yield Finding(name="pool", health=Health.WARNING, detail=detail, advice=advice)
    if settings.api_key is not None:
        detail = f"the key from {settings.origins['api_key']} is not used: the pool serves"
        advice = "put it into the pool, or unset it"
        yield Finding(name="key", health=Health.WARNING, detail=detail, advice=advice)


def _key(key: ProjectKey, settings: Settings) -> Finding:
    try:
        name = key_name(key.require_key().reveal())
    except ConfigError as error:
        return Finding(name="key", health=Health.ERROR, detail=str(error), advice=f"set {key.variable}")
    tier = key.usage_tier or settings.usage_tier
    paced = f"usage tier {tier}" if tier else "usage tier unknown: not paced"
    source = f"from {key.variable}" if key.variable else f"from {settings.origins['projects']}"
    detail = f"project {key.name or UNSTATED}: {name} ({source}), weight {key.weight}, {paced}"
    return Finding(name="key", health=Health.OK, detail=detail)


async def circuits_are(settings: Settings) -> list[Finding]:
    """What every process leaves alone for now, with the provider's words and when it is tried again."""
    if settings.offline or not there_are_books(settings):
        return []
    try:
        async with open_books(settings) as books:
            found, moment = await DatabaseTraffic(books.db).circuits()
    except (StorageError, ConfigError):
        return []  # told by the look at the books
    open_ones = [_open(circuit, breaker, moment.wall) for circuit, breaker in sorted(found.items())]
    return open_ones or [Finding(name="circuits", health=Health.OK, detail="all closed")]


def _open(circuit: Circuit, breaker: Breaker, now: float) -> Finding:
    wait = breaker.wait(now)
    again = "never by itself" if wait is None else f"in {wait:,.0f} s" if wait else "with the next call"
    words = f' ("{breaker.detail}")' if breaker.detail else ""
    failure = FAILURES[breaker.cause]
    return Finding(
        name="circuits",
        health=Health.WARNING,
        detail=f"{circuit} is left alone: {failure.what}{words}; tried again {again}",
        advice=failure.todo,
    )
