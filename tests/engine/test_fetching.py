"""Fetching references by URL: only public addresses, only pictures, only so much, only so long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from image_router.core.errors import InvalidRequest
from image_router.core.types import ReferenceRole
from image_router.engine import fetching
from image_router.engine.fetching import fetch_reference, is_public
from pictures import picture

PNG = picture("PNG")


async def _picture(request: web.Request) -> web.Response:
    return web.Response(body=PNG, content_type="text/plain")


async def _page(request: web.Request) -> web.Response:
    return web.Response(text="<!DOCTYPE html><title>hello</title>", content_type="image/png")


async def _hop(request: web.Request) -> web.Response:
    left = int(request.match_info["left"])
    raise web.HTTPFound(f"/hop/{left - 1}" if left > 1 else "/picture")


async def _away(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.query["to"])


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(bytes(64 * 1024))
    return response


async def _sleepy(request: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


@pytest.fixture
async def site() -> AsyncIterator[Callable[[str], str]]:
    app = web.Application()
    app.router.add_get("/picture", _picture)
    app.router.add_get("/page", _page)
    app.router.add_get("/hop/{left}", _hop)
    app.router.add_get("/away", _away)
    app.router.add_get("/endless", _endless)
    app.router.add_get("/sleepy", _sleepy)
    async with TestServer(app) as server:
        yield lambda path: str(server.make_url(path))


async def test_picture_is_fetched_and_recognised(site: Callable[[str], str]) -> None:
    """The bytes decide what it is, whatever the server declares; the URL is its name."""
    url = site("/picture")
    reference = await fetch_reference(url, ReferenceRole.STYLE, allow_private=True)
    assert (reference.data, reference.media_type, reference.name) == (PNG, "image/png", url)
    assert reference.role is ReferenceRole.STYLE


async def test_three_redirects_are_followed(site: Callable[[str], str]) -> None:
    """Three redirects lead to the picture, a fourth does not."""
    assert (await fetch_reference(site("/hop/3"), allow_private=True)).data == PNG
    with pytest.raises(InvalidRequest, match="more than 3 times"):
        await fetch_reference(site("/hop/4"), allow_private=True)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/page", "an HTML page"),
        ("/missing", "404"),
        ("/endless", "over 1,000,000 bytes"),
        ("/sleepy", "within 0.5 s"),
        ("/away?to=file:///etc/passwd", "no http or https URL"),
    ],
)
async def test_what_is_no_picture_is_refused(site: Callable[[str], str], path: str, words: str) -> None:
    """Pages, errors, floods, silence and other schemes end as one sentence."""
    with pytest.raises(InvalidRequest, match=words):
        await fetch_reference(site(path), timeout=0.5, max_bytes=1_000_000, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@127.0.0.1/a.png",
        "http://me:sec/secret@127.0.0.1/a.png",
        "http://me:secret@[::1/a.png",
        "http://secret@localhost/a.png",
        "ftp://me:secret@example.org/a.png",
        "http://me:secret@nowhere.invalid/a.png",
        "http://me:secret@/a.png",
    ],
)
async def test_a_password_is_never_repeated(url: str) -> None:
    """Refusals show a URL without user and password, and offer what the user can do."""
    with pytest.raises(InvalidRequest) as caught:
        await fetch_reference(url, timeout=5.0)
    assert "secret" not in str(caught.value)
    assert "allow private" not in str(caught.value)


async def test_a_password_is_no_part_of_the_name(site: Callable[[str], str]) -> None:
    """What was fetched with a password is named without it, also where the answer is an error."""
    url = site("/picture").replace("http://", "http://me:secret@")
    assert (await fetch_reference(url, allow_private=True)).name == site("/picture")
    for path in ("/missing", "/hop/4", "/page"):
        with pytest.raises(InvalidRequest) as caught:
            await fetch_reference(
                site(path).replace("http://", "http://me:secret@"), timeout=5.0, allow_private=True
            )
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.8/a.png",
        "http://localhost/a.png",
        "http://0x7f000001/a.png",
        "http://2130706433/a.png",
        "ftp://example.org/a.png",
        "http:///a.png",
    ],
)
async def test_private_address_is_refused(url: str) -> None:
    """No spelling of a private address gets a connection."""
    with pytest.raises(InvalidRequest):
        await fetch_reference(url, timeout=5.0)


async def test_redirect_into_the_private_network_is_refused(
    site: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hop is checked anew: a public page cannot send the fetch to a private address."""
    port = site("/").rsplit(":", 1)[1].rstrip("/")
    _resolve_to(monkeypatch, "127.0.0.1")
    real = fetching.is_public
    monkeypatch.setattr(fetching, "is_public", lambda address: address == "127.0.0.1" or real(address))
    url = f"http://pictures.example:{port}/away?to=http://192.168.0.1/a.png"
    with pytest.raises(InvalidRequest, match=r"192\.168\.0\.1, which is not public"):
        await fetch_reference(url)


async def test_name_of_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public-looking name that stands for a private address is refused with that address."""
    _resolve_to(monkeypatch, "10.1.2.3")
    with pytest.raises(InvalidRequest, match=r"innocent\.example stands for 10\.1\.2\.3"):
        await fetch_reference("http://innocent.example/a.png")


async def test_connection_goes_to_the_checked_address(
    site: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is resolved once: a second answer that differs is never asked for."""
    port = site("/").rsplit(":", 1)[1].rstrip("/")
    asked = _resolve_to(monkeypatch, "127.0.0.1")
    monkeypatch.setattr(fetching, "is_public", lambda address: True)
    assert (await fetch_reference(f"http://rebinding.example:{port}/picture")).data == PNG
    assert asked == ["rebinding.example"]


def _resolve_to(monkeypatch: pytest.MonkeyPatch, address: str) -> list[str]:
    """Let each example name stand for one address; returns the names that were asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def fake(host: str, port: int, *rest: object, **more: object) -> object:
        if str(host).endswith(".example"):
            asked.append(host)
            host = address
        return real(host, port, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    return asked


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2607:f8b0::1", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b::a00:1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
    ],
)
def test_public_means_reachable_by_everyone(address: str, public: bool) -> None:
    """Private, local, shared, multicast and wrapped addresses are not public."""
    assert is_public(address) is public
