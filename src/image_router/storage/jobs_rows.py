"""Rows of jobs: who is at which, and what became of it. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import ColumnElement, RowMapping, and_, delete, func, insert, or_, select, update

from image_router.core.budget import Micros, from_micros
from image_router.core.errors import IdempotencyConflict
from image_router.core.money import Nanos
from image_router.storage.asset_tables import under
from image_router.storage.database import Transaction
from image_router.storage.jobs_tables import (
    Holder,
    Job,
    JobClaim,
    JobEnd,
    JobQuery,
    JobState,
    NewJob,
    job_blobs,
    jobs,
)
from image_router.storage.key_tables import rules_of
from image_router.storage.schema import holds

_AT_ONCE: Final = 200


def insert_job(tx: Transaction, new: NewJob) -> Job | None:
    """The job as it was inserted; None where its key has one already. Raises IdempotencyConflict."""
    known = _of_key(tx, new)
    if known is not None:
        if known.fingerprint != new.fingerprint:
            raise IdempotencyConflict(
                f"key {new.asked_key!r} of scope {new.scope!r} named another job on "
                f"{from_micros(known.created_at):%Y-%m-%d %H:%M:%S} UTC; send the same request, or "
                f"use a new key"
            )
        return None
    tx.connection.execute(
        insert(jobs).values(
            **{name: getattr(new, name) for name in NewJob.__slots__ if name != "blobs"},
            state=JobState.QUEUED,
            done=0,
            failed=0,
            cancel_asked=False,
            created_at=tx.now.wall,
            not_before=tx.now.wall,
            turn=0,
            lost=0,
            lease_until=0,
            lease_epoch="",
        )
    )
    _insert_blobs(tx, new.id, new.blobs)
    return find_job(tx, new.id)


def job_of_key(tx: Transaction, scope: str, *, asked_key: str) -> Job | None:
    """The job that a caller's key names."""
    row = tx.connection.execute(
        select(jobs.c.id).where(jobs.c.scope == scope, jobs.c.asked_key == asked_key)
    ).scalar_one_or_none()
    return find_job(tx, row) if row is not None else None


def find_job(tx: Transaction, job_id: str) -> Job | None:
    row = tx.connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
    return _job(tx, row) if row is not None else None


def result_of(tx: Transaction, job_id: str) -> bytes | None:
    """The RESULT record of a job that succeeded."""
    return tx.connection.execute(select(jobs.c.result).where(jobs.c.id == job_id)).scalar_one_or_none()


def list_jobs(tx: Transaction, query: JobQuery) -> list[Job]:
    wanted = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(query.limit)
    if query.scope is not None:
        wanted = wanted.where(under(jobs.c.scope, query.scope))
    if query.state is not None:
        wanted = wanted.where(jobs.c.state == query.state)
    if query.before is not None:
        last = select(jobs.c.created_at).where(jobs.c.id == query.before).scalar_subquery()
        wanted = wanted.where(
            or_(jobs.c.created_at < last, and_(jobs.c.created_at == last, jobs.c.id < query.before))
        )
    return [_job(tx, row) for row in tx.connection.execute(wanted).mappings()]


def claimable(tx: Transaction) -> ColumnElement[bool]:
    """Jobs that wait for somebody, or whose holder was not heard of for the length of its lease."""
    silent = or_(jobs.c.lease_until < tx.now.lease, jobs.c.lease_epoch != tx.now.epoch)
    return and_(
        jobs.c.ended_at.is_(None),
        or_(
            and_(jobs.c.state == JobState.QUEUED, jobs.c.not_before <= tx.now.wall),
            and_(jobs.c.state == JobState.RUNNING, silent),
        ),
    )


def claim_jobs(tx: Transaction, holder: Holder, *, count: int) -> list[JobClaim]:
    """Take up to `count` jobs, the oldest first."""
    free = select(jobs).where(claimable(tx)).order_by(jobs.c.created_at, jobs.c.id).limit(count)
    taken = []
    for row in tx.connection.execute(free).mappings().all():
        terms = {
            "state": JobState.RUNNING,
            "owner": holder.owner,
            "turn": row["turn"] + 1,
            "lost": row["lost"] + (row["state"] == JobState.RUNNING),
            "started_at": row["started_at"] or tx.now.wall,
            **_lease(tx, holder),
        }
        tx.connection.execute(update(jobs).where(jobs.c.id == row["id"]).values(terms))
        job = find_job(tx, row["id"])
        if job is not None:
            taken.append(JobClaim(job=job, request=row["request"]))
    return taken


def renew_jobs(tx: Transaction, claims: Iterable[JobClaim], *, holder: Holder) -> frozenset[str]:
    """Put the ends of leases off; ids of the claims that still stand."""
    values = _lease(tx, holder)
    return frozenset(
        claim.job.id
        for claim in claims
        if tx.connection.execute(update(jobs).where(_stands(claim)).values(values)).rowcount
    )


def note_progress(tx: Transaction, claim: JobClaim, *, done: int, failed: int, request_id: str) -> None:
    values = {"done": done, "failed": failed, "request_id": request_id}
    tx.connection.execute(update(jobs).where(_stands(claim)).values(values))


def put_off(tx: Transaction, claim: JobClaim, *, until: Micros) -> None:
    """Give a job back; nobody takes it before the moment."""
    values = {"state": JobState.QUEUED, "not_before": until, "owner": None}
    tx.connection.execute(update(jobs).where(_stands(claim)).values(values))


def end_job(tx: Transaction, claim: JobClaim, *, end: JobEnd) -> Job | None:
    """Write down what became of a claimed job; None when it was taken from whoever claimed it."""
    return _end(tx, claim.job.id, end, where=_stands(claim))


def cancel_job(tx: Transaction, job_id: str) -> Job | None:
    """End a job that waits now, which is returned; whoever is at one that runs is asked to end it."""
    waiting = and_(jobs.c.id == job_id, jobs.c.state == JobState.QUEUED)
    ended = _end(tx, job_id, JobEnd(state=JobState.CANCELLED), where=waiting)
    if ended is None:
        running = and_(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING)
        tx.connection.execute(update(jobs).where(running).values(cancel_asked=True))
    return ended


def unwanted(tx: Transaction, claims: Iterable[JobClaim]) -> frozenset[str]:
    """Ids of the jobs among some that are to be cancelled."""
    ids = [claim.job.id for claim in claims]
    asked = select(jobs.c.id).where(jobs.c.id.in_(ids), jobs.c.cancel_asked)
    return frozenset(tx.connection.execute(asked).scalars())


def blobs_of(tx: Transaction, ids: Collection[str]) -> frozenset[str]:
    mine = select(job_blobs.c.digest).where(job_blobs.c.job_id.in_(ids))
    return frozenset(tx.connection.execute(mine).scalars())


def expire_jobs(tx: Transaction, *, before: Micros) -> frozenset[str]:
    """Delete some jobs that ended before a moment; digests that nobody may need any more."""
    old = select(jobs.c.id).where(jobs.c.ended_at < before).limit(_AT_ONCE)
    ids = list(tx.connection.execute(old).scalars())
    digests = blobs_of(tx, ids)
    tx.connection.execute(delete(job_blobs).where(job_blobs.c.job_id.in_(ids)))
    tx.connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    return digests


def forget_jobs(tx: Transaction, scope: str, *, before: Micros) -> frozenset[str]:
    """Delete the jobs of a scope made until a moment, but for those that run; digests they needed."""
    mine = and_(under(jobs.c.scope, scope), jobs.c.state != JobState.RUNNING, jobs.c.created_at <= before)
    ids = list(tx.connection.execute(select(jobs.c.id).where(mine)).scalars())
    digests = blobs_of(tx, ids)
    tx.connection.execute(delete(job_blobs).where(job_blobs.c.job_id.in_(ids)))
    tx.connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    return digests


def needed_by_jobs(tx: Transaction, digests: Collection[str]) -> frozenset[str]:
    """Which of some digests a job still needs."""
    wanted = select(job_blobs.c.digest).where(job_blobs.c.digest.in_(digests)).distinct()
    return frozenset(tx.connection.execute(wanted).scalars())


def _end(tx: Transaction, job_id: str, end: JobEnd, *, where: ColumnElement[bool]) -> Job | None:
    found = find_job(tx, job_id)
    values = {
        "state": end.state,
        "result": end.result,
        "problem": end.problem,
        "request": None,  # its words are in the result, or of no more use
        "cost": found.cost if found else 0,
        "ended_at": tx.now.wall,
        "owner": None,
    }
    if not tx.connection.execute(update(jobs).where(where).values(values)).rowcount:
        return None
    tx.connection.execute(delete(job_blobs).where(job_blobs.c.job_id == job_id))
    _insert_blobs(tx, job_id, end.blobs)
    return find_job(tx, job_id)


def _insert_blobs(tx: Transaction, job_id: str, digests: Collection[str]) -> None:
    if digests:
        rows = [{"job_id": job_id, "digest": digest} for digest in sorted(digests)]
        tx.connection.execute(insert(job_blobs), rows)


def _of_key(tx: Transaction, new: NewJob) -> RowMapping | None:
    if new.asked_key is None:
        return None
    same = and_(jobs.c.scope == new.scope, jobs.c.asked_key == new.asked_key)
    return tx.connection.execute(select(jobs).where(same)).mappings().one_or_none()


def _job(tx: Transaction, row: RowMapping) -> Job:
    values = {name: row[name] for name in Job.__slots__}
    values["state"] = JobState(row["state"])
    values["rules"] = rules_of(row["rules"]) if row["rules"] else None
    values["cost"] = _booked(tx, row["request_id"]) if row["cost"] is None else row["cost"]
    return Job(**values)


def _booked(tx: Transaction, request_id: str | None) -> Nanos:
    if request_id is None:
        return 0
    mine = select(func.coalesce(func.sum(holds.c.settled), 0)).where(holds.c.request_id == request_id)
    return int(tx.connection.execute(mine).scalar_one())


def _lease(tx: Transaction, holder: Holder) -> dict[str, Micros | str]:
    return {"lease_until": tx.now.lease + holder.lease, "lease_epoch": tx.now.epoch}


def _stands(claim: JobClaim) -> ColumnElement[bool]:
    return and_(jobs.c.id == claim.job.id, jobs.c.turn == claim.job.turn, jobs.c.state == JobState.RUNNING)
