"""A server that answers with the very bytes it is told to, and keeps what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Line:
    """A raw server: counts requests and keeps their bytes."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def line(*behaviours: Behaviour) -> AsyncIterator[Line]:
    """Serve each request with the next behaviour, the last one for all that follow."""
    seen = Line()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (h for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")), b":0"
                )
                seen.heads.append(head)
                seen.bodies.append(await reader.readexactly(int(length.split(b":")[1])))
                await behaviours[min(len(seen.heads), len(behaviours)) - 1](writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        yield seen


def raw(head: str, body: bytes = b"", *, close: bool = False) -> Behaviour:
    """Write these very bytes."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await writer.drain()
        if close:
            writer.close()

    return write


def whole(body: bytes, status: str = "200 OK", extra: str = "") -> Behaviour:
    return raw(f"HTTP/1.1 {status}\nContent-Length: {len(body)}{extra}", body)
