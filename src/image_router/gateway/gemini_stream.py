"""Answers for one model that are relayed while they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import orjson
from starlette.responses import Response, StreamingResponse

from image_router.core.errors import ImageRouterError
from image_router.core.reply import RawAnswer
from image_router.engine.relaying import Parcel
from image_router.gateway.app import Visit
from image_router.gateway.gemini_relay import carried_of, passed_on
from image_router.gateway.gemini_targets import Target
from image_router.gateway.gemini_views import Stream
from image_router.gateway.outset import Outset
from image_router.gateway.surfaces import GOOGLE, problem_of

_UNDER_WAY: Final[set[asyncio.Task[Any]]] = set()
"""Calls whose client may have left: they end by themselves, since they are paid and must be settled."""


async def streamed(visit: Visit, parcel: Parcel, *, meant: Target) -> Response:
    """The stream from its first byte on; before it, whatever there is to answer as a whole."""
    news: asyncio.Queue[RawAnswer | None] = asyncio.Queue()
    parcel.letter = replace(parcel.letter, listener=news.put_nowait)
    kind, seen = Stream.of(visit.request), Outset(cache="bypass")
    work = asyncio.create_task(passed_on(visit, parcel, meant=meant, stream=kind, seen=seen))
    _UNDER_WAY.add(work)
    work.add_done_callback(lambda _: news.put_nowait(None))
    work.add_done_callback(_UNDER_WAY.discard)
    first = await news.get()
    if first is None:
        return await work
    headers = {**meant.headers, **seen.headers, **carried_of(first), "cache-control": "no-cache"}
    return StreamingResponse(_pieces(first, news, work=work, kind=kind), first.status, headers=headers)


async def _pieces(
    first: RawAnswer,
    news: asyncio.Queue[RawAnswer | None],
    *,
    work: asyncio.Task[Response],
    kind: Stream,
) -> AsyncIterator[bytes]:
    """The provider's bytes as they come; where their end is missing, an error in its place."""
    piece: RawAnswer | None = first
    while piece is not None:
        yield piece.body
        piece = await news.get()
    try:
        await work
    except ImageRouterError as error:
        yield _broken(error, kind)


def _broken(error: ImageRouterError, kind: Stream) -> bytes:
    body = orjson.dumps(GOOGLE.problem(problem_of(error)))
    # As Google's: no event but a line of its own. With no empty line before it, its clients read the error
    # before they come to the event that was cut off.
    return b"\r\n" + body + b"\r\n" if kind is Stream.SSE else b"\r\n,\r\n" + body + b"]"
