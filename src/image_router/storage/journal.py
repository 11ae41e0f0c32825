"""The journal: calls as they went and what processes report, for whoever looks at the installation.

Nothing is decided by it and no money depends on it: a power cut may take its last second.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import BigInteger, Column, RowMapping, Select, Table, Text, delete, insert, select

from image_router.core.breaker import Circuit
from image_router.core.budget import SECOND, Micros
from image_router.core.causes import Cause
from image_router.core.journal import CallNote, ProcessReport, Queue, Shut
from image_router.core.scopes import within
from image_router.storage.database import Database, Transaction
from image_router.storage.schema import metadata

LONGEST_DETAIL: Final = 500
"""Characters of the provider's words that are kept."""
FRESH: Final = 15
"""Seconds after which a process that is not heard of counts no more."""
_MOST: Final = 20_000
"""Calls that are looked at for latencies, the latest."""

journal = Table(
    "journal",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", Text),
    Column("cause", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("elapsed", BigInteger, nullable=False),
    Column("waited", BigInteger, nullable=False),
)

process_reports = Table(
    "process_reports",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("report", Text, nullable=False),
)


class Journal:
    """The journal of one database. Methods raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def write(self, notes: Sequence[CallNote]) -> None:
        """Write calls down, at this moment."""
        if notes:
            await self._db.write(lambda tx: _insert(tx, notes))

    async def failures(self, *, scope: str | None, limit: int) -> list[CallNote]:
        """Calls that brought no picture, the latest first; of a scope and all below it, or of everybody."""
        wanted = select(journal).where(journal.c.cause != Cause.OK)
        return await self._read(_of_scope(wanted, scope).order_by(journal.c.at.desc()).limit(limit))

    async def calls(self, *, scope: str | None, seconds: int) -> list[CallNote]:
        """Calls of the last so many seconds, the latest 20,000 at most."""

        def job(tx: Transaction) -> list[CallNote]:
            wanted = select(journal).where(journal.c.at >= tx.now.wall - seconds * SECOND)
            wanted = _of_scope(wanted, scope).order_by(journal.c.at.desc()).limit(_MOST)
            return [_note(row) for row in tx.connection.execute(wanted).mappings()]

        return await self._db.read(job)

    async def expire(self, *, keep: int) -> int:
        """Delete calls older than so many seconds; how many."""
        return await self._db.write(
            lambda tx: (
                tx.connection.execute(
                    delete(journal).where(journal.c.at < tx.now.wall - keep * SECOND)
                ).rowcount
            )
        )

    async def report(self, owner: str, report: ProcessReport) -> None:
        """Say what a process is at; it counts for FRESH seconds."""
        await self._db.write(lambda tx: _report(tx, owner, report))

    async def leave(self, owner: str) -> None:
        """The process ends."""
        gone = delete(process_reports).where(process_reports.c.owner == owner)
        await self._db.write(lambda tx: tx.connection.execute(gone))

    async def reports(self) -> list[ProcessReport]:
        """What all processes that live say."""

        def job(tx: Transaction) -> list[ProcessReport]:
            living = process_reports.c.at >= tx.now.wall - FRESH * SECOND
            wanted = select(process_reports.c.report).where(living).order_by(process_reports.c.owner)
            return [_report_of(words) for words in tx.connection.execute(wanted).scalars()]

        return await self._db.read(job)

    async def _read(self, wanted: Select[Any]) -> list[CallNote]:
        return await self._db.read(
            lambda tx: [_note(row) for row in tx.connection.execute(wanted).mappings()]
        )


def _of_scope(wanted: Select[Any], scope: str | None) -> Select[Any]:
    if scope is None:
        return wanted
    low, high = within(scope)
    own = journal.c.scope
    return wanted.where((own == scope) | ((own >= low) & (own < high)))


def _insert(tx: Transaction, notes: Sequence[CallNote]) -> None:
    tx.connection.execute(insert(journal), [_row(note, tx.now.wall) for note in notes])


def _row(note: CallNote, at: Micros) -> dict[str, Any]:
    # PostgreSQL stores no NUL in a text.
    words = note.detail.replace("\0", "")[:LONGEST_DETAIL]
    return {**asdict(note), "cause": str(note.cause), "detail": words, "at": note.at or at}


def _note(row: RowMapping) -> CallNote:
    cause = Cause(row["cause"]) if row["cause"] in set(Cause) else Cause.UNKNOWN_ERROR
    names = ("request_id", "scope", "model", "tier", "detail", "elapsed", "waited", "at")
    return CallNote(cause=cause, **{name: row[name] for name in names})


def _report(tx: Transaction, owner: str, report: ProcessReport) -> None:
    stale = process_reports.c.at < tx.now.wall - FRESH * SECOND
    tx.connection.execute(delete(process_reports).where(stale | (process_reports.c.owner == owner)))
    row = {"owner": owner, "at": tx.now.wall, "report": json.dumps(asdict(report))}
    tx.connection.execute(insert(process_reports).values(row))


def _report_of(words: str) -> ProcessReport:
    said = json.loads(words)
    return ProcessReport(
        queues=tuple(Queue(**one) for one in said["queues"]),
        shut=tuple(
            Shut(**{**one, "circuit": Circuit(**one["circuit"]), "cause": Cause(one["cause"])})
            for one in said["shut"]
        ),
    )
