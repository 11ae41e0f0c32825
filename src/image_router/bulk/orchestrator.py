"""What carries chunks from the line to a process that makes them: DBOS, and nothing else knows of it.

A workflow is one turn at a chunk. What is to be done is told by our own tables: every process that takes part
puts chunks that wait in the queue, under an id that names chunk and turn, so that it may do so as often as it
likes. The queue, its order, and the recovery of what a dead process was at are DBOS's.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url

from image_router.core.errors import ConfigError, StorageError
from image_router.core.runs import Chunk, ChunkState, Run
from image_router.storage.database import Database
from image_router.storage.runs import StoredRuns
from image_router.storage.runs_line import begun_chunks, may_go_on, next_chunks

APP: Final = "image-router"
QUEUE: Final = "chunks"
CHUNK: Final = "chunk"
POLL: Final = 0.5
"""Seconds between looks for chunks, by those that feed and those that take."""
_AHEAD: Final = 4
"""Chunks in the queue for each that a process makes at a time: enough to be never idle, few enough that an
urgent run need not wait for them."""
_CHECKS: Final = 10.0
"""Seconds between looks for turns that ended without having begun their chunk."""
_OVER: Final = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_TAKING_PART: Final = threading.Lock()
"""DBOS has one instance in a process."""
_log = logging.getLogger(__name__)

Make = Callable[[str, int], Awaitable[Run]]
"""(run id, number of its chunk) → the run, when the chunk's turn is over."""


@dataclass(slots=True, kw_only=True)
class Orchestrator:
    """One process's part in all runs of a database. There can be one in a process."""

    db: Database
    address: str | Path
    executor: str
    version: str
    make: Make
    slots: int
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _engine: Engine | None = None
    _fed: set[str] = field(default_factory=set)
    _checked: float = 0.0

    async def start(self) -> None:
        """Take part. Raises ConfigError where the package is missing, or another one runs in this process."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._start)

    async def stop(self) -> None:
        """Take part no more; what this process is still at is left to others."""
        await asyncio.to_thread(self._stop)

    async def feed(self) -> None:
        """Put chunks that wait in the queue, and let paused runs go on that may."""
        runs = StoredRuns(self.db)
        for run in await self.db.read(may_go_on):
            await runs.begin(run.id)
        chunks = await self.db.read(lambda tx: next_chunks(tx, limit=self.slots * _AHEAD))
        turns = {self._turn_of(chunk): chunk for chunk in chunks}
        self._fed &= turns.keys()
        if self._loop.time() - self._checked > _CHECKS:
            self._checked = self._loop.time()
            await self._look_for_lost({turn: turns[turn] for turn in self._fed})
        for turn in turns.keys() - self._fed:
            await asyncio.to_thread(self._enqueue, turn, turns[turn])
            self._fed.add(turn)

    async def _look_for_lost(self, fed: Mapping[str, Chunk]) -> None:
        """Turns that ended without having begun their chunk, and chunks that were begun and whose turn ended
        without saying so: nobody would ever come back to them."""
        runs = StoredRuns(self.db)
        for turn in await asyncio.to_thread(self._ended, fed):
            await runs.skip_turn(fed[turn])
        begun = await self.db.read(begun_chunks)
        under_way = await asyncio.to_thread(self._all_under_way) if begun else set()
        for chunk in begun:
            if chunk.id not in under_way:
                _log.warning("nobody is at chunk %s, which was begun; it waits again", chunk.id)
                await runs.release_chunk(chunk.run_id, chunk.number, turn=chunk.turn)

    async def settled(self, *, within: float = 5.0) -> bool:
        """Whether every turn that this process ended is written down as ended, waiting so many seconds."""
        until = self._loop.time() + within
        while await asyncio.to_thread(self._under_way, self.executor):
            if self._loop.time() > until:
                return False
            await asyncio.sleep(POLL / 10)
        return True

    async def take_back(self, executor: str) -> None:
        """Put the workflows of a dead executor back in their queues; what another version of this program was
        at is begun anew by this one."""
        others = await asyncio.to_thread(self._take_back, executor)
        for workflow_id in others:
            run_id, _, number = workflow_id.partition(":")[0].rpartition(".")
            await StoredRuns(self.db).release_chunk(run_id, int(number))

    def _start(self) -> None:
        dbos = _dbos()
        if not _TAKING_PART.acquire(blocking=False):
            raise ConfigError("this process makes chunks already; one worker to a process")
        self._register(dbos)
        dbos.DBOS(config=self._config(dbos))
        dbos.DBOS.listen_queues([QUEUE])
        dbos.DBOS.launch()
        dbos.DBOS.register_queue(
            QUEUE,
            worker_concurrency=self.slots,
            polling_interval_sec=POLL,
            on_conflict="always_update",
        )

    def _stop(self) -> None:
        _dbos().DBOS.destroy(destroy_registry=True)
        if self._engine is not None:
            self._engine.dispose()
        _TAKING_PART.release()

    def _register(self, dbos: Any) -> None:
        async def _one_turn(run_id: str, number: int, turn: int) -> str:
            # On the loop that the database, the provider's connections and the router belong to.
            making = asyncio.run_coroutine_threadsafe(self._made(run_id, number, turn), self._loop)
            return await asyncio.wrap_future(making)

        step = dbos.DBOS.step(name=f"{CHUNK}.turn")(_one_turn)

        async def _chunk(run_id: str, number: int, turn: int) -> str:
            state: str = await step(run_id, number, turn)
            return state

        dbos.DBOS.workflow(name=CHUNK, max_recovery_attempts=None)(_chunk)

    async def _made(self, run_id: str, number: int, turn: int) -> str:
        """A turn that ended before its end was written down here is not taken again: the next one is fed."""
        chunk = await StoredRuns(self.db).chunk(run_id, number)
        if chunk.state is ChunkState.RUNNING or chunk.turn == turn:
            await self.make(run_id, number)
        return "ended"

    def _config(self, dbos: Any) -> dict[str, Any]:
        """JSON, since whoever can write to the database must not be able to run code here; a version that
        stays, since the default, a digest of the source, would orphan all work at every release."""
        sqlite = isinstance(self.address, Path) or "://" not in self.address
        url = f"sqlite:///{self.address}" if sqlite else _plain(str(self.address))
        sqlite = url.startswith("sqlite")
        self._engine = _sqlite(url) if sqlite else None
        return {
            "name": APP,
            "system_database_url": url,
            "system_database_engine": self._engine,
            "application_version": self.version,
            "executor_id": self.executor,
            "serializer": dbos.DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "db_engine_kwargs": None if sqlite else {"connect_args": _KEEPALIVES, "pool_pre_ping": True},
            "scheduler_polling_interval_sec": 3600.0,
        }

    def _turn_of(self, chunk: Chunk) -> str:
        return f"{chunk.id}:{chunk.turn}:{self.version}"

    def _enqueue(self, turn: str, chunk: Chunk) -> None:
        options = {
            "workflow_name": CHUNK,
            "queue_name": QUEUE,
            "workflow_id": turn,
            "app_version": self.version,
            "priority": max(1, chunk.place),
        }
        _dbos().DBOS.enqueue_workflow_with_options(options, chunk.run_id, chunk.number, chunk.turn)

    def _take_back(self, executor: str) -> list[str]:
        dbos, found = _dbos().DBOS, self._under_way(executor)
        mine = [each.workflow_id for each in found if each.app_version == self.version]
        others = [each.workflow_id for each in found if each.app_version != self.version]
        if mine:
            # Without its queue's name it would land in another one, outside every limit.
            dbos.resume_workflows(mine, queue_name=QUEUE)
        if others:
            dbos.cancel_workflows(others)
        return others

    def _ended(self, turns: Collection[str]) -> list[str]:
        if not turns:
            return []
        found = _dbos().DBOS.list_workflows(
            workflow_ids=sorted(turns), status=_OVER, load_input=False, load_output=False
        )
        return [each.workflow_id for each in found]

    def _all_under_way(self) -> set[str]:
        """Chunks that some workflow has before it or is at."""
        found = _dbos().DBOS.list_workflows(
            name=CHUNK, status=["PENDING", "ENQUEUED", "DELAYED"], load_input=False, load_output=False
        )
        return {each.workflow_id.partition(":")[0] for each in found}

    def _under_way(self, executor: str) -> list[Any]:
        found: list[Any] = _dbos().DBOS.list_workflows(
            status="PENDING", executor_id=executor, load_input=False, load_output=False
        )
        return found


@asynccontextmanager
async def feeding(orchestrator: Orchestrator) -> AsyncIterator[None]:
    """Feed for as long as the block lasts."""

    async def feed() -> None:
        while True:
            try:
                await orchestrator.feed()
            except StorageError as problem:
                _log.warning("chunks cannot be looked for: %s", problem)
            await asyncio.sleep(POLL)

    task = asyncio.create_task(feed())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


_KEEPALIVES: Final = {
    "connect_timeout": 10,
    "application_name": "image-router-workflows",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


def check_installed() -> None:
    """Raises ConfigError where this installation cannot make runs."""
    _dbos()


def _dbos() -> Any:
    try:
        import dbos
    except ImportError as problem:
        raise ConfigError(
            f"runs need the package dbos ({problem}): pip install 'image-router[bulk]'"
        ) from None
    return dbos


def _plain(address: str) -> str:
    """The driver's name spelled out, as DBOS wants it."""
    url = make_url(address)
    if url.get_backend_name() == "sqlite":
        return address
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _sqlite(url: str) -> Engine:
    """The file that our own tables are in: write-ahead log, one writer at a time, synced to disk."""
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
