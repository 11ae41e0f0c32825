"""Processes that use router keys through one database: for tests, started with `spawn`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from image_router.core.errors import KeyInvalid, KeyLimited
from image_router.storage.database import Database
from image_router.storage.key_ring import KeyRing
from image_router.storage.router_keys import RouterKeys


def wait_for(ready: Path) -> None:
    """Return when another process has made the file."""
    end = time.monotonic() + 60
    while not ready.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{ready} was not made")
        time.sleep(0.02)


def _say(ready: str) -> None:
    Path(ready).touch()


def use_until_refused(address: str, secret: str, ready: str) -> tuple[int, str]:
    """Check a secret as fast as it goes: how often it opened, and the field of the refusal that ended it.

    The file `ready` is made after the first check.
    """

    async def run() -> tuple[int, str]:
        opened = 0
        async with await Database.open(address) as database, KeyRing(database) as ring:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    await ring.check(secret)
                except KeyInvalid as refused:
                    return opened, refused.field
                opened += 1
                if opened == 1:
                    _say(ready)
                await asyncio.sleep(0)
        return opened, "never refused"

    return asyncio.run(run())


def rush(address: str, key_id: str, tries: int) -> int:
    """Ask for many requests at once; how many were let in."""

    async def run() -> int:
        async with await Database.open(address) as database, KeyRing(database) as ring:
            key = await RouterKeys(database).get(key_id)

            async def one() -> int:
                try:
                    async with ring.admit(key):
                        return 1
                except KeyLimited:
                    return 0

            return sum(await asyncio.gather(*(one() for _ in range(tries))))

    return asyncio.run(run())


def hang_inside(address: str, key_id: str, ready: str, lease: float) -> None:
    """Be let in, say so with the file `ready`, and stay."""

    async def run() -> None:
        async with await Database.open(address) as database, KeyRing(database, lease=lease) as ring:
            key = await RouterKeys(database).get(key_id)
            async with ring.admit(key, ceiling=1):
                _say(ready)
                await asyncio.sleep(600)

    asyncio.run(run())
