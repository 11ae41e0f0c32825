"""A fake Gemini that costs next to nothing: `python bench/gateway_upstream.py` serves and prints its port.

A word in the request's body says which picture comes back: [8K] 8 KB, [1K] 1.6 MB, [4K] 18 MB; [slow] gets
the small one after ten seconds. Bodies are made once; a reply is one write. With a port as argument it is a
bare relay to that port instead: what any Python process must spend to pass the same bytes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from functools import partial

import uvloop

from fixed_upstream import body

SLOW = 10.0
"""Seconds."""
SIDES = {b"[8K]": 64, b"[1K]": 1024, b"[4K]": 4096, b"[slow]": 64}


def _answer(side: int) -> bytes:
    said = body(side)
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(said) + said
    )


class Upstream(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers, self._got = answers, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._got[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._got) < end + 4 + length:
            return
        word = next((word for word in self._answers if word in self._got), b"[8K]")
        self._got.clear()
        if word == b"[slow]":
            asyncio.get_running_loop().call_later(SLOW, self._write, word)
        else:
            self._write(word)

    def _write(self, word: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answers[word])  # type: ignore[attr-defined]


class Relay(asyncio.Protocol):
    """Passes bytes on in both directions; each connection has one behind it."""

    def __init__(self, port: int = 0, other: asyncio.Transport | None = None) -> None:
        self._port, self.other, self._early = port, other, bytearray()
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self.other is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        behind = partial(Relay, other=self.transport)  # type: ignore[arg-type]
        self.other, _ = await loop.create_connection(behind, "127.0.0.1", self._port)
        self.other.write(bytes(self._early))

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early += data
        else:
            self.other.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


async def serve(port: int | None) -> None:
    if port is None:
        answers = {word: _answer(side) for word, side in SIDES.items()}
        factory = partial(Upstream, answers)
    else:
        factory = partial(Relay, port)
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else None))
