"""Bulk runs on the dashboard: looked at, approved, steered; nobody else's are even there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.dashboard.people import Person, Seen, key_for
from image_router.core.money import parse_usd, show_usd
from image_router.core.runs import Pause, RowState, Run, RunState, RunTerms
from image_router.runs import OpenRuns, open_runs

TABLE = """subject,prompt,variants
fox,a fox courier,the fox at sea|the fox in snow
owl,an owl librarian,the owl at night|the owl in rain
"""


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """Runs of the gateway's database, opened as the command line does."""

    runs: OpenRuns
    table: Any

    async def waiting(self) -> Run:
        """A run whose references are made and wait to be looked at."""
        run = await self.stored(approve_references=True)
        return await self.made(run)

    async def made(self, run: Run) -> Run:
        """As far as it goes, by a worker of its own."""
        async with open_runs(self.runs.settings) as runs:
            return await runs.make(run.id)

    async def stored(self, **terms: Any) -> Run:
        run, left_out = await self.runs.start_table(self.table, terms=RunTerms(**terms))
        assert left_out == ()
        return run


@asynccontextmanager
async def bulk_on(site, tmp_path) -> AsyncIterator[Bulk]:
    table = tmp_path / "cast.csv"
    table.write_text(TABLE)
    asked = {"home": site.home, "offline": True, "emulator_url": site.emulator.url, "scope": "acme/shop"}
    async with open_runs(as_of="2026-11-22", **asked) as runs:
        yield Bulk(runs=runs, table=table)


@pytest.fixture
async def bulk(site, tmp_path) -> AsyncIterator[Bulk]:
    """Beside the open gateway."""
    async with bulk_on(site, tmp_path) as opened:
        yield opened


@pytest.fixture
async def locked_bulk(locked, tmp_path) -> AsyncIterator[Bulk]:
    """Beside the gateway that wants keys."""
    async with bulk_on(locked, tmp_path) as opened:
        yield opened


async def _press(person: Person, page: Seen, path: str, **fields: str) -> Seen:
    return await person.post(path, {"form_token": page.token, **fields})


async def test_references_are_approved_on_the_page(ann: Person, bulk: Bulk, site) -> None:
    """Each is seen; the one that is rejected gets no variants; the figures are those of the run."""
    run = await bulk.waiting()
    path = f"/dashboard/runs/{run.id}"
    assert path in (await ann.get("/dashboard/operations")).html
    page = await ann.get(path)
    assert "The variants wait for your word" in page.words
    pictures = re.findall(r"/dashboard/pictures/([^/\"]+)/thumbnail", page.html)
    assert len(pictures) == 2
    assert show_usd(site.emulator.bill().total) in page.words
    owl = next(each for each in pictures if f'{each}/thumbnail" alt="an owl' in page.html)
    said = await _press(ann, page, f"/dashboard/pictures/{owl}/feedback", verdict="rejected", next=path)
    assert (said.status, said.headers["location"]) == (303, path)

    stale = await _press(ann, page, f"{path}/approve", rejected="0")
    assert stale.status == 400
    assert "1 reference rejected by now" in stale.words
    assert (await bulk.runs.steer.get(run.id)).pause is Pause.APPROVAL

    page = await ann.get(path)
    assert "Approve all but 1 rejected reference" in page.words
    assert (await _press(ann, page, f"{path}/approve", rejected="1")).status == 303
    assert (await bulk.made(run)).state is RunState.DONE
    progress = await bulk.runs.steer.progress(run.id)
    assert progress.states == {RowState.DONE: 4, RowState.CANCELLED: 2}
    page = await ann.get(path)
    assert show_usd(progress.spent) == show_usd(site.emulator.bill().total)
    assert show_usd(progress.spent) in page.words
    assert "4 of 6 pictures" in page.words
    assert "wait for your word" not in page.words


async def test_a_run_is_paused_resumed_and_cancelled(ann: Person, bulk: Bulk) -> None:
    """By the buttons its state offers; without a worker the page says that nobody makes it."""
    run = await bulk.stored(max_cost=parse_usd("5", name="cap"))
    path = f"/dashboard/runs/{run.id}"
    page = await ann.get(path)
    assert "No worker runs" in page.words
    assert "At most $5.00" in page.words
    for steer, state, offered in (
        ("pause", RunState.PAUSED, "Resume"),
        ("resume", RunState.RUNNING, "Pause"),
        ("cancel", RunState.CANCELLED, "cancelled"),
    ):
        assert (await _press(ann, page, f"{path}/{steer}")).status == 303
        assert (await bulk.runs.steer.get(run.id)).state is state
        page = await ann.get(path)
        assert offered in page.words
    assert "/cancel" not in page.html


async def test_what_failed_says_why(ann: Person, bulk: Bulk, site) -> None:
    """Each row in the words of who refused it."""
    site.emulator.faults.add("prompt_blocked", times=1)
    run = await bulk.waiting()
    page = await ann.get(f"/dashboard/runs/{run.id}")
    assert "What failed" in page.words
    assert "catalog retry-failed" in page.words
    assert "1 failed" in page.words


async def test_a_run_of_others_is_not_there(locked, bob: Person, locked_bulk: Bulk) -> None:
    """Neither by id nor by name, to look at or to steer; nor on Operations."""
    run = await locked_bulk.waiting()
    await bob.sign_in(await key_for(locked.home, scope="acme/studio"))
    operations = await bob.get("/dashboard/operations")
    assert run.id not in operations.html
    assert "No run was started" in operations.words
    for name in (run.id, run.name, "run_000000000000"):
        for tail in ("", "/cancel"):
            assert (await bob.get(f"/dashboard/runs/{name}{tail}")).status == 404
        for steer in ("pause", "resume", "cancel", "approve"):
            path = f"/dashboard/runs/{name}/{steer}"
            assert (await _press(bob, await bob.get("/dashboard/router"), path)).status == 404
    assert (await locked_bulk.runs.steer.get(run.id)).pause is Pause.APPROVAL
    await bob.sign_in(await key_for(locked.home, scope="acme"))
    page = await bob.get(f"/dashboard/runs/{run.id}")
    assert page.status == 200
    assert (await bob.get(f"/dashboard/runs/{run.name}")).status == 404
    assert (await _press(bob, page, f"/dashboard/runs/{run.id}/approve", rejected="0")).status == 303


async def test_forged_forms_steer_nothing(ann: Person, bulk: Bulk) -> None:
    """Without the page's token, and from another site."""
    run = await bulk.stored()
    path = f"/dashboard/runs/{run.id}"
    token = (await ann.get(path)).token
    assert (await ann.post(f"{path}/cancel", {"form_token": "x"})).status == 403
    foreign = await ann.post(f"{path}/cancel", {"form_token": token}, origin="https://evil.example")
    assert foreign.status == 403
    assert (await bulk.runs.steer.get(run.id)).state is RunState.RUNNING
