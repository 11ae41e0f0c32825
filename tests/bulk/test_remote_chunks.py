"""Chunks of the batch lane: to their ends, in time, and out of the way when the run stops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulk.made_rows import accounted, over, rows_of
from bulk.remote import begun, lane_of, plain, states_now
from gemini_emulator import Emulator
from image_router.bulk.parts import Bulk, opened
from image_router.bulk.remote_chunks import run_remote_chunk
from image_router.bulk.working import working
from image_router.config import Secret, Settings
from image_router.core.budget import SECOND
from image_router.core.errors import BudgetExceeded
from image_router.core.runs import ChunkState, Pause, RowState, RunState
from image_router.core.types import Lane, Purpose
from image_router.runs import bulk_of
from image_router.storage.budgets import Budgets
from image_router.storage.objects import now_micros
from image_router.storage.runs_line import next_chunks

DONE = RowState.DONE


async def test_a_chunk_is_made_to_its_end_whatever_fails_on_the_way(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.script(
        "batch_rows_fail;rows=0", "drop_after", "batch_rows_missing;rows=0", method="batchGenerateContent"
    )
    run = await begun(bulk)
    ended = await run_remote_chunk(lane_of(bulk), bulk.bench, run_id=run.id, number=1)
    assert ended.state is RunState.DONE
    assert await states_now(bulk, run) == [DONE] * 4
    await accounted(bulk, emulator, run)


async def test_a_stuck_job_is_cancelled_in_time_and_its_rows_are_made_at_once(
    bulk: Bulk, emulator: Emulator
) -> None:
    emulator.faults.add("batch_stuck", times=1)
    lane = lane_of(bulk)
    pace = lane.parts.limits.pace
    by = now_micros() + round((pace.needed(4) + 1) * SECOND)
    run = await begun(bulk, by=by)
    ended = await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=1)
    assert ended.state is RunState.DONE
    assert await states_now(bulk, run) == [DONE] * 4
    [job] = await lane.parts.jobs.of_run(run.id)
    assert job.given_up_at is not None
    assert {entry.lane for entry in emulator.bill().entries} == {"interactive"}
    await accounted(bulk, emulator, run)


async def test_what_is_promised_too_soon_for_a_batch_is_not_tried_in_one(
    bulk: Bulk, emulator: Emulator
) -> None:
    lane, run = lane_of(bulk), await begun(bulk, by=now_micros() + 60 * SECOND)
    await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=1)
    assert await states_now(bulk, run) == [DONE] * 4
    assert await lane.parts.jobs.of_run(run.id) == []
    await accounted(bulk, emulator, run)


@pytest.mark.parametrize(("allowed", "state"), [(10**9, DONE), (1, RowState.FAILED)])
async def test_a_late_picture_is_replaced_at_most_at_the_price_that_is_allowed(
    bulk: Bulk, emulator: Emulator, allowed: int, state: RowState
) -> None:
    rows = plain(bulk, 1)
    run = await begun(bulk, rows, by=now_micros() + 60 * SECOND, replacement=allowed)
    await run_remote_chunk(lane_of(bulk), bulk.bench, run_id=run.id, number=1)
    [row] = await bulk.runs.rows(run.id)
    assert row.state is state
    assert emulator.bill().total <= allowed
    await accounted(bulk, emulator, run)


async def test_references_come_before_their_variants_and_duplicates_cost_nothing(
    bulk: Bulk, emulator: Emulator
) -> None:
    rows = rows_of(bulk, subjects=2, variants=2, lane=Lane.BATCH, purpose=Purpose.HERO)
    run, lane = await begun(bulk, rows), lane_of(bulk)
    for number in (1, 2):
        await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=number)
    assert await states_now(bulk, run) == [DONE] * 6
    await accounted(bulk, emulator, run)


async def test_a_run_without_money_stands_still_and_says_so(bulk: Bulk, emulator: Emulator) -> None:
    run, lane = await begun(bulk), lane_of(bulk)
    await Budgets(bulk.db).set(run.purse, who="test", total=1)
    paused = await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=1)
    assert (paused.state, paused.pause) == (RunState.PAUSED, Pause.BUDGET)
    assert await states_now(bulk, run) == [RowState.WAITING] * 4
    await Budgets(bulk.db).set(run.purse, who="test", total=10**12)
    await bulk.bench.runs.begin(run.id)
    await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=1)
    assert await states_now(bulk, run) == [DONE] * 4
    await accounted(bulk, emulator, run)


async def test_a_cancelled_run_cancels_its_jobs(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("batch_stuck", times=1)
    run, lane = await begun(bulk, plain(bulk, 2)), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    await lane.step(job)
    await bulk.runs.cancel(run.id)
    await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=1)
    assert await states_now(bulk, run) == [RowState.CANCELLED] * 2
    assert emulator.bill().total == 0
    await accounted(bulk, emulator, run)


async def test_a_paused_run_keeps_what_its_jobs_make(bulk: Bulk, emulator: Emulator) -> None:
    run, lane = await begun(bulk), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    await lane.step(job)
    await bulk.runs.pause(run.id)
    await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=1)
    assert await states_now(bulk, run) == [DONE] * 4
    await accounted(bulk, emulator, run)


async def test_workers_make_batch_chunks_beside_their_own_and_come_back_when_a_look_is_due(
    bulk: Bulk, emulator: Emulator
) -> None:
    lane = lane_of(bulk)
    polling = replace(lane.parts.limits.polling, first=1, longest=1)
    lane = lane_of(bulk, limits=replace(lane.parts.limits, polling=polling))
    rows = rows_of(bulk, subjects=2, variants=1, lane=Lane.BATCH, purpose=Purpose.HERO)
    async with working(replace(bulk, lane=lane)):
        run = await begun(bulk, rows)
        ended = await over(bulk, run)
    assert ended.state is RunState.DONE
    assert await states_now(bulk, run) == [DONE] * 4
    assert {entry.lane for entry in emulator.bill().entries} == {"batch"}
    await accounted(bulk, emulator, run)


async def test_a_chunk_is_left_alone_until_a_look_at_its_jobs_is_due(bulk: Bulk, emulator: Emulator) -> None:
    run, lane = await begun(bulk), lane_of(bulk)
    assert [chunk.number for chunk in await bulk.db.read(lambda tx: next_chunks(tx, limit=9))] == [1]
    [job] = await lane.prepare(run.id, 1)
    await lane.step(job)
    await lane.parts.jobs.change(job, look_at=now_micros() + 60 * SECOND)
    assert await bulk.db.read(lambda tx: next_chunks(tx, limit=9)) == []
    await bulk.runs.pause(run.id)
    await lane.parts.jobs.change(job, look_at=0)
    assert [chunk.number for chunk in await bulk.db.read(lambda tx: next_chunks(tx, limit=9))] == [1]


async def test_a_run_cancelled_before_its_job_was_made_holds_no_keys(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("rate_limit_help_only", method="batchGenerateContent", times=1)
    run, lane = await begun(bulk, plain(bulk, 1)), lane_of(bulk)
    await Budgets(bulk.db).set(run.purse, who="test", total=1)
    [job] = await lane.prepare(run.id, 1)
    with pytest.raises(BudgetExceeded):
        await lane.step(job)
    [job] = await lane.prepare(run.id, 1)
    await lane.parts.jobs.change(job, look_at=0)
    await bulk.runs.cancel(run.id)
    assert [chunk.number for chunk in await bulk.db.read(lambda tx: next_chunks(tx, limit=9))] == [1]
    await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=1)
    assert await bulk.db.read(lambda tx: next_chunks(tx, limit=9)) == []
    assert await states_now(bulk, run) == [RowState.CANCELLED]
    [row] = await bulk.runs.rows(run.id)
    made = await bulk.bench.router.waiting(for_key=0).generate(
        row.planned.ask.prompt, purpose=Purpose.HERO, scope="acme", key=row.planned.key
    )
    assert made.image.cost.total == emulator.bill().total


async def test_it_is_all_the_same_on_postgresql(
    settings: Settings, emulator: Emulator, on_postgresql: str
) -> None:
    emulator.faults.script(
        "batch_rows_fail;rows=0", "drop_after", "batch_rows_missing;rows=0", method="batchGenerateContent"
    )
    elsewhere = replace(settings, database=Secret(on_postgresql))
    async with opened(bulk_of(elsewhere, sinks=())) as bulk:
        rows = rows_of(bulk, subjects=2, variants=2, lane=Lane.BATCH, purpose=Purpose.HERO)
        run, lane = await begun(bulk, rows), lane_of(bulk)
        for number in (1, 2):
            while (await bulk.bench.runs.chunk(run.id, number)).state is not ChunkState.DONE:
                await run_remote_chunk(lane, bulk.bench, run_id=run.id, number=number)
        assert await states_now(bulk, run) == [DONE] * 6
        await accounted(bulk, emulator, run)
