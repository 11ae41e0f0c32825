"""Router keys as a process checks them: cheap, and never older than the bound."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import key_users
from image_router.core.budget import SECOND
from image_router.core.errors import KeyInvalid, StorageError
from image_router.core.key_secret import new_secret
from image_router.core.router_keys import KeyRules
from image_router.core.running import Now
from image_router.storage.database import Database
from image_router.storage.key_ring import BOUND, FRESH, KeyRing
from image_router.storage.router_keys import RouterKeys

RULES = KeyRules(name="ci", scope="acme/ci")


@dataclass
class Clock:
    """Moves when it is told to."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Watched:
    """A database that counts what it is asked, and can be broken or slow."""

    database: Database
    reads: int = 0
    broken: bool = False
    gate: asyncio.Event | None = None
    """Answers are held back until it opens."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """The database has answered while the gate was closed."""

    async def read(self, job: Any) -> Any:
        self.reads += 1
        if self.broken:
            raise StorageError("the database is gone")
        answer = await self.database.read(job)
        if self.gate is not None:
            self.answered.set()
            await self.gate.wait()
        return answer


@pytest.fixture
def keys(database: Database) -> RouterKeys:
    return RouterKeys(database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(database: Database) -> Watched:
    return Watched(database)


@pytest.fixture
async def ring(watched: Watched, clock: Clock) -> AsyncIterator[KeyRing]:
    """A ring on a watched database, with a clock of its own."""
    async with KeyRing(watched, clock=clock) as ring:  # type: ignore[arg-type]
        yield ring


async def refusal(ring: KeyRing, secret: str | None) -> KeyInvalid:
    with pytest.raises(KeyInvalid) as refused:
        await ring.check(secret)
    return refused.value


async def test_known_keys_are_answered_from_memory(keys: RouterKeys, ring: KeyRing, watched: Watched) -> None:
    """After the first check no query is made for a key while what is known is fresh."""
    new = await keys.create(RULES, who="ann")
    assert await ring.check(new.secret.text) == new.key
    reads = watched.reads
    for _ in range(1_000):
        assert await ring.check(new.secret.text) == new.key
    assert watched.reads == reads


@pytest.mark.parametrize("sent", [None, "", "sk-other", "ir_short", "ir_" + "é" * 60, "x" * 100_000])
async def test_malformed_secrets_ask_nobody(ring: KeyRing, watched: Watched, sent: str | None) -> None:
    """What is no key is refused by its form: the database is not asked for it."""
    await ring.refresh()
    reads = watched.reads
    assert (await refusal(ring, sent)).field == "secret"
    assert watched.reads == reads


async def test_strangers_are_remembered_too(keys: RouterKeys, ring: KeyRing, watched: Watched) -> None:
    """An unknown key is looked up once, and again after any key was changed."""
    stranger = new_secret("aaaaaaaa", b"x" * 32).text
    await refusal(ring, stranger)
    reads = watched.reads
    assert "is unknown here" in str(await refusal(ring, stranger))
    assert watched.reads == reads
    await keys.create(RULES, who="ann")
    await ring.refresh()
    await refusal(ring, stranger)
    assert watched.reads == reads + 2


async def test_a_guessed_secret_of_a_known_key_is_refused(keys: RouterKeys, ring: KeyRing) -> None:
    """Knowing an id is worth nothing, before and after the key is in memory."""
    new = await keys.create(RULES, who="ann")
    guess = new_secret(new.key.id, b"x" * 32).text
    await refusal(ring, guess)
    await ring.check(new.secret.text)
    assert (await refusal(ring, guess)).key_id is None


async def test_a_new_key_works_at_once(keys: RouterKeys, ring: KeyRing) -> None:
    """A key made after the ring has looked needs no waiting."""
    await ring.refresh()
    new = await keys.create(RULES, who="ann")
    assert await ring.check(new.secret.text) == new.key


async def test_revocation_elsewhere_counts_within_the_bound(address: str) -> None:
    """A key revoked through one database is refused by a ring on another as soon as the bound has passed."""
    clock = Clock()
    async with await Database.open(address) as here, await Database.open(address) as there:
        new = await RouterKeys(there).create(RULES, who="ann")
        async with KeyRing(here, clock=clock) as ring:
            await ring.check(new.secret.text)
            await RouterKeys(there).revoke(new.key.id, who="ann")
            clock.now += BOUND + 0.001
            assert (await refusal(ring, new.secret.text)).field == "revoked"


async def test_rotation_and_rules_elsewhere_count_within_the_bound(address: str) -> None:
    """A rotated secret and changed rules are known to other rings as soon as the bound has passed."""
    clock = Clock()
    async with await Database.open(address) as here, await Database.open(address) as there:
        keys = RouterKeys(there)
        new = await keys.create(RULES, who="ann")
        async with KeyRing(here, clock=clock) as ring:
            await ring.check(new.secret.text)
            await keys.set(new.key.id, who="ann", in_flight=3)
            clock.now += BOUND + 0.001
            assert (await ring.check(new.secret.text)).rules.in_flight == 3
            again = await keys.rotate(new.key.id, who="ann")
            clock.now += BOUND + 0.001
            assert (await refusal(ring, new.secret.text)).field == "rotated"
            assert (await ring.check(again.secret.text)).id == new.key.id


async def test_changes_are_asked_for_beside_the_requests(
    keys: RouterKeys, ring: KeyRing, watched: Watched, clock: Clock
) -> None:
    """Between fresh and the bound a request is answered at once, though the database does not answer."""
    new = await keys.create(RULES, who="ann")
    await ring.check(new.secret.text)
    watched.gate = asyncio.Event()
    clock.now += FRESH + 0.001
    reads = watched.reads
    for _ in range(10):
        assert await ring.check(new.secret.text) == new.key
        await asyncio.sleep(0)
    assert watched.reads == reads + 1
    watched.gate.set()


async def test_a_request_waits_for_an_answer_young_enough(
    keys: RouterKeys, ring: KeyRing, watched: Watched, clock: Clock
) -> None:
    """A question under way that began too early for a request does not answer it: the next one does."""
    new = await keys.create(RULES, who="ann")
    await ring.check(new.secret.text)
    watched.gate = asyncio.Event()
    clock.now += FRESH + 0.001
    await ring.check(new.secret.text)
    await watched.answered.wait()
    await keys.revoke(new.key.id, who="ann")
    clock.now += 2 * BOUND
    late = asyncio.create_task(ring.check(new.secret.text))
    await asyncio.sleep(0)
    watched.gate.set()
    with pytest.raises(KeyInvalid, match="was revoked"):
        await late


async def test_a_lookup_that_was_overtaken_is_not_kept(
    keys: RouterKeys, ring: KeyRing, watched: Watched
) -> None:
    """What a slow lookup read before a revocation that the ring has heard of is read again."""
    new = await keys.create(RULES, who="ann")
    await ring.refresh()
    watched.gate = asyncio.Event()
    slow = asyncio.create_task(ring.check(new.secret.text))
    await watched.answered.wait()
    await keys.revoke(new.key.id, who="ann")
    gate, watched.gate = watched.gate, None
    await ring.refresh()
    gate.set()
    with pytest.raises(KeyInvalid, match="was revoked"):
        await slow


async def test_nobody_is_let_in_on_old_news(
    keys: RouterKeys, ring: KeyRing, watched: Watched, clock: Clock
) -> None:
    """While the database is gone known keys work up to the bound and no longer; after it is back they do."""
    new = await keys.create(RULES, who="ann")
    await ring.check(new.secret.text)
    watched.broken = True
    clock.now += BOUND
    assert await ring.check(new.secret.text) == new.key
    clock.now += 0.001
    with pytest.raises(StorageError, match="gone"):
        await ring.check(new.secret.text)
    watched.broken = False
    assert await ring.check(new.secret.text) == new.key


async def test_a_caller_who_leaves_does_not_stop_the_question(
    keys: RouterKeys, ring: KeyRing, watched: Watched
) -> None:
    """A request that is cancelled while it waits for news takes nobody else's answer away."""
    new = await keys.create(RULES, who="ann")
    watched.gate = asyncio.Event()
    one, other = (asyncio.create_task(ring.check(new.secret.text)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    watched.gate.set()
    assert await other == new.key
    assert one.cancelled()


async def test_expiry_follows_the_databases_clock(address: str) -> None:
    """A key in memory expires by the database's clock, carried on by the process's own between looks."""
    start = Now(wall=1_800_000_000 * SECOND, lease=0, epoch="boot")
    clock = Clock()
    async with await Database.open(address, clock=lambda: start) as database:
        new = await RouterKeys(database).create(
            replace(RULES, expires=start.wall + int(0.2 * SECOND)), who="ann"
        )
        async with KeyRing(database, clock=clock) as ring:
            await ring.check(new.secret.text)
            clock.now += 0.199
            await ring.check(new.secret.text)
            clock.now += 0.002
            assert (await refusal(ring, new.secret.text)).field == "expires"


async def test_memory_is_bounded(keys: RouterKeys, ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys and strangers come, no more than so many are kept, and all are answered right."""
    monkeypatch.setattr("image_router.storage.key_ring._MOST_KNOWN", 2)
    monkeypatch.setattr("image_router.storage.key_ring._MOST_STRANGERS", 2)
    made = [await keys.create(RULES, who="ann") for _ in range(5)]
    for new in made * 2:
        assert await ring.check(new.secret.text) == new.key
        await refusal(ring, new_secret("aaaaaaa" + "abcde"[made.index(new)], b"x" * 32).text)
    assert len(ring._known) <= 2
    assert len(ring._strangers) <= 2


async def test_another_process_notices_a_revocation(address: str, tmp_path: Path) -> None:
    """A process that checks a key without pause stops soon after another one revoked it."""
    async with await Database.open(address) as database:
        keys = RouterKeys(database)
        new = await keys.create(RULES, who="ann")
        ready = tmp_path / "ready"
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
            loop = asyncio.get_running_loop()
            using = loop.run_in_executor(
                processes, key_users.use_until_refused, address, new.secret.text, str(ready)
            )
            await asyncio.to_thread(key_users.wait_for, ready)
            await keys.revoke(new.key.id, who="ann")
            opened, field = await using
        assert opened > 0
        assert field == "revoked"
