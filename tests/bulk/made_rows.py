"""Rows of subjects, planned as planning does it, and what is to be true when they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gemini_emulator import Emulator
from image_router.bulk.parts import Bulk
from image_router.bulk.planning import request_of
from image_router.bulk.runs import new_run
from image_router.core.runs import OVER, PlannedRow, RowAsk, Run, RunKind, RunState, RunTerms, Stage
from image_router.core.types import Purpose
from image_router.storage.runs_rows import RowQuery


def rows_of(
    bulk: Bulk, *, subjects: int = 2, variants: int = 2, name: str = "mug", **ask: Any
) -> Iterator[PlannedRow]:
    """A reference and some variants for each subject."""
    number = 0
    for subject in range(subjects):
        for place in range(variants + 1):
            number += 1
            stage = Stage.FIRST if place == 0 else Stage.SECOND
            asked = RowAsk(prompt=f"{name} {subject}, picture {place}", **{"purpose": Purpose.DRAFT, **ask})
            decision = bulk.bench.router.decided(request_of(asked, references=(), scope="acme"))
            yield PlannedRow(
                number=number,
                line=number,
                key=f"{name}-{subject}-{place}",
                subject=f"{name} {subject}",
                stage=stage,
                ask=asked,
                model=decision.head.model.id,
                tier=decision.head.tier,
                quote=decision.quote.total,
                ceiling=decision.ceiling,
            )


async def started(bulk: Bulk, rows: Iterator[PlannedRow] | None = None, **terms: Any) -> Run:
    """A run that goes, with nobody at it yet."""
    new = new_run("mugs", RunKind.CATALOG, scope="acme", terms=RunTerms(**terms))
    return await bulk.runs.start(new, rows or rows_of(bulk))


async def accounted(bulk: Bulk, emulator: Emulator, run: Run) -> None:
    """Every row is over, nothing is held, the ledger adds up and is the emulator's bill."""
    progress = await bulk.runs.progress(run.id)
    assert sum(progress.states.values()) == progress.rows
    assert not [state for state in progress.states if state not in OVER]
    assert progress.held == 0
    report = await bulk.bench.ledger.verify()
    assert report.sound, report
    rows = await bulk.bench.runs.rows_of(RowQuery(run_id=run.id))
    assert progress.spent == sum(row.cost + row.at_risk for row in rows)
    assert progress.spent - progress.at_risk == emulator.bill().total


def cheaper(rows: Iterator[PlannedRow], ceiling: int) -> Iterator[PlannedRow]:
    """The same with another ceiling."""
    return (replace(row, ceiling=ceiling) for row in rows)


async def until(bulk: Bulk, run: Run, so: Callable[[Run], bool], *, within: float = 60.0) -> Run:
    """The run as soon as it is so; others make it."""
    tick = asyncio.Event()
    async with asyncio.timeout(within):
        while not so(run := await bulk.runs.get(run.id)):
            with suppress(TimeoutError):
                await asyncio.wait_for(tick.wait(), 0.1)
    return run


async def over(bulk: Bulk, run: Run, *, within: float = 60.0) -> Run:
    """The run when it is over or stands still for whoever must act."""
    return await until(bulk, run, _rests, within=within)


def _rests(run: Run) -> bool:
    waits = run.state is RunState.PAUSED and run.resumes_at is None
    return waits or run.state in (RunState.DONE, RunState.CANCELLED)


async def settled_up(bulk: Bulk, emulator: Emulator, run: Run) -> None:
    """Every row is over and nothing is held; what is known was charged, and what was charged is known or is
    counted as unknown."""
    progress = await bulk.runs.progress(run.id)
    assert not [state for state in progress.states if state not in OVER]
    assert progress.held == 0
    assert (await bulk.bench.ledger.verify()).sound
    unknown = sum(each.at_risk for each in await bulk.bench.ledger.unknowns())
    bill = emulator.bill().total
    assert progress.spent - unknown <= bill <= progress.spent
    if not unknown:
        assert progress.spent == bill
