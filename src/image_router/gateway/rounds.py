"""What a process does again and again beside its requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from image_router.core.errors import ImageRouterError

_log = logging.getLogger(__name__)


async def rounds(
    look: Callable[[], Awaitable[None]], *, after: str, every: float, until: asyncio.Event
) -> None:
    """Look after something every so many seconds. A look that fails is logged; the next one comes."""
    while not until.is_set():
        try:
            await look()
        except ImageRouterError as problem:
            _log.warning("%s cannot be looked after: %s", after, problem)
        try:
            await asyncio.wait_for(until.wait(), every)
        except TimeoutError:
            continue
