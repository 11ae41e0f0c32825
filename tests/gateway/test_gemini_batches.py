"""Google's Batch API through the gateway: held before, settled after, whoever fetches."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from typing import Any

import pytest
from google import genai
from google.genai import errors

from gateway.gemini_tap import key_of, posted, spent, tapped
from image_router.books import open_books
from image_router.core.money import parse_usd
from image_router.gateway import gemini_batches
from image_router.storage.budgets import Budgets

PRO = "gemini-3-pro-image"


def client_of(site, key: str = "anything") -> genai.Client:
    return genai.Client(api_key=key, http_options={"base_url": site.url})


def rows(*words: str) -> list[Any]:
    return [{"contents": [{"role": "user", "parts": [{"text": said}]}]} for said in words]


def finished(client: genai.Client, name: str) -> genai.types.BatchJob:
    """Poll as the documentation does."""
    while not (job := client.batches.get(name=name)).done:
        time.sleep(0.02)
    return job


async def test_a_batch_is_made_listed_and_fetched(site) -> None:
    """The SDK's create, get and list; the ledger has what the provider bills, at batch rates."""
    with client_of(site) as client:
        job = await asyncio.to_thread(client.batches.create, model=PRO, src=rows("a fox", "a bear"))
        assert [known.name for known in client.batches.list()] == [job.name]
        done = await asyncio.to_thread(finished, client, job.name)
        answers = done.dest.inlined_responses
        client.batches.delete(name=job.name)
        assert list(client.batches.list()) == []
    assert len(answers) == 2
    assert all(any(p.inline_data for p in a.response.candidates[0].content.parts) for a in answers)
    assert await spent(site) == site.emulator.bill().total > 0


async def test_nobody_needs_to_fetch_it(monkeypatch, tmp_path) -> None:
    """The gateway's own look settles what no client asks for."""
    monkeypatch.setattr(gemini_batches, "EVERY", 0.1)
    with ExitStack() as stack:
        site, tap = tapped(tmp_path / "home", stack)
        with client_of(site) as client:
            await asyncio.to_thread(client.batches.create, model=PRO, src=rows("a fox"))
        for _ in range(100):
            if await spent(site):
                break
            await asyncio.sleep(0.1)
        assert await spent(site) == site.emulator.bill().total > 0
        asked = len(tap.exchanges)
        await asyncio.sleep(0.5)
        assert len(tap.exchanges) == asked


async def test_a_budget_holds_for_all_rows_together(site) -> None:
    """Two rows fit, ten do not: 429 before anything is sent."""
    async with open_books(home=site.home, offline=True) as books:
        await Budgets(books.db).set("default", who="ann", total=parse_usd("0.50", name="cap"))
    with client_of(site) as client:
        with pytest.raises(errors.ClientError) as caught:
            await asyncio.to_thread(client.batches.create, model=PRO, src=rows(*["a fox"] * 10))
        assert caught.value.code == 429
        assert not site.emulator.bill().entries
        await asyncio.to_thread(client.batches.create, model=PRO, src=rows("a fox", "a bear"))


async def test_a_refused_batch_holds_nothing(site) -> None:
    """The provider's 429 passes through, and the whole cap is free again."""
    async with open_books(home=site.home, offline=True) as books:
        await Budgets(books.db).set("default", who="ann", total=parse_usd("0.20", name="cap"))
    site.emulator.faults.add("rate_limit_help_only", times=1)
    with client_of(site) as client:
        with pytest.raises(errors.ClientError) as caught:
            await asyncio.to_thread(client.batches.create, model=PRO, src=rows("a fox"))
        assert caught.value.code == 429
        job = await asyncio.to_thread(client.batches.create, model=PRO, src=rows("a fox"))
        await asyncio.to_thread(finished, client, job.name)
    assert await spent(site) == site.emulator.bill().total


@pytest.mark.parametrize(
    "fault", ["batch_rows_fail;rows=0", "batch_rows_answer;rows=1;fault=image_safety", "batch_fails"]
)
async def test_rows_that_fail_cost_what_they_are_billed(site, fault) -> None:
    """Failed rows nothing, refused ones what was used: the sum is the provider's."""
    site.emulator.faults.add(fault, times=1)
    with client_of(site) as client:
        job = await asyncio.to_thread(client.batches.create, model=PRO, src=rows("a fox", "a bear"))
        await asyncio.to_thread(finished, client, job.name)
    assert await spent(site) == site.emulator.bill().total


async def test_what_is_cancelled_counts_as_unknown(site) -> None:
    """Nobody can say what was made before: both rows are unknown, at their ceilings."""
    site.emulator.faults.add("batch_stuck", times=1)
    with client_of(site) as client:
        job = await asyncio.to_thread(client.batches.create, model=PRO, src=rows("a fox", "a bear"))
        client.batches.cancel(name=job.name)
        await asyncio.to_thread(finished, client, job.name)
    async with open_books(home=site.home, offline=True) as books:
        assert len(await books.unknowns()) == 2


async def test_nobody_sees_the_batches_of_others(locked) -> None:
    """Another scope's batch is a 404, whatever is asked of it."""
    mine, theirs = await key_of(locked, scope="acme"), await key_of(locked, scope="other")
    with client_of(locked, mine) as one, client_of(locked, theirs) as other:
        job = one.batches.create(model=PRO, src=rows("a fox"))
        assert list(other.batches.list()) == []
        for forbidden in (other.batches.get, other.batches.cancel, other.batches.delete):
            with pytest.raises(errors.ClientError) as caught:
                forbidden(name=job.name)
            assert caught.value.code == 404


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({"fileName": "files/abc"}, 403),
        ({"requests": {"requests": []}}, 400),
        ({"requests": {"requests": [{"request": {"contents": [], "cachedContent": "c"}}]}}, 400),
    ],
)
async def test_what_cannot_be_held_is_not_sent(site, source, code) -> None:
    """Rows that nobody has read have no ceiling; the refusal says what to do instead."""
    url = f"{site.url}/v1beta/models/{PRO}:batchGenerateContent"
    status, body, _ = await posted(url, {"batch": {"inputConfig": source}})
    assert (status, json.loads(body)["error"]["code"]) == (code, code)
    assert not site.emulator.requests()
