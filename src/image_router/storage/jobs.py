"""Jobs: images requests that any process of one database may do, one at a time, until they are over.

A job is claimed for the length of a lease, which its holder renews. Whoever takes over from a holder that
died asks the router for the same work under the same key, so nothing is paid twice.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Collection, Iterable
from typing import Final

from sqlalchemy import select

from image_router.core import holds
from image_router.core.budget import SECOND
from image_router.storage import jobs_rows as rows
from image_router.storage.blobs import Blobs
from image_router.storage.database import Database, Transaction
from image_router.storage.jobs_line import check_room
from image_router.storage.jobs_tables import Holder, Job, JobClaim, JobEnd, JobQuery, NewJob, jobs
from image_router.storage.records import Record

LEASE: Final = holds.LEASE / 3
"""Seconds after which a job whose holder is silent may be taken by another: before its money and its key are
free, so that whoever takes over waits for these alone."""
LOST_AT_MOST: Final = 3
"""Holders that may die at a job before it is given up: it may be what kills them."""

Then = Callable[[Transaction, Job], None]
"""What belongs to the end of a job, in the same transaction."""


class Jobs:
    """The jobs of one database, for one process. Methods raise StorageError."""

    def __init__(self, db: Database, blobs: Blobs, *, lease: float = LEASE) -> None:
        self._db, self._blobs = db, blobs
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._holder = Holder(owner=owner, lease=int(lease * SECOND))

    async def add(self, new: NewJob, record: Record, *, most: int | None = None) -> tuple[Job, bool]:
        """Put a job in line; True where its key had named it before.

        Raises IdempotencyConflict, AssetError, and JobsFull where its scope has `most` that are not over.
        """
        known = await self._of_key(new)
        if known is None:
            await self._db.read(lambda tx: check_room(tx, new.scope, more=1, most=most))
            await self._store(record)
        job = await self._db.write(lambda tx: _inserted(tx, new, most))
        if job is not None:
            # Garbage collection may have run between storing and the row that says who needs it.
            await self._store(record)
            return job, False
        known = known or await self._of_key(new)
        if known is None:
            return await self.add(new, record, most=most)  # the job of the key was deleted just now
        return known, True

    async def get(self, job_id: str) -> Job | None:
        return await self._db.read(lambda tx: rows.find_job(tx, job_id))

    async def listed(self, query: JobQuery) -> list[Job]:
        """Newest first."""
        return await self._db.read(lambda tx: rows.list_jobs(tx, query))

    async def result(self, job_id: str) -> bytes | None:
        """The RESULT record of a job that succeeded."""
        return await self._db.read(lambda tx: rows.result_of(tx, job_id))

    async def cancel(self, job_id: str, *, then: Then) -> Job | None:
        """End a job that waits now; one that runs is ended by its holder. None where it ends later."""

        def cancel(tx: Transaction) -> Job | None:
            ended = rows.cancel_job(tx, job_id)
            if ended is not None:
                then(tx, ended)
            return ended

        return await self._db.write(cancel)

    async def claim(self, count: int) -> list[JobClaim]:
        """Take up to `count` jobs that wait or were left; an idle look writes nothing."""
        if count < 1 or not await self._db.read(_any_free):
            return []
        return await self._db.write(lambda tx: rows.claim_jobs(tx, self._holder, count=count))

    async def renew(self, claims: Collection[JobClaim]) -> frozenset[str]:
        """Ids of those that still stand: another has taken the others."""
        return await self._db.write(lambda tx: rows.renew_jobs(tx, claims, holder=self._holder))

    async def unwanted(self, claims: Iterable[JobClaim]) -> frozenset[str]:
        """Ids of those that are to be cancelled."""
        return await self._db.read(lambda tx: rows.unwanted(tx, claims))

    async def progress(self, claim: JobClaim, *, done: int, failed: int, request_id: str) -> None:
        """Say how far it is; `request_id` is what its money is held for."""
        await self._db.write(
            lambda tx: rows.note_progress(tx, claim, done=done, failed=failed, request_id=request_id)
        )

    async def put_off(self, claim: JobClaim, *, seconds: float) -> None:
        """Give it back; nobody takes it for so many seconds."""
        await self._db.write(lambda tx: rows.put_off(tx, claim, until=tx.now.wall + int(seconds * SECOND)))

    async def end(self, claim: JobClaim, end: JobEnd, *, then: Then) -> Job | None:
        """Write down what became of it; None where it was taken over meanwhile, and its holder ends it."""

        def finish(tx: Transaction) -> Job | None:
            ended = rows.end_job(tx, claim, end=end)
            if ended is not None:
                then(tx, ended)
            return ended

        return await self._db.write(finish)

    async def blobs_of(self, job_id: str) -> frozenset[str]:
        """Digests of what a job needs of the store."""
        return await self._db.read(lambda tx: rows.blobs_of(tx, [job_id]))

    async def keep(self, record: Record) -> None:
        """Make the pieces of a record durable. Raises AssetError."""
        await self._store(record)

    async def expire(self, *, keep: float) -> frozenset[str]:
        """Delete jobs that ended more than `keep` seconds ago; digests that nobody may need any more."""
        digests: frozenset[str] = frozenset()
        while await self._db.read(lambda tx: _any_before(tx, keep)):
            digests |= await self._db.write(
                lambda tx: rows.expire_jobs(tx, before=tx.now.wall - int(keep * SECOND))
            )
        return digests

    async def _of_key(self, new: NewJob) -> Job | None:
        if new.asked_key is None:
            return None
        scope, key = new.scope, new.asked_key
        return await self._db.read(lambda tx: rows.job_of_key(tx, scope, asked_key=key))

    async def _store(self, record: Record) -> None:
        for digest, data in record.pieces.items():
            await self._blobs.put(digest, data)


def _inserted(tx: Transaction, new: NewJob, most: int | None) -> Job | None:
    job = rows.insert_job(tx, new)
    if job is not None:
        check_room(tx, new.scope, more=0, most=most)  # others may have come since the look
    return job


def _any_free(tx: Transaction) -> bool:
    return tx.connection.execute(select(jobs.c.id).where(rows.claimable(tx)).limit(1)).first() is not None


def _any_before(tx: Transaction, keep: float) -> bool:
    old = jobs.c.ended_at < tx.now.wall - int(keep * SECOND)
    return tx.connection.execute(select(jobs.c.id).where(old).limit(1)).first() is not None
