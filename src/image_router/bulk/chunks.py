"""A chunk of a run on the interactive lane: references first, then what is conditioned on them.

`run_chunk` may be repeated at any point, by any process: rows have keys for ever, so what was made is found,
what is somebody else's turn is waited for, and what was sent without an answer is unknown, never sent twice
unless the run's terms say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from image_router.bulk.judging import STORE_LOOK, Later, Verdict, judged
from image_router.bulk.row_requests import NoReference, RowRequests
from image_router.bulk.safekeeping import kept
from image_router.core.decision import Decision
from image_router.core.errors import (
    BudgetExceeded,
    HoldExpired,
    ImageRouterError,
    LaneUnavailable,
    StorageError,
    StorageProblem,
)
from image_router.core.events import Sink
from image_router.core.holds import HoldRequest
from image_router.core.results import ImageResult
from image_router.core.runs import OVER, Chunk, Pause, Row, RowEnd, RowState, Run, RunState, Stage
from image_router.core.types import Lane, OnAmbiguous
from image_router.engine.chunk_accounts import ChunkAccounts, chunk_held
from image_router.engine.router import ImageRouter
from image_router.storage import runs_rows
from image_router.storage.assets import Assets
from image_router.storage.database import Transaction
from image_router.storage.ledger import Ledger
from image_router.storage.runs import Stopped, StoredRuns
from image_router.storage.runs_rows import RowQuery

AT_ONCE: Final = 16
"""Rows of one chunk that are made side by side."""
LOOK: Final = 1.0
"""Seconds between looks at whether the run is still to go on."""
FOR_KEY: Final = 300.0
"""Seconds to wait for another process that is at the same row, as one that has just been taken over from."""
_OPEN: Final = frozenset(RowState) - OVER
_PASSING: Final = frozenset(
    {StorageProblem.GONE, StorageProblem.LOCKED, StorageProblem.FULL, StorageProblem.READ_ONLY}
)
"""A database that takes nothing cannot be told that the run stands still: it simply does."""


async def _alive() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the rows of chunks are made with."""

    router: ImageRouter
    ledger: Ledger
    runs: StoredRuns
    assets: Assets
    announce: Sink
    owner: str
    """Of holds, for whoever takes over: the executor's id."""
    at_once: int = AT_ONCE
    for_key: float = FOR_KEY
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    alive: Callable[[], Awaitable[bool]] = _alive
    """Whether nobody has taken this process for dead."""
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when this process is about to end: what is under way is finished, nothing new is begun."""


async def run_chunk(bench: Bench, run_id: str, *, number: int) -> Run:
    """Make all rows of a chunk that can be made now; the run as it stands then.

    Returns as well when the run stands still, was cancelled or taken over, or the process drains: the chunk's
    state says whether anything is left of it. A database that is away is waited for.
    """
    while True:
        try:
            async with _Turn(bench, run_id, number=number) as turn:
                await turn.go()
            return turn.run
        except HoldExpired:
            # This process stood still for long: somebody may have taken over, and then the chunk is theirs.
            if not await bench.alive():
                return await bench.runs.get(run_id)
        except StorageError as error:
            if error.problem not in _PASSING or bench.draining.is_set():
                raise
            await bench.sleep(LOOK)


class _Turn:
    """One try at a chunk."""

    run: Run

    def __init__(self, bench: Bench, run_id: str, *, number: int) -> None:
        self._bench, self._run_id, self._number = bench, run_id, number
        self._stopped = False
        self._lost: HoldExpired | None = None
        self._requests = RowRequests(router=bench.router, runs=bench.runs, assets=bench.assets)
        self._wait = 0.0
        self._chunk: Chunk
        self._looking: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self.run = await self._bench.runs.get(self._run_id)
        self._chunk = await self._bench.runs.begin_chunk(self._run_id, self._number)
        self._looking = asyncio.create_task(self._look_again())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        if isinstance(error, asyncio.CancelledError | HoldExpired):
            return
        if error is not None and not isinstance(error, StorageError):
            told = f"chunk {self._chunk.id} broke off: {type(error).__name__}: {error}"
            await self._stand_still(Stopped(pause=Pause.ASKED, reason=told))
        self.run = await self._bench.runs.end_chunk(self._chunk)

    async def go(self) -> None:
        if self.run.state is RunState.CANCELLED:
            await self._settle_up()
        for stage in (self._firsts, self._seconds):
            while not self._halted() and (rows := await stage()):
                await self._round(rows)
                if self._lost is not None:
                    raise self._lost
                if self._wait and not self._halted():
                    await self._bench.sleep(self._wait)
                self._wait = 0.0

    async def _settle_up(self) -> None:
        """Learn what came of the rows that were sent before the run was cancelled. Nothing is sent."""
        bench, mine = self._bench, RowQuery(run_id=self._run_id, chunk=self._number, states=_OPEN)
        router = await bench.router.under(
            bench.router.accounts,
            on_ambiguous=OnAmbiguous.NEVER,
            wait_for_key=bench.for_key,
            approve=_nothing_more,
        )
        for row in await bench.runs.rows_of(mine):
            verdict = await self._verdict(row, router)
            if not isinstance(verdict, RowEnd) or verdict.cause == LaneUnavailable.code:
                verdict = RowEnd(state=RowState.CANCELLED, message="the run was cancelled")
            await self._take(row, verdict)

    def _halted(self) -> bool:
        going = self.run.state is RunState.RUNNING
        return not going or self._stopped or self._bench.draining.is_set()

    async def _look_again(self) -> None:
        while True:
            await self._bench.sleep(LOOK)
            try:
                self.run = await self._bench.runs.get(self._run_id)
            except StorageError:
                continue  # whoever writes next will say so

    async def _firsts(self) -> list[Row]:
        """Open rows that wait for nothing, and the references of others that this chunk's rows wait for."""
        runs, mine = self._bench.runs, RowQuery(run_id=self._run_id, chunk=self._number, states=_OPEN)
        rows = await runs.rows_of(mine)
        firsts = [row for row in rows if row.planned.stage is Stage.FIRST]
        waited_for = {row.planned.subject for row in rows} - {row.planned.subject for row in firsts}
        if waited_for:
            theirs = RowQuery(run_id=self._run_id, subjects=waited_for, stage=Stage.FIRST, states=_OPEN)
            firsts += await runs.rows_of(theirs)
        return _originals_first(firsts)

    async def _seconds(self) -> list[Row]:
        """Open rows whose reference is there; those whose reference will never be are over."""
        if self.run.terms.approve_references:
            return []
        mine = RowQuery(run_id=self._run_id, chunk=self._number, stage=Stage.SECOND, states=_OPEN)
        rows = await self._bench.runs.rows_of(mine)
        ready = []
        for row in rows:
            try:
                await self._requests.shown(self.run, row.planned.subject)
            except NoReference as gone:
                await self._bench.runs.finish(self._run_id, row.planned.number, end=_without(gone))
            else:
                ready.append(row)
        return _originals_first(ready)

    async def _round(self, rows: Sequence[Row]) -> None:
        """Make rows side by side, as many as there is money for."""
        async with self._funded(rows) as (some, accounts):
            if accounts is None:
                return
            gate = asyncio.Semaphore(self._bench.at_once)
            routers = {
                resend: await self._bench.router.under(
                    accounts,
                    on_ambiguous=OnAmbiguous.ONCE if resend else self.run.terms.on_ambiguous,
                    wait_for_key=self._bench.for_key,
                )
                for resend in {row.resend for row in some}
            }
            making = (self._one(row, routers[row.resend], gate) for row in some)
            # All of them, whatever goes wrong with one: the hold is theirs until their calls are settled.
            made = await asyncio.gather(*making, return_exceptions=True)
        for failed in filter(None, made):
            raise failed

    @asynccontextmanager
    async def _funded(self, rows: Sequence[Row]) -> AsyncIterator[tuple[Sequence[Row], ChunkAccounts | None]]:
        """As many of the rows as can be paid, down to one, and their books; none where the run must wait."""
        async with AsyncExitStack() as held:
            accounts = None
            while accounts is None:
                try:
                    accounts = await held.enter_async_context(self._held(rows))
                except BudgetExceeded as refusal:
                    if len(rows) == 1:
                        await self._out_of_money(refusal)
                        break
                    rows = rows[: len(rows) // 2]
            yield rows, accounts

    async def _out_of_money(self, refusal: BudgetExceeded) -> None:
        """What others hold may come back; what is spent does not."""
        cap, spent, asked = refusal.cap, refusal.spent, refusal.asked
        if None not in (cap, spent, asked) and (spent or 0) + (asked or 0) <= (cap or 0):
            self._wait = LOOK
            return
        await self._stand_still(self._judged(refusal, tries=0))

    @asynccontextmanager
    async def _held(self, rows: Sequence[Row]) -> AsyncIterator[ChunkAccounts]:
        numbers = {row.planned.key: row.planned.number for row in rows}
        ceilings = [row.planned.ceiling for row in rows if row.planned.priced]
        dearest = max(row.planned.ceiling for row in rows)
        head = rows[0].planned
        asked = HoldRequest(
            request_id=self._chunk.id,
            owner=self._bench.owner,
            scope=self.run.purse,
            amount=sum(ceilings) or dearest,
            per_image=dearest,
            model=head.model,
            tier=head.tier,
            purpose=head.ask.purpose,
        )

        def _noted(key: str, request_id: str, hold_id: str) -> Callable[[Transaction], None]:
            marked = [numbers[key]] if key in numbers else []
            return lambda tx: _marked(
                tx, self._run_id, numbers=marked, hold_id=hold_id, request_id=request_id
            )

        bench = self._bench
        async with chunk_held(bench.ledger, asked, announce=bench.announce, noted=_noted) as accounts:
            yield accounts

    async def _one(self, row: Row, router: ImageRouter, gate: asyncio.Semaphore) -> None:
        async with gate:
            if self._halted() or self._lost is not None:
                return
            verdict = await self._verdict(row, router)
        try:
            await self._take(row, verdict)
        except StorageError:
            self._stopped = True
            raise

    async def _verdict(self, row: Row, router: ImageRouter) -> Verdict | None:
        if row.planned.duplicate_of is not None:
            copied = await self._copied(row.planned.duplicate_of)
            if copied is not None:
                return copied
        try:
            request = replace(await self._requests(self.run, row), lane=Lane.INTERACTIVE)
            if row.planned.ask.lane is Lane.BATCH:
                request = replace(request, max_cost=self.run.terms.replacement)
            result = await router.generate(request, profile=self.run.profile)
        except HoldExpired as lost:
            self._lost = lost
            return None
        except ImageRouterError as error:
            return self._judged(error, tries=row.tries)
        return await self._kept(result)

    def _judged(self, error: ImageRouterError, *, tries: int) -> Verdict:
        """A run that has spent its own cap waits for its owner: no window ends, and nobody gives back."""
        if isinstance(error, BudgetExceeded) and error.scope == self.run.purse:
            reason = f"{error}; raise the run's cap with `resume {self._run_id} --max-cost DOLLARS`"
            return Stopped(pause=Pause.BUDGET, reason=reason)
        return judged(error, tries=tries)

    async def _kept(self, result: ImageResult) -> RowEnd:
        """The end of a row whose picture is in the store: one that is paid and could not be stored is stored
        as soon as the store takes it, while the run stands still."""
        bench = self._bench
        while (problem := await kept(bench.assets, result)) is not None:
            reason = str(problem)
            await self._stand_still(Stopped(pause=Pause.STORE, reason=reason, resumes_in=STORE_LOOK))
            if bench.draining.is_set():
                message = f"paid, and could not be stored before the process ended: {problem}"
                return RowEnd(state=RowState.FAILED, cause=problem.code, message=message)
            await bench.sleep(LOOK)
        image = result.image
        return RowEnd(
            state=RowState.DONE, asset=image.digest, model=image.model, request_id=result.request_id
        )

    async def _copied(self, number: int) -> RowEnd | None:
        """What became of the row that a duplicate repeats, once it is known."""
        query = RowQuery(run_id=self._run_id, after=number - 1, limit=1)
        (first,) = await self._bench.runs.rows_of(query)
        if first.state not in OVER:
            return None
        return RowEnd(
            state=first.state,
            cause=first.cause,
            message=first.message or f"as row {number:,}",
            request_id=first.request_id,
            asset=first.asset,
            model=first.model,
        )

    async def _take(self, row: Row, verdict: Verdict | None) -> None:
        runs, number = self._bench.runs, row.planned.number
        match verdict:
            case RowEnd() as end:
                await runs.db.write(
                    lambda tx: runs_rows.finish_counted(tx, self._run_id, number=number, end=end)
                )
            case Later(seconds=seconds, counts=counts):
                self._wait = max(self._wait, seconds)
                await self._put_back(number, tries=int(counts))
            case Stopped():
                await self._stand_still(verdict)
                await self._put_back(number, tries=0)

    async def _put_back(self, number: int, *, tries: int) -> None:
        await self._bench.runs.db.write(
            lambda tx: runs_rows.free_rows(tx, self._run_id, numbers=[number], tries=tries)
        )

    async def _stand_still(self, verdict: Verdict) -> None:
        """Begin nothing more in this turn, and let everybody know at once."""
        if isinstance(verdict, Stopped):
            self._stopped = True
            self.run = await self._bench.runs.pause(self._run_id, verdict)


def _marked(tx: Transaction, run_id: str, *, numbers: Sequence[int], hold_id: str, request_id: str) -> None:
    runs_rows.mark_sent(tx, run_id, numbers=numbers, hold_id=hold_id, request_id=request_id)


def _originals_first(rows: Iterable[Row]) -> list[Row]:
    """Duplicates wait until what they repeat is over."""
    rows = list(rows)
    originals = [row for row in rows if row.planned.duplicate_of is None]
    return originals or rows


def _without(gone: NoReference) -> RowEnd:
    cancelled = gone.first is not None and gone.first.state is RowState.CANCELLED
    state = RowState.CANCELLED if cancelled else RowState.FAILED
    return RowEnd(state=state, cause="reference", message=str(gone))


def _nothing_more(decision: Decision) -> None:
    raise LaneUnavailable("the run was cancelled: nothing more is sent for it")
