"""Stamps: short texts that change whenever something of a topic did, read at once from the database.

Whoever shows a topic compares stamps instead of being told: nothing is missed while a process is away, and
every process of a database answers the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import func, select

from image_router.storage.asset_tables import cached_images, feedback
from image_router.storage.database import Database, Transaction
from image_router.storage.jobs_tables import jobs
from image_router.storage.journal import journal, process_reports
from image_router.storage.runs_tables import run_rows, runs
from image_router.storage.schema import budget_changes, entries
from image_router.storage.traffic_tables import circuits


class Topic(StrEnum):
    JOBS = "jobs"
    """Jobs and runs, how far they are, and what is said of their pictures."""
    SPEND = "spend"
    """The ledger and the caps."""
    CALLS = "calls"
    """Calls, circuits and queues."""


async def stamps(db: Database) -> Mapping[Topic, str]:
    """The stamp of each topic at this moment. Raises StorageError."""
    return await db.read(lambda tx: {topic: _digest(look(tx)) for topic, look in _LOOKS.items()})


def _digest(seen: object) -> str:
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:12]


def _rows(tx: Transaction, *wanted: Any) -> list[Any]:
    return [tuple(row) for query in wanted for row in tx.connection.execute(query)]


def _jobs(tx: Transaction) -> list[Any]:
    own, mine, each = jobs.c, runs.c, run_rows.c
    living = select(func.count(), func.sum(own.done), func.sum(own.failed), func.count(own.started_at))
    rows = select(each.run_id, each.state, func.count()).join(runs, mine.id == each.run_id)
    return _rows(
        tx,
        living.where(own.ended_at.is_(None)),
        select(func.max(own.created_at), func.max(own.ended_at)),
        select(func.count(), func.max(feedback.c.said_at)),
        select(mine.id, mine.state, mine.reason).order_by(mine.created_at.desc()).limit(20),
        rows.where(mine.ended_at.is_(None))
        .group_by(each.run_id, each.state)
        .order_by(each.run_id, each.state),
    )


def _spend(tx: Transaction) -> list[Any]:
    return _rows(
        tx,
        select(func.max(entries.c.id)),
        select(func.max(budget_changes.c.id)),
        select(func.max(cached_images.c.used_at)),
    )


def _calls(tx: Transaction) -> list[Any]:
    own, said = circuits.c, process_reports.c
    return _rows(
        tx,
        select(func.max(journal.c.number)),
        select(own.project, own.key, own.model, own.trips, own.until).order_by(
            own.project, own.key, own.model
        ),
        select(said.owner, said.report).order_by(said.owner),
    )


_LOOKS: Final[Mapping[Topic, Callable[[Transaction], list[Any]]]] = {
    Topic.JOBS: _jobs,
    Topic.SPEND: _spend,
    Topic.CALLS: _calls,
}
