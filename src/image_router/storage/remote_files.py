"""Whose the files at the provider are (migration 8). Times in microseconds since 1970."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text, and_, delete, insert, or_, select

from image_router.core.scopes import within
from image_router.storage.database import Database, Transaction
from image_router.storage.schema import metadata

LIFE = 48 * 3600 * 10**6
"""How long the provider keeps a file: https://ai.google.dev/gemini-api/docs/files, read 2026-11-22."""

remote_files = Table(
    "remote_files",
    metadata,
    Column("name", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)
_columns = remote_files.c


async def remember_file(db: Database, name: str, *, scope: str) -> None:
    """A file was made for a scope; those that the provider has dropped are forgotten."""

    def write(tx: Transaction) -> None:
        now = tx.now.wall
        gone = or_(_columns.until < now, _columns.name == name)
        tx.connection.execute(delete(remote_files).where(gone))
        row = {"name": name, "scope": scope, "made_at": now, "until": now + LIFE}
        tx.connection.execute(insert(remote_files).values(row))

    await db.write(write)


async def forget_file(db: Database, name: str) -> None:
    await db.write(lambda tx: tx.connection.execute(delete(remote_files).where(_columns.name == name)))


async def file_scope(db: Database, name: str) -> str | None:
    """Whose it is; None for a file that was not made through here."""
    wanted = select(_columns.scope).where(_columns.name == name)
    return await db.read(lambda tx: tx.connection.execute(wanted).scalar_one_or_none())


async def files_of(db: Database, scope: str, *, limit: int, skip: int = 0) -> list[str]:
    """Names of a scope's files and of those below it, the newest first."""
    low, high = within(scope)
    mine = or_(_columns.scope == scope, and_(_columns.scope >= low, _columns.scope < high))
    wanted = select(_columns.name).where(mine).order_by(_columns.made_at.desc(), _columns.name)
    wanted = wanted.limit(limit).offset(skip)
    return list(
        await db.read(
            lambda tx: tx.connection.execute(wanted.where(_columns.until > tx.now.wall)).scalars().all()
        )
    )
