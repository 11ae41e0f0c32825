"""A worker in a process of its own, which may be told to die.

    python worker_process.py HOME URL DATABASE [POINT N [VERSION]]

It dies by SIGKILL the Nth time it gets to POINT, as by a power cut: nothing is written, nobody is told.
Its wall clock is AHEAD seconds ahead, its other clocks are right.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from image_router.bulk import working
from image_router.bulk.working import Terms
from image_router.cli.worker import work
from image_router.config import load_settings
from image_router.storage.assets import Assets
from image_router.storage.ledger import Ledger
from image_router.storage.runs import StoredRuns

TTL = float(os.environ.get("TTL", "5"))
AHEAD = int(os.environ.get("AHEAD", "0"))
POINTS: dict[str, tuple[Any, str]] = {
    "begun": (StoredRuns, "begin_chunk"),
    "held": (Ledger, "hold"),
    "noted": (Ledger, "sent"),
    "landed": (Assets, "land"),
    "settled": (Ledger, "settle"),
    "ended": (StoredRuns, "end_chunk"),
}
"""Point → what has just been done when the process dies."""


def mined(point: str, times: int) -> None:
    """Die the given time that the point is passed."""
    place, name = POINTS[point]
    passed, real = count(1), getattr(place, name)

    async def wrapped(*args: Any, **more: Any) -> Any:
        result = await real(*args, **more)
        if next(passed) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, name, wrapped)


def set_forward(seconds: int) -> None:
    """Set this process's wall clock forward, for whoever reads it through the module `time`."""
    wall, wall_ns = time.time, time.time_ns
    time.time = lambda: wall() + seconds
    time.time_ns = lambda: wall_ns() + seconds * 1_000_000_000


def main(home: str, url: str, database: str, *mine: str) -> None:
    """An empty DATABASE is the file in HOME."""
    if AHEAD:
        set_forward(AHEAD)
    if mine:
        mined(mine[0], int(mine[1]))
    if len(mine) > 2:
        working.WORKFLOWS = mine[2]  # type: ignore[misc]
    settings = load_settings(
        environ={},
        folder=Path(home),
        home=Path(home),
        scope="acme",
        api_key="bulk-key",
        base_url=url,
        database=database or None,
    )
    asyncio.run(work(settings, Terms(slots=2, ttl=TTL, drain=20.0)))


if __name__ == "__main__":
    main(*sys.argv[1:])
