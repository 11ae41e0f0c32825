"""A database of each kind, an emulator over real HTTP, and bulk work between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gemini_emulator import Emulator, serve
from image_router.bulk.parts import Bulk, opened
from image_router.config import Secret, Settings
from image_router.runs import bulk_of
from storage.conftest import address, on_postgresql, postgresql

__all__ = ["address", "on_postgresql", "postgresql"]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with serve(latency=0.0, pictures="flat") as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, emulator: Emulator) -> Settings:
    return Settings(home=tmp_path / "home", base_url=emulator.url, api_key=Secret("bulk-key"), scope="acme")


@pytest.fixture
async def bulk(settings: Settings) -> AsyncIterator[Bulk]:
    async with opened(bulk_of(settings, sinks=())) as work:
        yield work
