"""A cut network, a wrong clock, a full disk, too little money: every row is accounted for all the same."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulk.made_rows import accounted, over, rows_of, settled_up, started, until
from bulk.wire import wired
from bulk.workers import requests, worker
from gemini_emulator import Emulator, serve
from image_router.bulk import chunks
from image_router.bulk.executors import FENCED
from image_router.bulk.parts import Bulk, opened
from image_router.bulk.working import working
from image_router.config import Secret, Settings
from image_router.core.runs import Pause, RowState, RunState
from image_router.core.types import OnAmbiguous
from image_router.runs import bulk_of
from image_router.storage import objects
from image_router.storage.budgets import Budgets

HOUR = 3600


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with serve(latency=0.05, pictures="flat") as running:
        yield running


@pytest.mark.long
async def test_a_worker_cut_off_from_the_database_is_taken_over_and_ends(
    settings: Settings, emulator: Emulator, on_postgresql: str
) -> None:
    """Nothing tells it: its connections stay open, and what it wrote arrives when others did its work."""
    settings = replace(settings, database=Secret(on_postgresql))
    async with opened(bulk_of(settings, sinks=())) as bulk, wired(on_postgresql) as wire:
        planned = rows_of(bulk, subjects=60, variants=1)
        run = await started(bulk, planned, on_ambiguous=OnAmbiguous.ONCE)
        with worker(replace(settings, database=Secret(wire.url))) as apart:
            await requests(emulator, 10)
            wire.cut()
            with worker(settings):
                run = await over(bulk, run, within=120.0)
                wire.mend()
                assert await asyncio.to_thread(apart.wait, 60) == FENCED
        assert (await bulk.runs.progress(run.id)).states == {RowState.DONE: 120}
        await settled_up(bulk, emulator, run)


async def test_a_worker_an_hour_ahead_takes_nobody_for_dead(
    settings: Settings, emulator: Emulator, on_postgresql: str
) -> None:
    """And where it is the one that lives, it waits for the dead one no shorter than others would."""
    settings = replace(settings, database=Secret(on_postgresql))
    async with opened(bulk_of(settings, sinks=())) as bulk:
        planned = rows_of(bulk, subjects=40, variants=2)
        run = await started(bulk, planned, on_ambiguous=OnAmbiguous.ONCE)
        with worker(settings) as right, worker(settings, ahead=HOUR) as fast:
            run = await over(bulk, run, within=90.0)
            for each in (right, fast):
                each.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(each.wait, 30) == 0
        assert (await bulk.runs.progress(run.id)).states == {RowState.DONE: 120}
        assert len(emulator.requests()) == 120
        await accounted(bulk, emulator, run)


@pytest.mark.long
async def test_what_a_killed_worker_had_goes_on_at_one_an_hour_ahead(
    settings: Settings, emulator: Emulator, on_postgresql: str
) -> None:
    settings = replace(settings, database=Secret(on_postgresql))
    async with opened(bulk_of(settings, sinks=())) as bulk:
        planned = rows_of(bulk, subjects=24, variants=2)
        run = await started(bulk, planned, on_ambiguous=OnAmbiguous.ONCE)
        with worker(settings, "settled", "7") as dying:
            assert await asyncio.to_thread(dying.wait, 60) == -signal.SIGKILL
        with worker(settings, ahead=HOUR):
            run = await over(bulk, run, within=90.0)
        assert (await bulk.runs.progress(run.id)).states == {RowState.DONE: 72}
        await settled_up(bulk, emulator, run)


async def test_a_disk_that_is_full_in_mid_run_only_delays_it(
    bulk: Bulk, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was paid meanwhile is kept, and stored when there is room."""
    monkeypatch.setattr(chunks, "STORE_LOOK", 0.1)
    write, room = objects.write_new, [8]

    def write_in_room(path: Path, data: bytes) -> bool:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= 1
        return write(path, data)

    monkeypatch.setattr(objects, "write_new", write_in_room)
    run = await started(bulk, rows_of(bulk, subjects=12, variants=1))
    async with working(bulk):
        paused = await until(bulk, run, lambda run: run.pause is Pause.STORE)
        assert os.strerror(errno.ENOSPC) in paused.reason
        assert len(emulator.requests()) < 24
        room[0] = 1_000
        run = await over(bulk, run)
    assert run.state is RunState.DONE
    assert len(emulator.requests()) == 24
    await accounted(bulk, emulator, run)


async def test_workers_on_one_cap_never_spend_more(
    settings: Settings, emulator: Emulator, on_postgresql: str
) -> None:
    """Three want a hundred pictures of a scope that has money for thirty at most."""
    settings = replace(settings, database=Secret(on_postgresql))
    async with opened(bulk_of(settings, sinks=())) as bulk:
        planned = list(rows_of(bulk, subjects=100, variants=0))
        cap = 30 * planned[0].ceiling
        await Budgets(bulk.db).set("acme", who="test", total=cap)
        run = await started(bulk, iter(planned))
        with worker(settings), worker(settings), worker(settings):
            await until(bulk, run, lambda run: run.pause is Pause.BUDGET)
            assert emulator.bill().total <= cap
            await bulk.runs.cancel(run.id)
            run = await until(bulk, run, lambda run: run.state is RunState.CANCELLED)
        states = (await bulk.runs.progress(run.id)).states
        assert states[RowState.DONE] > 0
        assert states[RowState.CANCELLED] > 0
        assert emulator.bill().total <= cap
        await accounted(bulk, emulator, run)
