"""A process at work on runs: it takes chunks, makes them, lives visibly, and drains before it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from image_router.bulk.chunks import Bench, run_chunk
from image_router.bulk.executors import TTL, Guard, die
from image_router.bulk.orchestrator import Orchestrator, feeding
from image_router.bulk.parts import Bulk
from image_router.bulk.remote_chunks import run_remote_chunk
from image_router.bulk.remote_lane import RemoteLane
from image_router.bulk.runs import WORKFLOWS
from image_router.core.runs import Run
from image_router.core.types import Lane
from image_router.storage.executors import Executors

SLOTS: Final = 4
"""Chunks that one process makes side by side."""
DRAIN: Final = 120.0
"""Seconds that a process may take to finish the pictures it is at when it is asked to end."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a process takes part."""

    slots: int = SLOTS
    ttl: float = TTL
    """Seconds of silence after which others take it for dead; the same in every process."""
    drain: float = DRAIN
    fenced: Callable[[], None] = die
    """What is done when others took it for dead: nothing more may be written."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """Made by `working`."""

    bench: Bench
    lane: RemoteLane
    turns: set[asyncio.Task[Run]] = field(default_factory=set)

    async def make(self, run_id: str, number: int) -> Run:
        """One turn at a chunk. Where the caller goes away, it goes on to its end."""
        turn = asyncio.ensure_future(self._turn(run_id, number))
        self.turns.add(turn)
        turn.add_done_callback(self.turns.discard)
        return await asyncio.shield(turn)

    async def _turn(self, run_id: str, number: int) -> Run:
        chunk = await self.bench.runs.chunk(run_id, number)
        if chunk.lane is Lane.BATCH:
            return await run_remote_chunk(self.lane, self.bench, run_id=run_id, number=number)
        return await run_chunk(self.bench, run_id, number=number)

    async def drain(self, seconds: float) -> bool:
        """Begin nothing more and finish what is under way; whether all of it was."""
        self.bench.draining.set()
        if self.turns:
            await asyncio.wait(self.turns, timeout=seconds)
        left = set(self.turns)
        for turn in left:
            turn.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return not left


@asynccontextmanager
async def working(bulk: Bulk, terms: Terms | None = None) -> AsyncIterator[Worker]:
    """Take part in all runs of the database for as long as the block lasts.

    Raises ConfigError where the package dbos is missing, or this process takes part already.
    """
    terms, executors, mine = terms or Terms(), Executors(bulk.db), bulk.executor
    bench = replace(bulk.bench, alive=lambda: executors.lives(mine.id), draining=asyncio.Event())
    worker = Worker(bench=bench, lane=bulk.lane)
    orchestrator = Orchestrator(
        db=bulk.db,
        address=bulk.address,
        executor=mine.id,
        version=WORKFLOWS,
        make=worker.make,
        slots=terms.slots,
    )
    guard = Guard(
        executor=mine.id,
        label=mine.label,
        executors=executors,
        ledger=bulk.bench.ledger,
        take_back=orchestrator.take_back,
        ttl=terms.ttl,
        fenced=terms.fenced,
    )
    finished = False

    async def leave() -> None:
        await (executors.end(mine.id) if finished else executors.leave(mine.id))

    await executors.enter(mine.id, label=mine.label)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(leave)
        # It beats from the start, which may take longer than others wait, and until all else has stopped.
        await closing.enter_async_context(_standing(guard))
        await orchestrator.start()
        closing.push_async_callback(orchestrator.stop)
        closing.callback(guard.ready.clear)
        guard.ready.set()
        try:
            async with feeding(orchestrator):
                yield worker
        finally:
            finished = await worker.drain(terms.drain) and await orchestrator.settled()
            if not finished:
                _log.warning("not all pictures were finished in %g s; others go on with them", terms.drain)


@asynccontextmanager
async def _standing(guard: Guard) -> AsyncIterator[None]:
    task = asyncio.create_task(guard.stand())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
