"""Runs for whoever starts, watches and steers them, in any process of the installation.

Nothing here makes a picture: a worker does (bulk/orchestrator), in this process or on another machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable
from typing import Final

from image_router.core.chunking import Chunking
from image_router.core.errors import InvalidRequest
from image_router.core.ids import new_id
from image_router.core.runs import (
    NewRun,
    Pause,
    PlannedRow,
    Progress,
    Row,
    RowState,
    Run,
    RunKind,
    RunState,
    RunTerms,
)
from image_router.core.scopes import scope_path
from image_router.core.storing import StoreMode
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.storage.runs import Stopped, StoredRuns
from image_router.storage.runs_rows import RowQuery
from image_router.storage.storing_rules import StoringRules

WORKFLOWS: Final = "wf-1"
"""The version of what carries runs. A run goes on under the version that it was stored with."""

_AT_ONCE: Final = 1_000
"""Rows stored in one transaction."""
Rows = Iterable[PlannedRow] | AsyncIterable[PlannedRow]


class Runs:
    """Methods raise StorageError, and InvalidRequest for a run that is not there or cannot do that."""

    def __init__(self, db: Database, *, rules: StoringRules) -> None:
        self.stored = StoredRuns(db)
        self._budgets = Budgets(db)
        self._rules = rules

    async def start(self, new: NewRun, rows: Rows) -> Run:
        """Store a run and let it go. Raises as `plan` does."""
        return await self.go((await self.plan(new, rows)).id)

    async def plan(self, new: NewRun, rows: Rows) -> Run:
        """Store a run with its rows, as they come: nothing is made of it before `go`.

        The same table again, while its run is not over, is that run. Raises InvalidRequest where the scope
        has no room for one below it, or keeps no pictures: no variant could be made of its reference.
        """
        scope_path(f"{new.scope}/{new.id}")
        mode = (await self._rules.of(new.scope)).store
        if mode is not StoreMode.ALL:
            raise InvalidRequest(
                f"scope {new.scope!r} keeps {mode} of its pictures, and a run needs all: set its storing "
                f"rule to all, or use another scope"
            )
        run = await self.stored.create(new, version=WORKFLOWS)
        if run.rows is not None:
            return run
        chunking, block = Chunking(run_id=run.id), list[tuple[PlannedRow, int]]()
        async for row in _each(rows):
            block.append((row, chunking.place(row)))
            if len(block) == _AT_ONCE:
                await self.stored.add_rows(run.id, block)
                block = []
        await self.stored.add_rows(run.id, block)
        run = await self.stored.complete(run.id, chunking.chunks, fingerprint=chunking.fingerprint)
        if run.id == new.id and new.terms.max_cost is not None:
            # The run's own scope below its owner's: the ledger refuses what would go beyond, whoever asks.
            await self._budgets.set(run.purse, who=f"run {run.id}", total=new.terms.max_cost)
        return run

    async def go(self, run_id: str) -> Run:
        """Let a stored run go; one that went before goes on as it does."""
        run = await self.get(run_id)
        return await self.stored.begin(run.id) if run.state is RunState.PLANNED else run

    async def drop(self, run_id: str) -> None:
        """Forget a run that never went."""
        await self.stored.drop(run_id)

    async def get(self, run_id: str) -> Run:
        """By id, or by a name that it alone has."""
        return await self.stored.get(run_id)

    async def listed(
        self, *, scope: str | None = None, kind: RunKind | None = None, limit: int = 50
    ) -> list[Run]:
        """Newest first."""
        return await self.stored.listed(scope=scope, kind=kind, limit=limit)

    async def progress(self, run_id: str) -> Progress:
        return await self.stored.progress((await self.get(run_id)).id)

    async def rows(
        self, run_id: str, *, states: Collection[RowState] | None = None, after: int = 0, limit: int = 1000
    ) -> list[Row]:
        """A page of rows by number; `after` the number of the last one seen."""
        run = await self.get(run_id)
        return await self.stored.rows_of(RowQuery(run_id=run.id, states=states, after=after, limit=limit))

    async def pause(self, run_id: str) -> Run:
        """What is under way is finished, nothing new is begun."""
        run = await self.get(run_id)
        return await self.stored.pause(run.id, Stopped(pause=Pause.ASKED, reason="paused on command"))

    async def resume(self, run_id: str, *, max_cost: int | None = None) -> Run:
        """Go on, with another cap where one is given. References that wait to be looked at stay waiting."""
        run = await self.get(run_id)
        if run.pause is Pause.APPROVAL:
            raise InvalidRequest(f"run {run.id} waits for its references: `catalog approve {run.id}`")
        if max_cost is not None:
            await self._budgets.set(run.purse, who=f"run {run.id}", total=max_cost)
        return await self.stored.begin(run.id)

    async def cancel(self, run_id: str) -> Run:
        """End it: what was sent is settled and kept, the rest is never sent."""
        return await self.stored.cancel((await self.get(run_id)).id)

    async def approve(self, run_id: str, *, rejected: Collection[str] = ()) -> Run:
        """The references are as they should be, but for those of the rejected subjects."""
        return await self.stored.approve((await self.get(run_id)).id, rejected=rejected)

    async def retry_failed(self, run_id: str, *, unknown: bool = False) -> int:
        """Try what failed once more; how many rows. `unknown`: also what may have been paid, which may then
        be paid twice."""
        run, states = await self.get(run_id), {RowState.FAILED, RowState.CANCELLED}
        again = await self.stored.retry(run.id, states, resend=False)
        return again + (await self.stored.retry(run.id, {RowState.UNKNOWN}, resend=True) if unknown else 0)


async def _each(rows: Rows) -> AsyncIterator[PlannedRow]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


def new_run(
    name: str,
    kind: RunKind,
    *,
    scope: str,
    profile: str | None = None,
    terms: RunTerms | None = None,
) -> NewRun:
    """A run with an id of its own."""
    return NewRun(
        id=new_id("run_", digits=12),
        name=name,
        kind=kind,
        scope=scope,
        profile=profile,
        terms=terms or RunTerms(),
    )
