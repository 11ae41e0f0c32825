"""A database that is opened when somebody first needs it, once for all who share it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from image_router.storage.database import Database


class LazyDatabase:
    """Whoever made it closes it, after its users are done. One event loop."""

    def __init__(self, address: str | Path) -> None:
        self._address = address
        self._opening = asyncio.Lock()
        self._database: Database | None = None

    async def opened(self) -> Database:
        """Raises StorageError and ConfigError, as Database.open does."""
        async with self._opening:
            if self._database is None:
                self._database = await Database.open(self._address)
            return self._database

    async def aclose(self) -> None:
        """Let go of it; it may be opened again."""
        async with self._opening:
            if self._database is not None:
                await self._database.close()
                self._database = None
