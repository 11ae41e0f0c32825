"""A fresh database for every test, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

import postgres_server
from image_router.storage.database import Database


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the session's one PostgreSQL, shared by all workers of the run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    with postgres_server.running(shared / "postgresql", options=postgres_server.FAST) as url:
        yield url


@pytest.fixture
def on_postgresql(postgresql: str) -> Iterator[str]:
    """An empty database of the session's server."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgresql.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where this test's empty database is."""
    if request.param == "sqlite":
        return str(tmp_path / "image-router.db")
    where: str = request.getfixturevalue("on_postgresql")
    return where


@pytest.fixture
async def database(address: str) -> AsyncIterator[Database]:
    """This test's database, opened."""
    async with await Database.open(address) as db:
        yield db
