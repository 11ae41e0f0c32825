"""Hostile references: pictures that are none, names that are paths, addresses that lead inside."""

from __future__ import annotations

import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import pytest

from gateway import raw
from image_router.config import Limits
from image_router.engine import fetching
from pictures import picture

PROVIDER_KEY = "AIzaSy-canary-provider-key-0123456789"


def spent(site) -> int:
    return len(site.emulator.bill().entries)


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims so many pixels, its data a long run of nothing."""

    def piece(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 20_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", head) + piece(b"IDAT", data) + piece(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bomb(60_000, 60_000), "pixels"),
        (bomb(2**31 - 1, 1), "pixels"),
        (b"GIF89a" + b"\0" * 100, "GIF"),
        (b"BM" + b"\0" * 100, "BMP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "SVG"),
        (b"<!DOCTYPE html><script>", "HTML"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04" + b"\0" * 50, "no known kind"),
        (picture()[:150], "damaged or cut off"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC"),
    ],
    ids=["bomb", "wide bomb", "gif", "bmp", "svg", "html", "pdf", "zip", "truncated", "empty heic"],
)
def test_pictures_that_are_none(site, data, said) -> None:
    """The bytes decide, whatever type is claimed; refused by name before anything is spent."""
    status, _, answer = raw.edit(site.url, raw.data_uri(data))
    assert status == 400
    assert said in raw.error(answer)["message"]
    assert spent(site) == 0


def test_a_reference_that_is_no_base64(site) -> None:
    """400, and what was sent is not repeated."""
    status, _, answer = raw.edit(site.url, "data:image/png;base64,%%%canary%%%")
    assert status == 400
    assert b"canary" not in answer


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "/etc/passwd", "..%2f..%2fledger.db", "req_1/../../x", "a\x00b", "x" * 5000, ""],
)
def test_asset_ids_are_no_paths(site, name) -> None:
    """An id that is none is not found; nothing outside the store is read."""
    status, _, answer = raw.edit(site.url, {"file_id": name})
    assert status in (400, 404)
    assert b"root:" not in answer
    assert len(answer) < 10_000


@pytest.mark.parametrize("source", ["/etc/passwd", "file:///etc/passwd", "ftp://a.example/x", "gopher://a/1"])
def test_references_are_no_files_of_ours(site, source) -> None:
    """A text is a data URI or a web address, nothing else."""
    status, _, answer = raw.edit(site.url, source)
    assert status == 400
    assert "is no address" in raw.error(answer)["message"]


class _Inside(BaseHTTPRequestHandler):
    """A server on the private network: whoever is let in gets a picture."""

    visits: list[str]

    def do_GET(self) -> None:
        self.visits.append(self.path)
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("location", self.path.removeprefix("/to?"))
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(picture())

    def log_message(self, *words: object) -> None:
        """Silent."""


@pytest.fixture
def inside() -> Iterator[tuple[str, list[str]]]:
    """Port of a server on every loopback address, and the paths that were asked for."""
    visits: list[str] = []
    handler = type("Inside", (_Inside,), {"visits": visits})
    with ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield str(server.server_address[1]), visits
        server.shutdown()
        thread.join()


@pytest.fixture
def online(site_of: Callable[..., object]) -> object:
    """A gateway that fetches references."""
    return site_of(api_key=PROVIDER_KEY)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "localhost",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]", "10.0.0.1", "192.168.1.1",
        "100.100.100.200", "[fe80::1]", "224.0.0.1", "255.255.255.255", "user:canary@127.0.0.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(online, inside, host) -> None:
    """However the private network is spelt, nothing is sent there and no password is repeated."""
    port, visits = inside
    status, _, answer = raw.edit(online.url, f"http://{host}:{port}/x.png")
    assert status == 400
    assert visits == []
    assert b"canary" not in answer
    assert spent(online) == 0


def _public(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """As if these addresses of this machine were public."""
    real = fetching.is_public
    monkeypatch.setattr(fetching, "is_public", lambda address: address in addresses or real(address))


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{}/x.png", "http://[::ffff:127.0.0.1]:{}/", "file:///etc/passwd"]
)
def test_redirects_into_the_private_network(online, inside, monkeypatch, target) -> None:
    """Every hop is checked like the first."""
    port, visits = inside
    _public(monkeypatch, "127.0.0.2")
    status, _, answer = raw.edit(online.url, f"http://127.0.0.2:{port}/to?{target.format(port)}")
    assert status == 400
    assert len(visits) == 1
    assert b"root:" not in answer


def test_names_that_change_their_address(online, inside, monkeypatch) -> None:
    """The connection goes to the address that was checked; a second answer is checked anew."""
    port, visits = inside
    _public(monkeypatch, "127.0.0.2")
    answers = iter(["127.0.0.2", "127.0.0.1", "127.0.0.1"])

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        found = {"hostname": host, "host": next(answers), "port": port, "family": socket.AF_INET}
        return [{**found, "proto": 0, "flags": socket.AI_NUMERICHOST}]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    assert raw.edit(online.url, f"http://rebinding.example:{port}/x.png")[0] == 200
    assert visits == ["/x.png"]
    status, _, answer = raw.edit(online.url, f"http://rebinding.example:{port}/y.png")
    assert status == 400
    assert "127.0.0.1, which is not public" in raw.error(answer)["message"]
    assert visits == ["/x.png"]


def test_small_requests_cannot_fetch_without_end(site_of, inside, monkeypatch) -> None:
    """What is fetched counts like a body: an address is short, what lies behind it is not."""
    port, _ = inside
    _public(monkeypatch, "127.0.0.2")
    monkeypatch.setattr(_Inside, "do_GET", _flood)
    site = site_of(api_key=PROVIDER_KEY, limits=Limits(json_body=1 << 20, form_body=1 << 20, bodies=4 << 20))
    status, _, answer = raw.edit(site.url, *[f"http://127.0.0.2:{port}/{n}" for n in range(8)])
    assert (status, raw.error(answer)["code"]) == (413, "too_large")


def _flood(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        handler.wfile.write(b"\x89PNG" + b"\0" * 3_000_000)
    except OSError:
        return  # hung up on, as the test expects
