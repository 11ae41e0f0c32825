"""Everything one running emulator holds."""

from __future__ import annotations

import asyncio

from starlette.types import Scope

from gemini_emulator.batches import Batches
from gemini_emulator.bill import Account
from gemini_emulator.clock import Clock
from gemini_emulator.faults import Faults
from gemini_emulator.files import FileStore
from gemini_emulator.ids import Ids
from gemini_emulator.journal import Journal
from gemini_emulator.limits import Limits
from gemini_emulator.settings import Settings
from gemini_emulator.studio import Studio
from gemini_emulator.world import world

Address = tuple[str, int]


class State:
    """Built once per emulator; the routes receive it, nothing is global."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.world = world()
        self.clock = Clock(settings.as_of)
        self.ids = Ids(settings.seed)
        self.faults = Faults(settings.seed)
        self.account = Account(self.world, settings.free_searches)
        self.limits = Limits(settings.usage_tier)
        self.studio = Studio(settings.pictures)
        self.journal = Journal(settings.log_size)
        self.files = FileStore(self.clock, self.ids)
        self.batches = Batches(self.clock, polls=settings.batch_polls, seconds=settings.batch_seconds)
        self.stopping = asyncio.Event()
        self.transports: dict[Address, asyncio.Transport] = {}

    def drop(self, scope: Scope, *, flush: bool = False) -> None:
        """Close the connection under a request, sending what is buffered or not."""
        transport = self.transports.get(tuple(scope["client"])) if scope.get("client") else None
        if transport is None:
            return  # the caller hung up first
        if flush:
            transport.close()
        else:
            transport.abort()

    async def reset(self) -> None:
        """Forget bill, limits counted, faults, jobs, files, takes and requests; the clock runs on."""
        await self.batches.reset()
        self.account.reset()
        self.limits.reset()
        self.faults.clear()
        self.files.reset()
        self.studio.reset()
        self.journal.clear()

    async def close(self) -> None:
        """Stop what is running and remove what is on disk."""
        self.stopping.set()
        await self.batches.reset()
        self.files.close()
