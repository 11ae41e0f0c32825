"""Hostile bytes on a connection: heads, bodies and silences that no honest client sends."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from gateway import raw
from image_router.config import Limits
from image_router.gateway.guarding import GuardedProtocol

IMAGES = "/v1/images/generations"
FOX = json.dumps({"prompt": "a fox"}).encode()
SMALL = Limits(json_body=1 << 20, form_body=1 << 20, bodies=2 << 20, body_wait=0.3)


def alive(site) -> bool:
    """Whether the gateway still answers everybody else."""
    return raw.asked(site.url, raw.head("GET /healthz"))[0] == 200


def test_a_body_told_too_long_is_refused_unread(site_of) -> None:
    """413 at once, with the numbers, although not a byte of the body was sent."""
    site = site_of(limits=SMALL)
    request = raw.head(f"POST {IMAGES}", raw.JSON, "content-length: 99999999999")
    status, _, body = raw.asked(site.url, request)
    assert status == 413
    assert "99,999,999,999 bytes; at most 1,048,576" in raw.error(body)["message"]


def test_a_client_that_asks_first_is_told_first(site_of) -> None:
    """With Expect: 100-continue no 100 comes before the 413."""
    site = site_of(limits=SMALL)
    request = raw.head(f"POST {IMAGES}", raw.JSON, "content-length: 99999999", "expect: 100-continue")
    assert raw.asked(site.url, request)[0] == 413


def test_a_chunked_body_is_counted(site_of) -> None:
    """Its length is nowhere told; reading stops at the limit."""
    site = site_of(limits=SMALL)
    with raw.connected(site.url) as connection:
        connection.sendall(raw.head(f"POST {IMAGES}", raw.JSON, "transfer-encoding: chunked"))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(17):
            connection.sendall(chunk)
        status, _, body = raw.answer(connection)
    assert (status, raw.error(body)["code"]) == (413, "too_large")


def test_whoever_was_answered_early_may_not_go_on_for_ever(site_of, monkeypatch) -> None:
    """The rest of a refused body is thrown away for a moment; then the connection ends."""
    monkeypatch.setattr("image_router.gateway.guarding.LINGER", 0.2)
    site = site_of(limits=SMALL)
    with raw.connected(site.url) as connection:
        connection.sendall(raw.head(f"POST {IMAGES}", raw.JSON, "content-length: 99999999999"))
        assert raw.answer(connection)[0] == 413
        assert raw.rest(connection) == b""


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\nx-a: b\r\n", b"\r\n\r\n"])
def test_heads_have_a_deadline(site_of, begun) -> None:
    """Nothing, half a request line, half the headers: the connection ends by itself."""
    site = site_of(limits=Limits(head_time=0.3))
    with raw.connected(site.url) as connection:
        connection.sendall(begun)
        assert raw.rest(connection) == b""
    assert alive(site)


def test_a_second_head_on_a_connection_has_the_same_deadline(site_of) -> None:
    """Also when the first request was a good one."""
    site = site_of(limits=Limits(head_time=0.3))
    with raw.connected(site.url) as connection:
        connection.sendall(raw.head("GET /healthz"))
        assert raw.answer(connection)[0] == 200
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        assert raw.rest(connection) == b""


def test_a_silent_body_is_let_go(site_of) -> None:
    """408 after the silence, and nothing was spent."""
    site = site_of(limits=Limits(body_silence=0.2))
    status, _, body = raw.asked(site.url, raw.post(IMAGES, FOX)[:-3])
    assert (status, raw.error(body)["code"]) == (408, "too_slow")
    assert site.emulator.bill().entries == ()


def test_a_body_that_trickles_has_an_end_too(site_of) -> None:
    """A byte now and then is no silence; the whole body has a deadline."""
    site = site_of(limits=Limits(body_silence=5.0, body_time=0.5))
    with raw.connected(site.url) as connection:
        connection.sendall(raw.head(f"POST {IMAGES}", raw.JSON, "content-length: 5000"))
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.05):
                connection.send(b" ")

        sender = threading.Thread(target=trickle)
        sender.start()
        status, _, body = raw.answer(connection)
        stop.set()
        sender.join()
    assert status == 408
    assert "not whole after 0.5 s" in raw.error(body)["message"]


def test_bodies_of_all_callers_share_one_room(site_of) -> None:
    """Who finds none waits unread, then gets 503 with Retry-After; when it is free, all is well again."""
    site = site_of(limits=SMALL)
    waiting = raw.head(f"POST {IMAGES}", raw.JSON, f"content-length: {1 << 20}")
    with raw.connected(site.url) as one, raw.connected(site.url) as two:
        one.sendall(waiting + b" " * 100)
        two.sendall(waiting + b" " * 100)
        status, headers, body = raw.asked(site.url, waiting.replace(b"1048576", b"1000000"))
        assert (status, raw.error(body)["code"], headers["retry-after"]) == (503, "no_room", "1")
        assert headers["x-should-retry"] == "true"
        assert raw.asked(site.url, raw.post(IMAGES, FOX))[0] == 200
    big = b" " * (1 << 19) + FOX
    assert raw.asked(site.url, raw.post(IMAGES, big))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        [f"x-{n}: y" for n in range(101)],
        ["x-long: " + "a" * 40_000],
        ["x-" + "n" * 40_000 + ": y"],
        ["cookie: " + "a" * 2_000_000],
    ],
    ids=["many", "long value", "long name", "megabytes"],
)
def test_heads_have_a_size(site, headers) -> None:
    """431 that says how much is taken, before anything of it reaches the application."""
    with raw.connected(site.url) as connection:
        threading.Thread(target=_send, args=(connection, raw.head("GET /healthz", *headers))).start()
        status, found, body = raw.answer(connection)
    assert (status, found["connection"]) == (431, "close")
    assert "are taken" in raw.error(body)["message"]


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return  # hung up on, as the test expects


def test_addresses_have_a_size(site) -> None:
    """A long one is refused, a wrong one is told without being repeated at length."""
    assert raw.asked(site.url, raw.head("GET /" + "a" * 40_000))[0] == 431
    status, _, body = raw.asked(site.url, raw.head("GET /v1/" + "a" * 20_000))
    assert status == 404
    assert len(body) < 5_000


@pytest.mark.parametrize(
    "request_bytes",
    [
        raw.head(f"POST {IMAGES}", raw.JSON, "content-length: 22", "transfer-encoding: chunked") + FOX,
        raw.head(f"POST {IMAGES}", raw.JSON, "content-length: 5", "content-length: 22") + FOX,
        raw.head(f"POST {IMAGES}", raw.JSON, "content-length: +22") + FOX,
        raw.head(f"POST {IMAGES}", raw.JSON, "content-length: 0x16") + FOX,
        raw.head(f"POST {IMAGES}", raw.JSON, "transfer-encoding: xchunked") + FOX,
        raw.head(f"POST {IMAGES}", raw.JSON, "transfer-encoding : chunked") + FOX,
        raw.head(f"POST {IMAGES}", raw.JSON, "transfer-encoding: chunked") + b"-1\r\n",
        raw.head("GET /healthz", "x-a: b\r\n folded"),
        raw.head("GET /healthz", "x-a: b\x00c"),
        raw.head("GET /healthz", "x a: b"),
        b"GET /healthz HTTP/1.1\nhost: x\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        raw.head("GET /\xff\xfe"),
        raw.head("CONNECT evil.example:443"),
    ],
    ids=[
        "length and chunked", "two lengths", "signed length", "hexadecimal length", "unknown coding",
        "space before the colon", "negative chunk", "folded header", "nul in a header", "space in a name",
        "bare newlines", "tls", "bytes in the address", "connect",
    ],
)  # fmt: skip
def test_what_two_servers_could_read_in_two_ways_is_refused(site, request_bytes) -> None:
    """No request is smuggled behind another: 400 and the connection ends; nothing is done."""
    smuggled = raw.head("GET /v1/models")
    with raw.connected(site.url) as connection:
        connection.sendall(request_bytes + smuggled)
        connection.shutdown(socket.SHUT_WR)
        said = raw.rest(connection)
    assert said == b"" or said.startswith(b"HTTP/1.1 4")
    assert said.count(b"HTTP/1.1 ") <= 1
    assert site.emulator.bill().entries == ()
    assert alive(site)


def test_readers_that_stall_are_cut_off(site_of, monkeypatch) -> None:
    """A reply of which nothing is taken is not kept for ever."""
    given_up, look = threading.Event(), GuardedProtocol._look

    def watched(connection: GuardedProtocol, before: int) -> None:
        look(connection, before)
        if connection.transport.is_closing():
            given_up.set()

    monkeypatch.setattr(GuardedProtocol, "_look", watched)
    site = site_of(limits=Limits(write_silence=0.3))
    with raw.connected(site.url) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps({"prompt": "a fox", "n": 4, "resolution": "4K", "model": "nano_banana_pro"})
        connection.sendall(raw.post(IMAGES, body.encode()))
        assert connection.recv(12) == b"HTTP/1.1 200"
        assert given_up.wait(raw.PATIENCE)
    assert alive(site)


def test_requests_under_way_have_a_ceiling(site_of) -> None:
    """503 with Retry-After beyond it; health is always answered."""
    site = site_of(limits=Limits(in_flight=1))
    with raw.connected(site.url) as busy:
        busy.sendall(raw.post(IMAGES, FOX)[:-1])
        status, headers, body = _refused(site)
        assert (status, raw.error(body)["code"], headers["retry-after"]) == (503, "busy", "1")
        assert alive(site)
        busy.sendall(FOX[-1:])
        assert raw.answer(busy)[0] == 200
    assert raw.asked(site.url, raw.head("GET /v1/models"))[0] == 200


def _refused(site) -> tuple[int, dict[str, str], bytes]:
    """The first answer that is none: the other request may not have been read yet."""
    for _ in range(200):
        found = raw.asked(site.url, raw.head("GET /v1/models"))
        if found[0] != 200:
            return found
    return found


def test_connections_have_a_ceiling(site_of) -> None:
    """One more is told so and closed; those that are there go on."""
    site = site_of(limits=Limits(connections=2))
    with raw.connected(site.url) as one, raw.connected(site.url) as two:
        for connection in (one, two):
            connection.sendall(raw.head("GET /healthz"))
            assert raw.answer(connection)[0] == 200
        with raw.connected(site.url) as three:
            assert raw.rest(three).startswith(b"HTTP/1.1 503")
        one.sendall(raw.head("GET /healthz"))
        assert raw.answer(one)[0] == 200
