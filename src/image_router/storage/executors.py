"""Processes that make chunks: who lives, who was taken for dead, and what a dead one still holds.

Ages are told by the database's clock, so a host whose clock is wrong takes nobody for dead.
"""

from __future__ import annotations

from sqlalchemy import and_, delete, insert, or_, select, update

from image_router.core.budget import SECOND
from image_router.core.holds import HoldState
from image_router.storage.asset_tables import works
from image_router.storage.database import Database, Transaction
from image_router.storage.runs_tables import executors
from image_router.storage.schema import holds
from image_router.storage.work_rows import WorkState

_LIVES, _FENCED = 0, 1


class Executors:
    """The executors of one database. Methods raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def enter(self, executor_id: str, *, label: str) -> None:
        await self._db.write(lambda tx: _enter(tx, executor_id, label))

    async def beat(self, executor_id: str) -> bool:
        """Say that it lives; False where it was taken for dead: it must do nothing more."""
        return await self._db.write(lambda tx: _beat(tx, executor_id))

    async def lives(self, executor_id: str) -> bool:
        """Whether nobody has taken it for dead."""
        mine = select(executors.c.id).where(executors.c.id == executor_id, executors.c.fenced == _LIVES)
        return await self._db.read(lambda tx: tx.connection.execute(mine).first() is not None)

    async def leave(self, executor_id: str) -> None:
        """It ends; whatever it could not finish is there to be taken over at once."""
        mine = executors.c.id == executor_id
        values = {"fenced": _FENCED}
        await self._db.write(lambda tx: tx.connection.execute(update(executors).where(mine).values(values)))

    async def end(self, executor_id: str) -> None:
        """It ends with nothing left to take over, and may enter again."""
        gone = delete(executors).where(executors.c.id == executor_id, executors.c.fenced == _LIVES)
        await self._db.write(lambda tx: tx.connection.execute(gone))

    async def fence(self, *, silent: float) -> list[str]:
        """Take those for dead that were not heard of for so many seconds; all that are still to be taken over
        from."""
        return await self._db.write(lambda tx: _fence(tx, int(silent * SECOND)))

    async def forget(self, executor_id: str) -> None:
        """All its work has been taken over."""
        gone = delete(executors).where(executors.c.id == executor_id, executors.c.fenced == _FENCED)
        await self._db.write(lambda tx: tx.connection.execute(gone))

    async def free_keys(self, executor_id: str) -> None:
        """Let others take the work of a dead executor's keys at once, without waiting for leases to end."""
        running = and_(works.c.owner == executor_id, works.c.state == WorkState.RUNNING)
        values = {"lease_until": 0}
        await self._db.write(lambda tx: tx.connection.execute(update(works).where(running).values(values)))

    async def holds_of(self, executor_id: str) -> list[str]:
        """Its holds that are open."""
        mine = select(holds.c.id).where(holds.c.owner == executor_id, holds.c.state == HoldState.OPEN)
        return await self._db.read(lambda tx: list(tx.connection.execute(mine).scalars()))


def _enter(tx: Transaction, executor_id: str, label: str) -> None:
    values = {
        "id": executor_id,
        "label": label,
        "begun_at": tx.now.wall,
        "seen_at": tx.now.lease,
        "seen_epoch": tx.now.epoch,
        "fenced": _LIVES,
    }
    tx.connection.execute(insert(executors).values(values))


def _beat(tx: Transaction, executor_id: str) -> bool:
    mine = and_(executors.c.id == executor_id, executors.c.fenced == _LIVES)
    values = {"seen_at": tx.now.lease, "seen_epoch": tx.now.epoch}
    return tx.connection.execute(update(executors).where(mine).values(values)).rowcount == 1


def _fence(tx: Transaction, silent: int) -> list[str]:
    stale = or_(executors.c.seen_at < tx.now.lease - silent, executors.c.seen_epoch != tx.now.epoch)
    lost = and_(executors.c.fenced == _LIVES, stale)
    tx.connection.execute(update(executors).where(lost).values(fenced=_FENCED))
    fenced = select(executors.c.id).where(executors.c.fenced == _FENCED).order_by(executors.c.id)
    return list(tx.connection.execute(fenced).scalars())
