"""Calls that cost nothing: through the same door, with whichever key may make them, outside every budget."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from image_router.core.errors import ConfigError, ProviderUnavailable
from image_router.core.failures import error_for
from image_router.engine.admission import Ask, Permit, Refusal
from image_router.engine.door import Door
from image_router.providers.base import Errand, Relays, Running, Unreachable

PATIENCE = 30.0
"""Seconds an errand may wait for its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An errand's answer, and the key that ran it."""

    running: Running
    permit: Permit
    door: Door

    async def bind_for(self, resource: str, seconds: float) -> None:
        """What was made stays with the key that made it, for so long."""
        await self.door.bind(resource, self.permit, until=time.time() + seconds)


@asynccontextmanager
async def running(
    door: Door, errand: Errand, *, scope: str, about: str = "", resources: tuple[str, ...] = ()
) -> AsyncIterator[Reply]:
    """Run an errand. `about` is the model it asks of, `resources` what its key must own.

    Raises ProviderError where nobody may run it or the provider is out of reach, ConfigError where the
    provider cannot pass anything on.
    """
    permit = await door.admit(
        Ask(model=about, scope=scope, dollars=0, images=0, resources=resources), patience=PATIENCE
    )
    if isinstance(permit, Refusal):
        raise error_for(permit.outcome, about or None)
    try:
        provider = permit.member.provider
        if not isinstance(provider, Relays):
            raise ConfigError(f"provider {provider.name} passes nothing on; set provider = rest or sdk")
        async with provider.errand(errand) as answer:
            yield Reply(running=answer, permit=permit, door=door)
    except Unreachable as problem:
        raise ProviderUnavailable(f"the provider is out of reach: {problem}; nothing was spent") from None
    finally:
        await door.release(permit)
