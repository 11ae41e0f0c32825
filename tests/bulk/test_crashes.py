"""Workers that die, freeze and end, in processes of their own: every row is accounted for all the same."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

import postgres_server
from bulk.made_rows import accounted, over, rows_of, settled_up, started
from bulk.workers import requests, worker
from gemini_emulator import Emulator, serve
from image_router.bulk.executors import FENCED
from image_router.bulk.parts import opened
from image_router.config import Secret, Settings
from image_router.core.runs import RowState
from image_router.core.types import OnAmbiguous
from image_router.runs import bulk_of


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with serve(latency=0.05, pictures="flat") as running:
        yield running


@pytest.mark.parametrize(
    "mines",
    [
        [("held", 2), ("noted", 5), ("landed", 5)],
        pytest.param([("begun", 1), ("settled", 5), ("ended", 1)], marks=pytest.mark.long),
    ],
)
async def test_killed_at_every_point_others_go_on(
    settings: Settings, emulator: Emulator, mines: list[tuple[str, int]]
) -> None:
    """One worker after the other dies: a chunk begun, money held, a call noted, a picture landed, its cost
    settled, a chunk ended."""
    async with opened(bulk_of(settings, sinks=())) as bulk:
        run = await started(bulk, rows_of(bulk, subjects=24, variants=2), on_ambiguous=OnAmbiguous.ONCE)
        for point, times in mines:
            with worker(settings, point, str(times)) as dying:
                assert dying.wait(60) == -signal.SIGKILL
        with worker(settings):
            run = await over(bulk, run, within=90.0)
        progress = await bulk.runs.progress(run.id)
        assert progress.states == {RowState.DONE: 72}
        await settled_up(bulk, emulator, run)


async def test_what_a_killed_worker_sent_is_not_sent_again_unbidden(
    settings: Settings, emulator: Emulator
) -> None:
    async with opened(bulk_of(settings, sinks=())) as bulk:
        run = await started(bulk, rows_of(bulk, subjects=20, variants=0))
        with worker(settings, "noted", "7") as dying:
            assert dying.wait(60) == -signal.SIGKILL
        with worker(settings):
            run = await over(bulk, run)
        unknown = (await bulk.runs.progress(run.id)).states[RowState.UNKNOWN]
        assert unknown >= 1
        prompts = [request["body"]["contents"][0]["parts"][0]["text"] for request in emulator.requests()]
        assert len(prompts) == len(set(prompts))
        await settled_up(bulk, emulator, run)


async def test_a_worker_that_stood_still_is_taken_over_and_ends(
    settings: Settings, emulator: Emulator
) -> None:
    """Frozen for longer than it may be silent, then awake again: it finds itself fenced."""
    async with opened(bulk_of(settings, sinks=())) as bulk:
        run = await started(bulk, rows_of(bulk, subjects=24, variants=2), on_ambiguous=OnAmbiguous.ONCE)
        with worker(settings) as frozen:
            await requests(emulator, 8)
            frozen.send_signal(signal.SIGSTOP)
            with worker(settings):
                run = await over(bulk, run, within=90.0)
                frozen.send_signal(signal.SIGCONT)
                assert frozen.wait(30) == FENCED
        assert (await bulk.runs.progress(run.id)).states == {RowState.DONE: 72}
        await settled_up(bulk, emulator, run)


@pytest.mark.long
async def test_a_drained_worker_loses_and_doubts_nothing(settings: Settings, emulator: Emulator) -> None:
    async with opened(bulk_of(settings, sinks=())) as bulk:
        run = await started(bulk, rows_of(bulk, subjects=40, variants=0))
        with worker(settings) as ending:
            await requests(emulator, 5)
            ending.send_signal(signal.SIGTERM)
            assert ending.wait(30) == 0
        assert RowState.SENT not in (await bulk.runs.progress(run.id)).states
        with worker(settings):
            run = await over(bulk, run)
        assert (await bulk.runs.progress(run.id)).states == {RowState.DONE: 40}
        await accounted(bulk, emulator, run)


async def test_a_run_of_yesterdays_version_goes_on(settings: Settings, emulator: Emulator) -> None:
    """A program of another version dies at it: this one makes what that was at, and what it had in line."""
    async with opened(bulk_of(settings, sinks=())) as bulk:
        run = await started(bulk, rows_of(bulk, subjects=50, variants=0), on_ambiguous=OnAmbiguous.ONCE)
        with worker(settings, "settled", "5", "wf-0") as dying:
            assert dying.wait(60) == -signal.SIGKILL
        with worker(settings):
            run = await over(bulk, run)
        assert (await bulk.runs.progress(run.id)).states == {RowState.DONE: 50}
        await settled_up(bulk, emulator, run)


async def test_workers_share_a_run_on_postgresql_and_one_is_killed(
    settings: Settings, emulator: Emulator, on_postgresql: str
) -> None:
    settings = replace(settings, database=Secret(on_postgresql))
    async with opened(bulk_of(settings, sinks=())) as bulk:
        run = await started(bulk, rows_of(bulk, subjects=40, variants=2), on_ambiguous=OnAmbiguous.ONCE)
        with worker(settings), worker(settings, "settled", "15") as dying:
            run = await over(bulk, run, within=90.0)
            assert dying.wait(30) == -signal.SIGKILL
        assert (await bulk.runs.progress(run.id)).states == {RowState.DONE: 120}
        await settled_up(bulk, emulator, run)


@pytest.mark.long
async def test_a_database_that_is_thrown_down_twice_loses_nothing(
    settings: Settings, emulator: Emulator
) -> None:
    """Workers wait for it, and need no restart."""
    with postgres_server.restartable() as (url, restart):
        settings = replace(settings, database=Secret(url))
        async with opened(bulk_of(settings, sinks=())) as bulk:
            planned = rows_of(bulk, subjects=60, variants=1)
            run = await started(bulk, planned, on_ambiguous=OnAmbiguous.ONCE)
            with worker(settings), worker(settings):
                for seen in (10, 50):
                    await requests(emulator, seen)
                    await asyncio.to_thread(restart)
                run = await over(bulk, run, within=120.0)
            assert (await bulk.runs.progress(run.id)).states == {RowState.DONE: 120}
            await settled_up(bulk, emulator, run)
