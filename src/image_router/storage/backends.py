"""The two databases behind one face: how each is opened, locked for writing, and asked the time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from image_router.core.budget import to_micros
from image_router.core.errors import ConfigError, StorageError, StorageProblem
from image_router.core.running import Now
from image_router.storage.clock import machine_now

_WRITERS_LOCK = 0x696D675F726F7574
"""Any number, the same in every process: the advisory lock that lets one writer at a time in."""

Clock = Callable[[], Now]


class Backend(Protocol):
    """A database that lets one writer at a time in, across processes."""

    name: str
    writing: Engine
    reading: Engine

    def enter(self, connection: Connection, *, durable: bool) -> None:
        """Open a transaction and wait until no other writer is inside. Held until it ends. Only a `durable`
        one is on disk when it is committed; one that is has all before it there too."""

    def look(self, connection: Connection) -> tuple[int, Now]:
        """Number of the newest migration, and the time."""


def backend_of(address: str | Path, *, patience: float, clock: Clock | None = None) -> Backend:
    """A path or sqlite: URL, or a postgresql: URL. `patience` is how long to wait for a lock, in seconds.

    Raises ConfigError for any other address.
    """
    if isinstance(address, Path) or "://" not in address:
        return Sqlite(Path(address), patience=patience, clock=clock)
    try:
        url = make_url(address)
    except ArgumentError:
        raise ConfigError(f"{_scheme(address)}… is not a database address: write a path, {_FORMS}") from None
    if url.get_backend_name() == "sqlite" and url.database:
        return Sqlite(Path(url.database), patience=patience, clock=clock)
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return Postgresql(address, patience=patience, clock=clock)
    raise ConfigError(f"{_scheme(address)}… is no database image-router can use: write a path, {_FORMS}")


_FORMS = "sqlite:///path or postgresql://user@host/name"


def _scheme(address: str) -> str:
    """What may be shown of an address: passwords come after it."""
    return address.partition("://")[0] + "://"


class Sqlite:
    """One file. WAL lets readers and the writer work side by side; FULL survives a power cut."""

    def __init__(self, path: Path, *, patience: float, clock: Clock | None) -> None:
        self.name = str(path)
        self._path = path
        self._clock = clock or machine_now
        self._inode: int | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.writing = self._engine(patience, "PRAGMA synchronous=FULL")
        self.reading = self._engine(patience, "PRAGMA query_only=ON")
        event.listen(self.reading, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    def _engine(self, patience: float, pragma: str) -> Engine:
        # mode=rw: a file that was removed must not come back empty.
        address = f"file:{quote(str(self._path.absolute()))}?mode=rw"

        def connect() -> sqlite3.Connection:
            # isolation_level=None: transactions the driver begins by itself would not be IMMEDIATE.
            connection = sqlite3.connect(
                address, uri=True, isolation_level=None, timeout=patience, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(pragma)
            return connection

        return create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    def enter(self, connection: Connection, *, durable: bool) -> None:
        if connection.info.get("durable", True) is not durable:
            # Outside a transaction alone. NORMAL leaves out the sync of the WAL, never its order
            # (https://www.sqlite.org/pragma.html#pragma_synchronous, read 2026-11-22).
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.info["durable"] = durable
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        inode = self._path.stat().st_ino
        if self._inode not in (None, inode):
            raise StorageError(
                f"the database {self.name} was replaced by another file while in use; restart this process",
                problem=StorageProblem.GONE,
            )
        self._inode = inode

    def look(self, connection: Connection) -> tuple[int, Now]:
        number = connection.exec_driver_sql("SELECT max(number) FROM schema_migrations").scalar()
        return number or 0, self._clock()


class Postgresql:
    """A server. Its own clock is the time, so that hosts whose clocks differ agree."""

    def __init__(self, address: str, *, patience: float, clock: Clock | None) -> None:
        if find_spec("psycopg") is None:
            raise ConfigError("PostgreSQL needs a driver: pip install 'image-router[postgres]'")
        url = make_url(address).set(drivername="postgresql+psycopg")
        self.name = url.render_as_string(hide_password=True)
        self._clock = clock
        waits = round(patience * 1000)
        # For this transaction alone: a pooler may hand the session to somebody else. A frozen or cut-off
        # process is thrown out after a while, so that it does not keep every other writer waiting.
        self._entrance = (
            f"SET LOCAL lock_timeout = {waits}; SET LOCAL idle_in_transaction_session_timeout = {waits}; "
            f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})"
        )
        self.writing = self._engine(url, pool_size=1)
        self.reading = self._engine(
            url,
            pool_size=4,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )

    @staticmethod
    def _engine(url: Any, **options: Any) -> Engine:
        return create_engine(
            url,
            connect_args={
                "connect_timeout": 10,
                "application_name": "image-router",
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 15_000,
            },
            **options,
        )

    def enter(self, connection: Connection, *, durable: bool) -> None:
        # There is one log for all connections, and it is flushed up to a commit: no later one outlives this
        # (https://www.postgresql.org/docs/current/wal-async-commit.html, read 2026-11-22).
        relaxed = "" if durable else "SET LOCAL synchronous_commit = off; "
        connection.exec_driver_sql(relaxed + self._entrance)

    def look(self, connection: Connection) -> tuple[int, Now]:
        number, moment = connection.execute(
            text("SELECT (SELECT max(number) FROM schema_migrations), clock_timestamp()")
        ).one()
        return number or 0, self._clock() if self._clock else _by_server(to_micros(moment))


def _by_server(moment: int) -> Now:
    return Now(wall=moment, lease=moment, epoch="server clock")
