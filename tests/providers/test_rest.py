"""The direct road on bad roads: what was sent, what came back, and that nothing goes out twice."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import pytest

from image_router.core.decision import Parameters
from image_router.core.errors import ConfigError
from image_router.core.outcome import Cause, Expected, Kind, classify
from image_router.core.reply import FaultKind, Reply
from image_router.core.types import ImageRequest, Size
from image_router.engine.media import load_reference
from image_router.facts import load_catalog
from image_router.providers import rest
from image_router.providers.base import Call, Errand, ModelsUnavailable
from image_router.providers.rest import RestProvider
from pictures import as_base64, picture
from raw_server import Behaviour, Line, line, raw, whole

KEY = "AIzaSyRestTestKey0000000000000000000000"
MODEL = load_catalog(None).models["gemini-3-pro-image"]
PART = {"inlineData": {"mimeType": "image/png", "data": as_base64(picture())}}
ANSWER = orjson.dumps({"candidates": [{"content": {"parts": [PART]}, "finishReason": "STOP"}]})


def call(**fields: Any) -> Call:
    return Call(
        request=ImageRequest(prompt="a fox", **fields),
        model=MODEL,
        parameters=Parameters(thinking=None, size=Size.K1, aspect=None),
        max_output_tokens=None,
    )


async def made(server: Line, timeout: float = 10.0, **options: Any) -> Reply:
    provider = RestProvider(KEY, base_url=f"http://127.0.0.1:{server.port}", real=False, **options)
    try:
        return await provider.generate(call(), timeout=timeout)
    finally:
        await provider.aclose()


async def test_request_is_what_the_api_asks_for(caplog: pytest.LogCaptureFixture) -> None:
    """The key is a header alone: not in the URL, a repr or a log; the body asks for no compression."""
    caplog.set_level(logging.DEBUG)
    async with line(whole(ANSWER)) as server:
        reply = await made(server, api_version="v1")
    head = server.heads[0].decode()
    assert head.startswith(f"POST /v1/models/{MODEL.id}:generateContent HTTP/1.1")
    assert f"\r\nx-goog-api-key: {KEY}\r\n" in head
    assert "\r\nAccept-Encoding: identity\r\n" in head
    assert orjson.loads(server.bodies[0])["contents"][0]["parts"] == [{"text": "a fox"}]
    assert len(reply.images) == 1
    shown = repr(RestProvider(KEY)) + str(vars(RestProvider(KEY))["_root"]) + caplog.text
    assert KEY not in shown


async def test_prefix_of_the_base_url_is_kept() -> None:
    """A gateway under a path is reached under that path."""
    async with line(whole(ANSWER)) as server:
        provider = RestProvider(KEY, base_url=f"http://127.0.0.1:{server.port}/gemini/", real=False)
        await provider.generate(call(), timeout=5.0)
        await provider.aclose()
    assert server.heads[0].startswith(b"POST /gemini/v1beta/models/")


HALF = ANSWER[: len(ANSWER) // 2]


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (raw(f"HTTP/1.1 200 OK\nContent-Length: {len(ANSWER)}", HALF, close=True), FaultKind.TRUNCATED),
        (
            raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"%x\r\n%s" % (len(ANSWER), HALF), close=True),
            FaultKind.TRUNCATED,
        ),
        (raw("HTTP/1.1 200 OK\nConnection: close", HALF, close=True), FaultKind.TRUNCATED),
        (whole(HALF), FaultKind.TRUNCATED),
        (whole(b""), FaultKind.TRUNCATED),
        (whole(b"<html><title>Sign in</title></html>"), FaultKind.MALFORMED),
        (raw("NONSENSE", close=True), FaultKind.MALFORMED),
        (raw("HTTP/1.1 200 OK\nContent-Length: 5", close=True), FaultKind.TRUNCATED),
    ],
)
async def test_broken_answer_is_ambiguous(behaviour: Behaviour, kind: FaultKind) -> None:
    """Cut, empty and foreign answers were paid for perhaps; none of them is asked for again."""
    async with line(behaviour) as server:
        reply = await made(server)
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.sent, len(server.heads)) == (kind, True, 1)
    assert classify(reply, Expected()).kind is Kind.AMBIGUOUS


async def test_error_counts_though_its_body_is_cut() -> None:
    """The status of a failed answer is known when its body breaks off."""
    async with line(raw("HTTP/1.1 503 X\nContent-Length: 999", b'{"error": {', close=True)) as server:
        reply = await made(server)
    assert classify(reply, Expected()).cause is Cause.OVERLOADED


async def test_stale_connection_is_not_tried_again() -> None:
    """A kept-alive connection that dies under a POST is reported, not quietly replaced."""

    async def drop(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with line(whole(ANSWER), drop) as server:
        provider = RestProvider(KEY, base_url=f"http://127.0.0.1:{server.port}", real=False)
        assert (await provider.generate(call(), timeout=5.0)).fault is None
        reply = await provider.generate(call(), timeout=5.0)
        await provider.aclose()
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.sent, len(server.heads)) == (FaultKind.DROPPED, True, 2)


async def test_redirect_is_not_followed() -> None:
    """A redirect would send the request, and its key, a second time."""
    async with line(whole(b"", "307 Temporary Redirect", "\nLocation: /elsewhere")) as server:
        reply = await made(server)
    assert (reply.http_status, len(server.heads)) == (307, 1)
    assert classify(reply, Expected()).cause is Cause.UNKNOWN_ERROR


async def test_answer_larger_than_memory_allows_is_given_up() -> None:
    """The limit is kept while reading, not afterwards."""
    async with line(whole(b"[" + b" " * 300_000 + b"]")) as server:
        reply = await made(server, max_body=100_000)
    assert reply.fault is not None
    assert reply.fault.kind is FaultKind.MALFORMED
    assert "100,000" in reply.fault.detail


async def test_silence_times_out() -> None:
    """The timeout covers everything; the request was sent, so its outcome is unknown."""

    async def wait(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with line(wait) as server:
        reply = await made(server, timeout=0.2)
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.sent) == (FaultKind.TIMEOUT, True)


async def test_name_that_does_not_resolve_was_never_sent() -> None:
    """A DNS failure leaves nothing at risk."""
    provider = RestProvider(KEY, base_url="http://nowhere.invalid", real=False)
    reply = await provider.generate(call(), timeout=10.0)
    await provider.aclose()
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.sent) == (FaultKind.CONNECT, False)


async def test_waiting_for_a_connection_is_not_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that timed out in the queue for a connection was never sent."""
    monkeypatch.setattr(rest, "CONNECTIONS", 1)
    gate = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await gate.wait()

    async with line(wait) as server:
        provider = RestProvider(KEY, base_url=f"http://127.0.0.1:{server.port}", real=False)
        first = asyncio.create_task(provider.generate(call(), timeout=1.0))
        await asyncio.sleep(0.1)
        second = await provider.generate(call(), timeout=0.2)
        assert second.fault is not None
        assert (second.fault.sent, classify(second, Expected()).cause) == (False, Cause.UNREACHABLE)
        await first
        gate.set()
        await provider.aclose()


async def test_large_body_is_sent_whole() -> None:
    """References of megabytes arrive byte for byte, without a warning."""
    noise = picture("PNG", 64, 64) + b"x" * 3_000_000
    reference = load_reference(picture("PNG"))
    large = type(reference)(data=noise, media_type="image/png", digest=reference.digest, width=64, height=64)
    async with line(whole(ANSWER)) as server:
        provider = RestProvider(KEY, base_url=f"http://127.0.0.1:{server.port}", real=False)
        await provider.generate(call(references=(large,)), timeout=10.0)
        await provider.aclose()
    sent = orjson.loads(server.bodies[0])["contents"][0]["parts"][0]["inlineData"]["data"]
    assert sent == as_base64(noise)


async def test_key_in_an_error_is_taken_out() -> None:
    """An error that quotes the key does not carry it into messages."""
    body = orjson.dumps({"error": {"code": 400, "message": f"API key not valid: {KEY}"}})
    async with line(whole(body, "400 Bad Request")) as server:
        reply = await made(server)
    assert reply.error is not None
    assert reply.error.message == "API key not valid: [key]"


async def test_key_in_the_error_of_an_errand_is_taken_out() -> None:
    """What is passed on to somebody else does not hold the key either, and is as long as it says."""
    body = orjson.dumps({"error": {"code": 400, "message": f"API key not valid: {KEY}"}})
    async with line(whole(body, "400 Bad Request")) as server:
        provider = RestProvider(KEY, base_url=f"http://127.0.0.1:{server.port}", real=False)
        async with provider.errand(Errand(method="GET", path="v1beta/files/one")) as running:
            passed = b"".join([piece async for piece in running.pieces])
        await provider.aclose()
    assert orjson.loads(passed)["error"]["message"] == "API key not valid: [key]"
    assert running.headers.get("Content-Length") in (None, str(len(passed)))


async def test_a_short_key_leaves_the_words_whole() -> None:
    """A key that is a letter is in every word: the error is still understood as what it says."""
    body = orjson.dumps({"error": {"code": 400, "message": "API key expired", "status": "INVALID_ARGUMENT"}})
    async with line(whole(body, "400 Bad Request")) as server:
        provider = RestProvider("k", base_url=f"http://127.0.0.1:{server.port}", real=False)
        reply = await provider.generate(call(), timeout=5.0)
        await provider.aclose()
    assert classify(reply, Expected()).cause is Cause.BAD_KEY


async def test_models_are_read_page_by_page() -> None:
    """Each page names the next; a page without end is an error."""
    pages = [
        whole(orjson.dumps({"models": [{"name": "models/a"}], "nextPageToken": "p/2"})),
        whole(orjson.dumps({"models": [{"name": "models/b"}]})),
    ]
    async with line(*pages) as server:
        provider = RestProvider(KEY, base_url=f"http://127.0.0.1:{server.port}", real=False)
        assert [model.id for model in await provider.models()] == ["a", "b"]
        await provider.aclose()
    assert b"pageToken=p%2F2 " in server.heads[1]
    async with line(pages[0]) as server:
        provider = RestProvider(KEY, base_url=f"http://127.0.0.1:{server.port}", real=False)
        with pytest.raises(ModelsUnavailable, match="does not end"):
            await provider.models()
        await provider.aclose()


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "schlüssel"])
def test_impossible_key_is_refused(key: str) -> None:
    """A key no header can carry is refused at once, without being quoted."""
    with pytest.raises(ConfigError, match="GEMINI_API_KEY") as caught:
        RestProvider(key)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "generativelanguage.googleapis.com", "ftp://x", "http://"])
def test_impossible_base_url_is_refused(url: str) -> None:
    """A base URL without scheme or host is refused at once."""
    with pytest.raises(ConfigError, match="http"):
        RestProvider(KEY, base_url=url)
