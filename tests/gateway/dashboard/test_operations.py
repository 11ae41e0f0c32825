"""Operations: jobs, circuits, latencies, errors and models, as the database has them."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from gateway.dashboard.people import Person, key_for
from image_router.books import open_books
from image_router.core.breaker import Circuit
from image_router.core.causes import Cause
from image_router.core.journal import CallNote, ProcessReport, Queue, Shut
from image_router.gateway.dashboard.work import duration
from image_router.storage.journal import Journal

PATH = "/dashboard/operations"


def _note(scope: str, cause: Cause = Cause.OK, detail: str = "", seconds: float = 2.0) -> CallNote:
    return CallNote(
        request_id="req_1",
        scope=scope,
        model="gemini-3-pro-image",
        tier="nano_banana_pro",
        cause=cause,
        detail=detail,
        elapsed=round(seconds * 1_000_000),
        waited=0,
    )


async def _journal(home: Any, *notes: CallNote, report: ProcessReport | None = None) -> None:
    async with open_books(home=home, offline=True) as books:
        journal = Journal(books.db)
        await journal.write(notes)
        if report:
            await journal.report("another process", report)


async def _job(person: Person, key: str = "", **asked: Any) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with person.session.post(
        f"{person.url}/router/v1/jobs", json={"prompt": "a fox", **asked}, headers=headers
    ) as reply:
        assert reply.status == 202
        return await reply.json()


async def _shows(person: Person, path: str, words: str) -> str:
    """The page, as soon as it says so."""
    for _ in range(200):
        page = await person.get(path)
        if words in page.words:
            return page.words
        await asyncio.sleep(0.05)
    raise AssertionError(f"{words!r} never stood on {path}: {page.words}")


async def test_nothing_happened_is_a_page(ann: Person) -> None:
    """It says that all is well, and what will be shown here."""
    page = await ann.get(PATH)
    assert page.status == 200
    for words in (
        "No job is under way",
        "All closed",
        "Nobody waits",
        "No call was made",
        "No call has failed",
    ):
        assert words in page.words


async def test_a_job_is_shown_with_what_it_cost(ann: Person) -> None:
    """Until it is over and after, with its pictures and its money as the API says."""
    job = await _job(ann, n=2)
    words = await _shows(ann, PATH, "succeeded")
    assert job["id"] in words
    assert "2 of 2" in words
    async with ann.session.get(f"{ann.url}/router/v1/jobs/{job['id']}") as reply:
        assert f"${(await reply.json())['cost_usd']}" in words


async def test_calls_of_the_gateway_are_in_the_journal(ann: Person) -> None:
    """Each with its model and its time, within a second or two."""
    async with ann.session.post(f"{ann.url}/router/v1/images", json={"prompt": "a fox"}) as reply:
        assert reply.status == 200
    await _shows(ann, PATH, "gemini-3.1-flash-lite-image 1 ")


async def test_latencies_are_percentiles_of_all_processes(site, ann: Person) -> None:
    """Whoever wrote them down; failures are counted apart."""
    notes = [_note("default", seconds=place) for place in range(1, 101)]
    await _journal(site.home, *notes, _note("default", Cause.CAPACITY, "The model is overloaded."))
    words = (await ann.get(PATH)).words
    assert "gemini-3-pro-image 100 50.00 s 90.00 s 99.00 s 1" in words


async def test_errors_are_told_in_the_providers_words(site, ann: Person) -> None:
    """With the cause in ours, and what to do; hostile words stay words."""
    hostile = "<script>alert(1)</script> The model is overloaded."
    await _journal(site.home, _note("default", Cause.CAPACITY, hostile))
    page = await ann.get(PATH)
    assert "The model is overloaded." in page.words
    assert "<script>alert" not in page.html


async def test_circuits_and_queues_of_every_process_are_shown(site, ann: Person) -> None:
    """A process that shares no circuits says what it holds open; queues of one limit are added up."""
    ill = Shut(
        circuit=Circuit(model="gemini-3-pro-image"),
        cause=Cause.CAPACITY,
        detail="503 overloaded",
        opened_at=1,
        until=None,
    )
    queue = Queue(model="gemini-3-pro-image", limit="requests per minute", waiting=3)
    await _journal(site.home, report=ProcessReport(shut=(ill,), queues=(queue,)))
    words = (await ann.get(PATH)).words
    assert "model gemini-3-pro-image is left alone" in words
    assert "503 overloaded" in words
    assert re.search(r"requests per minute 3\b", words)


async def test_everybody_sees_their_own_calls_and_jobs(locked, bob: Person) -> None:
    """Not those of others, nor the machine's findings; an admin sees all of it."""
    ours = await key_for(locked.home, scope="acme")
    theirs = await key_for(locked.home, scope="other")
    job = await _job(bob, key=theirs)
    await _journal(locked.home, _note("other", Cause.CAPACITY, "of somebody else"))
    await bob.sign_in(ours)
    words = (await bob.get(PATH)).words
    assert job["id"] not in words
    assert "of somebody else" not in words
    assert (await bob.get(f"{PATH}?scope=other")).status == 403
    assert (await bob.get(f"{PATH}/doctor")).status == 403
    await bob.sign_in(await key_for(locked.home, scope="ops", admin=True))
    words = (await bob.get(PATH)).words
    assert job["id"] in words
    assert "of somebody else" in words


async def test_the_doctor_says_what_the_command_says(ann: Person) -> None:
    """The findings of this machine, worst first."""
    page = await ann.get(f"{PATH}/doctor")
    for words in ("image-router", "ledger", "nano banana pro"):
        assert words in page.words
    states = re.findall(r"state-(ok|warning|error)", page.html)
    assert states == sorted(states, key=["error", "warning", "ok"].index)


async def test_an_unknown_span_is_refused(ann: Person) -> None:
    """With the ones there are."""
    refused = await ann.get(f"{PATH}?span=year")
    assert refused.status == 400
    assert "hour, day, week" in refused.words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (120, "2 min"), (7_500, "2 h 5 min")]
)
def test_estimates_are_no_more_exact_than_they_are(seconds: float, words: str) -> None:
    """Seconds, minutes, hours."""
    assert duration(seconds) == words
