"""What is told of a run beside its rows: whose references were rejected, and how many processes make it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import and_, func, select

from image_router.core.budget import SECOND
from image_router.core.runs import Stage
from image_router.storage.asset_tables import assets, feedback
from image_router.storage.asset_values import Verdict
from image_router.storage.database import Database
from image_router.storage.runs_tables import executors, run_rows

_HEARD_OF: Final = 30
"""Seconds after which a worker that says nothing is not counted."""


async def rejected_subjects(db: Database, run_id: str) -> frozenset[str]:
    """Subjects of a run whose reference somebody rejected, in whatever scope it was made."""
    mine = and_(run_rows.c.run_id == run_id, run_rows.c.stage == int(Stage.FIRST))
    wanted = (
        select(run_rows.c.subject)
        .join(assets, assets.c.request_id == run_rows.c.request_id)
        .join(feedback, feedback.c.asset_id == assets.c.id)
        .where(mine, feedback.c.verdict == Verdict.REJECTED)
    )
    return await db.read(lambda tx: frozenset(tx.connection.execute(wanted).scalars()))


async def workers(db: Database) -> int:
    """Processes that make chunks now."""
    living = select(func.count()).select_from(executors).where(executors.c.fenced == 0)
    return await db.read(
        lambda tx: tx.connection.execute(
            living.where(
                executors.c.seen_epoch == tx.now.epoch,
                executors.c.seen_at >= tx.now.lease - _HEARD_OF * SECOND,
            )
        ).scalar_one()
    )
