"""Batches whose rows are in a file: read while they are uploaded, held row by row, settled after."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors

from gateway.gemini_tap import key_of, posted, spent
from image_router.books import open_books
from image_router.core.money import parse_usd
from image_router.gateway import gemini_batches
from image_router.storage.budgets import Budgets

PRO = "gemini-3-pro-image"
JSONL = "application/jsonl"


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(gemini_batches, "EVERY", 0.3)


@pytest.fixture
def client(site) -> Iterator[genai.Client]:
    with genai.Client(api_key="anything", http_options={"base_url": site.url}) as client:
        yield client


def lines(*words: str, **more: Any) -> bytes:
    """JSON lines, one request each."""
    rows = ({"contents": [{"role": "user", "parts": [{"text": said}]}], **more} for said in words)
    return b"".join(
        json.dumps({"key": f"k{i}", "request": row}).encode() + b"\n" for i, row in enumerate(rows)
    )


def uploaded(client: genai.Client, data: bytes, kind: str = JSONL) -> str:
    return client.files.upload(file=io.BytesIO(data), config={"mime_type": kind}).name


def made(client: genai.Client, file: str) -> genai.types.BatchJob:
    return client.batches.create(model=PRO, src=file)


def finished(client: genai.Client, name: str) -> genai.types.BatchJob:
    while not (job := client.batches.get(name=name)).done:
        time.sleep(0.02)
    return job


async def booked(site) -> int:
    """What the ledger has, once the gateway has settled by itself; after ten seconds, whatever there is."""
    for _ in range(100):
        if await spent(site) == site.emulator.bill().total:
            break
        await asyncio.sleep(0.1)
    return await spent(site)


async def test_a_file_of_rows_is_held_made_and_settled(site, client) -> None:
    """Upload, create, poll and download as the documentation shows them; ledger and bill agree."""
    file = await asyncio.to_thread(uploaded, client, lines("a fox", "a bear", "an owl"))
    job = await asyncio.to_thread(made, client, file)
    done = await asyncio.to_thread(finished, client, job.name)
    result = await asyncio.to_thread(client.files.download, file=done.dest.file_name)
    answers = [json.loads(line) for line in result.splitlines()]
    assert [answer["key"] for answer in answers] == ["k0", "k1", "k2"]
    assert all(answer["response"]["candidates"] for answer in answers)
    assert await booked(site) == site.emulator.bill().total > 0


async def test_a_budget_holds_for_all_rows_of_a_file(site, client) -> None:
    """A 429 before anything is sent; one row fits."""
    async with open_books(home=site.home, offline=True) as books:
        await Budgets(books.db).set("default", who="ann", total=parse_usd("0.20"))
    many = await asyncio.to_thread(uploaded, client, lines(*"abcdefgh"))
    with pytest.raises(errors.ClientError) as caught:
        await asyncio.to_thread(made, client, many)
    assert caught.value.code == 429
    one = await asyncio.to_thread(uploaded, client, lines("a fox"))
    await asyncio.to_thread(made, client, one)


@pytest.mark.parametrize(
    ("fault", "unknown"),
    [("batch_rows_fail;rows=0", 0), ("batch_rows_missing;rows=0", 1), ("batch_result_gone", 2)],
)
async def test_rows_that_did_not_come_are_booked_for_what_they_are(site, client, fault, unknown) -> None:
    """Failed: free. Missing, or in a result that is gone: unknown, since nobody can say."""
    site.emulator.faults.add(fault, times=1)
    file = await asyncio.to_thread(uploaded, client, lines("a fox", "a bear"))
    job = await asyncio.to_thread(made, client, file)
    await asyncio.to_thread(finished, client, job.name)
    for _ in range(100):
        async with open_books(home=site.home, offline=True) as books:
            if (await gemini_batches.batch_named(books.db, job.name)).settled:
                assert len(await books.unknowns()) == unknown
                return
        await asyncio.sleep(0.1)
    pytest.fail("the batch was not settled")


def sent(site, data: bytes, cuts: list[int], *, twice: bool = False, skip: int | None = None) -> Any:
    """An upload in pieces of the test's choice; its file."""
    head = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    told = {"file": {"mimeType": JSONL}}
    begun = httpx.post(f"{site.url}/upload/v1beta/files", json=told, headers=head)
    ends = [*cuts, len(data)]
    for start, end in zip([0, *cuts], ends, strict=True):
        command = "upload, finalize" if end == len(data) else "upload"
        step = {"x-goog-upload-command": command, "x-goog-upload-offset": str(start)}
        for _ in range(2 if twice and end != len(data) else 1):
            answer = httpx.post(begun.headers["x-goog-upload-url"], content=data[start:end], headers=step)
    return answer.json()["file"]["name"]


async def test_pieces_may_be_cut_anywhere(site, client) -> None:
    """In the middle of a character as well; a piece that the provider refused is not counted twice."""
    data = lines("a fox — ä", "a bear")
    place = data.index(b"\\u") if b"\\u" in data else len(data) // 3
    for twice in (False, True):
        file = await asyncio.to_thread(sent, site, data, [1, place + 1, len(data) - 1], twice=twice)
        job = await asyncio.to_thread(made, client, file)
        await asyncio.to_thread(finished, client, job.name)
    assert await booked(site) == site.emulator.bill().total


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "has no rows"),
        (b"not json\n", "line 1: the body is no JSON"),
        (lines("a fox") + b'{"key": "x"}\n', "line 2: it has no request"),
        (lines("a fox", cachedContent="c"), "line 1: cachedContent"),
    ],
)
async def test_a_file_that_cannot_be_held_makes_no_batch(site, data, words) -> None:
    """A 400 that names the line; nothing is asked of the provider but the upload."""
    file = await asyncio.to_thread(sent, site, data or b"\n", [])
    before = len(site.emulator.requests())
    url = f"{site.url}/v1beta/models/{PRO}:batchGenerateContent"
    status, body, _ = await posted(url, {"batch": {"inputConfig": {"fileName": file}}})
    assert status == 400
    assert words in json.loads(body)["error"]["message"]
    assert len(site.emulator.requests()) == before


async def test_a_file_of_another_type_was_not_read(site, client) -> None:
    """The refusal says how to upload it."""
    file = await asyncio.to_thread(uploaded, client, lines("a fox"), "text/plain")
    with pytest.raises(errors.ClientError, match="application/jsonl") as caught:
        await asyncio.to_thread(made, client, file)
    assert caught.value.code == 400


async def test_rows_may_show_files_of_the_caller(site, client) -> None:
    """Such a row counts as one that reads a picture; somebody else's file is Google's 403."""
    picture = await asyncio.to_thread(uploaded, client, b"a picture", "image/png")
    for name, code in ((picture, 200), ("files/strange", 403)):
        shown = {"fileData": {"fileUri": f"https://host/v1beta/{name}", "mimeType": "image/png"}}
        row = {"contents": [{"role": "user", "parts": [{"text": "add snow"}, shown]}]}
        file = await asyncio.to_thread(sent, site, json.dumps({"request": row}).encode(), [])
        url = f"{site.url}/v1beta/models/{PRO}:batchGenerateContent"
        status, _, _ = await posted(url, {"batch": {"inputConfig": {"fileName": file}}})
        assert status == code


async def test_files_of_others_make_no_batch(locked) -> None:
    """Whoever knows its name gets Google's 403."""
    mine, theirs = await key_of(locked, scope="acme"), await key_of(locked, scope="other")
    options = {"base_url": locked.url}
    with genai.Client(api_key=mine, http_options=options) as one:
        file = await asyncio.to_thread(uploaded, one, lines("a fox"))
    other = genai.Client(api_key=theirs, http_options=options)
    with other, pytest.raises(errors.ClientError) as caught:
        await asyncio.to_thread(made, other, file)
    assert caught.value.code == 403
