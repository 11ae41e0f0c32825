"""What becomes of paid pictures: a router of real parts over a scripted provider, on both databases."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image_router import wiring
from image_router.aio import ImageRouter
from image_router.books import open_books
from image_router.config import Secret, Settings
from image_router.core.errors import AssetError, IdempotencyConflict, InvalidRequest, KeyBusy
from image_router.core.storing import StoreMode
from image_router.storage.assets import Assets
from image_router.storage.objects import Folder
from image_router.testing import Script, ScriptedProvider

Open = Callable[..., tuple[ImageRouter, ScriptedProvider]]


@pytest.fixture
def settings(address: str, tmp_path: Path) -> Settings:
    url = Secret(address) if address.startswith("postgresql") else None
    return Settings(home=tmp_path / "home", database=url)


@pytest.fixture
def opened(settings: Settings) -> Open:
    """A router and its provider; each call is another process, as far as memory goes."""

    def call(script: Script | None = None, **fields: Any) -> tuple[ImageRouter, ScriptedProvider]:
        provider = ScriptedProvider(script)
        return ImageRouter(replace(settings, **fields), via=provider), provider

    return call


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """No store takes anything any more."""

    async def refuse(self: Folder, name: str, data: bytes, *, replace: bool = False) -> bool:
        raise AssetError(f"{name} could not be stored: {OSError(errno.ENOSPC, 'No space left on device')}")

    monkeypatch.setattr(Folder, "put", refuse)


async def test_a_picture_is_stored_with_its_settlement(opened: Open, settings: Settings) -> None:
    """Bytes, row and cost are there after one request; no note is left, and the thumbnail is made."""
    router, _ = opened()
    async with router:
        made = (await router.generate("a fox", n=2)).images
    async with open_books(settings) as books:
        kept = await books.assets.list()
        assert sorted(asset.index for asset in kept) == [0, 1]
        assert {await books.assets.read(asset) for asset in kept} == {image.data for image in made}
        assert sum(asset.cost for asset in kept) == sum(image.cost.total for image in made)
        assert all(asset.thumbnail for asset in kept)
        assert [found async for found in books.assets.stranded(older=0)] == []
        assert (await books.ledger.verify()).sound


async def test_a_full_disk_loses_no_picture(
    opened: Open, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture is returned and settled; that it could not be stored is a warning beside it."""
    full(monkeypatch)
    router, provider = opened()
    async with router:
        result = await router.generate("a fox")
    assert (len(result.images), len(provider.calls)) == (1, 1)
    assert "not stored" in result.image.warnings[-1]
    assert "No space left on device" in result.image.warnings[-1]
    async with open_books(settings) as books:
        assert await books.assets.list() == []
        assert await books.unknowns() == []
        assert sum(line.spent for line in await books.statement([])) == result.cost


@pytest.mark.parametrize(("mode", "rows"), [(StoreMode.METADATA, 1), (StoreMode.NONE, 0)])
async def test_what_a_scope_does_not_keep(
    opened: Open, settings: Settings, mode: StoreMode, rows: int
) -> None:
    """With store = metadata a row without bytes stays, with none nothing; the caller gets the picture."""
    router, _ = opened(store=mode)
    async with router:
        assert (await router.generate("a fox")).image.data
    async with open_books(settings) as books:
        assert len(await books.assets.list()) == rows
    assert not list(wiring.store_of(settings).glob("blobs/*/*"))  # type: ignore[union-attr]


async def test_a_picture_of_a_dead_process_is_taken_in(
    opened: Open, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that landed before a process died become an asset, settled, when another opens the shelf."""
    router, _ = opened()
    with monkeypatch.context() as death:
        death.setattr("image_router.engine.shelving.insert_asset", lambda tx, landed: None)
        death.setattr("image_router.storage.assets.Assets.done", _nothing)
        async with router:
            first = await router.generate("a fox")
    async with open_books(settings) as books:
        assert await books.assets.list() == []
    monkeypatch.setitem(Assets.stranded.__kwdefaults__ or {}, "older", 0.0)
    router, _ = opened()
    async with router:
        await router.generate("a bear")
    async with open_books(settings) as books:
        kept = {asset.digest for asset in await books.assets.list()}
        assert first.image.digest in kept
        assert (await books.ledger.verify()).sound


async def _nothing(self: object, landed: object) -> None:
    return None


async def test_two_routers_with_one_key_pay_once(opened: Open, settings: Settings) -> None:
    """The second waits for the first and gets its bytes; one call is made, and the ledger is sound."""
    (one, first), (other, second) = opened(), opened()
    async with one, other:
        results = await asyncio.gather(*(each.generate("a fox", key="k") for each in (one, other)))
    assert len(first.calls) + len(second.calls) == 1
    assert results[0].image.data == results[1].image.data
    assert sorted(result.image.cached for result in results) == [False, True]
    assert min(result.cost for result in results) == 0
    async with open_books(settings) as books:
        assert (await books.ledger.verify()).sound


async def test_a_key_names_one_request(opened: Open) -> None:
    """Another request under a used key is a conflict, and nothing is sent for it."""
    router, provider = opened()
    async with router:
        await router.generate("a fox", key="k")
        with pytest.raises(IdempotencyConflict, match="named another request"):
            await router.generate("a bear", key="k")
    assert len(provider.calls) == 1


async def test_a_busy_key_is_said(opened: Open) -> None:
    """Whoever will not wait for a running key is told who is at it."""
    router, provider = opened(wait_for_key=0.0)
    async with router:
        both = await asyncio.gather(
            *(router.generate("a fox", key="k") for _ in range(2)), return_exceptions=True
        )
    assert len(provider.calls) == 1
    (busy,) = [each for each in both if isinstance(each, Exception)]
    assert isinstance(busy, KeyBusy)
    assert "wait_for_key" in str(busy)


@pytest.mark.parametrize("mode", [StoreMode.METADATA, StoreMode.NONE])
async def test_a_finished_key_without_bytes_is_not_paid_again(opened: Open, mode: StoreMode) -> None:
    """Where nothing is kept to hand out, a finished key is an AssetError and not a second payment."""
    router, provider = opened(store=mode)
    async with router:
        await router.generate("a fox", key="k")
        with pytest.raises(AssetError, match="use a new key"):
            await router.generate("a fox", key="k")
    assert len(provider.calls) == 1


async def test_a_full_disk_under_a_key(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture that could not be stored is handed out once; its key does not pay again."""
    router, provider = opened()
    async with router:
        with monkeypatch.context() as disk:
            full(disk)
            assert "not stored" in (await router.generate("a fox", key="k")).image.warnings[-1]
        with pytest.raises(AssetError):
            await router.generate("a fox", key="k")
    assert len(provider.calls) == 1


async def test_a_chain_with_a_key_is_paid_once(opened: Open) -> None:
    """Each picture of a chain has a key of its own: the chain again costs nothing and is the same."""
    router, provider = opened()
    async with router:
        first = await router.chain("Mira", ["on a bike", "at the sea"], key="k")
        again = await router.chain("Mira", ["on a bike", "at the sea"], key="k")
    assert len(provider.calls) == 3
    assert again.cost == 0
    assert [image.data for image in again.images] == [image.data for image in first.images]


@pytest.mark.parametrize(
    ("asked", "calls"),
    [
        ({}, 2),
        ({"cache": "use"}, 1),
        ({"cache": "refresh"}, 2),
        ({"seed": 7, "tier": "nano_banana_pro"}, 1),
        ({"seed": 7, "tier": "nano_banana_pro", "cache": "bypass"}, 2),
    ],
)
async def test_what_the_cache_is_used_for(opened: Open, asked: dict[str, Any], calls: int) -> None:
    """Only who asks for the cache, or for a seed, gets the same picture twice."""
    router, provider = opened()
    async with router:
        first = await router.generate("a fox", **asked)
        second = await router.generate("a fox", **asked)
    assert len(provider.calls) == calls
    assert second.image.cached == (calls == 1)
    assert (second.cost == 0) == (calls == 1)
    assert first.image.data


async def test_an_unknown_way_to_use_the_cache(opened: Open) -> None:
    """A misspelt mode is refused before anything is spent."""
    router, provider = opened()
    async with router:
        with pytest.raises(InvalidRequest, match="use, refresh, bypass"):
            await router.generate("a fox", cache="always")
    assert provider.calls == []
