"""Chunks on the interactive lane, over real HTTP: what comes of rows, money and pauses."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bulk.made_rows import accounted, cheaper, rows_of, started
from gemini_emulator import Emulator
from image_router.bulk.chunks import run_chunk
from image_router.bulk.parts import Bulk
from image_router.core.errors import InvalidRequest, StorageError, StorageProblem
from image_router.core.holds import EntryKind
from image_router.core.runs import Pause, Row, RowEnd, RowState, Run, RunState, Stage
from image_router.core.types import OnAmbiguous
from image_router.storage import runs_rows
from image_router.storage.budgets import Budgets
from image_router.storage.database import Transaction
from image_router.storage.runs_rows import RowQuery


async def rows(bulk: Bulk, run: Run) -> list[Row]:
    return await bulk.bench.runs.rows_of(RowQuery(run_id=run.id))


async def states(bulk: Bulk, run: Run) -> list[RowState]:
    return [row.state for row in await rows(bulk, run)]


async def test_references_are_made_first_and_shown_to_their_variants(bulk: Bulk, emulator: Emulator) -> None:
    run = await started(bulk)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert run.state is RunState.DONE
    assert set(await states(bulk, run)) == {RowState.DONE}
    assert all(row.asset and row.cost for row in await rows(bulk, run))
    shown = [len(request["body"]["contents"][0]["parts"]) for request in emulator.requests()]
    assert sorted(shown) == [1, 1, 2, 2, 2, 2]
    await accounted(bulk, emulator, run)


async def test_a_chunk_made_again_costs_nothing(bulk: Bulk, emulator: Emulator) -> None:
    """Another run of the same rows, as after a loss of these tables: every key is finished."""
    await run_chunk(bulk.bench, (await started(bulk)).id, number=1)
    bill = emulator.bill().total
    again = await started(bulk)
    await run_chunk(bulk.bench, again.id, number=1)
    assert set(await states(bulk, again)) == {RowState.DONE}
    assert [row.cost for row in await rows(bulk, again)] == [0] * 6
    assert emulator.bill().total == bill


async def test_a_subject_in_several_chunks_has_one_reference(bulk: Bulk, emulator: Emulator) -> None:
    """Whichever chunk comes first makes it; the other waits for it."""
    run = await started(bulk, rows_of(bulk, subjects=1, variants=220))
    chunks = await bulk.bench.runs.chunks_of(run.id)
    assert [chunk.rows for chunk in chunks] == [200, 21]
    await run_chunk(bulk.bench, run.id, number=2)
    firsts = await bulk.bench.runs.rows_of(RowQuery(run_id=run.id, stage=Stage.FIRST))
    assert [row.state for row in firsts] == [RowState.DONE]
    assert len(emulator.requests()) == 22


async def test_out_of_budget_pauses_and_goes_on_when_the_cap_is_raised(
    bulk: Bulk, emulator: Emulator
) -> None:
    """The chunk shrinks row by row before the run stands still; nothing is spent beyond the cap."""
    planned = list(rows_of(bulk))
    cap = 3 * planned[0].ceiling
    await Budgets(bulk.db).set("acme", who="test", total=cap)
    run = await started(bulk, iter(planned))
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert (run.state, run.pause) == (RunState.PAUSED, Pause.BUDGET)
    assert run.resumes_at is not None
    assert "acme" in run.reason
    made = (await states(bulk, run)).count(RowState.DONE)
    assert 1 <= made < 6
    assert emulator.bill().total <= cap
    await Budgets(bulk.db).set("acme", who="test", total=100 * cap)
    await bulk.runs.resume(run.id)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert run.state is RunState.DONE
    await accounted(bulk, emulator, run)


async def test_a_run_keeps_its_own_cap(bulk: Bulk, emulator: Emulator) -> None:
    planned = list(rows_of(bulk))
    run = await started(bulk, iter(planned), max_cost=2 * planned[0].ceiling)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert (run.state, run.pause) == (RunState.PAUSED, Pause.BUDGET)
    assert emulator.bill().total <= 2 * planned[0].ceiling
    await bulk.runs.resume(run.id, max_cost=100 * planned[0].ceiling)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert run.state is RunState.DONE
    await accounted(bulk, emulator, run)


async def test_a_refused_reference_ends_its_variants_and_no_others(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("prompt_blocked", times=1)
    run = await started(bulk)
    bench = replace(bulk.bench, at_once=1)
    run = await run_chunk(bench, run.id, number=1)
    assert run.state is RunState.DONE
    found = await rows(bulk, run)
    assert [row.state for row in found] == [RowState.FAILED] * 3 + [RowState.DONE] * 3
    assert [row.cause for row in found[:3]] == ["content_refused", "reference", "reference"]
    await accounted(bulk, emulator, run)


@pytest.mark.parametrize(
    ("fault", "pause"), [("key_invalid", Pause.CREDENTIALS), ("rate_limit_day", Pause.QUOTA)]
)
async def test_what_no_row_can_mend_pauses_the_run(
    bulk: Bulk, emulator: Emulator, fault: str, pause: Pause
) -> None:
    emulator.faults.add(fault, times=100)
    run = await started(bulk)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert (run.state, run.pause) == (RunState.PAUSED, pause)
    assert set(await states(bulk, run)) == {RowState.WAITING}
    assert (run.resumes_at is None) == (pause is Pause.CREDENTIALS)


@pytest.mark.parametrize(
    ("policy", "state", "bills"),
    [(OnAmbiguous.ASK, RowState.UNKNOWN, 1), (OnAmbiguous.ONCE, RowState.DONE, 2)],
)
async def test_a_call_of_unknown_outcome_follows_the_runs_terms(
    bulk: Bulk, emulator: Emulator, policy: OnAmbiguous, state: RowState, bills: int
) -> None:
    emulator.faults.add("drop_after", times=1)
    run = await started(bulk, rows_of(bulk, subjects=1, variants=0), on_ambiguous=policy)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert await states(bulk, run) == [state]
    assert len([entry for entry in emulator.bill().entries if entry.total]) == bills
    (row,) = await rows(bulk, run)
    assert row.at_risk > 0
    assert (await bulk.runs.progress(run.id)).spent == row.cost + row.at_risk


async def test_what_is_unknown_is_sent_again_when_its_owner_says_so(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("drop_after", times=1)
    run = await started(bulk, rows_of(bulk, subjects=1, variants=0))
    await run_chunk(bulk.bench, run.id, number=1)
    assert await bulk.runs.retry_failed(run.id) == 0
    assert await bulk.runs.retry_failed(run.id, unknown=True) == 1
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert await states(bulk, run) == [RowState.DONE]
    assert (await bulk.runs.progress(run.id)).spent >= emulator.bill().total


async def test_a_duplicate_is_what_its_original_is(bulk: Bulk, emulator: Emulator) -> None:
    first, second = list(rows_of(bulk, subjects=2, variants=0))
    twin = replace(second, key=first.key, ask=first.ask, duplicate_of=1, quote=0)
    run = await started(bulk, iter([first, twin]))
    run = await run_chunk(bulk.bench, run.id, number=1)
    original, copy = await rows(bulk, run)
    assert (copy.asset, copy.cost) == (original.asset, 0)
    assert len(emulator.requests()) == 1
    await accounted(bulk, emulator, run)


async def test_references_wait_to_be_approved(bulk: Bulk, emulator: Emulator) -> None:
    run = await started(bulk, approve_references=True)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert (run.state, run.pause) == (RunState.PAUSED, Pause.APPROVAL)
    assert len(emulator.requests()) == 2
    with pytest.raises(InvalidRequest, match="approve"):
        await bulk.runs.resume(run.id)
    await bulk.runs.approve(run.id, rejected=["mug 1"])
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert run.state is RunState.DONE
    assert await states(bulk, run) == [RowState.DONE] * 4 + [RowState.CANCELLED] * 2
    await accounted(bulk, emulator, run)


async def test_a_drained_chunk_finishes_what_it_began(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("slow;seconds=1", times=2)
    run = await started(bulk, rows_of(bulk, subjects=6, variants=0))
    bench = replace(bulk.bench, at_once=2)
    making = asyncio.create_task(run_chunk(bench, run.id, number=1))
    async with asyncio.timeout(20):
        while len(emulator.requests()) < 2:  # noqa: ASYNC110 (another process's requests)
            await asyncio.sleep(0.02)
    bench.draining.set()
    run = await making
    assert run.state is RunState.RUNNING
    assert (await states(bulk, run)).count(RowState.DONE) == 2
    bench.draining.clear()
    run = await run_chunk(bench, run.id, number=1)
    assert run.state is RunState.DONE
    await accounted(bulk, emulator, run)


async def test_a_cancelled_run_settles_what_was_sent_and_sends_nothing(
    bulk: Bulk, emulator: Emulator
) -> None:
    run = await started(bulk, rows_of(bulk, subjects=3, variants=0))
    await run_chunk(replace(bulk.bench, draining=_set()), run.id, number=1)
    await bulk.runs.cancel(run.id)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert run.state is RunState.CANCELLED
    assert set(await states(bulk, run)) == {RowState.CANCELLED}
    assert emulator.requests() == []


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def test_an_image_dearer_than_planned_keeps_to_the_cap_per_request(
    bulk: Bulk, emulator: Emulator
) -> None:
    """The hold of the chunk was taken for cheaper images."""
    planned = list(rows_of(bulk, subjects=1, variants=0))
    ceiling = planned[0].ceiling
    await Budgets(bulk.db).set("acme", who="test", per_request=ceiling // 2)
    run = await started(bulk, cheaper(iter(planned), ceiling // 4))
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert (run.state, run.pause) == (RunState.PAUSED, Pause.BUDGET)
    assert emulator.requests() == []
    await Budgets(bulk.db).set("acme", who="test", per_request=ceiling)
    await bulk.runs.resume(run.id)
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert run.state is RunState.DONE
    await accounted(bulk, emulator, run)


async def test_a_hold_lasts_until_all_its_calls_are_settled(
    bulk: Bulk, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database takes no end of the first row while the call of the second is under way."""
    finish, refusals = runs_rows.finish_counted, [StorageError("locked", problem=StorageProblem.LOCKED)]

    def finish_later(tx: Transaction, run_id: str, *, number: int, end: RowEnd) -> bool:
        if refusals:
            raise refusals.pop()
        return finish(tx, run_id, number=number, end=end)

    monkeypatch.setattr(runs_rows, "finish_counted", finish_later)
    emulator.faults.add("slow;seconds=2", times=1)
    run = await started(bulk, rows_of(bulk, subjects=2, variants=0))
    run = await run_chunk(bulk.bench, run.id, number=1)
    assert run.state is RunState.DONE
    entries = await bulk.bench.ledger.recent(limit=100)
    assert {entry.kind for entry in entries} == {EntryKind.HOLD, EntryKind.SETTLE, EntryKind.RELEASE}
    assert len(emulator.requests()) == 2
    await accounted(bulk, emulator, run)
