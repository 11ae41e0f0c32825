"""The databases of tests/storage, for what the engine keeps in them, and an emulator that draws quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gemini_emulator import Emulator
from image_router.testing import emulated
from storage.conftest import address, on_postgresql, postgresql

__all__ = ["address", "on_postgresql", "postgresql", "server"]


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    """One for the module; each test resets it."""
    with emulated(pictures="flat") as emulator:
        yield emulator
