"""What a caller wrote goes through google-genai byte for byte, over each transport that the client knows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date

import httpx2 as httpx
import pytest
from google import genai
from google.oauth2.credentials import Credentials

from gemini_emulator import Emulator, serve
from image_router.core.errors import ConfigError
from image_router.core.reply import FaultKind, RawAnswer
from image_router.facts import load_catalog
from image_router.providers.base import Errand, Letter, Relays, Unreachable
from image_router.providers.rest import RestProvider
from image_router.providers.sdk import SdkProvider

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

DAY = date(2026, 11, 22)
PRO = load_catalog(None).models["gemini-3-pro-image"]
BODY = b'{ "contents": [{"role": "user",\n "parts": [{"text": "a red fox"}]}] ,"generationConfig":{ } }'
KINDS = ["aiohttp", "httpx2", "enterprise"]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with serve(as_of=DAY.isoformat(), latency=0.0) as emulator:
        yield emulator


@asynccontextmanager
async def sdk(kind: str, url: str) -> AsyncIterator[SdkProvider]:
    """A provider over a client whose transport is named."""
    options = genai.types.HttpOptions(base_url=url)
    if kind == "httpx2":
        options.httpx_async_client = httpx.AsyncClient()
    if kind == "enterprise":
        token = Credentials(token="ya29.relay")  # type: ignore[no-untyped-call]
        client = genai.Client(
            enterprise=True, project="studio", location="global", credentials=token, http_options=options
        )
    else:
        client = genai.Client(api_key="key-of-relay", http_options=options)
    yield SdkProvider(client, real=False)
    await client.aio.aclose()
    client.close()
    if options.httpx_async_client:
        await options.httpx_async_client.aclose()


def letter(method: str = "generateContent", **more: object) -> Letter:
    return Letter(path=f"models/{PRO.id}:{method}", body=BODY, **more)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_letter_goes_out_as_it_is_and_its_answer_too(emulator, kind) -> None:
    """The emulator drew what the body asks for; the answer's bytes are its own, and are read as any reply."""
    async with sdk(kind, emulator.url) as provider:
        assert isinstance(provider, Relays)
        reply = await provider.relay(letter(), PRO, timeout=20)
    assert reply.raw is not None
    assert (reply.raw.status, reply.http_status) == (200, 200)
    assert json.loads(reply.raw.body)["candidates"]
    assert reply.parts
    assert len(emulator.requests()) == 1


@pytest.mark.parametrize("transport", KINDS)
async def test_a_stream_is_heard_while_it_comes(emulator, transport) -> None:
    """Pieces with status and headers; together they are the answer."""
    heard: list[RawAnswer] = []
    async with sdk(transport, emulator.url) as provider:
        told = letter("streamGenerateContent?alt=sse", listener=heard.append)
        reply = await provider.relay(told, PRO, timeout=20)
    assert reply.raw is not None
    assert b"".join(piece.body for piece in heard) == reply.raw.body
    assert reply.raw.body.startswith(b"data: ")
    kind = {name.lower(): value for name, value in heard[0].headers.items()}["content-type"]
    assert kind.startswith("text/event-stream")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_comes_back_as_it_is(emulator, kind) -> None:
    """Its bytes are those that the direct road brings; nothing is sent again."""
    emulator.faults.add("overloaded")
    rest = RestProvider("key-of-relay", base_url=emulator.url, real=False)
    direct = await rest.relay(letter(), PRO, timeout=20)
    await rest.aclose()
    async with sdk(kind, emulator.url) as provider:
        reply = await provider.relay(letter(), PRO, timeout=20)
    assert reply.raw is not None
    assert direct.raw is not None
    assert (reply.raw.status, reply.raw.body) == (direct.raw.status, direct.raw.body)
    assert (reply.error, reply.http_status) == (direct.error, 503)
    assert len(emulator.requests()) == 2


async def test_a_broken_answer_is_a_fault(emulator) -> None:
    """Nothing whole came, so nothing is handed on as if it were."""
    emulator.faults.add("truncated_body;part=0.5")
    async with sdk("aiohttp", emulator.url) as provider:
        reply = await provider.relay(letter(), PRO, timeout=20)
    assert reply.raw is None
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.sent) == (FaultKind.TRUNCATED, True)


async def test_errands_run_with_their_headers(emulator) -> None:
    """An upload's first step: the caller's own headers stand in place of the client's."""
    start = Errand(
        method="POST",
        path="upload/v1beta/files",
        headers={
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-type": "image/png",
            "content-type": "application/json; charset=utf-8",
        },
        body=b'{"file": {}}',
    )
    async with sdk("aiohttp", emulator.url) as provider:
        async with provider.errand(start) as running:
            assert running.status == 200
            assert "x-goog-upload-url" in {name.lower() for name in running.headers}
        async with provider.errand(Errand(method="GET", path="v1beta/files/nothing")) as running:
            body = b"".join([piece async for piece in running.pieces])
            assert (running.status, json.loads(body)["error"]["code"]) == (403, 403)


async def test_the_enterprise_endpoint_runs_no_errands(emulator) -> None:
    """It has no such addresses; the error says what to use."""
    async with sdk("enterprise", emulator.url) as provider:
        with pytest.raises(ConfigError, match="provider = rest"):
            async with provider.errand(Errand(method="GET", path="v1beta/files")):
                pass
    assert emulator.requests() == []


async def test_an_errand_that_reaches_nobody_says_so() -> None:
    """Unreachable, as from the direct road."""
    async with sdk("aiohttp", "http://127.0.0.1:9") as provider:
        with pytest.raises(Unreachable):
            async with provider.errand(Errand(method="GET", path="v1beta/files")):
                pass
