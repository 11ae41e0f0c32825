"""The batch lane against the emulator over real HTTP: every row accounted for, one bill for all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulk.made_rows import accounted, rows_of
from bulk.remote import begun, done, lane_of, plain, rows_now, states_now
from gemini_emulator import Emulator
from image_router.bulk import remote_opening
from image_router.bulk.chunks import run_chunk
from image_router.bulk.parts import Bulk
from image_router.bulk.remote_parts import LaneParts, Looked
from image_router.core.budget import SECOND
from image_router.core.errors import ContentRefused, InvalidCredentials, KeyBusy
from image_router.core.runs import RowState
from image_router.core.types import Lane, Purpose
from image_router.engine.pool import Member, Pool
from image_router.facts import load_catalog
from image_router.providers.rest import RestProvider
from image_router.storage.asset_queries import Query
from image_router.storage.budgets import Budgets
from image_router.storage.remote_jobs_tables import RemoteJob, RemoteState, Upload
from image_router.wiring import today

DONE = RowState.DONE


def living_with_batch() -> set[str]:
    """Models of today that have a batch."""
    catalog, day = load_catalog(None), today()
    return {name for name, model in catalog.models.items() if model.batch and catalog.state(name, day).serves}


async def test_rows_come_back_as_pictures_at_half_price(bulk: Bulk, emulator: Emulator) -> None:
    run, lane = await begun(bulk), lane_of(bulk)
    await done(bulk, lane, run)
    assert await states_now(bulk, run) == [DONE] * 4
    await accounted(bulk, emulator, run)
    assert {entry.lane for entry in emulator.bill().entries} == {"batch"}
    for row in await rows_now(bulk, run):
        assert row.asset
        assert await bulk.bench.assets.blobs.there(row.asset)
    batch = emulator.bill().total
    for row in await rows_now(bulk, run):
        await bulk.bench.router.generate(
            row.planned.ask.prompt, purpose=Purpose.HERO, scope="acme", cache="bypass"
        )
    interactive = emulator.bill().total - batch
    assert interactive == 2 * batch


@pytest.mark.parametrize("model", sorted(living_with_batch()))
async def test_a_batch_costs_half_of_the_same_rows_made_one_by_one_on_every_model_that_has_batch(
    bulk: Bulk, emulator: Emulator, model: str
) -> None:
    """To the nano-dollar: token rates, not rounded list prices."""
    run, lane = await begun(bulk, plain(bulk, 2, model=model)), lane_of(bulk)
    await done(bulk, lane, run)
    batch = emulator.bill().total
    for row in await rows_now(bulk, run):
        await bulk.bench.router.generate(row.planned.ask.prompt, model=model, scope="acme", cache="bypass")
    assert emulator.bill().total - batch == 2 * batch > 0
    assert (await bulk.runs.progress(run.id)).spent == batch


async def test_the_key_of_a_row_is_free_afterwards_and_hands_out_its_picture(
    bulk: Bulk, emulator: Emulator
) -> None:
    run, lane = await begun(bulk), lane_of(bulk)
    await done(bulk, lane, run)
    bill = emulator.bill().total
    for row in await rows_now(bulk, run):
        result = await bulk.bench.router.generate(
            row.planned.ask.prompt, purpose=Purpose.HERO, scope="acme", key=row.planned.key
        )
        assert (result.image.digest, result.image.cached) == (row.asset, True)
    assert emulator.bill().total == bill


async def test_a_key_is_another_ones_while_the_job_runs(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("batch_stuck", times=1)
    run, lane = await begun(bulk, plain(bulk, 1)), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    await lane.open(job)
    [row] = await rows_now(bulk, run)
    assert row.state is RowState.SENT
    with pytest.raises(KeyBusy, match=f"batch job {job} is at the work of key"):
        await bulk.bench.router.waiting(for_key=0).generate(
            row.planned.ask.prompt, purpose=Purpose.HERO, scope="acme", key=row.planned.key
        )


@pytest.mark.parametrize("fault", ["batch_out_of_order", "batch_unreadable;"])
async def test_order_and_passing_trouble_do_not_matter(bulk: Bulk, emulator: Emulator, fault: str) -> None:
    emulator.faults.add(fault.rstrip(";"), times=1)
    run, lane = await begun(bulk), lane_of(bulk)
    await done(bulk, lane, run)
    assert await states_now(bulk, run) == [DONE] * 4
    prompts = {asset.details.prompt for asset in await bulk.bench.assets.list() if asset.details}
    assert prompts == {row.planned.ask.prompt for row in await rows_now(bulk, run)}
    await accounted(bulk, emulator, run)


@pytest.mark.parametrize(
    "fault",
    [
        "batch_fails",
        "batch_rows_fail;rows=0,2",
        "batch_rows_fail",
        "batch_rows_cancelled;rows=1",
        "batch_rows_missing;rows=1,3",
    ],
)
async def test_rows_that_failed_or_are_missing_go_again_and_cost_nothing(
    bulk: Bulk, emulator: Emulator, fault: str
) -> None:
    emulator.faults.add(fault, times=1)
    run, lane = await begun(bulk), lane_of(bulk)
    await done(bulk, lane, run)
    assert await states_now(bulk, run) == [DONE] * 4
    assert len(await lane.parts.jobs.of_run(run.id)) == 2
    await accounted(bulk, emulator, run)


async def test_rows_that_always_fail_end_as_failed(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("batch_rows_fail;rows=0")
    run, lane = await begun(bulk, plain(bulk, 1)), lane_of(bulk)
    await done(bulk, lane, run)
    [row] = await rows_now(bulk, run)
    assert row.state is RowState.FAILED
    assert "unavailable" in row.message
    await accounted(bulk, emulator, run)


async def test_a_row_that_is_refused_is_refused_and_its_key_remembers(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("batch_rows_answer;rows=0;fault=image_safety")
    run, lane = await begun(bulk, plain(bulk, 2)), lane_of(bulk)
    await done(bulk, lane, run)
    first, second = await rows_now(bulk, run)
    assert (first.state, first.cause) == (RowState.FAILED, "output_refused")
    assert second.state is DONE
    bill = emulator.bill().total
    with pytest.raises(ContentRefused):
        await bulk.bench.router.generate(
            first.planned.ask.prompt, purpose=Purpose.HERO, scope="acme", key=first.planned.key
        )
    assert emulator.bill().total == bill
    await accounted(bulk, emulator, run)


async def test_a_result_that_is_gone_counts_as_paid_and_unknown(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("batch_result_gone", times=1)
    run, lane = await begun(bulk), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    while (looked := await lane.step(job)).state is not RemoteState.OVER:
        pass
    looked = await lane.step(job)
    assert looked.state is RemoteState.OVER
    assert "not fetched yet" in looked.reason
    over_at = await lane.parts.jobs.now() - 49 * 3600 * SECOND
    await lane.parts.jobs.change(job, over_at=over_at)
    assert (await lane.step(job)).ended
    assert await states_now(bulk, run) == [RowState.UNKNOWN] * 4
    progress = await bulk.runs.progress(run.id)
    assert progress.at_risk == progress.spent >= emulator.bill().total > 0
    assert progress.held == 0


async def test_a_creation_whose_answer_was_lost_is_adopted_and_paid_once(
    bulk: Bulk, emulator: Emulator
) -> None:
    emulator.faults.add("drop_after", method="batchGenerateContent", times=1)
    run, lane = await begun(bulk), lane_of(bulk)
    await done(bulk, lane, run)
    [job] = await lane.parts.jobs.of_run(run.id)
    assert job.name
    assert await states_now(bulk, run) == [DONE] * 4
    assert len(emulator.bill().entries) == 4
    await accounted(bulk, emulator, run)


async def test_a_creation_that_never_arrived_is_looked_for_twice_before_it_is_made_again(
    bulk: Bulk, emulator: Emulator
) -> None:
    emulator.faults.add("drop_before", method="batchGenerateContent", times=1)
    run = await begun(bulk)
    limits = lane_of(bulk).parts.limits
    lane = lane_of(bulk, limits=replace(limits, adopt_wait=120))
    [job] = await lane.prepare(run.id, 1)
    looked = await lane.step(job)
    assert (looked.state, looked.wait) == (RemoteState.ASKED, 120)
    assert 100 < (await lane.step(job)).wait <= 120
    await lane.parts.jobs.change(job, look_at=0)
    assert (await lane.step(job)).state is RemoteState.OPEN
    await done(bulk, lane, run)
    assert len(emulator.bill().entries) == 4
    await done(bulk, lane, run)
    await accounted(bulk, emulator, run)


async def test_a_process_that_stood_still_creates_nothing_that_others_look_for(
    bulk: Bulk, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between the note on disk and the creation, woken when others have created the job."""
    run = await begun(bulk)
    limits = replace(lane_of(bulk).parts.limits, adopt_wait=0)
    frozen, other = lane_of(bulk, limits=limits), lane_of(bulk, limits=limits)
    [job] = await frozen.prepare(run.id, chunk=1)
    paid = remote_opening._created

    async def woken_late(parts: LaneParts, asked: RemoteJob) -> Looked:
        monkeypatch.setattr(remote_opening, "_created", paid)
        states = [(await other.step(job)).state for _ in range(2)]
        assert states == [RemoteState.ASKED, RemoteState.OPEN]
        return await paid(parts, asked)

    monkeypatch.setattr(remote_opening, "_created", woken_late)
    assert (await frozen.step(job)).state is RemoteState.OPEN
    await done(bulk, frozen, run)
    assert len(emulator.bill().entries) == 4
    await accounted(bulk, emulator, run)


async def test_jobs_go_to_the_projects_that_have_room(bulk: Bulk, emulator: Emulator) -> None:
    keys = {f"p{n}": RestProvider(f"key-{n}", base_url=emulator.url, real=False) for n in (1, 2)}
    pool = Pool([Member(name=f"key {p}", provider=key, project=p) for p, key in keys.items()])
    plain_limits = lane_of(bulk).parts.limits
    limits = replace(plain_limits, open_jobs=1, job=replace(plain_limits.job, rows=1))
    run, lane = await begun(bulk, plain(bulk, 3)), lane_of(bulk, limits=limits, keys=lambda: pool)
    first, second, third = await lane.prepare(run.id, chunk=1)
    assert [(await lane.step(job)).state for job in (first, second)] == [RemoteState.OPEN] * 2
    full = await lane.step(third)
    assert full.state is RemoteState.INTENT
    assert "1 of 1 batch jobs are open" in full.reason
    for job in (first, second):
        await lane.run(job)
    await done(bulk, lane, run)
    assert await states_now(bulk, run) == [DONE] * 3
    projects = [job.project for job in await lane.parts.jobs.of_run(run.id)]
    assert set(projects) == {"p1", "p2"}
    await accounted(bulk, emulator, run)
    await pool.aclose()


async def test_a_creation_refused_for_lack_of_room_is_tried_again_without_being_looked_for(
    bulk: Bulk, emulator: Emulator
) -> None:
    emulator.faults.add("rate_limit_help_only", method="batchGenerateContent", times=1)
    run, lane = await begun(bulk), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    looked = await lane.step(job)
    assert looked.state is RemoteState.ASKED
    assert looked.wait == 60
    await lane.parts.jobs.change(job, look_at=0)
    assert (await lane.step(job)).state is RemoteState.OPEN
    await done(bulk, lane, run)
    await accounted(bulk, emulator, run)


async def test_a_job_that_the_provider_will_not_have_gives_its_rows_and_money_back(
    bulk: Bulk, emulator: Emulator
) -> None:
    emulator.faults.add("key_blocked", method="batchGenerateContent", times=1)
    run, lane = await begun(bulk), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    with pytest.raises(InvalidCredentials):
        await lane.step(job)
    assert await states_now(bulk, run) == [RowState.WAITING] * 4
    assert (await bulk.runs.progress(run.id)).held == 0
    await done(bulk, lane, run)
    await accounted(bulk, emulator, run)


async def test_a_stuck_job_is_given_up_and_its_rows_are_made_one_by_one(
    bulk: Bulk, emulator: Emulator
) -> None:
    emulator.faults.add("batch_stuck", times=1)
    run, lane = await begun(bulk), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    await lane.step(job)
    assert (await lane.step(job)).state is RemoteState.OPEN
    assert (await lane.give_up(job, reason="late")).ended
    assert await states_now(bulk, run) == [RowState.WAITING] * 4
    assert await lane.prepare(run.id, 1) == ()
    assert (await bulk.runs.progress(run.id)).held == 0
    for row in await rows_now(bulk, run):
        assert not row.resend
        await bulk.bench.router.generate(
            row.planned.ask.prompt, purpose=Purpose.HERO, scope="acme", key=row.planned.key
        )
    assert {entry.lane for entry in emulator.bill().entries} == {"interactive"}


async def test_what_a_job_makes_in_spite_of_being_given_up_is_adopted(bulk: Bulk, emulator: Emulator) -> None:
    emulator.faults.add("batch_late;polls=6", times=1)
    run, lane = await begun(bulk, plain(bulk, 2)), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    await lane.step(job)
    looked = await lane.give_up(job, reason="late")
    assert looked.state is RemoteState.OPEN
    rows = await rows_now(bulk, run)
    assert [(row.state, row.resend) for row in rows] == [(RowState.WAITING, True)] * 2
    assert (await lane.run(job)).ended
    assert await states_now(bulk, run) == [DONE] * 2
    await accounted(bulk, emulator, run)


async def test_what_comes_after_its_replacement_is_kept_beside_it_and_both_are_in_the_ledger(
    bulk: Bulk, emulator: Emulator
) -> None:
    emulator.faults.add("batch_late;polls=6", times=1)
    run, lane = await begun(bulk, plain(bulk, 2)), lane_of(bulk)
    [job] = await lane.prepare(run.id, 1)
    await lane.step(job)
    await lane.give_up(job, reason="late")
    await run_chunk(bulk.bench, run.id, number=1)
    assert await states_now(bulk, run) == [DONE] * 2
    replaced = [row.asset for row in await rows_now(bulk, run)]
    assert (await lane.run(job)).ended
    assert [row.asset for row in await rows_now(bulk, run)] == replaced
    assert len(await bulk.bench.assets.list(Query())) == 4
    bill = emulator.bill()
    assert sorted(entry.lane for entry in bill.entries) == ["batch", "batch", "interactive", "interactive"]
    await accounted(bulk, emulator, run)


async def test_there_is_no_more_sent_than_there_is_money_for(bulk: Bulk, emulator: Emulator) -> None:
    rows = list(plain(bulk))
    ceiling = bulk.bench.router.decided(await _request(bulk)).head.quote.ceiling
    run, lane = await begun(bulk, iter(rows)), lane_of(bulk)
    await Budgets(bulk.db).set(run.purse, who="test", total=2 * ceiling + 1)
    [job] = await lane.prepare(run.id, 1)
    looked = await lane.step(job)
    assert looked.state is RemoteState.INTENT
    assert (await lane.run(job)).ended
    assert (await states_now(bulk, run)).count(DONE) == 2
    progress = await bulk.runs.progress(run.id)
    assert progress.spent == emulator.bill().total <= 2 * ceiling + 1


async def _request(bulk: Bulk):
    return await bulk.bench.router.request(
        "mug 0, picture 0", purpose=Purpose.HERO, lane=Lane.BATCH, scope="acme"
    )


async def test_variants_name_their_reference_which_is_uploaded_once(bulk: Bulk, emulator: Emulator) -> None:
    rows = rows_of(bulk, subjects=1, variants=3, lane=Lane.BATCH, purpose=Purpose.HERO)
    run, lane = await begun(bulk, rows), lane_of(bulk)
    assert await lane.prepare(run.id, 2) == ()
    await done(bulk, lane, run, chunk=1)
    await done(bulk, lane, run, chunk=2)
    assert await states_now(bulk, run) == [DONE] * 4
    first, *variants = await rows_now(bulk, run)
    for row in variants:
        family = await bulk.bench.assets.family(row.asset or "")
        assert [parent.digest for parent in family.parents] == [first.asset]
    uploads = await lane.parts.jobs.uploads("p1", [first.asset or ""], until=0)
    assert set(uploads) == {first.asset}
    await accounted(bulk, emulator, run)


async def test_a_reference_that_the_provider_has_lost_is_uploaded_again(
    bulk: Bulk, emulator: Emulator
) -> None:
    rows = rows_of(bulk, subjects=1, variants=1, lane=Lane.BATCH, purpose=Purpose.HERO)
    run, lane = await begun(bulk, rows), lane_of(bulk)
    await done(bulk, lane, run, chunk=1)
    [first, _] = await rows_now(bulk, run)
    lost = Upload(
        project="p1",
        digest=first.asset or "",
        name="files/lost",
        uri=f"{emulator.url}/v1beta/files/lost",
        media_type="image/jpeg",
        bytes=1,
        until=await lane.parts.jobs.now() + 47 * 3600 * SECOND,
    )
    await lane.parts.jobs.remember(lost)
    await done(bulk, lane, run, chunk=2)
    assert await states_now(bulk, run) == [DONE] * 2
    [found] = (await lane.parts.jobs.uploads("p1", [first.asset or ""], until=0)).values()
    assert found.name != "files/lost"
    await accounted(bulk, emulator, run)
