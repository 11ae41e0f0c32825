"""Requests for one model pass through as they are, within keys, budgets and books."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai.errors import APIError

from gateway.conftest import Site, started
from gateway.gemini_tap import Tap, key_of, picture, posted, spent, tapped
from image_router.books import open_books
from image_router.core.money import parse_usd
from image_router.core.types import RetiredPolicy, Size, Tier
from image_router.gateway.api import gateway
from image_router.gateway.opening import Choices
from image_router.storage.budgets import Budgets
from image_router.testing import emulated

PRO = "gemini-3-pro-image"
ASK = b'{ "contents": [{"role": "user",\n "parts": [{"text": "a red fox"}]}] ,"generationConfig":{ } }'


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[tuple[Site, Tap]]:
    with ExitStack() as stack:
        yield tapped(tmp_path / "home", stack)


async def test_both_bodies_pass_byte_for_byte(wired) -> None:
    """What the provider gets is what was sent, and its answer comes back as it was; only the key changes."""
    site, tap = wired
    status, body, headers = await posted(
        f"{site.url}/v1beta/models/{PRO}:generateContent", ASK, x_goog_api_key="mine"
    )
    assert (status, body) == (200, tap.last.answered)
    assert tap.last.asked == ASK
    assert tap.last.target == f"/v1beta/models/{PRO}:generateContent"
    assert tap.last.key != "mine"
    assert headers["x-image-router-model"] == PRO
    assert headers["x-image-router-cache"] == "bypass"


async def test_the_ledger_has_what_the_provider_bills(wired) -> None:
    """Hold, send, settle from the reply's usage: equal to the nano-dollar, the header says the same."""
    site, _ = wired
    _, _, headers = await posted(f"{site.url}/v1beta/models/{PRO}:generateContent", ASK)
    bill = site.emulator.bill().total
    assert await spent(site) == bill > 0
    assert parse_usd(headers["x-image-router-cost-usd"], name="cost") == bill


@pytest.mark.parametrize(
    ("fault", "status"),
    [("image_safety", 200), ("prompt_blocked", 200), ("invalid_argument", 400), ("text_instead", 200)],
)
async def test_what_is_no_picture_passes_too(wired, fault, status) -> None:
    """Refusals and errors reach the client in the provider's own words, after one call."""
    site, tap = wired
    site.emulator.faults.add(fault)
    got, body, headers = await posted(f"{site.url}/v1beta/models/{PRO}:generateContent", ASK)
    assert (got, body) == (status, tap.last.answered)
    assert len(tap.exchanges) == 1
    assert headers["x-image-router-error"]
    assert await spent(site) == site.emulator.bill().total


async def test_budgets_do_not_leak(wired) -> None:
    """A cap below the ceiling refuses with Google's 429 before anything is sent."""
    site, tap = wired
    async with open_books(home=site.home, offline=True) as books:
        await Budgets(books.db).set("default", who="ann", total=parse_usd("0.10", name="cap"))
    status, body, _ = await posted(f"{site.url}/v1beta/models/{PRO}:generateContent", ASK)
    error = json.loads(body)["error"]
    assert (status, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["details"][0]["reason"] == "BUDGET_EXCEEDED"
    assert tap.exchanges == []


async def test_free_failures_are_tried_again_and_paid_ones_are_not(wired) -> None:
    """Overload costs nothing: another try; an answer without a picture was paid: it is the answer."""
    site, tap = wired
    site.emulator.faults.add("overloaded", times=1)
    status, _, headers = await posted(f"{site.url}/v1beta/models/{PRO}:generateContent", ASK)
    assert (status, len(tap.exchanges)) == (200, 2)
    assert headers["x-image-router-attempts"] == "2"
    site.emulator.faults.add("image_tokens_without_image", times=1)
    assert (await posted(f"{site.url}/v1beta/models/{PRO}:generateContent", ASK))[0] == 200
    assert len(tap.exchanges) == 3


async def test_a_lost_answer_is_a_504_and_counts_as_unknown(site) -> None:
    """It may have been billed: it is not sent again, and the hold becomes an unknown of its ceiling."""
    site.emulator.faults.add("drop_after", times=1)
    status, body, _ = await posted(f"{site.url}/v1beta/models/{PRO}:generateContent", ASK)
    assert (status, json.loads(body)["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
    async with open_books(home=site.home, offline=True) as books:
        (unknown,) = await books.unknowns()
    assert unknown.at_risk >= site.emulator.bill().total


@pytest.mark.parametrize(
    ("model", "method", "words"),
    [
        ("gemini-3-pro-image-preview", "generateContent", f"use {PRO}"),
        ("gemini-2.5-flash", "generateContent", "auto, a tier"),
        ("no-such-model", "generateContent", "auto, a tier"),
        (PRO, "predict", "not supported for predict"),
        (PRO, "embedContent", "no method 'embedContent'"),
    ],
)
async def test_what_is_not_served_is_a_404_with_the_way_out(wired, model, method, words) -> None:
    """Retired ids name their successor, others what is served; nothing is sent."""
    site, tap = wired
    status, body, _ = await posted(f"{site.url}/v1beta/models/{model}:{method}", ASK)
    error = json.loads(body)["error"]
    assert (status, error["status"]) == (404, "NOT_FOUND")
    assert words in error["message"]
    assert tap.exchanges == []


@pytest.mark.parametrize(
    "extra",
    [
        {"cachedContent": "cachedContents/a"},
        {"serviceTier": "priority"},
        {"generationConfig": {}, "generation_config": {"imageConfig": {"imageSize": "4K"}}},
    ],
)
async def test_what_would_be_paid_by_unknown_rules_is_refused(wired, extra) -> None:
    """A 400 names the field; nothing is sent."""
    site, tap = wired
    status, _, _ = await posted(
        f"{site.url}/v1beta/models/{PRO}:generateContent", {**json.loads(ASK), **extra}
    )
    assert status == 400
    assert tap.exchanges == []


async def test_the_same_key_is_paid_once(wired) -> None:
    """The stored picture comes again in Google's shape and a header says so; another body is a 422."""
    site, tap = wired
    url = f"{site.url}/v1beta/models/{PRO}:generateContent"
    _, first, _ = await posted(url, ASK, idempotency_key="k1")
    _, again, headers = await posted(url, ASK, idempotency_key="k1")
    assert len(tap.exchanges) == 1
    assert headers["x-image-router-replayed"] == "rebuilt"
    assert picture(again) == picture(first)
    status, _, _ = await posted(url, ASK.replace(b"fox", b"bear"), idempotency_key="k1")
    assert status == 422


async def test_predict_passes_and_every_picture_is_paid(tmp_path) -> None:
    """On a day of Imagen, :predict of three pictures costs three; four are held where none are named."""
    with ExitStack() as stack:
        site, tap = tapped(tmp_path / "home", stack, day="2026-04-09")
        url = f"{site.url}/v1beta/models/imagen-4.0-generate-001:predict"
        ask = {"instances": [{"prompt": "a fox"}], "parameters": {"sampleCount": 3}}
        status, body, headers = await posted(url, ask)
        assert (status, body) == (200, tap.last.answered)
        assert len(json.loads(body)["predictions"]) == 3
        assert headers["x-image-router-quote-usd"] == headers["x-image-router-cost-usd"] == "0.12"
        assert await spent(site) == site.emulator.bill().total == 120_000_000


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({}, 200),
        ({"models": frozenset({"gemini-nano-banana-2.1"})}, 403),
        ({"max_size": Size.K1}, 403),
        ({"tiers": frozenset({Tier.NANO_BANANA})}, 403),
    ],
)
async def test_a_keys_rules_hold(tmp_path, rules, status) -> None:
    """Scope, models and size of the key count, as they do elsewhere."""
    with ExitStack() as stack:
        site, tap = tapped(tmp_path / "home", stack, keyed=True)
        secret = await key_of(site, **rules)
        ask = {**json.loads(ASK), "generationConfig": {"imageConfig": {"image_size": "2K"}}}
        got, _, _ = await posted(
            f"{site.url}/v1beta/models/{PRO}:generateContent", ask, x_goog_api_key=secret
        )
        assert got == status
        assert len(tap.exchanges) == (status == 200)


async def test_a_retired_id_is_substituted_where_the_key_says_so(tmp_path) -> None:
    """The successor's address is called, and a header says what was done."""
    with ExitStack() as stack:
        site, tap = tapped(tmp_path / "home", stack, keyed=True)
        secret = await key_of(site, retired=RetiredPolicy.SUBSTITUTE)
        old = "gemini-3-pro-image-preview"
        url = f"{site.url}/v1beta/models/{old}:generateContent?key={secret}"
        status, _, headers = await posted(url, ASK)
        assert status == 200
        assert headers["x-image-router-substituted"] == f"{old} -> {PRO}"
        assert tap.last.target == f"/v1beta/models/{PRO}:generateContent"


async def test_without_a_key_it_is_googles_401(tmp_path) -> None:
    """UNAUTHENTICATED, with an ErrorInfo."""
    with ExitStack() as stack:
        site, _ = tapped(tmp_path / "home", stack, keyed=True)
        status, body, _ = await posted(f"{site.url}/v1beta/models/{PRO}:generateContent", ASK)
        error = json.loads(body)["error"]
        assert (status, error["status"]) == (401, "UNAUTHENTICATED")
        assert error["details"][0]["@type"].endswith("ErrorInfo")


async def streamed(url: str) -> tuple[bytes, Any]:
    async with aiohttp.ClientSession() as session, session.post(url, data=ASK) as reply:
        return await reply.read(), reply


@pytest.mark.parametrize("query", ["?alt=sse", ""])
async def test_a_stream_passes_byte_for_byte(wired, query) -> None:
    """Server-sent events and the JSON array alike; what is known early stands in the headers."""
    site, tap = wired
    body, reply = await streamed(f"{site.url}/v1beta/models/{PRO}:streamGenerateContent{query}")
    assert body == tap.last.answered
    assert tap.last.target.endswith(f":streamGenerateContent{query}")
    assert reply.headers["content-type"].startswith("text/event-stream" if query else "application/json")
    assert reply.headers["x-image-router-model"] == PRO
    assert reply.headers["x-image-router-quote-usd"]
    assert await spent(site) == site.emulator.bill().total > 0


async def test_a_stream_refused_at_once_is_an_error(wired) -> None:
    """Before the first byte there is still a status to say it with; overload was tried again."""
    site, tap = wired
    site.emulator.faults.add("overloaded", times=1)
    _, reply = await streamed(f"{site.url}/v1beta/models/{PRO}:streamGenerateContent?alt=sse")
    assert (reply.status, len(tap.exchanges)) == (200, 2)
    site.emulator.faults.add("invalid_argument", times=1)
    body, reply = await streamed(f"{site.url}/v1beta/models/{PRO}:streamGenerateContent?alt=sse")
    assert (reply.status, body) == (400, tap.last.answered)


@pytest.mark.parametrize("form", ["data", "bare"])
async def test_an_error_under_way_passes_and_is_not_sent_again(wired, form) -> None:
    """Bytes went out already: the provider's error is the end, whatever it says."""
    site, tap = wired
    site.emulator.faults.add(f"error_in_stream;code=503;form={form}")
    body, reply = await streamed(f"{site.url}/v1beta/models/{PRO}:streamGenerateContent?alt=sse")
    assert (reply.status, body, len(tap.exchanges)) == (200, tap.last.answered, 1)


async def test_a_broken_tail_ends_with_an_explicit_error(site) -> None:
    """The connection broke after the first bytes: Google's error line, one call, an unknown in the books."""
    site.emulator.faults.add("truncated_body;part=0.5")
    body, reply = await streamed(f"{site.url}/v1beta/models/{PRO}:streamGenerateContent?alt=sse")
    last = body.splitlines()[-1]
    assert reply.status == 200
    assert json.loads(last)["error"]["status"] == "DEADLINE_EXCEEDED"
    assert len([row for row in site.emulator.requests() if row["method"] == "POST"]) == 1
    async with open_books(home=site.home, offline=True) as books:
        assert len(await books.unknowns()) == 1


def test_the_sdk_reads_the_error_of_a_broken_tail(site) -> None:
    """Before the event that was cut off, which it could make nothing of."""
    site.emulator.faults.add("truncated_body;part=0.5")
    address = {"base_url": site.url}
    with genai.Client(api_key="x", http_options=address) as client, pytest.raises(APIError) as caught:
        list(client.models.generate_content_stream(model=PRO, contents="a fox"))
    assert (caught.value.code, caught.value.status) == (504, "DEADLINE_EXCEEDED")


async def test_who_leaves_a_stream_has_it_paid_and_settled(site) -> None:
    """The provider goes on drawing, so the books wait for its reply: nothing stays unknown."""
    site.emulator.faults.add("slow_drip;seconds=1")
    url = f"{site.url}/v1beta/models/{PRO}:streamGenerateContent?alt=sse"
    async with aiohttp.ClientSession() as session, session.post(url, data=ASK) as reply:
        await reply.content.readany()
    for _ in range(100):
        if await spent(site):
            break
        await asyncio.sleep(0.1)
    assert await spent(site) == site.emulator.bill().total


async def test_a_mixed_run_is_booked_as_it_is_billed(wired) -> None:
    """Streams, refusals, searches, thinking, several pictures, retries: one sum, to the nano-dollar."""
    site, _ = wired
    root = f"{site.url}/v1beta/models"
    search = {**json.loads(ASK), "tools": [{"google_search": {}}]}
    think = {**json.loads(ASK), "generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}
    for model, method, body, fault in (
        (PRO, "generateContent", ASK, None),
        (PRO, "streamGenerateContent", ASK, None),
        (PRO, "generateContent", search, None),
        ("gemini-nano-banana-2.1", "generateContent", think, None),
        (PRO, "generateContent", ASK, "image_safety"),
        (PRO, "generateContent", ASK, "several_images"),
        (PRO, "streamGenerateContent", ASK, "text_instead"),
        (PRO, "generateContent", ASK, "overloaded"),
        ("auto", "generateContent", ASK, None),
        ("auto:hero", "streamGenerateContent", ASK, None),
    ):
        if fault:
            site.emulator.faults.add(fault, times=1)
        status, _, _ = await posted(f"{root}/{model}:{method}", body)
        assert status == 200
    assert await spent(site) == site.emulator.bill().total > 500_000_000


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
async def test_bodies_pass_through_google_genai_byte_for_byte(tmp_path) -> None:
    """With provider = sdk as well: both bodies, a stream, a refusal, and the ledger equals the bill."""
    with ExitStack() as stack:
        site, tap = tapped(tmp_path, stack, provider="sdk")
        root = f"{site.url}/v1beta/models/{PRO}"
        for method in ("generateContent", "streamGenerateContent?alt=sse", "countTokens"):
            status, body, _ = await posted(f"{root}:{method}", ASK)
            assert (status, tap.last.asked, tap.last.answered) == (200, ASK, body)
        site.emulator.faults.add("invalid_argument", times=1)
        status, body, _ = await posted(f"{root}:generateContent", ASK)
        assert (status, tap.last.answered) == (400, body)
        assert await spent(site) == site.emulator.bill().total > 0


async def test_a_file_goes_with_the_key_that_holds_it(tmp_path) -> None:
    """Two projects take turns; a call that names a file goes with the one that was given it."""
    with ExitStack() as stack:
        emulator = stack.enter_context(emulated(pictures="flat"))
        pool = "shop=key-of-shop-1234, press=key-of-press-1234"
        settings = {"home": tmp_path, "base_url": emulator.url, "projects": pool}
        url = started(partial(gateway, Choices(open=True), **settings), stack)
        with genai.Client(api_key="anything", http_options={"base_url": url}) as client:
            for _ in range(2):
                sent = await asyncio.to_thread(
                    client.files.upload, file=io.BytesIO(b"picture"), config={"mime_type": "text/plain"}
                )
                for _ in range(3):
                    counted = client.models.count_tokens(model=PRO, contents=["what is it?", sent])
                    assert counted.total_tokens
                    assert client.files.get(name=sent.name).name == sent.name
        starts = [row for row in emulator.requests() if row["path"].startswith("/upload")]
        assert len({row["key"] for row in starts}) == 2
