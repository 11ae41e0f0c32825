"""What is known of the rows in an uploaded file, upload by upload (migration 15)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text, delete, insert, select, update

from image_router.storage.database import Database, Transaction
from image_router.storage.remote_files import LIFE
from image_router.storage.schema import metadata

remote_rows = Table(
    "remote_rows",
    metadata,
    Column("upload", Text, primary_key=True),
    Column("file", Text),
    Column("taken", BigInteger, nullable=False),
    Column("tail", LargeBinary, nullable=False),
    Column("rows", Text, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("fault", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)
_columns = remote_rows.c
_READ = ("upload", "file", "taken", "tail", "rows", "lines", "fault")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far an upload is read."""

    upload: str
    file: str | None = None
    """Its name, once it is whole."""
    taken: int = 0
    """Bytes."""
    tail: bytes = field(default=b"", repr=False)
    """Of the line that is not whole yet."""
    rows: str = "[]"
    """What was told of them so far, as JSON of whoever reads."""
    lines: int = 0
    fault: str = ""
    """Why its rows cannot be used, if they cannot."""


async def begin_reading(db: Database, upload: str) -> None:
    """An upload was opened; those of files that the provider has dropped are forgotten."""

    def write(tx: Transaction) -> None:
        tx.connection.execute(delete(remote_rows).where(_columns.until < tx.now.wall))
        tx.connection.execute(insert(remote_rows).values(_values(tx, Reading(upload=upload))))

    await db.write(write)


async def go_on_reading(db: Database, now: Reading, *, was: int) -> bool:
    """Write down how far it is; False where another process was faster from the same `was` bytes."""
    same = (_columns.upload == now.upload) & (_columns.taken == was)
    return bool(
        await db.write(
            lambda tx: (
                tx.connection.execute(update(remote_rows).where(same).values(_values(tx, now))).rowcount
            )
        )
    )


async def reading_of(db: Database, *, upload: str | None = None, file: str | None = None) -> Reading | None:
    """Of an upload or of the file that it became; None for one that nobody reads."""
    wanted = _columns.upload == upload if upload is not None else _columns.file == file
    query = select(*(_columns[name] for name in _READ)).where(wanted).limit(1)
    row = await db.read(lambda tx: tx.connection.execute(query).mappings().one_or_none())
    return Reading(**{**row, "tail": bytes(row["tail"])}) if row is not None else None


def _values(tx: Transaction, reading: Reading) -> dict[str, Any]:
    return {**{name: getattr(reading, name) for name in _READ}, "until": tx.now.wall + LIFE}
