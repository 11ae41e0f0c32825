"""Batches at the provider that passed through (migration 9). Times in microseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Select,
    Table,
    Text,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from image_router.core.scopes import within
from image_router.storage.database import Database, Transaction
from image_router.storage.schema import metadata

remote_batches = Table(
    "remote_batches",
    metadata,
    Column("name", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("hold_id", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("look_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
)
_columns = remote_batches.c


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBatch:
    """One batch, and how many rows its hold pays for."""

    name: str
    scope: str
    model: str
    hold_id: str
    rows: int
    settled: bool = False


async def remember_batch(db: Database, batch: RemoteBatch) -> None:
    def write(tx: Transaction) -> None:
        row = {name: getattr(batch, name) for name in ("name", "scope", "model", "hold_id", "rows")}
        now = {"made_at": tx.now.wall, "look_at": tx.now.wall}
        tx.connection.execute(delete(remote_batches).where(_columns.name == batch.name))
        tx.connection.execute(insert(remote_batches).values({**row, **now}))

    await db.write(write)


async def batch_named(db: Database, name: str) -> RemoteBatch | None:
    """None for a batch that was not made through here."""
    found = await _read(db, select(remote_batches).where(_columns.name == name))
    return found[0] if found else None


async def batches_of(db: Database, scope: str | None, *, limit: int, skip: int = 0) -> list[RemoteBatch]:
    """A scope's batches and those of the scopes below it, or everybody's; the newest first."""
    wanted = select(remote_batches).order_by(_columns.made_at.desc(), _columns.name)
    if scope is not None:
        low, high = within(scope)
        wanted = wanted.where(
            or_(_columns.scope == scope, and_(_columns.scope >= low, _columns.scope < high))
        )
    return await _read(db, wanted.limit(limit).offset(skip))


async def take_due(db: Database, *, every: int) -> RemoteBatch | None:
    """An open batch that nobody has looked at for `every` microseconds; now it is the caller's to look."""

    def take(tx: Transaction) -> RemoteBatch | None:
        due = and_(_columns.settled_at.is_(None), _columns.look_at <= tx.now.wall)
        wanted = select(remote_batches).where(due).order_by(_columns.look_at).limit(1)
        row = tx.connection.execute(wanted).mappings().first()
        if row is None:
            return None
        still = and_(_columns.name == row["name"], _columns.look_at == row["look_at"])
        taken = update(remote_batches).where(still).values(look_at=tx.now.wall + every)
        return _batch_from(row) if tx.connection.execute(taken).rowcount else None

    return await db.write(take)


async def hurry_batch(db: Database, name: str) -> None:
    """Let the next who looks take it first."""
    open_one = update(remote_batches).where(_columns.name == name, _columns.settled_at.is_(None))
    await db.write(lambda tx: tx.connection.execute(open_one.values(look_at=0)))


async def end_batch(db: Database, name: str) -> None:
    """All its rows are settled."""
    mine = update(remote_batches).where(_columns.name == name, _columns.settled_at.is_(None))
    await db.write(lambda tx: tx.connection.execute(mine.values(settled_at=tx.now.wall)))


async def forget_batch(db: Database, name: str) -> None:
    await db.write(lambda tx: tx.connection.execute(delete(remote_batches).where(_columns.name == name)))


async def _read(db: Database, wanted: Select[Any]) -> list[RemoteBatch]:
    rows = await db.read(lambda tx: tx.connection.execute(wanted).mappings().all())
    return [_batch_from(row) for row in rows]


def _batch_from(row: Any) -> RemoteBatch:
    names = ("name", "scope", "model", "hold_id", "rows")
    return RemoteBatch(**{name: row[name] for name in names}, settled=row["settled_at"] is not None)
