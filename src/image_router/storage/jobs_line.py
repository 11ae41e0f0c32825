"""How many jobs of a scope are in line: those that are not over, and those that running chains will bring."""

from __future__ import annotations

import json
from typing import Final

from sqlalchemy import func, select

from image_router.storage.chains_tables import chains
from image_router.storage.database import Transaction
from image_router.storage.jobs_tables import jobs

_OF_CHAINS: Final = jobs.join(chains, jobs.c.id.startswith(chains.c.id))


class JobsFull(Exception):
    """A scope has as many jobs in line as it may; nothing was done."""

    def __init__(self, scope: str, *, found: int, more: int, most: int) -> None:
        super().__init__(f"scope {scope!r} has {found:,} jobs in line; with {more:,} more, above {most:,}")
        self.found, self.more, self.most = found, more, most


def check_room(tx: Transaction, scope: str, *, more: int, most: int | None) -> None:
    """Raises JobsFull where so many more jobs would be above `most`; None: as many as there are."""
    if most is not None and (found := _in_line(tx, scope)) + more > most:
        raise JobsFull(scope, found=found, more=more, most=most)


def _in_line(tx: Transaction, scope: str) -> int:
    waiting = select(func.count()).where(jobs.c.ended_at.is_(None), jobs.c.scope == scope)
    running = (chains.c.scope == scope) & chains.c.ended_at.is_(None)
    begun = select(func.count()).select_from(_OF_CHAINS).where(running)
    prompts = tx.connection.execute(select(chains.c.prompts).where(running)).scalars()
    asked = sum(len(json.loads(each)) for each in prompts)
    count = tx.connection.execute
    return int(count(waiting).scalar_one()) + asked - int(count(begun).scalar_one())
