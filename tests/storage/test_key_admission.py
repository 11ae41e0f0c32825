"""Limits of router keys: shared by all rings on a database, and never passed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import key_users
from image_router.core.budget import SECOND
from image_router.core.errors import (
    AssetError,
    BudgetExceeded,
    InvalidRequest,
    KeyForbids,
    KeyLimited,
    ProviderUnavailable,
    StorageError,
)
from image_router.core.money import USD
from image_router.core.router_keys import DollarLimit, KeyRules, RouterKey
from image_router.core.running import Now
from image_router.storage.database import Database
from image_router.storage.key_ring import KeyRing
from image_router.storage.router_keys import KeyUse, RouterKeys

RULES = KeyRules(name="ci", scope="acme/ci")
FIVE_AN_HOUR = DollarLimit(amount=5 * USD, seconds=3_600)
START = Now(wall=1_800_000_000 * SECOND, lease=9_000 * SECOND, epoch="boot")


@dataclass
class Clock:
    """The database's clock; moves when it is told to."""

    now: Now = START

    def __call__(self) -> Now:
        return self.now

    def passes(self, seconds: float) -> None:
        more = int(seconds * SECOND)
        self.now = replace(self.now, wall=self.now.wall + more, lease=self.now.lease + more)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rings(address: str, clock: Clock) -> AsyncIterator[tuple[KeyRing, KeyRing]]:
    """Two rings, each with a connection of its own to one database."""
    async with (
        await Database.open(address, clock=clock) as one,
        await Database.open(address, clock=clock) as other,
        KeyRing(one) as first,
        KeyRing(other) as second,
    ):
        yield first, second


@pytest.fixture
async def keys(address: str, clock: Clock) -> AsyncIterator[RouterKeys]:
    async with await Database.open(address, clock=clock) as database:
        yield RouterKeys(database)


async def made(keys: RouterKeys, **rules: Any) -> RouterKey:
    return (await keys.create(replace(RULES, **rules), who="ann")).key


async def use(keys: RouterKeys, key: RouterKey) -> dict[str, int]:
    found: KeyUse = await keys.use(key.id)
    return {str(limit.resource): amount for limit, amount in found.used} | {"in flight": found.in_flight}


async def drained(rings: tuple[KeyRing, KeyRing]) -> None:
    for ring in rings:
        await ring.drain()


async def tried(ring: KeyRing, key: RouterKey, **asked: int) -> bool:
    try:
        async with ring.admit(key, **asked):
            return True
    except KeyLimited:
        return False


async def test_a_key_without_limits_asks_nobody() -> None:
    """Requests of a key without limits are let in without a database."""

    class Nobody:
        """Any use of it fails."""

    async with KeyRing(Nobody()) as ring:  # type: ignore[arg-type]
        key = RouterKey(id="aaaaaaaa", rules=RULES, hint="0000", created_at=0, created_by="ann")
        async with ring.admit(key, images=100, ceiling=1_000 * USD) as admission:
            admission.settle(1)
        assert admission.spent == 1


@pytest.mark.parametrize(
    ("rules", "asked", "fits"),
    [
        ({"requests_per_minute": 7}, {}, 7),
        ({"images_per_minute": 20}, {"images": 3}, 6),
        ({"dollars": FIVE_AN_HOUR}, {"ceiling": USD}, 5),
        ({"requests_per_minute": 9, "images_per_minute": 8, "in_flight": 50}, {"images": 2}, 4),
    ],
    ids=["requests", "images", "dollars", "the tightest"],
)
async def test_rings_together_keep_every_limit(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing], rules: dict[str, Any], asked: dict[str, int], fits: int
) -> None:
    """Forty requests at once through two rings: exactly as many are let in as fit."""
    key = await made(keys, **rules)
    got = await asyncio.gather(*(tried(rings[each % 2], key, **asked) for each in range(40)))
    assert sum(got) == fits


async def test_rings_together_keep_requests_in_flight(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing]
) -> None:
    """At no moment more requests are inside than the limit, and each that ends makes room for another."""
    key, inside, most = await made(keys, in_flight=3), 0, 0
    reasons: set[tuple[str, str | None, float]] = set()

    async def one(ring: KeyRing) -> int:
        nonlocal inside, most
        try:
            async with ring.admit(key):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.01)
                inside -= 1
                return 1
        except KeyLimited as refused:
            reasons.add((refused.field, refused.limit, refused.retry_after))
            return 0

    got = await asyncio.gather(*(one(rings[each % 2]) for each in range(30)))
    assert most == 3
    assert reasons <= {("in_flight", "3", 1.0)}
    assert sum(got) >= 3
    await drained(rings)
    assert (await use(keys, key))["in flight"] == 0
    assert await one(rings[0]) == 1


async def test_processes_together_keep_the_limit(address: str) -> None:
    """Two processes with thirty requests each are let in as often as the limit says, together."""
    async with await Database.open(address) as database:
        key = await made(RouterKeys(database), requests_per_minute=11, in_flight=60)
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
            loop = asyncio.get_running_loop()
            got = await asyncio.gather(
                *(loop.run_in_executor(processes, key_users.rush, address, key.id, 30) for _ in range(2))
            )
    assert sum(got) == 11


async def test_what_a_killed_process_held_is_free_after_its_lease(address: str, tmp_path: Path) -> None:
    """kill -9 leaves a request in flight that counts until its lease ends, and then no more."""
    ready = tmp_path / "ready"
    async with await Database.open(address) as database, KeyRing(database) as ring:
        keys = RouterKeys(database)
        key = await made(keys, in_flight=1, dollars=FIVE_AN_HOUR)
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=key_users.hang_inside, args=(address, key.id, str(ready), 3.0))
        process.start()
        await asyncio.to_thread(key_users.wait_for, ready)
        assert not await tried(ring, key, ceiling=1)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        assert (await use(keys, key))["in flight"] == 1
        for _ in range(600):
            if await tried(ring, key, ceiling=1):
                break
            await asyncio.sleep(0.1)
        await ring.drain()
        assert (await use(keys, key)) == {"dollars": 2, "in flight": 0}


async def test_leases_of_the_living_are_renewed(address: str) -> None:
    """A request that lasts longer than the lease keeps its place as long as its process lives."""
    async with await Database.open(address) as database, KeyRing(database, lease=1.5) as ring:
        key = await made(RouterKeys(database), in_flight=1)
        async with ring.admit(key):
            await asyncio.sleep(2.5)
            assert not await tried(ring, key)
        assert await tried(ring, key)


async def test_a_renewal_that_fails_is_tried_again(
    keys: RouterKeys, address: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """When the database cannot be written for a moment, the next renewal keeps the place; the log tells."""
    key, renewed = await made(keys, in_flight=1), asyncio.Event()
    async with await Database.open(address, clock=clock) as database:

        class Stumbling:
            """Refuses the first renewal."""

            write_together = database.write_together
            stumbles = 1

            async def write(self, job: Any) -> None:
                if self.stumbles:
                    self.stumbles -= 1
                    raise StorageError("the database is locked")
                clock.passes(0.2)
                await database.write(job)
                renewed.set()

        async with KeyRing(Stumbling(), lease=0.3) as ring, ring.admit(key):  # type: ignore[arg-type]
            await renewed.wait()
            assert (await use(keys, key))["in flight"] == 1
    assert "were not renewed, trying again: the database is locked" in caplog.text


async def test_a_restart_of_the_machine_ends_all_leases(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing], clock: Clock
) -> None:
    """Requests of before a boot are not in flight any more, whatever the clock shows."""
    key = await made(keys, in_flight=1)
    async with rings[0].admit(key):
        assert not await tried(rings[1], key)
        clock.now = replace(clock.now, lease=0, epoch="second boot")
        assert await tried(rings[1], key)


async def test_a_minute_later_there_is_room(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing], clock: Clock
) -> None:
    """The refusal says when to come back; at that moment the request is let in."""
    key = await made(keys, requests_per_minute=1)
    assert await tried(rings[0], key)
    with pytest.raises(
        KeyLimited, match=r"allows 1 requests per minute, and 1 more do not fit now"
    ) as refused:
        async with rings[1].admit(key):
            pytest.fail("it was let in")
    assert (refused.value.field, refused.value.limit) == ("requests_per_minute", "1 per minute")
    assert 60 <= refused.value.retry_after <= 62
    clock.passes(refused.value.retry_after + 0.001)
    assert await tried(rings[1], key)


@pytest.mark.parametrize(
    ("rules", "asked", "said"),
    [
        ({"images_per_minute": 4}, {"images": 5}, "4 images per minute and this request alone may take 5"),
        (
            {"dollars": FIVE_AN_HOUR},
            {"ceiling": 6 * USD},
            r"\$5.00 per hour and this request alone may take \$6",
        ),
    ],
)
async def test_what_never_fits_is_forbidden(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing], rules: dict[str, Any], asked: dict[str, int], said: str
) -> None:
    """A request that alone is above a limit is told so: waiting would not help. Nothing is counted."""
    key = await made(keys, in_flight=1, **rules)
    with pytest.raises(KeyForbids, match=said):
        async with rings[0].admit(key, **asked):
            pytest.fail("it was let in")
    assert set((await use(keys, key)).values()) == {0}


async def test_dollars_count_at_the_ceiling_and_then_at_the_cost(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing]
) -> None:
    """While a request runs its ceiling counts; from its end on what it cost, be it more than the ceiling."""
    key = await made(keys, dollars=FIVE_AN_HOUR)
    async with rings[0].admit(key, ceiling=4 * USD) as admission:
        assert (await use(keys, key))["dollars"] == 4 * USD
        assert not await tried(rings[1], key, ceiling=2 * USD)
        admission.settle(USD)
    await drained(rings)
    assert (await use(keys, key))["dollars"] == USD
    async with rings[1].admit(key, ceiling=4 * USD) as admission:
        admission.settle(4 * USD + 1)
    await drained(rings)
    assert (await use(keys, key))["dollars"] == 5 * USD + 1
    assert not await tried(rings[0], key, ceiling=1)
    assert await tried(rings[0], key, ceiling=0)


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (InvalidRequest("odd"), 0),
        (BudgetExceeded("empty"), 0),
        (ProviderUnavailable("down"), 0),
        (AssetError("disk full"), 3),
        (ValueError("bug"), 3),
        (asyncio.CancelledError(), 3),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_what_a_failure_cost_is_taken_from_its_error(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing], error: BaseException, counts: int
) -> None:
    """Errors that say that nothing was spent free the ceiling; where nobody can know, it stands."""
    key = await made(keys, dollars=FIVE_AN_HOUR, in_flight=1)
    with pytest.raises(type(error)):
        async with rings[0].admit(key, ceiling=3):
            raise error
    await drained(rings)
    assert (await use(keys, key)) == {"dollars": counts, "in flight": 0}


async def test_what_was_settled_stands_against_the_error(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing]
) -> None:
    """Where the caller said what it cost, the error that followed changes nothing."""
    key = await made(keys, dollars=FIVE_AN_HOUR)
    with suppress(InvalidRequest):
        async with rings[0].admit(key, ceiling=3) as admission:
            admission.settle(2)
            raise InvalidRequest("odd")
    await drained(rings)
    assert (await use(keys, key))["dollars"] == 2


async def test_a_caller_who_leaves_at_the_door_holds_no_place(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing]
) -> None:
    """A request cancelled before it heard that it was let in gives everything back that can be."""
    key = await made(keys, in_flight=1, dollars=FIVE_AN_HOUR)

    async def enter() -> None:
        async with rings[0].admit(key, ceiling=3):
            pytest.fail("it was let in")

    entering = asyncio.create_task(enter())
    await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    await drained(rings)
    assert (await use(keys, key)) == {"dollars": 0, "in flight": 0}


async def test_the_next_request_may_overtake_the_end_of_the_last(
    keys: RouterKeys, rings: tuple[KeyRing, KeyRing]
) -> None:
    """A client that may have one request in flight and sends one after the other is not refused."""
    key = await made(keys, in_flight=1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(rings[0].admit(key))
        following = asyncio.create_task(tried(rings[1], key))
        await asyncio.sleep(0.05)
    assert await following


async def test_an_end_that_cannot_be_written_costs_no_answer(
    keys: RouterKeys, address: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """When the database goes away while a request runs, its answer is kept and the log tells."""
    key = await made(keys, in_flight=1)
    database = await Database.open(address, clock=clock)
    ring = KeyRing(database)
    async with ring.admit(key) as admission:
        await database.close()
        admission.settle(1)
    await ring.drain()
    assert "was not counted for its router key" in caplog.text
    with pytest.raises(StorageError):
        async with ring.admit(key):
            pytest.fail("it was let in")
    await ring.close()
    clock.passes(91)
    assert (await use(keys, key))["in flight"] == 0
