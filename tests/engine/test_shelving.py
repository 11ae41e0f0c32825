"""What becomes of paid pictures: a router of real parts over a scripted provider, on both databases."""

from __future__ import annotations

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
from image_router.core.errors import AssetError
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
