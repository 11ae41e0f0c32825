"""Our own API, `/router/v1`: all its operations."""

from __future__ import annotations

from typing import Final

from image_router.gateway import (
    router_assets,
    router_books,
    router_chains,
    router_images,
    router_keys,
    router_reading,
)
from image_router.gateway.app import Entry

ENTRIES: Final[tuple[Entry, ...]] = (
    *router_images.ENTRIES,
    *router_reading.ENTRIES,
    *router_chains.ENTRIES,
    *router_assets.ENTRIES,
    *router_books.ENTRIES,
    *router_keys.ENTRIES,
)
