"""Processes that die at every step of a batch job: nothing is paid twice, nothing that was paid is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bulk.made_rows import accounted
from bulk.remote import begun, lane_of, plain, rows_now, states_now
from gemini_emulator import Emulator
from image_router.bulk.parts import opened
from image_router.config import Settings
from image_router.core.runs import RowState
from image_router.engine.shelving import settle
from image_router.runs import bulk_of

PROGRAM = Path(__file__).with_name("remote_process.py")


async def process(settings: Settings, run_id: str, point: str = "none", times: int = 1) -> int:
    """Run the program to its end; its exit status."""
    known = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    mine = (str(settings.home), str(settings.base_url), run_id, point, str(times))
    running = await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), *mine, env=known)
    try:
        async with asyncio.timeout(90):
            return await running.wait()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


@pytest.mark.parametrize(
    ("point", "times"),
    [
        pytest.param("intended", 1, marks=pytest.mark.long),
        pytest.param("uploaded", 1, marks=pytest.mark.long),
        ("paid", 1),
        ("created", 1),
        pytest.param("looked", 2, marks=pytest.mark.long),
        ("landed", 3),
        ("settled", 3),
        pytest.param("collected", 1, marks=pytest.mark.long),
    ],
)
async def test_killed_at_any_step_another_goes_on_and_nothing_is_paid_twice(
    settings: Settings, emulator: Emulator, point: str, times: int
) -> None:
    async with opened(bulk_of(settings, sinks=())) as bulk:
        run = await begun(bulk, plain(bulk, 10))
        assert await process(settings, run.id, point, times) == -signal.SIGKILL
        assert await process(settings, run.id) == 0
        assert await states_now(bulk, run) == [RowState.DONE] * 10
        assert len(emulator.bill().entries) == 10
        assert len({row.asset for row in await rows_now(bulk, run)}) == 10
        assert len(await lane_of(bulk).parts.jobs.of_run(run.id)) == 1
        await accounted(bulk, emulator, run)
        async for left in bulk.bench.assets.stranded(older=0):
            await bulk.bench.assets.adopt(left, settle)
        await accounted(bulk, emulator, run)
