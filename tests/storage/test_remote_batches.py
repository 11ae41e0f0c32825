"""Batches at the provider: whose they are, and who looks at them."""

from __future__ import annotations

import asyncio

from image_router.storage.database import Database
from image_router.storage.remote_batches import (
    RemoteBatch,
    batch_named,
    batches_of,
    end_batch,
    forget_batch,
    remember_batch,
    take_due,
)

HOUR = 3600 * 10**6


def batch(name: str, scope: str = "acme") -> RemoteBatch:
    return RemoteBatch(name=f"batches/{name}", scope=scope, model="m", hold_id=f"hold_{name}", rows=2)


async def test_each_open_batch_is_looked_at_by_one(database: Database) -> None:
    """Ten lookers, three batches: three are taken, each once; nobody comes back within the time."""
    for name in ("a", "b", "c"):
        await remember_batch(database, batch(name))
    taken = [await take_due(database, every=HOUR) for _ in range(3)]
    assert {one.name for one in taken if one} == {"batches/a", "batches/b", "batches/c"}
    assert await asyncio.gather(*(take_due(database, every=HOUR) for _ in range(10))) == [None] * 10


async def test_two_who_look_at_once_do_not_take_the_same(database: Database) -> None:
    """Whoever is late takes nothing."""
    await remember_batch(database, batch("a"))
    taken = await asyncio.gather(*(take_due(database, every=HOUR) for _ in range(8)))
    assert [one.name for one in taken if one] == ["batches/a"]


async def test_a_settled_batch_is_left_alone_and_still_known(database: Database) -> None:
    """It is listed for its scope and those above, until somebody deletes it."""
    await remember_batch(database, batch("a", "acme/shop"))
    await end_batch(database, "batches/a")
    assert await take_due(database, every=0) is None
    (known,) = await batches_of(database, "acme", limit=9)
    assert known.settled
    assert await batches_of(database, "acme-2", limit=9) == []
    await forget_batch(database, "batches/a")
    assert await batch_named(database, "batches/a") is None
