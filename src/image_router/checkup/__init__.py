"""What the doctor looks at: each examination yields findings and never raises for what it came to find."""

from __future__ import annotations

import asyncio

from image_router.checkup.accounts import books_are
from image_router.checkup.finding import Finding, Health
from image_router.checkup.machine import at_home, away, facts_are
from image_router.checkup.pool import circuits_are, pool_is
from image_router.config import Settings


async def here(settings: Settings) -> list[Finding]:
    """Everything that can be told without another host."""
    found = await asyncio.to_thread(lambda: [*at_home(settings), *pool_is(settings), *facts_are(settings)])
    return [*found, *await books_are(settings), *await circuits_are(settings)]


async def examined(settings: Settings) -> list[Finding]:
    """The same, and whether the host answers; offline, none is contacted."""
    if settings.offline:
        told = "offline mode: not contacted, clock not compared"
        return [*await here(settings), Finding(name="host", health=Health.OK, detail=told)]
    return [*await here(settings), *await away(settings)]
