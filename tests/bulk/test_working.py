"""Workers in this process: chunks are taken, made, drained and fed again."""

from __future__ import annotations

import asyncio

from bulk.made_rows import accounted, over, rows_of, started
from gemini_emulator import Emulator
from image_router.bulk.parts import Bulk
from image_router.bulk.working import working
from image_router.core.runs import RunState


async def test_a_worker_makes_what_waits_and_ends_clean(bulk: Bulk, emulator: Emulator) -> None:
    run = await started(bulk, rows_of(bulk, subjects=24, variants=1))
    async with working(bulk):
        run = await over(bulk, run)
    assert run.state is RunState.DONE
    await accounted(bulk, emulator, run)
    # the loop is as usable as before
    assert await asyncio.to_thread(lambda: 1) == 1
