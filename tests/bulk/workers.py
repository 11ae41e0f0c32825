"""Workers in processes of their own, as tests start them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gemini_emulator import Emulator
from image_router.config import Settings

_PROGRAM = Path(__file__).with_name("worker_process.py")


@contextmanager
def worker(settings: Settings, *mine: str, ahead: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A worker whose clock is so many seconds ahead, killed at the end if it still lives."""
    known = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "AHEAD": str(ahead)}
    database = settings.database.reveal() if settings.database else ""
    command = [sys.executable, str(_PROGRAM), str(settings.home), str(settings.base_url), database, *mine]
    process = subprocess.Popen(command, env=known, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def requests(emulator: Emulator, count: int) -> None:
    """Wait until so many came."""
    async with asyncio.timeout(60):
        while len(emulator.requests()) < count:  # noqa: ASYNC110 (they come from other processes)
            await asyncio.sleep(0.02)
