"""Workers in this process: chunks are taken, made, drained and fed again."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bulk.made_rows import accounted, over, rows_of, started, until
from gemini_emulator import Emulator
from image_router.bulk import chunks, judging, orchestrator
from image_router.bulk.parts import Bulk, new_executor
from image_router.bulk.working import Terms, working
from image_router.core.errors import AssetError, ConfigError, StorageError, StorageProblem
from image_router.core.runs import Chunk, Pause, RunState
from image_router.storage.asset_values import Made
from image_router.storage.assets import Assets
from image_router.storage.budgets import Budgets
from image_router.storage.landing import Landed
from image_router.storage.runs import StoredRuns


async def test_a_worker_makes_what_waits_and_ends_clean(bulk: Bulk, emulator: Emulator) -> None:
    run = await started(bulk, rows_of(bulk, subjects=24, variants=1))
    async with working(bulk):
        run = await over(bulk, run)
    assert run.state is RunState.DONE
    await accounted(bulk, emulator, run)
    # the loop is as usable as before
    assert await asyncio.to_thread(lambda: 1) == 1


async def test_a_run_without_money_goes_on_by_itself_when_there_is_some(
    bulk: Bulk, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "BUDGET_LOOK", 0.1)
    planned = list(rows_of(bulk))
    await Budgets(bulk.db).set("acme", who="test", total=2 * planned[0].ceiling)
    run = await started(bulk, iter(planned))
    async with working(bulk):
        run = await until(bulk, run, lambda run: run.pause is Pause.BUDGET)
        await Budgets(bulk.db).set("acme", who="test", total=100 * planned[0].ceiling)
        run = await over(bulk, run)
    assert run.state is RunState.DONE
    await accounted(bulk, emulator, run)


async def test_what_was_paid_while_the_store_took_nothing_is_stored_later(
    bulk: Bulk, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stands still meanwhile, and nothing is made twice."""
    monkeypatch.setattr(chunks, "STORE_LOOK", 0.1)
    broken, land = [True], Assets.land

    async def may_land(assets: Assets, made: Made) -> Landed | None:
        if broken[0]:
            raise AssetError("the bucket answers 503")
        return await land(assets, made)

    monkeypatch.setattr(Assets, "land", may_land)
    run = await started(bulk, rows_of(bulk, subjects=3, variants=1))
    async with working(bulk):
        paused = await until(bulk, run, lambda run: run.pause is Pause.STORE)
        assert "503" in paused.reason
        broken[0] = False
        run = await over(bulk, run)
    assert run.state is RunState.DONE
    assert len(emulator.requests()) == 6
    await accounted(bulk, emulator, run)


async def test_a_turn_that_was_lost_is_followed_by_another(
    bulk: Bulk, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workflow failed before the chunk was begun: the same id would never be made again."""
    monkeypatch.setattr(orchestrator, "_CHECKS", 0.1)
    lost, chunk = [True], StoredRuns.chunk

    async def may_fail(runs: StoredRuns, run_id: str, number: int) -> Chunk:
        if lost.pop() if lost else False:
            raise StorageError("the database is away", problem=StorageProblem.GONE)
        return await chunk(runs, run_id, number)

    monkeypatch.setattr(StoredRuns, "chunk", may_fail)
    run = await started(bulk, rows_of(bulk, subjects=1, variants=0))
    async with working(bulk):
        assert (await over(bulk, run)).state is RunState.DONE
    assert not lost
    await accounted(bulk, emulator, run)


async def test_a_chunk_that_nobody_is_at_any_more_is_found(
    bulk: Bulk, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was begun, and nothing is left of whoever began it."""
    monkeypatch.setattr(orchestrator, "_CHECKS", 0.1)
    run = await started(bulk, rows_of(bulk, subjects=1, variants=0))
    await bulk.bench.runs.begin_chunk(run.id, 1)
    async with working(bulk):
        assert (await over(bulk, run)).state is RunState.DONE
    await accounted(bulk, emulator, run)


async def test_an_urgent_run_overtakes(bulk: Bulk, emulator: Emulator) -> None:
    """It is made before the chunks that another run has left."""
    long = await started(bulk, rows_of(bulk, subjects=80, variants=0, name="long"))
    urgent = await started(bulk, rows_of(bulk, subjects=5, variants=0, name="urgent"), priority=1)
    async with working(bulk, Terms(slots=1)):
        urgent, long = await over(bulk, urgent), await over(bulk, long)
    assert urgent.ended_at is not None
    assert long.ended_at is not None
    assert urgent.ended_at < long.ended_at
    words = [request["body"]["contents"][0]["parts"][0]["text"] for request in emulator.requests()]
    assert max(place for place, word in enumerate(words) if word.startswith("urgent")) < 45


async def test_one_process_takes_part_once(bulk: Bulk) -> None:
    async with working(bulk):
        with pytest.raises(ConfigError, match="one worker to a process"):
            async with working(replace(bulk, executor=new_executor())):
                pass


async def test_who_ended_clean_may_take_part_again(bulk: Bulk) -> None:
    """One program may make one run after the other."""
    for subjects in (1, 2):
        run = await started(bulk, rows_of(bulk, subjects=subjects, variants=0))
        async with working(bulk):
            run = await over(bulk, run)
        assert run.state is RunState.DONE


async def test_workflows_are_stored_as_json(bulk: Bulk, emulator: Emulator) -> None:
    """Not in a format that runs code when it is read."""
    run = await started(bulk, rows_of(bulk, subjects=1, variants=0))
    async with working(bulk):
        await over(bulk, run)
    with closing(sqlite3.connect(bulk.address)) as connection:
        kinds = connection.execute("SELECT serialization FROM workflow_status").fetchall()
        inputs = connection.execute("SELECT inputs FROM workflow_input").fetchall()
    assert {kind for (kind,) in kinds} == {"portable_json"}
    assert [json.loads(each)["positionalArgs"] for (each,) in inputs] == [[run.id, 1, 0]]


_PICTURE = """
import sys
from image_router.blocking import ImageRouter
with ImageRouter(offline=True, home=sys.argv[1]) as router:
    router.generate("a fox")
print([name for name in sys.modules if name.startswith(("dbos", "pyarrow", "image_router.bulk"))])
"""


def test_an_ordinary_picture_loads_nothing_of_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PICTURE, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"
