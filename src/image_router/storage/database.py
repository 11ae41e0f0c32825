"""One database for everything that outlives the process: a writer with group commit, and readers beside it.

`await db.write(job)` runs the job in the writer's thread inside a transaction it shares with whatever else
arrived meanwhile; it returns when that transaction is on disk. Each job has its own savepoint: what it raises
reaches its caller alone. Only one writer is inside at a time, across all processes, on both databases.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from sqlalchemy import Connection, RootTransaction
from sqlalchemy.exc import SQLAlchemyError

from image_router.core.errors import StorageError, StorageProblem
from image_router.core.running import Now
from image_router.storage import migrations
from image_router.storage.backends import Backend, Clock, backend_of
from image_router.storage.failures import storage_error

PATIENCE: Final = 10.0
"""Seconds to wait for another process to leave the database."""
MAX_GROUP: Final = 256
_FATAL: Final = frozenset(StorageProblem) - {StorageProblem.OTHER}

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a job works with. `now` is one moment for all jobs of the transaction."""

    connection: Connection
    now: Now


Job = Callable[[Transaction], T]
"""May run more than once when the connection fails before the commit, so it must have no other effect."""


@dataclass(frozen=True, slots=True, eq=False)
class Together(Generic[Item, T]):
    """A job for many items at once, so that a group costs a handful of statements instead of many.

    `run` answers for each item with its result or its error; what it raises itself concerns all of them.
    """

    run: Callable[[Transaction, Sequence[Item]], Sequence[T | Exception]]


class Database:
    """Made by `open`. Not bound to one event loop; close it when done."""

    def __init__(self, backend: Backend, *, max_group: int = MAX_GROUP) -> None:
        self._backend = backend
        self._max_group = max_group
        self._waiting: deque[_Ticket] = deque()
        self._arrived = threading.Condition()
        self._closing = False
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._serve, name="image-router-writer", daemon=True)

    @classmethod
    async def open(
        cls,
        address: str | Path,
        *,
        patience: float = PATIENCE,
        max_group: int = MAX_GROUP,
        clock: Clock | None = None,
    ) -> Self:
        """Open (and where needed create or migrate) the database at a path or postgresql:// URL.

        `clock` replaces the machine's or the server's. Raises StorageError, and ConfigError for an address
        that is none.
        """
        try:
            db = cls(backend_of(address, patience=patience, clock=clock), max_group=max_group)
        except OSError as error:
            raise storage_error(error, str(address)) from error
        try:
            await asyncio.to_thread(db._migrate)
        except StorageError:
            await asyncio.to_thread(db._disconnect)
            raise
        db._thread.start()
        return db

    @property
    def name(self) -> str:
        """Path or URL, without the password."""
        return self._backend.name

    async def write(self, job: Job[T]) -> T:
        """Run a job and wait until it is on disk. Raises StorageError, or what the job raised."""
        return cast(T, await self._submit(_Ticket(job=job)))

    async def write_together(self, together: Together[Item, T], item: Item, *, durable: bool = True) -> T:
        """Like `write`, together with all other items for the same job that wait.

        What is not `durable` survives this process at once, and a power cut or a crash of the database
        server once anything durable that came after it does, whichever connection or process wrote that:
        whatever is there has all that was written before it.
        """
        return cast(T, await self._submit(_Ticket(together=together, item=item, durable=durable)))

    async def read(self, query: Job[T]) -> T:
        """Run a query on one consistent state of the database, beside the writer. Raises StorageError."""
        return await asyncio.to_thread(self._read, query)

    async def close(self) -> None:
        """Finish what waits, then let go of the database."""
        with self._arrived:
            self._closing = True
            self._arrived.notify()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._disconnect)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _submit(self, ticket: _Ticket) -> asyncio.Future[Any]:
        with self._arrived:
            if self._closing:
                raise StorageError(f"the database {self.name} is closed", problem=StorageProblem.GONE)
            self._waiting.append(ticket)
            self._arrived.notify()
        return ticket.future

    def _read(self, query: Job[T]) -> T:
        """A connection that was lost, as by a server that started again, is replaced once."""
        try:
            return self._read_once(query)
        except StorageError as error:
            if error.problem is not StorageProblem.GONE:
                raise
        return self._read_once(query)

    def _read_once(self, query: Job[T]) -> T:
        try:
            with self._backend.reading.begin() as connection:
                return query(self._looked(connection))
        except (SQLAlchemyError, OSError) as error:
            raise storage_error(error, self.name) from error

    def _serve(self) -> None:
        while True:
            with self._arrived:
                self._arrived.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                count = min(len(self._waiting), self._max_group)
                group = [self._waiting.popleft() for _ in range(count)]
            self._store(group)
            _answer(group)

    def _store(self, group: list[_Ticket]) -> None:
        """One transaction. A connection that was lost before the commit is replaced once."""
        error = self._attempt(group)
        if error is not None and error.problem is StorageProblem.GONE and not error.in_doubt:
            error = self._attempt(group)
        if error is not None:
            for ticket in group:
                ticket.error = error

    def _attempt(self, group: list[_Ticket]) -> StorageError | None:
        caught = _Caught()
        with caught:
            self._transact(group)
        if caught.error is None:
            return None
        self._drop_connection()
        return self._typed(caught.error)

    def _transact(self, group: list[_Ticket]) -> None:
        connection = self._connect()
        with connection.begin() as transaction:
            tx = self._entered(connection, durable=any(ticket.durable for ticket in group))
            for tickets in _by_job(group):
                self._run(tx, tickets, alone=len(group) == 1)
            if len(group) == 1 and group[0].error is not None:
                transaction.rollback()
            else:
                self._commit(transaction)

    def _commit(self, transaction: RootTransaction) -> None:
        try:
            transaction.commit()
        except SQLAlchemyError as error:
            lost = self._typed(error).problem is StorageProblem.GONE
            raise storage_error(error, self.name, in_doubt=lost) from error

    def _typed(self, error: Exception) -> StorageError:
        if isinstance(error, StorageError):
            return error
        typed = storage_error(error, self.name)
        typed.__cause__ = error
        return typed

    def _entered(self, connection: Connection, *, durable: bool) -> Transaction:
        self._backend.enter(connection, durable=durable)
        return self._looked(connection)

    def _looked(self, connection: Connection) -> Transaction:
        schema, now = self._backend.look(connection)
        migrations.check_schema(schema, known=migrations.ALL[-1].number)
        return Transaction(connection=connection, now=now)

    def _run(self, tx: Transaction, tickets: list[_Ticket], *, alone: bool) -> None:
        caught = _Caught()
        with caught, nullcontext() if alone else tx.connection.begin_nested():
            _apply(tx, tickets)
        error = caught.error
        if error is None:
            return
        if isinstance(error, SQLAlchemyError):
            error = self._typed(error)
        if isinstance(error, StorageError) and error.problem in _FATAL:
            raise error
        if len(tickets) == 1:
            tickets[0].error = error
            return
        for ticket in tickets:
            self._run(tx, [ticket], alone=False)

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._backend.writing.connect()
        return self._connection

    def _migrate(self) -> None:
        try:
            with self._backend.writing.connect() as connection, connection.begin():
                self._backend.enter(connection, durable=True)
                migrations.migrate(connection, migrations.ALL)
        except (SQLAlchemyError, OSError) as error:
            raise storage_error(error, self.name) from error

    def _drop_connection(self) -> None:
        """A transaction that failed may still be open on it: a commit that was refused is."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._backend.writing.dispose()
        self._backend.reading.dispose()


@dataclass(slots=True, kw_only=True)
class _Ticket:
    """One caller's wish on its way through the writer's thread, and what came of it."""

    job: Job[Any] | None = None
    together: Together[Any, Any] | None = None
    item: Any = None
    durable: bool = True
    value: Any = None
    error: Exception | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    future: asyncio.Future[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.future = self.loop.create_future()


class _Caught:
    """Keeps a job's error, whatever it is, for the caller it belongs to: the writer must outlive it."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> None:
        self.error = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


def _by_job(group: list[_Ticket]) -> list[list[_Ticket]]:
    """Tickets for one Together side by side, all else one by one, in the order of arrival."""
    found: dict[Any, list[_Ticket]] = {}
    for ticket in group:
        found.setdefault(ticket.together or id(ticket), []).append(ticket)
    return list(found.values())


def _apply(tx: Transaction, tickets: list[_Ticket]) -> None:
    first = tickets[0]
    if first.together is None:
        if first.job is None:
            raise AssertionError("a ticket has a job or shares one")
        first.value, first.error = first.job(tx), None
        return
    results = first.together.run(tx, [ticket.item for ticket in tickets])
    for ticket, result in zip(tickets, results, strict=True):
        ticket.value = result
        ticket.error = result if isinstance(result, Exception) else None


def _answer(group: list[_Ticket]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Ticket]] = {}
    for ticket in group:
        by_loop.setdefault(ticket.loop, []).append(ticket)
    for loop, tickets in by_loop.items():
        # A loop that was closed meanwhile has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, tickets)


def _resolve(tickets: list[_Ticket]) -> None:
    for ticket in tickets:
        if ticket.future.done():
            continue
        if ticket.error is not None:
            ticket.future.set_exception(ticket.error)
        else:
            ticket.future.set_result(ticket.value)
