"""HTTP as hostile clients speak it: bytes on a socket, and what comes back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pictures import as_base64

PATIENCE = 120.0
JSON = "content-type: application/json"


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A connection to the server of this address."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as connection:
        yield connection


def head(line: str, *headers: str, host: str = "127.0.0.1") -> bytes:
    """Request line and headers, with the empty line behind them."""
    return "\r\n".join([f"{line} HTTP/1.1", f"host: {host}", *headers, "", ""]).encode("latin-1")


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A whole request with a JSON body."""
    return head(f"POST {path}", JSON, f"content-length: {len(body)}", *headers) + body


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up; also when it does so with a reset."""
    found = bytearray()
    try:
        while piece := connection.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return bytes(found)


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next reply; 0 where the server hung up without one."""
    found = bytearray()
    while b"\r\n\r\n" not in found:
        piece = connection.recv(1 << 16)
        if not piece:
            return 0, {}, bytes(found)
        found += piece
    top, _, body = bytes(found).partition(b"\r\n\r\n")
    line, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(1 << 16)
    return int(line.split()[1]), headers, body


def asked(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """The answer to these bytes on a new connection."""
    with connected(url) as connection:
        connection.sendall(request)
        return answer(connection)


def error(body: bytes) -> dict[str, Any]:
    """The error of a reply."""
    found: dict[str, Any] = json.loads(body)["error"]
    return found


def edit(url: str, *pictures: object) -> tuple[int, dict[str, str], bytes]:
    """The answer to an edit with these references, in JSON."""
    body = json.dumps({"prompt": "make it rain", "images": list(pictures)})
    return asked(url, post("/v1/images/edits", body.encode()))


def data_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{as_base64(data)}"
