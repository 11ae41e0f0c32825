"""The whole engine but for its traffic: nothing is paced, no circuit opens, no wait is waited for."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from image_router.engine.door import Door, OpenDoor
from image_router.engine.router import ImageRouter, Parts
from image_router.providers.base import Provider
from image_router.providers.rest import RestProvider


def unpaced(parts: Parts, url: str) -> ImageRouter:
    """A router of the parts in front of the emulator at an address."""

    async def door(provider: Provider) -> Door:
        return OpenDoor(provider)

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    def provider() -> Provider:
        return RestProvider("a-key", base_url=url, real=False)

    return ImageRouter(replace(parts, provider=provider, door=door, sleep=at_once))
