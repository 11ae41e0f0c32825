"""Faults of the connection: the work is done and billed, or not, and the answer does not arrive whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

DESCRIPTIONS: Mapping[str, str] = {
    "drop_before": "the connection is dropped before the request is accepted; nothing is charged",
    "drop_after": "the work is done and charged, then the connection is dropped without a byte",
    "truncated_body": "done and charged; the body ends after part=0.5 of it",
    "hang": "done and charged; no byte is ever sent, until seconds=3600 have passed",
    "slow": "the answer is late by seconds=5",
    "slow_drip": "the body arrives in chunks=8 pieces over seconds=4",
    "error_in_stream": "done and charged; a stream fails under way; code=499, form=data|block",
}


class Line(Protocol):
    """The connection under an answer, and the server's wish to stop."""

    stopping: asyncio.Event

    def drop(self, scope: Scope, *, flush: bool = False) -> None: ...


class Dropped(Response):
    """Nothing is sent; the connection closes, at once or after a wait."""

    def __init__(self, line: Line, *, after: float = 0.0) -> None:
        super().__init__()
        self._line = line
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._after:
            await _gone(self._line, receive, self._after)
        self._line.drop(scope)
        await _hung_up(receive)


class Truncated(Response):
    """The head of an answer and part of its body, then the connection closes."""

    def __init__(self, line: Line, whole: Response, *, part: float) -> None:
        super().__init__()
        self._line = line
        self._whole = whole
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self._whole.body)
        await send(_start(self._whole))
        await send(
            {"type": "http.response.body", "body": body[: int(len(body) * self._part)], "more_body": True}
        )
        self._line.drop(scope, flush=True)
        await _hung_up(receive)


class Dripping(Response):
    """A whole answer, slowly."""

    def __init__(self, line: Line, whole: Response, *, chunks: int, seconds: float) -> None:
        super().__init__()
        self._line = line
        self._whole = whole
        self._chunks = max(chunks, 1)
        self._pause = seconds / self._chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(_start(self._whole))
        async for piece in self._pieces():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _pieces(self) -> AsyncIterator[bytes]:
        body = bytes(self._whole.body)
        step = -(-len(body) // self._chunks)
        for start in range(0, len(body), step):
            yield body[start : start + step]
            await pause(self._line, self._pause)


async def pause(line: Line, seconds: float) -> None:
    """Sleep, but wake when the server stops."""
    if seconds <= 0:
        return
    try:
        await asyncio.wait_for(line.stopping.wait(), seconds)
    except TimeoutError:
        return


async def _gone(line: Line, receive: Receive, seconds: float) -> None:
    """Wait until the caller hangs up, the server stops or the time is over."""
    caller = asyncio.create_task(_hung_up(receive))
    stop = asyncio.create_task(line.stopping.wait())
    _, pending = await asyncio.wait({caller, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(response: Response) -> dict[str, object]:
    return {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
