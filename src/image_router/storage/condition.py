"""How a database is doing: its schema, its size, its rows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, text

from image_router.storage import schema
from image_router.storage.database import Transaction

_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`size` in bytes, of the whole database."""

    schema: int
    size: int
    entries: int


def condition(tx: Transaction) -> Condition:
    """What can be said of a database without reading its rows."""
    run = tx.connection.execute
    return Condition(
        schema=run(select(func.max(schema.migrations.c.number))).scalar_one(),
        size=run(text(_SIZE[tx.connection.dialect.name])).scalar_one(),
        entries=run(select(func.coalesce(func.max(schema.entries.c.id), 0))).scalar_one(),
    )
