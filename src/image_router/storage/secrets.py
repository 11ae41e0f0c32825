"""Secrets that all processes of one database share, made by whoever needs one first (migration 5)."""

from __future__ import annotations

import secrets
import time

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text, insert, select

from image_router.storage.database import Database, Transaction
from image_router.storage.schema import metadata

_BYTES = 32

shared_secrets = Table(
    "shared_secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("made_at", BigInteger, nullable=False),
)


async def shared_secret(db: Database, name: str) -> bytes:
    """32 random bytes, the same for ever under this name."""
    return await db.write(lambda tx: _secret(tx, name))


def _secret(tx: Transaction, name: str) -> bytes:
    known = tx.connection.execute(
        select(shared_secrets.c.value).where(shared_secrets.c.name == name)
    ).scalar_one_or_none()
    if known is not None:
        return bytes(known)
    value = secrets.token_bytes(_BYTES)
    row = {"name": name, "value": value, "made_at": time.time_ns() // 1000}
    tx.connection.execute(insert(shared_secrets).values(row))
    return value
