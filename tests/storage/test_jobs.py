"""Jobs in the database: claimed by one, taken over from the dead, ended once; on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from image_router.core.errors import IdempotencyConflict
from image_router.core.types import ImageRequest, Reference
from image_router.storage.assets import Assets
from image_router.storage.blobs import Blobs, digest_of
from image_router.storage.database import Database, Transaction
from image_router.storage.jobs import Jobs
from image_router.storage.jobs_rows import needed_by_jobs
from image_router.storage.jobs_tables import Job, JobEnd, JobQuery, JobState, NewJob
from image_router.storage.keeping import Keeper
from image_router.storage.objects import Folder
from image_router.storage.records import REQUEST, Record
from image_router.storage.storing_rules import StoringRule, StoringRules

PICTURE = Reference(
    data=b"a picture", media_type="image/png", digest=digest_of(b"a picture"), width=1, height=1
)


def asked(name: str, *, scope: str = "acme/shop", key: str | None = None) -> tuple[NewJob, Record]:
    """A job for one picture with one reference."""
    record = REQUEST.write(ImageRequest(prompt=name, references=(PICTURE,), scope=scope))
    new = NewJob(
        id=f"job_{name}",
        scope=scope,
        kind="generation",
        key_id=None,
        rules=None,
        asked_key=key,
        fingerprint=name,
        request=record.data,
        blobs=frozenset(record.pieces),
        terms="{}",
        images=1,
    )
    return new, record


class Ends:
    """Remembers what was said of ended jobs."""

    def __init__(self) -> None:
        self.states: list[JobState] = []

    def __call__(self, tx: Transaction, job: Job) -> None:
        self.states.append(job.state)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(Folder(tmp_path / "blobs"))


@pytest.fixture
def jobs(database: Database, blobs: Blobs) -> Jobs:
    return Jobs(database, blobs)


async def test_a_job_is_claimed_by_one_alone(database, blobs, jobs) -> None:
    """Of ten processes that ask at once, one gets the job, with the request it was made of."""
    new, record = asked("one")
    await jobs.add(new, record)
    found = await asyncio.gather(*(Jobs(database, blobs).claim(5) for _ in range(10)))
    (claim,) = [claim for some in found for claim in some]
    assert (claim.job.state, claim.job.turn, claim.job.lost) == (JobState.RUNNING, 1, 0)
    pieces = {digest: await blobs.read(digest) for digest in REQUEST.needs(claim.request)}
    assert REQUEST.read(claim.request, pieces).references == (PICTURE,)


async def test_the_oldest_jobs_are_taken_first_and_no_more_than_asked(jobs) -> None:
    """A process takes as many as it has room for, in the order in which they came."""
    for name in ("a", "b", "c"):
        await jobs.add(*asked(name))
    assert [claim.job.id for claim in await jobs.claim(2)] == ["job_a", "job_b"]
    assert await jobs.claim(0) == []


async def test_a_silent_holder_loses_its_job(database, blobs, jobs) -> None:
    """After the lease another takes over; what the first one says later counts for nothing."""
    await jobs.add(*asked("one"))
    ends = Ends()
    dead = Jobs(database, blobs, lease=-1.0)
    (lost,) = await dead.claim(1)
    (taken,) = await jobs.claim(1)
    assert (taken.job.turn, taken.job.lost) == (2, 1)
    assert await dead.end(lost, JobEnd(state=JobState.FAILED), then=ends) is None
    assert await dead.renew([lost]) == frozenset()
    assert await jobs.renew([taken]) == {"job_one"}
    await jobs.end(taken, JobEnd(state=JobState.SUCCEEDED), then=ends)
    assert ends.states == [JobState.SUCCEEDED]


async def test_a_job_that_was_put_off_waits(jobs) -> None:
    """It is given back, nobody takes it before its time, and its holder is not counted as lost."""
    await jobs.add(*asked("one"))
    (claim,) = await jobs.claim(1)
    await jobs.put_off(claim, seconds=60)
    assert await jobs.claim(1) == []
    (other,) = await jobs.listed(JobQuery())
    assert other.state is JobState.QUEUED
    await jobs.add(*asked("two"))
    (claim,) = await jobs.claim(1)
    await jobs.put_off(claim, seconds=0)
    (again,) = await jobs.claim(1)
    assert (again.job.id, again.job.turn, again.job.lost) == ("job_two", 2, 0)


async def test_a_key_names_one_job_for_ever(jobs) -> None:
    """The same request under the same key is the same job, also at once; another request is a conflict."""
    new, record = asked("one", key="k")
    found = await asyncio.gather(*(jobs.add(replace(new, id=f"job_{number}"), record) for number in range(5)))
    assert len({job.id for job, _ in found}) == 1
    assert sorted(replayed for _, replayed in found) == [False, True, True, True, True]
    with pytest.raises(IdempotencyConflict, match="named another job"):
        await jobs.add(*asked("two", key="k"))
    other, record = asked("two", scope="acme/other", key="k")
    assert (await jobs.add(other, record))[1] is False


async def test_cancelling_ends_what_waits_and_asks_who_runs(jobs) -> None:
    """A job in line is over at once; the holder of a running one learns that it is not wanted."""
    ends = Ends()
    await jobs.add(*asked("one"))
    ended = await jobs.cancel("job_one", then=ends)
    assert ended.state is JobState.CANCELLED
    await jobs.add(*asked("two"))
    (claim,) = await jobs.claim(1)
    assert await jobs.unwanted([claim]) == frozenset()
    assert await jobs.cancel("job_two", then=ends) is None
    assert await jobs.unwanted([claim]) == {"job_two"}
    assert ends.states == [JobState.CANCELLED]


async def test_references_are_kept_while_a_job_needs_them(database, jobs) -> None:
    """They are needed until the job is over, then only what its result needs."""
    new, record = asked("one")
    (digest,) = record.pieces
    await jobs.add(new, record)
    assert await database.read(lambda tx: needed_by_jobs(tx, [digest])) == {digest}
    (claim,) = await jobs.claim(1)
    end = JobEnd(state=JobState.SUCCEEDED, result=b"r", blobs=frozenset({"f" * 64}))
    await jobs.end(claim, end, then=Ends())
    assert await database.read(lambda tx: needed_by_jobs(tx, [digest])) == frozenset()
    assert await jobs.blobs_of("job_one") == {"f" * 64}
    assert await jobs.result("job_one") == b"r"


async def test_progress_is_seen_by_others(jobs) -> None:
    """How many pictures came so far stands in the row."""
    await jobs.add(*asked("one"))
    (claim,) = await jobs.claim(1)
    await jobs.progress(claim, done=2, failed=1, request_id="req_1")
    job = await jobs.get("job_one")
    assert (job.done, job.failed, job.request_id, job.cost) == (2, 1, "req_1", 0)


async def test_old_jobs_are_deleted(jobs) -> None:
    """Retention takes what ended long enough ago, and says whose bytes are free."""
    new, record = asked("one")
    await jobs.add(new, record)
    await jobs.add(*asked("two"))
    (claim,) = await jobs.claim(1)
    end = JobEnd(state=JobState.SUCCEEDED, blobs=frozenset(record.pieces))
    await jobs.end(claim, end, then=Ends())
    assert await jobs.expire(keep=3600) == frozenset()
    assert await jobs.expire(keep=-1) == frozenset(record.pieces)
    assert [job.id for job in await jobs.listed(JobQuery())] == ["job_two"]


async def test_lists_are_paged_and_filtered(jobs) -> None:
    """Newest first, by scope and all below it, by state, from the last one seen on."""
    for name in ("a", "b", "c"):
        await jobs.add(*asked(name))
    await jobs.add(*asked("d", scope="acme/shopping"))
    await jobs.cancel("job_b", then=Ends())
    names = [job.id for job in await jobs.listed(JobQuery(scope="acme/shop", limit=2))]
    assert names == ["job_c", "job_b"]
    rest = await jobs.listed(JobQuery(scope="acme/shop", before="job_b"))
    assert [job.id for job in rest] == ["job_a"]
    queued = await jobs.listed(JobQuery(state=JobState.QUEUED, scope="acme"))
    assert [job.id for job in queued] == ["job_d", "job_c", "job_a"]


async def test_forgetting_a_scope_erases_its_jobs(database, blobs, jobs) -> None:
    """Requests, references and results are gone; a job that runs is left to end."""
    await jobs.add(*asked("one"))
    (claim,) = await jobs.claim(1)
    other, record = asked("two")
    await jobs.add(other, record)
    loose, its = asked("three")
    its_digest = "0" * 64
    await jobs.add(replace(loose, blobs=frozenset({its_digest})), Record(data=its.data))
    await blobs.put(its_digest, b"x")
    assets = Assets(database, blobs, rules=StoringRules(database, default=StoringRule()))
    await Keeper(assets).forget("acme")
    assert [job.id for job in await jobs.listed(JobQuery())] == [claim.job.id]
    assert not await blobs.there(its_digest)
    assert all([await blobs.there(digest) for digest in record.pieces])
