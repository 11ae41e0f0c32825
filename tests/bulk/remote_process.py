"""A process that takes a run's batch chunk through all its steps, and kills itself at one of them.

python remote_process.py HOME URL RUN POINT TIMES
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from image_router.bulk import remote_collecting, remote_opening
from image_router.bulk.parts import opened
from image_router.bulk.remote_chunks import run_remote_chunk
from image_router.bulk.remote_lane import RemoteLane
from image_router.config import Secret, Settings
from image_router.core.runs import RunState
from image_router.providers.batches import BatchApi
from image_router.runs import bulk_of
from image_router.storage.assets import Assets


def mined(owner: Any, name: str, *, times: int, after: bool) -> None:
    """Die at the call of a function with this name: before it, or when it is done."""
    plain: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def dies() -> bool:
        nonlocal calls
        calls += 1
        return calls == times

    async def waits(*args: Any, **kwargs: Any) -> Any:
        last = dies()
        if last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = await plain(*args, **kwargs)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(owner, name, waits)


POINTS: dict[str, tuple[Any, str, bool]] = {
    "intended": (remote_opening, "upload_input", False),
    "uploaded": (remote_opening, "upload_input", True),
    "paid": (BatchApi, "create", False),
    "created": (BatchApi, "create", True),
    "looked": (BatchApi, "get", True),
    "landed": (Assets, "land", True),
    "settled": (Assets, "done", False),
    "collected": (remote_collecting, "_tidied", False),
}


async def main(home: str, url: str, run_id: str, point: str, times: int) -> None:
    if point in POINTS:
        owner, name, after = POINTS[point]
        mined(owner, name, times=times, after=after)
    settings = Settings(home=Path(home), base_url=url, api_key=Secret("bulk-key"), scope="acme")
    async with opened(bulk_of(settings, sinks=())) as bulk:
        limits = bulk.lane.parts.limits
        polling = replace(limits.polling, first=0, longest=0)
        lane = RemoteLane(replace(bulk.lane.parts, limits=replace(limits, polling=polling, adopt_wait=0)))
        while (await bulk.runs.get(run_id)).state is RunState.RUNNING:
            await run_remote_chunk(lane, bulk.bench, run_id=run_id, number=1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], int(sys.argv[5])))
