"""The books fail just when a picture is paid: it is returned all the same, and booked when they work."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from image_router.aio import ImageRouter
from image_router.books import Books, open_books
from image_router.config import Secret, Settings
from image_router.core.errors import BudgetExceeded, StorageError, StorageProblem
from image_router.core.results import ImageResult
from image_router.storage import database as databases
from image_router.storage.ledger import Ledger
from image_router.testing import Script, ScriptedProvider, words_only
from image_router.wiring import database_of
from storage.ledgers import no_more_room


@pytest.fixture
def settings(address: str, tmp_path: Path) -> Settings:
    url = Secret(address) if address.startswith("postgresql") else None
    return Settings(home=tmp_path / "home", database=url)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits half a minute for a database that stays away."""
    monkeypatch.setitem(Ledger.__init__.__kwdefaults__, "patience", 0.3)
    monkeypatch.setitem(databases.Database.open.__kwdefaults__, "patience", 0.2)


class Failing(ScriptedProvider):
    """Breaks something between the call and its settlement."""

    def __init__(self, script: Script | None, breaks: Callable[[], None]) -> None:
        super().__init__(script)
        self._breaks = breaks

    async def generate(self, *args: Any, **more: Any) -> Any:
        reply = await super().generate(*args, **more)
        self._breaks()
        return reply


async def make(settings: Settings, breaks: Callable[[], None], **asked: Any) -> ImageResult:
    async with ImageRouter(settings, via=Failing(None, breaks)) as router:
        return await router.generate("a fox", **asked)


async def told(result: ImageResult, problem: StorageProblem) -> None:
    """The caller has the picture, its cost, and what is wrong."""
    assert len(result.images) == 1
    assert result.image.data
    assert result.cost > 0
    assert "its cost could not be written down" in result.image.warnings[-1]
    assert ".." not in result.image.warnings[-1]
    words = {
        StorageProblem.FULL: "no room left",
        StorageProblem.READ_ONLY: "cannot be written",
        StorageProblem.LOCKED: "is locked",
        StorageProblem.GONE: "cannot be reached",
        StorageProblem.CORRUPT: "is damaged",
        StorageProblem.NEWER_SCHEMA: "schema 99",
    }
    assert words[problem] in result.image.warnings[-1]
    assert any("could not be closed" in warning for warning in result.warnings)


async def booked(settings: Settings, result: ImageResult) -> None:
    """The next process finds the picture, its row and its cost; nothing is held or unknown, all adds up."""
    async with ImageRouter(settings, via=ScriptedProvider()) as router:
        other = await router.generate("a bear")
    async with open_books(settings) as books:
        await _expired(books)
        kept = {asset.digest: asset.cost for asset in await books.assets.list()}
        assert kept[result.image.digest] == result.cost
        assert sum(line.spent for line in await books.statement([])) == result.cost + other.cost
        assert await books.unknowns() == []
        report = await books.ledger.verify()
        assert (report.sound, report.open_holds) == (True, 0)


async def _expired(books: Books) -> None:
    """As if the lease of every hold had ended."""
    await books.db.write(lambda tx: tx.connection.exec_driver_sql("UPDATE holds SET lease_until = 0"))
    await books.ledger.expire()


@pytest.fixture
def stranded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes have passed."""
    from image_router.storage.assets import Assets

    monkeypatch.setitem(Assets.stranded.__kwdefaults__ or {}, "older", 0.0)


@pytest.mark.usefixtures("stranded_at_once")
@pytest.mark.parametrize(
    "problem",
    [StorageProblem.FULL, StorageProblem.READ_ONLY, StorageProblem.LOCKED, StorageProblem.CORRUPT],
)
async def test_a_settlement_that_is_not_taken_loses_no_picture(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, problem: StorageProblem
) -> None:
    """Picture and cost are returned with a warning; its bytes wait to be booked, and then are."""
    words = {
        StorageProblem.FULL: OSError(errno.ENOSPC, "no room left"),
        StorageProblem.READ_ONLY: OSError(errno.EROFS, "cannot be written"),
        StorageProblem.LOCKED: OSError(errno.EAGAIN, "is locked"),
        StorageProblem.CORRUPT: OSError(errno.EIO, "is damaged"),
    }
    with monkeypatch.context() as trouble:

        def breaks() -> None:
            def refuse(self: object, group: list[Any]) -> StorageError:
                return StorageError(f"the database says: {words[problem]}", problem=problem)

            trouble.setattr(databases.Database, "_attempt", refuse)

        result = await make(settings, breaks)
    await told(result, problem)
    await booked(settings, result)


@pytest.mark.usefixtures("stranded_at_once")
async def test_a_locked_file(tmp_path: Path) -> None:
    """Another program sits in the SQLite file from the call on."""
    settings = Settings(home=tmp_path / "home")
    with _locking(settings.home / "ledger.db") as lock:
        result = await make(settings, lock)
        await told(result, StorageProblem.LOCKED)
    await booked(settings, result)


async def test_a_disk_without_any_room(tmp_path: Path) -> None:
    """Neither the picture's file nor the database can grow: the caller has the picture, and is told both."""
    settings = Settings(home=tmp_path / "home")
    with ExitStack() as full:
        result = await make(settings, lambda: full.enter_context(no_more_room(1)))
    assert len(result.images) == 1
    assert "not stored" in result.image.warnings[-2]
    assert "its cost could not be written down" in result.image.warnings[-1]
    async with open_books(settings) as books:
        await _expired(books)
        (unknown,) = await books.unknowns()
        assert unknown.at_risk >= result.cost
        assert (await books.ledger.verify()).sound


@pytest.mark.usefixtures("stranded_at_once")
async def test_a_newer_program_comes_in_between(settings: Settings) -> None:
    """Another version migrates the tables during the call: this one touches nothing and loses no picture."""

    async def versions(statement: str) -> None:
        async with await databases.Database.open(database_of(settings)) as db:
            await db.write(lambda tx: tx.connection.exec_driver_sql(statement))

    class Upgraded(ScriptedProvider):
        async def generate(self, *args: Any, **more: Any) -> Any:
            reply = await super().generate(*args, **more)
            await versions("INSERT INTO schema_migrations VALUES (99, 'from tomorrow', 0)")
            return reply

    async with ImageRouter(settings, via=Upgraded()) as router:
        result = await router.generate("a fox")
        await told(result, StorageProblem.NEWER_SCHEMA)
        with pytest.raises(StorageError, match="schema 99"):
            await router.generate("a bear")
    path = settings.home / "ledger.db"
    if settings.database is None:
        with closing(sqlite3.connect(path)) as newer, newer:
            newer.execute("DELETE FROM schema_migrations WHERE number = 99")
    else:
        with psycopg.connect(settings.database.reveal(), autocommit=True) as server:
            server.execute("DELETE FROM schema_migrations WHERE number = 99")
    await booked(settings, result)


async def test_a_cap_lowered_under_way(settings: Settings) -> None:
    """A cap set below what is held stops no call: it is settled, and the next request is refused."""

    class Lowered(ScriptedProvider):
        async def generate(self, *args: Any, **more: Any) -> Any:
            async with open_books(settings) as books:
                await books.budgets.set("acme", who="test", total=1)
            return await super().generate(*args, **more)

    async with open_books(settings) as books:
        await books.budgets.set("acme", who="test", total=10**10)
    async with ImageRouter(settings, via=Lowered()) as router:
        result = await router.generate("a fox", scope="acme")
        assert (len(result.images), result.warnings) == (1, ())
        with pytest.raises(BudgetExceeded):
            await router.generate("a bear", scope="acme")
    async with open_books(settings) as books:
        (standing,) = await books.budgets.standing("acme")
        assert (standing.settled, standing.held, standing.left) == (result.cost, 0, 1 - result.cost)
        assert (await books.ledger.verify()).sound


@contextmanager
def _locking(path: Path) -> Iterator[Callable[[], None]]:
    held: list[sqlite3.Connection] = []

    def lock() -> None:
        held.append(sqlite3.connect(path, isolation_level=None))
        held[0].execute("BEGIN IMMEDIATE")

    try:
        yield lock
    finally:
        for connection in held:
            connection.close()


@pytest.mark.usefixtures("stranded_at_once")
async def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """The file is moved away after the call, and comes back for the next process."""
    settings = Settings(home=tmp_path / "home")
    path = settings.home / "ledger.db"

    def away() -> None:
        os.rename(path, path.with_suffix(".away"))

    result = await make(settings, away)
    await told(result, StorageProblem.GONE)
    os.rename(path.with_suffix(".away"), path)
    await booked(settings, result)


def throw_out(server: str, name: str) -> None:
    """End every connection to a database of the server."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )


@pytest.mark.usefixtures("stranded_at_once")
async def test_a_server_that_lets_nobody_in(on_postgresql: str, postgresql: str, tmp_path: Path) -> None:
    """PostgreSQL throws the connection out after the call and lets no new one in."""
    settings = Settings(home=tmp_path / "home", database=Secret(on_postgresql))
    name = on_postgresql.partition("?")[0].rpartition("/")[2]

    def admit(yes: bool) -> None:
        with psycopg.connect(postgresql, autocommit=True) as server:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}")
        throw_out(postgresql, name)

    result = await make(settings, lambda: admit(False))
    await told(result, StorageProblem.GONE)
    admit(True)
    await booked(settings, result)


async def test_a_lost_connection_costs_nothing(on_postgresql: str, postgresql: str, tmp_path: Path) -> None:
    """A connection killed after the call is replaced: no warning, and the cost is there."""
    settings = Settings(home=tmp_path / "home", database=Secret(on_postgresql))
    name = on_postgresql.partition("?")[0].rpartition("/")[2]

    result = await make(settings, lambda: throw_out(postgresql, name))
    assert not result.image.warnings
    assert not result.warnings
    async with open_books(settings) as books:
        assert sum(line.spent for line in await books.statement([])) == result.cost


async def test_the_same_process_books_it_later(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the books work again, the next request of a living process books what was left."""
    with monkeypatch.context() as trouble:

        def breaks() -> None:
            def refuse(self: object, group: list[Any]) -> StorageError:
                return StorageError("no room left", problem=StorageProblem.FULL)

            trouble.setattr(databases.Database, "_attempt", refuse)

        provider = Failing(None, breaks)
        router = ImageRouter(settings, via=provider)
        first = await router.generate("a fox")
    provider._breaks = lambda: None
    async with router:
        second = await router.generate("a bear")
    async with open_books(settings) as books:
        assert {asset.digest for asset in await books.assets.list()} == {
            first.image.digest, second.image.digest,
        }  # fmt: skip
        assert sum(line.spent for line in await books.statement([])) == first.cost + second.cost


@pytest.mark.usefixtures("stranded_at_once")
async def test_a_key_finds_what_was_not_booked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key again gets the same bytes and pays nothing."""
    with monkeypatch.context() as trouble:

        def breaks() -> None:
            def refuse(self: object, group: list[Any]) -> StorageError:
                return StorageError("no room left", problem=StorageProblem.FULL)

            trouble.setattr(databases.Database, "_attempt", refuse)

        result = await make(settings, breaks, key="k")
    async with open_books(settings) as books:
        await books.db.write(lambda tx: tx.connection.exec_driver_sql("UPDATE works SET lease_until = 0"))
    provider = ScriptedProvider()
    async with ImageRouter(settings, via=provider) as router:
        again = await router.generate("a fox", key="k")
    assert (provider.calls, again.cost, again.image.data) == ([], 0, result.image.data)
    async with open_books(settings) as books:
        assert sum(line.spent for line in await books.statement([])) == result.cost
        assert (await books.ledger.verify()).sound


async def test_a_failed_heartbeat_is_no_failure(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A lease that could not be renewed is logged, and the request goes on."""
    monkeypatch.setattr("image_router.engine.bookkeeping.HEARTBEAT", 0.0)

    async def refuse(self: Ledger, holds: object) -> tuple[str, ...]:
        raise StorageError("no room left", problem=StorageProblem.FULL)

    monkeypatch.setattr(Ledger, "heartbeat", refuse)
    result = await make(settings, lambda: None)
    assert not result.warnings
    assert "could not be renewed" in caplog.text


async def test_an_answer_without_a_picture_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no picture to return, books that fail are the error: nothing more is sent."""
    with monkeypatch.context() as trouble:

        def breaks() -> None:
            def refuse(self: object, group: list[Any]) -> StorageError:
                return StorageError("no room left", problem=StorageProblem.FULL)

            trouble.setattr(databases.Database, "_attempt", refuse)

        provider = Failing(Script().fail(words_only("no"), times=9), breaks)
        async with ImageRouter(settings, via=provider) as router:
            with pytest.raises(StorageError, match="no room left"):
                await router.generate("a fox")
    assert len(provider.calls) == 1


async def test_a_store_that_is_none_is_refused_before_paying(settings: Settings) -> None:
    """An odd address for pictures is an operator's error before the first call, not after it."""
    from image_router.core.errors import ConfigError

    provider = ScriptedProvider()
    async with ImageRouter(replace(settings, assets="ftp://nowhere"), via=provider) as router:
        with pytest.raises(ConfigError):
            await router.generate("a fox")
    assert provider.calls == []
