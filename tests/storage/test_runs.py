"""Runs and their rows, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import update

from image_router.core.budget import SECOND
from image_router.core.errors import InvalidRequest
from image_router.core.holds import AttemptKey
from image_router.core.runs import (
    Chunk,
    ChunkState,
    NewRun,
    Pause,
    PlannedRow,
    RowAsk,
    RowEnd,
    RowState,
    RunKind,
    RunState,
    RunTerms,
    Stage,
)
from image_router.core.types import Lane, OnAmbiguous, Purpose, Size, Tier
from image_router.storage.database import Database, Transaction
from image_router.storage.ledger import Ledger
from image_router.storage.runs import Stopped, StoredRuns
from image_router.storage.runs_rows import (
    RowQuery,
    counted,
    finish_counted,
    finish_row,
    free_rows,
    mark_sent,
    progress_of,
)
from image_router.storage.runs_tables import run_rows
from storage.ledgers import asked, paid, sending

MINUTE = 60 * SECOND


def planned(number: int, **said: object) -> PlannedRow:
    values: dict[str, object] = {
        "number": number,
        "line": number,
        "key": f"mugs/{number}",
        "subject": f"mug {(number - 1) // 2}",
        "stage": Stage.FIRST if number % 2 else Stage.SECOND,
        "ask": RowAsk(prompt=f"mug {number}"),
        "model": "gemini-3.1-flash-image",
        "tier": Tier.GEMINI_31_FLASH_IMAGE,
        "quote": 100,
        "ceiling": 150,
    }
    return PlannedRow(**{**values, **said})  # type: ignore[arg-type]


async def stored(
    db: Database, *, rows: int = 4, run_id: str = "run_1", scope: str = "acme", priority: int = 100
) -> StoredRuns:
    """A run of some rows in chunks of two, not yet begun."""
    runs = StoredRuns(db)
    terms = RunTerms(priority=priority)
    await runs.create(
        NewRun(id=run_id, name=f"named {run_id}", kind=RunKind.CATALOG, scope=scope, terms=terms), version="1"
    )
    await runs.add_rows(run_id, [(planned(n), (n + 1) // 2) for n in range(1, rows + 1)])
    chunks = [
        Chunk(run_id=run_id, number=n, lane=Lane.INTERACTIVE, stage=Stage.FIRST, rows=2)
        for n in range(1, rows // 2 + 1)
    ]
    await runs.complete(run_id, chunks, fingerprint=f"{run_id} fingerprint")
    return runs


def numbers(rows: list[object]) -> Iterator[int]:
    return (row.planned.number for row in rows)  # type: ignore[attr-defined]


async def test_a_row_comes_back_as_it_was_planned(database: Database) -> None:
    runs = StoredRuns(database)
    await runs.create(NewRun(id="run_1", name="n", kind=RunKind.BATCH, scope="acme"), version="1")
    ask = RowAsk(
        prompt="ein Becher — ☕",
        purpose=Purpose.HERO,
        size=Size.K4,
        seed=0,
        lane=Lane.BATCH,
        references=("a.png", "https://example.com/b.png"),
        fields={"sku": "7"},
    )
    row = planned(1, ask=ask, duplicate_of=None, finished=True)
    await runs.add_rows("run_1", [(row, 3)])
    (found,) = await runs.rows_of(RowQuery(run_id="run_1"))
    assert found.planned == row
    assert (found.state, found.chunk) == (RowState.WAITING, 3)


async def test_terms_come_back_as_they_were_agreed(database: Database) -> None:
    terms = RunTerms(max_cost=5, on_ambiguous=OnAmbiguous.ONCE, by=7, output="out")
    runs = StoredRuns(database)
    new = NewRun(id="run_1", name="n", kind=RunKind.BATCH, scope="acme", terms=terms)
    assert (await runs.create(new, version="1")).terms == terms


async def test_rows_are_found_by_chunk_state_stage_and_subject(database: Database) -> None:
    runs = await stored(database)
    assert list(numbers(await runs.rows_of(RowQuery(run_id="run_1", chunk=2)))) == [3, 4]
    assert list(numbers(await runs.rows_of(RowQuery(run_id="run_1", stage=Stage.SECOND)))) == [2, 4]
    assert list(numbers(await runs.rows_of(RowQuery(run_id="run_1", subjects={"mug 1"})))) == [3, 4]
    assert list(numbers(await runs.rows_of(RowQuery(run_id="run_1", after=1, limit=2)))) == [2, 3]
    assert await runs.rows_of(RowQuery(run_id="run_1", states={RowState.DONE})) == []


async def test_a_row_is_sent_and_over_with_the_ledgers_own_steps(database: Database) -> None:
    runs = await stored(database)
    run = await runs.begin("run_1")
    ledger = Ledger(database)
    hold = await ledger.hold(asked(300, request_id="run_1.1", scope=run.purse))
    key = AttemptKey(number=1, request_id="req_1")

    def marked(tx: Transaction) -> None:
        mark_sent(tx, "run_1", numbers=[1], hold_id=hold.id, request_id="req_1")

    def finished(tx: Transaction) -> None:
        finish_row(tx, "run_1", number=1, end=RowEnd(state=RowState.DONE, asset="ab" * 32, cost=100))

    await ledger.sent(hold, sending(150, key), row=marked)
    (row,) = await runs.rows_of(RowQuery(run_id="run_1", states={RowState.SENT}))
    assert (row.hold_id, row.request_id) == (hold.id, "req_1")
    await ledger.settle(hold, paid(100, key), row=finished)
    (row,) = await runs.rows_of(RowQuery(run_id="run_1", states={RowState.DONE}))
    assert (row.asset, row.cost) == ("ab" * 32, 100)
    progress = await runs.progress("run_1")
    assert (progress.spent, progress.held, progress.projected) == (100, 200, 400)
    assert await database.read(lambda tx: counted(tx, hold.id, request_id="req_1")) == (100, 0)


async def test_a_row_is_over_once(database: Database) -> None:
    runs = await stored(database)
    assert await runs.finish("run_1", 1, end=RowEnd(state=RowState.FAILED, cause="refused"))
    assert not await runs.finish("run_1", 1, end=RowEnd(state=RowState.DONE))
    (row,) = await runs.rows_of(RowQuery(run_id="run_1", states={RowState.FAILED}))
    assert row.cause == "refused"


async def test_rows_that_are_given_up_wait_again(database: Database) -> None:
    runs = await stored(database)
    await database.write(lambda tx: mark_sent(tx, "run_1", numbers=[1, 2], hold_id=None, remote_job="job_1"))
    assert list(numbers(await runs.rows_of(RowQuery(run_id="run_1", remote_job="job_1")))) == [1, 2]
    await database.write(lambda tx: free_rows(tx, "run_1", numbers=[2]))
    assert list(numbers(await runs.rows_of(RowQuery(run_id="run_1", states={RowState.WAITING})))) == [2, 3, 4]


async def test_a_run_is_done_with_its_last_row(database: Database) -> None:
    runs = await stored(database)
    await runs.begin("run_1")
    for number in (1, 2, 3):
        await runs.finish("run_1", number, end=RowEnd(state=RowState.DONE))
    assert (await runs.end_chunk(await runs.chunk("run_1", 1))).state is RunState.RUNNING
    assert (await runs.end_chunk(await runs.chunk("run_1", 2))).state is RunState.RUNNING
    assert (await runs.chunk("run_1", 2)).state is ChunkState.WAITING
    await runs.finish("run_1", 4, end=RowEnd(state=RowState.FAILED))
    assert (await runs.end_chunk(await runs.chunk("run_1", 2))).state is RunState.DONE


async def test_the_pace_of_a_run_that_is_over_stays_what_it_was(database: Database) -> None:
    """Its pictures a minute are those of its own time, however much later somebody asks."""
    runs = await stored(database)
    began = (await runs.begin("run_1")).started_at or 0
    for number in (1, 2, 3, 4):
        await runs.finish("run_1", number, end=RowEnd(state=RowState.DONE))
    over = replace(await runs.get("run_1"), started_at=began - 60 * MINUTE, ended_at=began - 59 * MINUTE)
    then = update(run_rows).values(ended_at=over.ended_at)
    await database.write(lambda tx: tx.connection.execute(then).rowcount)
    assert (await database.read(lambda tx: progress_of(tx, over))).per_minute == 4


async def test_the_same_table_started_twice_is_one_run(database: Database) -> None:
    runs = await stored(database)
    await runs.begin("run_1")
    await runs.create(NewRun(id="run_2", name="n", kind=RunKind.CATALOG, scope="acme"), version="1")
    await runs.add_rows("run_2", [(planned(1), 1)])
    assert (await runs.complete("run_2", [], fingerprint="run_1 fingerprint")).id == "run_1"
    assert await runs.count(RowQuery(run_id="run_2")) == 0


async def test_a_run_that_was_not_stored_to_its_end_is_not_begun(database: Database) -> None:
    runs = StoredRuns(database)
    await runs.create(NewRun(id="run_1", name="n", kind=RunKind.CATALOG, scope="acme"), version="1")
    with pytest.raises(InvalidRequest, match="not stored to its end"):
        await runs.begin("run_1")


async def test_a_pause_says_why_and_ends_when_the_run_goes_on(database: Database) -> None:
    runs = await stored(database)
    await runs.begin("run_1")
    paused = await runs.pause("run_1", Stopped(pause=Pause.BUDGET, reason="$1 is spent"))
    assert (paused.state, paused.pause, paused.resumes_at) == (RunState.PAUSED, Pause.BUDGET, None)
    again = await runs.pause("run_1", Stopped(pause=Pause.ASKED, reason="later"))
    assert again.pause is Pause.BUDGET
    assert (await runs.begin("run_1")).pause is None


async def test_a_pause_lasts_by_the_clock_of_the_database(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host whose clock is an hour ahead keeps a run waiting no longer than others do."""
    fast = time.time_ns() + 3600 * 1_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: fast)
    runs = await stored(database)
    await runs.begin("run_1")
    before = await database.read(lambda tx: tx.now.wall)
    paused = await runs.pause("run_1", Stopped(pause=Pause.STORE, reason="full", resumes_in=9.5))
    after = await database.read(lambda tx: tx.now.wall)
    assert paused.resumes_at is not None
    assert before <= paused.resumes_at - 9_500_000 <= after


async def test_what_failed_is_tried_again_when_asked(database: Database) -> None:
    runs = await stored(database)
    await runs.begin("run_1")
    for number in range(1, 5):
        state = RowState.FAILED if number == 3 else RowState.DONE
        await runs.finish("run_1", number, end=RowEnd(state=state))
    await runs.end_chunk(await runs.chunk("run_1", 1))
    assert (await runs.end_chunk(await runs.chunk("run_1", 2))).state is RunState.DONE
    assert await runs.retry("run_1", {RowState.FAILED}, resend=False) == 1
    assert (await runs.get("run_1")).state is RunState.RUNNING
    states = [chunk.state for chunk in await runs.chunks_of("run_1")]
    assert states == [ChunkState.DONE, ChunkState.WAITING]


async def test_a_row_that_is_tried_again_counts_each_of_its_calls_once(database: Database) -> None:
    """It failed and was charged; the next try, on another hold, is charged too."""
    runs = await stored(database)
    run = await runs.begin("run_1")
    ledger, key = Ledger(database), AttemptKey(number=1, request_id="req_1")
    for cost, state in ((30, RowState.FAILED), (100, RowState.DONE)):
        hold = await ledger.hold(asked(150, request_id="run_1.1", scope=run.purse))

        def marked(tx: Transaction, hold_id: str = hold.id) -> None:
            mark_sent(tx, "run_1", numbers=[1], hold_id=hold_id, request_id="req_1")

        def finished(tx: Transaction, state: RowState = state) -> None:
            finish_counted(tx, "run_1", number=1, end=RowEnd(state=state))

        await ledger.sent(hold, sending(150, key), row=marked)
        await ledger.settle(hold, paid(cost, key))
        await database.write(finished)
        await runs.retry("run_1", {RowState.FAILED}, resend=False)
    (row,) = await runs.rows_of(RowQuery(run_id="run_1", states={RowState.DONE}))
    assert row.cost == 130
    assert (await runs.progress("run_1")).spent == 130


async def test_a_cancelled_run_keeps_what_was_sent(database: Database) -> None:
    runs = await stored(database)
    await runs.begin("run_1")
    await database.write(lambda tx: mark_sent(tx, "run_1", numbers=[1], hold_id="hold_1", request_id="req_1"))
    assert (await runs.cancel("run_1")).state is RunState.CANCELLED
    progress = await runs.progress("run_1")
    assert progress.states == {RowState.SENT: 1, RowState.CANCELLED: 3}
    states = [chunk.state for chunk in await runs.chunks_of("run_1")]
    assert states == [ChunkState.WAITING, ChunkState.DONE]


async def test_a_run_is_found_by_a_name_that_it_alone_has(database: Database) -> None:
    runs = await stored(database)
    assert (await runs.get("named run_1")).id == "run_1"
    with pytest.raises(InvalidRequest, match="no run"):
        await runs.get("other")


async def test_scopes_take_turns_and_urgent_runs_go_first(database: Database) -> None:
    runs = await stored(database, rows=8)
    await runs.begin("run_1")
    await runs.begin_chunk("run_1", 1)
    for number in (1, 2):
        await runs.finish("run_1", number, end=RowEnd(state=RowState.DONE))
    await runs.end_chunk(await runs.chunk("run_1", 1))
    await stored(database, rows=4, run_id="run_2", scope="other")
    await stored(database, rows=4, run_id="run_3", scope="acme")
    await stored(database, rows=2, run_id="run_4", scope="acme", priority=50)
    for run_id in ("run_2", "run_3", "run_4"):
        await runs.begin(run_id)
    waiting = [
        chunk
        for run_id in ("run_1", "run_2", "run_3", "run_4")
        for chunk in await runs.chunks_of(run_id, states={ChunkState.WAITING})
    ]
    line = [chunk.id for chunk in sorted(waiting, key=lambda chunk: (chunk.place, chunk.id))]
    assert line == [
        "run_4.1",
        "run_1.2",
        "run_2.1",
        "run_1.3",
        "run_2.2",
        "run_1.4",
        "run_3.1",
        "run_3.2",
    ]
