"""Chains in the database: begun once, ended once, taken up again, forgotten; on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from image_router.core.errors import IdempotencyConflict
from image_router.core.types import ImageRequest, Reference
from image_router.storage.blobs import Blobs, digest_of
from image_router.storage.chains import Chains, forget_chains
from image_router.storage.chains_tables import Chain, ChainState
from image_router.storage.database import Database
from image_router.storage.jobs import Jobs
from image_router.storage.jobs_line import JobsFull
from image_router.storage.jobs_rows import needed_by_jobs
from image_router.storage.jobs_tables import JobEnd, JobState, NewJob
from image_router.storage.objects import Folder
from image_router.storage.records import REQUEST, Record

STYLE = Reference(data=b"a style", media_type="image/png", digest=digest_of(b"a style"), width=1, height=1)
RECORD = REQUEST.write(ImageRequest(prompt="Mira", references=(STYLE,), scope="acme/shop"))
MIRA = Chain(
    id="chain_mira",
    scope="acme/shop",
    key_id=None,
    rules=None,
    asked_key="mira",
    fingerprint="f",
    request=RECORD.data,
    prompts=("Mira", "on a bike", "at sea"),
    terms="{}",
)
FAR = 10**18


@pytest.fixture
def chains(database: Database, tmp_path: Path) -> Chains:
    return Chains(database, Blobs(Folder(tmp_path / "blobs")))


@pytest.fixture
def jobs(database: Database, tmp_path: Path) -> Jobs:
    return Jobs(database, Blobs(Folder(tmp_path / "blobs")))


def _job(key: str) -> tuple[NewJob, Record]:
    record = REQUEST.write(ImageRequest(prompt=key, scope=MIRA.scope))
    new = NewJob(
        id=MIRA.job_id(key),
        scope=MIRA.scope,
        kind="chain",
        key_id=None,
        rules=None,
        asked_key=MIRA.work_key(key),
        fingerprint=key,
        request=record.data,
        blobs=frozenset(),
        terms="{}",
        images=1,
    )
    return new, record


def _single(key: str) -> tuple[NewJob, Record]:
    new, record = _job(key)
    return replace(new, id=f"job_{key}", kind="generation", asked_key=None), record


async def test_a_key_names_one_chain(chains) -> None:
    """However often and by however many it is sent; another chain under it is a conflict."""
    others = [replace(MIRA, id=f"chain_{place}") for place in range(5)]
    found = await asyncio.gather(*(chains.add(each, RECORD) for each in others))
    assert len({chain.id for chain, _ in found}) == 1
    assert sorted(replayed for _, replayed in found) == [False, True, True, True, True]
    with pytest.raises(IdempotencyConflict, match="mira"):
        await chains.add(replace(MIRA, id="chain_other", fingerprint="g"), RECORD)


async def test_a_chain_ends_once(chains) -> None:
    """Whoever says it first; then nobody looks after it any more."""
    await chains.add(MIRA, RECORD)
    assert [chain.id for chain in await chains.running()] == [MIRA.id]
    assert await chains.end(MIRA.id, ChainState.CANCELLED)
    assert not await chains.end(MIRA.id, ChainState.SUCCEEDED)
    assert (await chains.get(MIRA.id)).state is ChainState.CANCELLED
    assert await chains.running() == []


async def test_resuming_forgets_what_failed_alone(chains, jobs) -> None:
    """The job that came stays, the one that failed may be put in line again."""
    await chains.add(MIRA, RECORD)
    for key, state in zip(MIRA.keys, (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED), strict=True):
        await jobs.add(*_job(key))
        (claim,) = await jobs.claim(1)
        await jobs.end(claim, JobEnd(state=state), then=lambda tx, job: None)
    await chains.end(MIRA.id, ChainState.PARTIAL)
    await chains.resume(MIRA)
    assert (await chains.get(MIRA.id)).state is ChainState.RUNNING
    items = await chains.items(MIRA)
    assert [(item.key, item.job and item.job.state) for item in items] == [
        ("reference", JobState.SUCCEEDED),
        ("variant-001", None),
        ("variant-002", None),
    ]


async def test_the_pictures_of_a_chain_count_in_line_before_they_are_jobs(chains, jobs) -> None:
    """Three of five are asked for: another chain does not fit, two jobs do, and ends make room."""
    await chains.add(MIRA, RECORD, most=5)
    other = replace(MIRA, id="chain_other", asked_key="other")
    with pytest.raises(JobsFull, match="3 jobs in line") as full:
        await chains.add(other, RECORD, most=5)
    assert (full.value.found, full.value.more, full.value.most) == (3, 3, 5)
    for key in ("one", "two"):
        await jobs.add(*_single(key), most=5)
    with pytest.raises(JobsFull):
        await jobs.add(*_single("three"), most=5)
    for key in MIRA.keys:
        await jobs.add(*_job(key))
        await jobs.cancel(MIRA.job_id(key), then=lambda tx, job: None)
    await jobs.add(*_single("three"), most=5)
    with pytest.raises(JobsFull):
        await chains.resume(MIRA, most=5)
    await chains.end(MIRA.id, ChainState.CANCELLED)
    with pytest.raises(JobsFull):
        await chains.resume(MIRA, most=5)
    await chains.resume(MIRA, most=6)
    assert (await chains.add(MIRA, RECORD, most=1))[1], "a key that is known needs no room"


async def test_chains_are_listed_newest_first(chains) -> None:
    """In pages, of a scope and all below it."""
    for name in ("a", "b", "c"):
        await chains.add(replace(MIRA, id=f"chain_{name}", asked_key=name), RECORD)
    await chains.add(replace(MIRA, id="chain_z", asked_key="z", scope="zoo"), RECORD)
    first = await chains.listed(scope="acme", limit=2)
    second = await chains.listed(scope="acme", limit=2, before=first[-1].id)
    assert [chain.id for chain in (*first, *second)] == ["chain_c", "chain_b", "chain_a"]


async def test_a_chain_holds_on_to_its_references_until_it_is_forgotten(database, chains) -> None:
    """While it runs neither age nor forgetting takes them; afterwards both do."""
    await chains.add(MIRA, RECORD)

    async def needed() -> frozenset[str]:
        return await database.read(lambda tx: needed_by_jobs(tx, [STYLE.digest]))

    assert await database.write(lambda tx: forget_chains(tx, "acme", before=FAR)) == frozenset()
    assert await chains.expire(keep=-1.0) == frozenset()
    assert await needed() == {STYLE.digest}
    await chains.end(MIRA.id, ChainState.FAILED)
    assert await chains.expire(keep=3600.0) == frozenset()
    assert await chains.expire(keep=-1.0) == {STYLE.digest}
    assert await needed() == frozenset()
    await chains.add(MIRA, RECORD)
    await chains.end(MIRA.id, ChainState.FAILED)
    assert await database.write(lambda tx: forget_chains(tx, "acme", before=FAR)) == {STYLE.digest}
    assert await chains.get(MIRA.id) is None
