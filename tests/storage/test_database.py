"""The writer that groups, the readers beside it, and everything that goes wrong with a database."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Text, inspect, text

import postgres_server
from image_router.core.errors import ConfigError, StorageError, StorageProblem
from image_router.storage import migrations, schema
from image_router.storage.database import Database, Together, Transaction
from image_router.storage.migrations import Migration
from storage.ledgers import no_more_room


def note(tx: Transaction, word: str) -> str:
    """Write one row into a table at hand."""
    tx.connection.execute(
        text("INSERT INTO budget_changes (at, who, scope, field) VALUES (:at, 'test', 'test', :word)"),
        {"at": tx.now.wall, "word": word},
    )
    return word


def words(tx: Transaction) -> list[str]:
    return list(tx.connection.execute(text("SELECT field FROM budget_changes ORDER BY id")).scalars())


async def test_writes_are_seen_by_readers(database: Database) -> None:
    """What a write returned from is on disk and readable."""
    assert await database.write(lambda tx: note(tx, "one")) == "one"
    assert await database.read(words) == ["one"]


async def test_many_writes_share_transactions(database: Database) -> None:
    """Writes that arrive together are committed together, each with its own answer, in order of arrival."""
    moments: list[int] = []

    def job(number: int) -> int:
        return number

    async def one(number: int) -> int:
        def work(tx: Transaction) -> int:
            moments.append(tx.now.wall)
            note(tx, f"{number:02}")
            return job(number)

        return await database.write(work)

    assert await asyncio.gather(*(one(number) for number in range(50))) == list(range(50))
    assert await database.read(words) == [f"{number:02}" for number in range(50)]
    assert len(set(moments)) < 50


async def test_a_failing_job_takes_nothing_with_it(database: Database) -> None:
    """A job's error reaches its caller, its rows are undone, and its neighbours are stored."""

    def broken(tx: Transaction) -> None:
        note(tx, "broken")
        raise ValueError("no")

    results = await asyncio.gather(
        *(database.write(lambda tx: note(tx, "fine")) for _ in range(3)),
        database.write(broken),
        *(database.write(lambda tx: note(tx, "good")) for _ in range(3)),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(ValueError) == 1
    assert await database.read(words) == ["fine"] * 3 + ["good"] * 3
    with pytest.raises(ValueError, match="no"):
        await database.write(broken)
    assert await database.read(words) == ["fine"] * 3 + ["good"] * 3


async def test_a_statement_that_fails_is_a_storage_error(database: Database) -> None:
    """Bad SQL in one job is its own StorageError, and the others are stored."""

    def bad(tx: Transaction) -> None:
        tx.connection.execute(text("SELECT * FROM nowhere"))

    results = await asyncio.gather(
        database.write(lambda tx: note(tx, "a")),
        database.write(lambda tx: note(tx, "b")),
        database.write(bad),
        database.write(lambda tx: note(tx, "c")),
        return_exceptions=True,
    )
    assert isinstance(results[2], StorageError)
    assert results[2].problem is StorageProblem.OTHER
    assert await database.read(words) == ["a", "b", "c"]


async def test_together(database: Database) -> None:
    """Items for one job are handed over in one piece, each answered or refused by itself."""
    sizes: list[int] = []

    def run(tx: Transaction, items: Sequence[int]) -> list[int | Exception]:
        sizes.append(len(items))
        for item in items:
            note(tx, str(item))
        return [ValueError(str(item)) if item % 2 else item * 10 for item in items]

    double = Together(run)
    results = await asyncio.gather(
        *(database.write_together(double, n) for n in range(20)), return_exceptions=True
    )
    assert [str(result) for result in results] == [str(n) if n % 2 else str(n * 10) for n in range(20)]
    assert max(sizes) > 1


async def test_together_falls_back_to_one_by_one(database: Database) -> None:
    """An item that breaks the whole piece is singled out; the others are stored without it."""

    def run(tx: Transaction, items: Sequence[str]) -> list[str]:
        for item in items:
            note(tx, item)
        if "poison" in items:
            raise ValueError("poison")
        return list(items)

    job = Together(run)
    await database.write(lambda tx: note(tx, "first"))
    results = await asyncio.gather(
        *(database.write_together(job, item) for item in ("a", "b", "poison", "c")),
        return_exceptions=True,
    )
    assert results[0:2] + results[3:] == ["a", "b", "c"]
    assert isinstance(results[2], ValueError)
    assert sorted(await database.read(words)) == ["a", "b", "c", "first"]


async def test_a_cancelled_caller_does_not_stop_the_writer(database: Database) -> None:
    """A job whose caller is gone is stored, and the next caller is served."""
    started, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> str:
        started.set()
        go_on.wait(10)
        return note(tx, "slow")

    task = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await database.write(lambda tx: note(tx, "next"))
    assert await database.read(words) == ["slow", "next"]


async def test_closing_finishes_what_waits(address: str) -> None:
    """Close stores what was asked before it and refuses what comes after."""
    database = await Database.open(address)
    waiting = [asyncio.ensure_future(database.write(lambda tx: note(tx, "kept"))) for _ in range(5)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*waiting) == ["kept"] * 5
    with pytest.raises(StorageError, match="is closed"):
        await database.write(lambda tx: note(tx, "late"))


async def test_two_openers_take_turns(address: str) -> None:
    """Several writers on one database wait for each other; nothing is lost."""
    async with await Database.open(address) as one, await Database.open(address) as other:
        await asyncio.gather(*(db.write(lambda tx: note(tx, "x")) for db in (one, other) for _ in range(25)))
        assert await one.read(words) == ["x"] * 50


async def test_readers_may_not_write(database: Database) -> None:
    """A reading job that writes is refused: it would not have taken its turn."""
    with pytest.raises(StorageError) as refusal:
        await database.read(lambda tx: note(tx, "no"))
    assert refusal.value.problem is StorageProblem.READ_ONLY


async def test_a_reader_sees_one_state(database: Database) -> None:
    """Two looks in one reading job agree even if something is written between them."""
    loop = asyncio.get_running_loop()

    def twice(tx: Transaction) -> tuple[int, int]:
        before = len(words(tx))
        asyncio.run_coroutine_threadsafe(database.write(lambda t: note(t, "new")), loop).result(10)
        return before, len(words(tx))

    before, after = await database.read(twice)
    assert before == after
    assert await database.read(words) == ["new"]


async def test_the_schema_is_what_the_queries_expect(database: Database) -> None:
    """Migrations make exactly the tables and columns that storage/schema describes."""
    kinds = {BigInteger: ("BIGINT", "INTEGER"), Integer: ("INTEGER",), Text: ("TEXT",), Boolean: ("BOOLEAN",)}
    kinds[LargeBinary] = ("BYTEA", "BLOB")

    def look(tx: Transaction) -> None:
        there = inspect(tx.connection)
        for table in schema.metadata.sorted_tables:
            columns = {column["name"]: column for column in there.get_columns(table.name)}
            assert set(columns) == {column.name for column in table.columns}
            for column in table.columns:
                found = columns[column.name]
                assert str(found["type"]).split(" COLLATE")[0] in kinds[type(column.type)], column
                assert found["nullable"] == column.nullable or column.primary_key, column

    await database.read(look)


async def test_opening_again_keeps_every_row(address: str) -> None:
    """Migrations run at each start and move nothing that is up to date."""
    for count in range(3):
        async with await Database.open(address) as database:
            assert len(await database.read(words)) == count
            await database.write(lambda tx: note(tx, "row"))


async def test_a_later_migration_keeps_rows(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A next step is applied once, to a database full of rows."""
    async with await Database.open(address) as database:
        await database.write(lambda tx: note(tx, "old"))
    step = Migration(number=99, name="more", statements=("ALTER TABLE budget_changes ADD COLUMN more TEXT",))
    monkeypatch.setattr(migrations, "ALL", (*migrations.ALL, step))
    for _ in range(2):
        async with await Database.open(address) as database:
            assert await database.read(words) == ["old"]


async def test_a_failing_migration_changes_nothing(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that breaks halfway is undone whole, and the old program still works."""
    async with await Database.open(address) as database:
        await database.write(lambda tx: note(tx, "old"))
    broken = Migration(number=99, name="broken", statements=("CREATE TABLE extra (a INTEGER)", "NONSENSE"))
    known = migrations.ALL
    monkeypatch.setattr(migrations, "ALL", (*known, broken))
    with pytest.raises(StorageError):
        await Database.open(address)
    monkeypatch.setattr(migrations, "ALL", known)
    async with await Database.open(address) as database:
        assert await database.read(words) == ["old"]
        tables = await database.read(lambda tx: inspect(tx.connection).get_table_names())
    assert "extra" not in tables


def _newer(tx: Transaction) -> None:
    tx.connection.execute(text("INSERT INTO schema_migrations VALUES (99, 'from tomorrow', 0)"))


async def test_a_newer_schema_is_refused(address: str) -> None:
    """A program does not touch tables of a newer one: not at start, and not while it already runs."""
    old = await Database.open(address)
    await old.write(_newer)
    with pytest.raises(StorageError, match="schema 99") as refusal:
        await old.write(lambda tx: note(tx, "no"))
    assert refusal.value.problem is StorageProblem.NEWER_SCHEMA
    await old.close()
    with pytest.raises(StorageError, match="update this one"):
        await Database.open(address)


@pytest.mark.parametrize("address", ["mysql://user:secret@host/db", "sqlite://", "postgresql+asyncpg://h/d"])
async def test_addresses_that_are_none(address: str) -> None:
    """Another database than the two is an operator's error, told without the password."""
    with pytest.raises(ConfigError) as refusal:
        await Database.open(address)
    assert "secret" not in str(refusal.value)


async def test_a_server_that_is_not_there() -> None:
    """An unreachable server is a StorageError that names it without the password."""
    with pytest.raises(StorageError) as refusal:
        await Database.open("postgresql://user:secret@127.0.0.1:1/none")
    assert refusal.value.problem is StorageProblem.GONE
    assert "secret" not in str(refusal.value)


class TestSqliteFile:
    """What can happen to a file."""

    async def test_locked(self, tmp_path: Path) -> None:
        """A file that stays locked is a typed error after the patience, and nothing is stored."""
        path = tmp_path / "x.db"
        async with await Database.open(path, patience=0.05) as database:
            holder = sqlite3.connect(path, isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError) as refusal:
                await database.write(lambda tx: note(tx, "no"))
            assert refusal.value.problem is StorageProblem.LOCKED
            holder.execute("ROLLBACK")
            holder.close()
            await database.write(lambda tx: note(tx, "yes"))
            assert await database.read(words) == ["yes"]

    async def test_not_a_database(self, tmp_path: Path) -> None:
        """A file with something else in it is called damaged and left as it is."""
        path = tmp_path / "x.db"
        path.write_bytes(b"this is no database" * 100)
        with pytest.raises(StorageError) as refusal:
            await Database.open(path)
        assert refusal.value.problem is StorageProblem.CORRUPT
        assert path.read_bytes() == b"this is no database" * 100

    async def test_torn(self, tmp_path: Path) -> None:
        """Pages overwritten with rubbish are found by their first use."""
        path = tmp_path / "x.db"
        async with await Database.open(path) as database:
            for _ in range(20):
                await database.write(lambda tx: note(tx, "x" * 2000))
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xff" * (len(data) - 4096)
        path.write_bytes(data)
        with pytest.raises(StorageError) as refusal:
            async with await Database.open(path) as database:
                await database.read(words)
        assert refusal.value.problem is StorageProblem.CORRUPT

    async def test_read_only(self, tmp_path: Path) -> None:
        """A database that may not be written says so; on a read-only copy even root is refused."""
        path = tmp_path / "x.db"
        async with await Database.open(path) as database:

            def forbid(tx: Transaction) -> None:
                tx.connection.exec_driver_sql("PRAGMA query_only=ON")

            await database.write(forbid)
            with pytest.raises(StorageError) as refusal:
                await database.write(lambda tx: note(tx, "no"))
        assert refusal.value.problem is StorageProblem.READ_ONLY

    async def test_a_folder_in_the_way(self, tmp_path: Path) -> None:
        """A path that cannot be a file is a typed error."""
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError):
            await Database.open(tmp_path / "file" / "x.db")

    async def test_removed_while_in_use(self, tmp_path: Path) -> None:
        """A file that was deleted or replaced is noticed, instead of writing money into nowhere."""
        path = tmp_path / "x.db"
        async with await Database.open(path) as database:
            await database.write(lambda tx: note(tx, "one"))
            async with await Database.open(tmp_path / "y.db"):
                (tmp_path / "y.db").rename(path)
            with pytest.raises(StorageError, match="replaced") as replaced:
                await database.write(lambda tx: note(tx, "two"))
            path.unlink()
            with pytest.raises(StorageError) as gone:
                await database.write(lambda tx: note(tx, "three"))
            assert not path.exists()
        assert gone.value.problem is replaced.value.problem is StorageProblem.GONE

    async def test_disk_full(self, tmp_path: Path) -> None:
        """A file that may not grow any more is a typed error; what was stored stays, and room mends it."""
        path = tmp_path / "x.db"
        async with await Database.open(path) as database:
            await database.write(lambda tx: note(tx, "kept"))
            with no_more_room(200_000), pytest.raises(StorageError) as refusal:
                await database.write(lambda tx: note(tx, "x" * 1_000_000))
            assert refusal.value.problem is StorageProblem.FULL
            await database.write(lambda tx: note(tx, "after"))
            assert await database.read(words) == ["kept", "after"]

    async def test_page_limit(self, tmp_path: Path) -> None:
        """SQLite's own full is the same error."""
        async with await Database.open(tmp_path / "x.db") as database:

            def limit(tx: Transaction) -> None:
                tx.connection.exec_driver_sql("PRAGMA max_page_count=40")

            await database.write(limit)
            with pytest.raises(StorageError) as refusal:
                await database.write(lambda tx: note(tx, "x" * 1_000_000))
        assert refusal.value.problem is StorageProblem.FULL


class TestPostgresqlServer:
    """What can happen to a server."""

    async def test_a_lost_connection_is_replaced(self, on_postgresql: str) -> None:
        """A connection that the server closed while idle costs the caller nothing."""
        async with await Database.open(on_postgresql) as database:
            pid = await database.write(
                lambda tx: tx.connection.execute(text("SELECT pg_backend_pid()")).scalar()
            )
            with psycopg.connect(on_postgresql, autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            other = await database.write(
                lambda tx: tx.connection.execute(text("SELECT pg_backend_pid()")).scalar()
            )
            assert other != pid

    async def test_gone(self) -> None:
        """While the server is down every write is a typed error."""
        with postgres_server.private() as (url, server):
            async with await Database.open(url) as database:
                await database.write(lambda tx: note(tx, "kept"))
                os.kill(server, signal.SIGQUIT)
                await asyncio.to_thread(_until_gone, server)
                with pytest.raises(StorageError) as refusal:
                    await database.write(lambda tx: note(tx, "lost"))
                assert refusal.value.problem is StorageProblem.GONE

    async def test_locked(self, on_postgresql: str) -> None:
        """A writer that does not leave is a typed error after the patience."""
        async with await Database.open(on_postgresql, patience=0.1) as database:
            key = 0x696D675F726F7574
            with psycopg.connect(on_postgresql) as holder:
                holder.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
                with pytest.raises(StorageError) as refusal:
                    await database.write(lambda tx: note(tx, "no"))
                holder.rollback()
            assert refusal.value.problem is StorageProblem.LOCKED

    async def test_read_only(self, on_postgresql: str) -> None:
        """A standby or a read-only role says so."""
        async with await Database.open(on_postgresql) as database:

            def forbid(tx: Transaction) -> None:
                tx.connection.execute(text("SET SESSION default_transaction_read_only = on"))

            await database.write(forbid)
            with pytest.raises(StorageError) as refusal:
                await database.write(lambda tx: note(tx, "no"))
        assert refusal.value.problem is StorageProblem.READ_ONLY
        assert "those of the role, and that it is no standby" in str(refusal.value)


def _until_gone(server: int) -> None:
    """Until the server's process has ended and its keeper has taken notice."""
    for _ in range(500):
        try:
            os.kill(server, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    raise TimeoutError(f"server {server} did not stop")


async def test_what_is_not_durable_is_not_waited_for(tmp_path: Path) -> None:
    """Only a group with something durable in it is synced, and the next durable one is synced again."""
    seen: list[int] = []

    def look(tx: Transaction, items: Sequence[None]) -> list[None]:
        seen.append(tx.connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
        return [None for _ in items]

    together: Together[None, None] = Together(look)
    async with await Database.open(tmp_path / "ledger.db") as database:
        for durable in (True, False, False, True):
            await database.write_together(together, None, durable=durable)
    full, normal = 2, 1
    assert seen == [full, normal, normal, full]


async def test_what_is_durable_brings_along_what_another_connection_did_not_wait_for(
    on_postgresql: str,
) -> None:
    """One log for all connections: flushed up to a commit, it holds everything that was committed before."""

    def look(tx: Transaction, items: Sequence[str]) -> list[str]:
        for item in items:
            note(tx, item)
        mode = tx.connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
        return [mode for _ in items]

    def at(tx: Transaction, place: str) -> int:
        return int(tx.connection.exec_driver_sql(f"SELECT {place}() - '0/0'::pg_lsn").scalar_one())

    together: Together[str, str] = Together(look)
    async with await Database.open(on_postgresql) as one, await Database.open(on_postgresql) as two:
        for turn in range(20):
            assert await one.write_together(together, f"held {turn}", durable=False) == "off"
            written = await one.read(lambda tx: at(tx, "pg_current_wal_insert_lsn"))
            assert await two.write_together(together, f"paid {turn}") == "on"
            assert await two.read(lambda tx: at(tx, "pg_current_wal_flush_lsn")) >= written
