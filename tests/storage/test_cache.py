"""What was paid for is free the second time, when all that shapes it is equal; likeness is only said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

import made
from image_router.core.budget import SECOND
from image_router.core.errors import InvalidRequest
from image_router.core.storing import CacheMode, StoreMode
from image_router.storage.asset_values import Made
from image_router.storage.assets import Assets
from image_router.storage.blobs import BLOBS, Blobs
from image_router.storage.cache import Cache
from image_router.storage.cache_rows import Bounds
from image_router.storage.database import Database, Transaction
from image_router.storage.keeping import Keeper
from image_router.storage.landing import insert_asset
from image_router.storage.memory import Memory, weight
from image_router.storage.objects import Folder, now_micros
from image_router.storage.storing_rules import StoringRule, StoringRules

SCOPE = "acme/studio"
KEY = "ab" * 32
NO_MEMORY = Bounds(memory_count=0)


@pytest.fixture
async def assets(database: Database, tmp_path: Path) -> AsyncIterator[Assets]:
    shelf = Assets(database, Blobs(Folder(tmp_path / "store")), rules=StoringRules(database))
    yield shelf
    await shelf.aclose()


@pytest.fixture
def cache(database: Database, assets: Assets) -> Cache:
    return Cache(database, assets, bounds=NO_MEMORY)


async def keep(cache: Cache, assets: Assets, one: Made, *, key: str = KEY) -> None:
    """What the engine does with a picture that came."""
    landed = await assets.land(replace(one, cache_key=key))

    def write(tx: Transaction) -> None:
        if landed is not None:
            insert_asset(tx, landed)
        cache.insert(tx, landed)

    await assets.db.write(write)
    await cache.remember(landed, one.image)


def one_picture(seed: int = 0, prompt: str = "a red fox in the snow", **more: object) -> Made:
    return made.made(prompt, seed=seed, request_id=f"req_{seed}", scope=SCOPE, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("bounds", [Bounds(), NO_MEMORY], ids=["memory", "database"])
async def test_a_hit_is_the_same_bytes_for_nothing_and_says_so(
    database: Database, assets: Assets, bounds: Bounds
) -> None:
    """From memory and from the database alike: cached, no cost, what was saved, when it was made."""
    cache = Cache(database, assets, bounds=bounds)
    one = one_picture()
    await keep(cache, assets, one)
    hit = await cache.get(SCOPE, KEY)
    assert hit is not None
    assert (hit.image.data, hit.image.conversation) == (one.image.data, one.image.conversation)
    assert (hit.image.cached, hit.image.cost.total, hit.saved) == (True, 0, made.PRICE)
    assert "made on 20" in hit.image.warnings[-1]
    assert "for $0.039, free now" in hit.image.warnings[-1]


async def test_another_process_has_the_hit(cache: Cache, database: Database, assets: Assets) -> None:
    """What one process paid for, the next has for nothing."""
    await keep(cache, assets, one_picture())
    assert await Cache(database, assets).get(SCOPE, KEY) is not None


@pytest.mark.parametrize(("scope", "key"), [(SCOPE, "cd" * 32), ("acme", KEY), (f"{SCOPE}/key", KEY)])
async def test_another_key_or_scope_is_a_miss(cache: Cache, assets: Assets, scope: str, key: str) -> None:
    """Nobody is served a picture that another scope paid for."""
    await keep(cache, assets, one_picture())
    assert await cache.get(scope, key) is None


@pytest.mark.parametrize("mode", [CacheMode.BYPASS, CacheMode.REFRESH])
async def test_one_request_can_do_without(cache: Cache, assets: Assets, mode: CacheMode) -> None:
    """Bypass and refresh pay anew."""
    await keep(cache, assets, one_picture())
    assert await cache.get(SCOPE, KEY, mode=mode) is None


async def test_a_newer_picture_takes_the_place_of_the_older(cache: Cache, assets: Assets) -> None:
    """After a refresh everyone has the new picture."""
    await keep(cache, assets, one_picture(1))
    await keep(cache, assets, one_picture(2))
    hit = await cache.get(SCOPE, KEY)
    assert hit is not None
    assert hit.image.data == made.png(2)
    assert (await cache.stats()).entries == 1


@pytest.mark.parametrize("what", ["clear", "forget", "refresh"])
async def test_what_another_process_changed_counts_at_once(
    database: Database, assets: Assets, what: str
) -> None:
    """A picture in memory is served only while the database still points to it."""
    cache, other = Cache(database, assets), Cache(database, assets)
    await keep(cache, assets, one_picture(1))
    assert await cache.get(SCOPE, KEY) is not None
    if what == "clear":
        await other.clear()
    elif what == "forget":
        await Keeper(assets).forget(SCOPE)
    else:
        await keep(other, assets, one_picture(2))
    hit = await cache.get(SCOPE, KEY)
    assert (hit.image.data if hit else None) == (made.png(2) if what == "refresh" else None)


@pytest.mark.parametrize("mode", [StoreMode.METADATA, StoreMode.NONE])
async def test_a_scope_that_stores_no_pictures_has_no_durable_cache(
    cache: Cache, database: Database, assets: Assets, mode: StoreMode
) -> None:
    """No bytes, nothing to hand out."""
    await assets.rules.set("acme", StoringRule(store=mode))
    await keep(cache, assets, one_picture())
    assert await Cache(database, assets).get(SCOPE, KEY) is None


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
async def test_a_lost_picture_is_a_miss_that_is_told(
    cache: Cache, assets: Assets, *, damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A cache does not stand in the way: the entry goes, the loss is counted and logged."""
    await keep(cache, assets, one_picture())
    digest = made.digest_of(made.png())
    file = tmp_path / "store" / BLOBS / digest[:2] / digest
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"x" * file.stat().st_size)
    assert await cache.get(SCOPE, KEY) is None
    stats = await cache.stats()
    assert (stats.broken, stats.misses, stats.entries) == (1, 1, 0)
    assert {"missing": "is missing", "corrupt": "is damaged"}[damage] in caplog.text


async def test_old_pictures_are_not_served(database: Database, assets: Assets) -> None:
    """Age counts from the day a picture was made, in memory as in the database."""
    later = now_micros() + 11 * SECOND
    for bounds in (Bounds(max_age=10), Bounds(max_age=10, memory_count=0)):
        cache = Cache(database, assets, bounds=bounds)
        await keep(cache, assets, one_picture())
        assert await cache.get(SCOPE, KEY) is not None
        cache._clock = lambda: later
        assert await cache.get(SCOPE, KEY) is None
        assert await cache.prune() == 1


@pytest.mark.parametrize("bounds", ["count", "bytes"])
async def test_the_longest_unused_go_first(cache: Cache, assets: Assets, bounds: str) -> None:
    """Beyond the bounds, what nobody asked for leaves."""
    for seed in range(4):
        await keep(cache, assets, one_picture(seed), key=f"{seed:064d}")
    assert await cache.get(SCOPE, f"{0:064d}") is not None
    size = (await cache.stats()).bytes // 4
    limits = {"count": Bounds(max_count=2), "bytes": Bounds(max_bytes=2 * size + size // 2)}
    cache._bounds = limits[bounds]
    assert await cache.prune() == 2
    left = [await cache.get(SCOPE, f"{seed:064d}") is not None for seed in range(4)]
    assert left == [True, False, False, True]


async def test_stats_count_hits_and_what_they_saved(cache: Cache, assets: Assets) -> None:
    """Hits and savings are of everyone, by scope; misses are of this process."""
    await keep(cache, assets, one_picture())
    for key in (KEY, KEY, KEY, "00" * 32):
        await cache.get(SCOPE, key)
    stats = await cache.stats("acme")
    assert (stats.entries, stats.hits, stats.saved, stats.misses) == (1, 3, 3 * made.PRICE, 1)
    assert stats.bytes == len(made.png())
    assert (await cache.stats("other")).hits == 0


async def test_clearing_a_scope_leaves_the_others_and_the_pictures(cache: Cache, assets: Assets) -> None:
    """Entries go, assets stay."""
    await keep(cache, assets, one_picture(1))
    await keep(cache, assets, made.made(scope="beta", request_id="req_2"))
    assert await cache.clear("acme") == 1
    assert (await cache.stats()).entries == 1
    assert len(await assets.list()) == 2
    assert await cache.clear() == 1


async def test_something_alike_is_suggested_with_day_and_price(cache: Cache, assets: Assets) -> None:
    """A hint, in words; the likest of all, and only in the same scope."""
    await keep(cache, assets, one_picture(1, "a red fox in deep snow"))
    await keep(cache, assets, one_picture(2, "a red fox in deep snow at dawn"), key="00" * 32)
    found = await cache.similar("A red fox, in deep snow, at dawn!", SCOPE)
    assert found is not None
    assert (found.asset.request_id, found.percent) == ("req_2", 100)
    assert str(found).startswith("you paid $0.039 for something like this on 20")
    assert await cache.similar("a red fox in deep snow", "acme") is None


@pytest.mark.parametrize("prompt", ["a white fox in deep snow", "two red foxes in deep snow", "a boat"])
async def test_something_else_is_not_suggested(cache: Cache, assets: Assets, prompt: str) -> None:
    """Another colour, count or subject is another picture."""
    await keep(cache, assets, one_picture(1, "a red fox in deep snow"))
    assert await cache.similar(prompt, SCOPE) is None


async def test_a_prompt_that_no_database_text_can_hold_is_kept(cache: Cache, assets: Assets) -> None:
    """PostgreSQL's text takes no NUL; a prompt may hold one all the same."""
    await keep(cache, assets, one_picture(1, 'a \0 fox "x\0"'))
    asset = (await assets.list())[0]
    assert asset.details is not None
    assert asset.details.prompt == 'a \0 fox "x\0"'
    assert await cache.similar('a \0 fox "x\0"', SCOPE) is not None


def test_bounds_below_zero_are_refused() -> None:
    """A bound is zero or more."""
    with pytest.raises(InvalidRequest, match="max_count is -1"):
        Bounds(max_count=-1)


def test_memory_keeps_its_bounds() -> None:
    """The longest unused leave; what is larger than all the room is not kept."""
    images = [one_picture(seed).image for seed in range(4)]
    room = Memory(2 * weight(images[0]) + 10, 10)

    class Kept:
        saved, made_at = 0, 5

        def __init__(self, place: int) -> None:
            self.image = images[place]

    for place in range(3):
        room.put(("s", str(place)), Kept(place))
        room.get(("s", "0"), 5)
    assert [room.get(("s", str(place)), 5) is not None for place in range(3)] == [True, False, True]
    assert room.bytes == sum(weight(images[place]) for place in (0, 2))
    assert room.get(("s", "0"), 6) is None
    small = Memory(10, 10)
    small.put(("s", "0"), Kept(0))
    assert (len(small), small.bytes) == (0, 0)
    room.clear()
    assert (len(room), room.bytes) == (0, 0)


def test_a_picture_in_its_own_conversation_weighs_once() -> None:
    """The last turn holds the very bytes of the picture."""
    image = one_picture().image
    assert weight(image) == len(image.data) + 50_000
