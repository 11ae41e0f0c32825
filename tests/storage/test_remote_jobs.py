"""Remote jobs and uploads, on both databases."""

from __future__ import annotations

from image_router.core.budget import SECOND
from image_router.core.limits import UsageTier
from image_router.core.packing import NoRoom, ProjectUse
from image_router.core.runs import Chunk, NewRun, Pause, PlannedRow, RowAsk, RunKind, Stage
from image_router.core.types import Lane, Purpose, Tier
from image_router.storage.database import Database
from image_router.storage.remote_jobs import (
    RemoteJobs,
    claim_of,
    go_interactive,
    leave_job,
    paid_besides,
    row_now,
    set_request,
)
from image_router.storage.remote_jobs_tables import RemoteJob, RemoteState, Upload
from image_router.storage.runs import Stopped, StoredRuns
from image_router.storage.runs_line import next_chunks
from image_router.storage.work_rows import Claimant, Claimed, Work, take

MODEL = "gemini-3-pro-image"


def job(job_id: str, **said: object) -> RemoteJob:
    values: dict[str, object] = {
        "id": job_id,
        "run_id": "run_1",
        "chunk": 1,
        "scope": "acme/run_1",
        "model": MODEL,
        "tier": Tier.NANO_BANANA_PRO,
        "purpose": Purpose.HERO,
        "state": RemoteState.INTENT,
        "rows": 2,
        "input_bytes": 100,
        "result_bytes": 1000,
        "tokens": 70,
    }
    return RemoteJob(**{**values, **said})  # type: ignore[arg-type]


async def stored(db: Database, *, rows: int = 4) -> RemoteJobs:
    runs = StoredRuns(db)
    await runs.create(NewRun(id="run_1", name="n", kind=RunKind.BATCH, scope="acme"), version="1")
    planned = (
        PlannedRow(
            number=number,
            line=number,
            key=f"row {number}",
            subject=str(number),
            stage=Stage.FIRST,
            ask=RowAsk(prompt=f"mug {number}", lane=Lane.BATCH),
            model=MODEL,
            tier=None,
            quote=1,
            ceiling=2,
            duplicate_of=1 if number == 4 else None,
        )
        for number in range(1, rows + 1)
    )
    await runs.add_rows("run_1", ((row, 1) for row in planned))
    chunk = Chunk(run_id="run_1", number=1, lane=Lane.BATCH, stage=Stage.FIRST, rows=rows)
    await runs.complete("run_1", [chunk], fingerprint="f")
    return RemoteJobs(db)


async def test_a_job_is_intended_with_its_rows_once(database: Database) -> None:
    jobs = await stored(database)
    assert [row.planned.number for row in await jobs.waiting("run_1", 1)] == [1, 2, 3]
    await jobs.intend([(job("bj_1"), [1, 2])])
    await jobs.intend([(job("bj_1"), [1, 2, 3])])
    [there] = await jobs.of_chunk("run_1", 1)
    assert (there.id, there.state, there.owner) == ("bj_1", RemoteState.INTENT, "batch job bj_1")
    assert there.made_at == there.look_at > 0
    assert [row.planned.number for row in await jobs.rows_of("bj_1")] == [1, 2]
    assert [row.planned.number for row in await jobs.waiting("run_1", 1)] == [3]


async def test_a_job_that_ended_is_of_its_run_and_no_longer_of_its_chunk(database: Database) -> None:
    jobs = await stored(database)
    await jobs.intend([(job("bj_1"), [1]), (job("bj_2"), [2])])
    changed = await jobs.change("bj_1", state=RemoteState.ENDED, ended_at=5, name="batches/1")
    assert changed.state is RemoteState.ENDED
    assert [one.id for one in await jobs.of_chunk("run_1", 1)] == ["bj_2"]
    assert [one.id for one in await jobs.of_run("run_1")] == ["bj_1", "bj_2"]
    assert [one.id for one in await jobs.of_run_open("run_1")] == ["bj_2"]
    assert await jobs.get("bj_1") == changed
    assert await jobs.get("nothing") is None


async def test_what_a_project_has_under_way_counts_its_open_jobs_and_files(database: Database) -> None:
    jobs = await stored(database)
    await jobs.intend([(job("bj_1"), [1]), (job("bj_2"), [2]), (job("bj_3"), [3])])
    for name in ("bj_1", "bj_2"):
        await jobs.change(name, project="a")
    await jobs.change("bj_2", state=RemoteState.ENDED, ended_at=1)
    far = await jobs.now() + 60 * SECOND
    picture = Upload(
        project="b", digest="d", name="files/1", uri="u", media_type="image/png", bytes=7, until=far
    )
    await jobs.remember(picture)
    seen: list[ProjectUse] = []

    def choose(uses: list[ProjectUse]) -> str:
        seen.extend(uses)
        return "b"

    assert await jobs.place("bj_3", {"a": UsageTier.T1, "b": None}, choose=choose) == "b"
    a, b = seen
    assert a == ProjectUse(project="a", tier=UsageTier.T1, jobs=1, tokens={MODEL: 70}, stored_bytes=100)
    assert b == ProjectUse(project="b", stored_bytes=7)
    placed = await jobs.get("bj_3")
    assert placed is not None
    assert placed.project == "b"
    assert await jobs.place("bj_3", {}, choose=lambda uses: NoRoom(reason="full")) == NoRoom(reason="full")


async def test_an_upload_is_known_until_the_provider_drops_it(database: Database) -> None:
    jobs = await stored(database)
    now = await jobs.now()
    for digest, until in (("old", now - 1), ("new", now + 100 * SECOND)):
        await jobs.remember(
            Upload(
                project="a",
                digest=digest,
                name=f"files/{digest}",
                uri="u",
                media_type="image/png",
                bytes=1,
                until=until,
            )
        )
    assert set(await jobs.uploads("a", ["old", "new"], until=now + SECOND)) == {"new"}
    assert await jobs.uploads("a", ["new"], until=now + 200 * SECOND) == {}
    assert await jobs.uploads("b", ["new"], until=now) == {}


async def test_rows_leave_a_job_they_were_never_sent_with(database: Database) -> None:
    jobs = await stored(database)
    await jobs.intend([(job("bj_1"), [1, 2])])
    await database.write(lambda tx: leave_job(tx, "bj_1", numbers=[2]))
    assert [row.planned.number for row in await jobs.waiting("run_1", 1)] == [2, 3]
    await database.write(lambda tx: go_interactive(tx, "run_1", numbers=[2], resend=True))
    assert [row.planned.number for row in await jobs.waiting("run_1", 1)] == [3]
    await database.write(lambda tx: paid_besides(tx, "run_1", number=2, cost=5, at_risk=1))
    row = (await jobs.numbered("run_1", [2]))[2]
    assert (row.resend, row.cost, row.at_risk) == (True, 5, 1)
    assert await database.read(lambda tx: row_now(tx, "run_1", number=2)) == row


async def test_a_claim_is_found_by_the_request_it_belongs_to(database: Database) -> None:
    jobs = await stored(database)
    work = Work(scope="acme", key="row 1", fingerprint="f")
    claimant = Claimant(owner="batch job bj_1", request_id="req_1", lease=60 * SECOND)
    taken = await database.write(lambda tx: take(tx, work, claimant=claimant))
    assert isinstance(taken, Claimed)

    assert await database.read(lambda tx: claim_of(tx, "acme", key="row 1", request_id="req_1")) == taken
    assert await database.read(lambda tx: claim_of(tx, "acme", key="row 1", request_id="req_2")) is None
    await database.write(lambda tx: set_request(tx, "run_1", number=1, request_id="req_1"))
    assert (await jobs.numbered("run_1", [1]))[1].request_id == "req_1"


async def test_a_chunk_whose_jobs_wait_is_next_when_a_look_is_due(database: Database) -> None:
    jobs, runs = await stored(database), StoredRuns(database)

    async def next_ones() -> list[int]:
        return [chunk.number for chunk in await database.read(lambda tx: next_chunks(tx, limit=9))]

    assert await next_ones() == []
    await runs.begin("run_1")
    assert await next_ones() == [1]
    await jobs.intend([(job("bj_1"), [1, 2])])
    assert await next_ones() == [1]
    later = await jobs.now() + 60 * SECOND
    await jobs.change("bj_1", state=RemoteState.OPEN, look_at=later)
    assert await next_ones() == []
    await jobs.change("bj_1", look_at=0)
    assert await next_ones() == [1]
    await runs.pause("run_1", Stopped(pause=Pause.ASKED, reason="x"))
    assert await next_ones() == [1]
    await jobs.change("bj_1", state=RemoteState.INTENT)
    assert await next_ones() == []
    await runs.cancel("run_1")
    assert await next_ones() == [1]
    await jobs.change("bj_1", state=RemoteState.ENDED, ended_at=1)
    assert await next_ones() == []
