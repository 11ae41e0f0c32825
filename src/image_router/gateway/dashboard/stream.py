"""The one stream of every page: which of the things it shows have changed. What they are now, the page asks.

A page carries the stamps of what it shows; the stream begins with those of now. So a page that was cut off,
or whose gateway was started anew, sees at once what it missed, whichever process answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import orjson
from starlette.responses import Response, StreamingResponse

from image_router.core.errors import ImageRouterError, KeyInvalid
from image_router.gateway import refusals
from image_router.gateway.app import Duty, Entry, Parts, Visit
from image_router.gateway.dashboard.doors import admitted, shown
from image_router.gateway.dashboard.rendering import HEADERS, PAGES
from image_router.gateway.live import Live
from image_router.storage.stamps import Topic

PATH: Final = "/dashboard/live"
_EVERY: Final = 1.0
"""Seconds between looks."""
_SILENCE: Final = 15
"""Looks without news before a comment keeps proxies from closing the connection."""
_LONGEST: Final = 600
"""Looks of one connection: browsers come back by themselves."""
_MOST: Final = 200
"""Streams of one process."""
_log = logging.getLogger(__name__)


@asynccontextmanager
async def streaming(parts: Parts, duty: Duty) -> AsyncIterator[None]:
    """Let the streams know when the process stops: they end at once, and browsers go elsewhere."""
    parts.live.stopping = lambda: duty.stopping
    yield


async def stream(visit: Visit) -> Response:
    """GET /dashboard/live: server-sent events `stamps`, each a JSON object of topic → stamp."""
    live = visit.parts.live
    if live.streams >= _MOST:
        raise refusals.busy(_MOST)
    headers = {**HEADERS, "x-accel-buffering": "no"}
    return StreamingResponse(_events(visit, live), headers=headers, media_type="text/event-stream")


async def _events(visit: Visit, live: Live) -> AsyncIterator[bytes]:
    live.streams += 1
    try:
        yield b"retry: 1000\n\n"
        async for event in _news(visit, live):
            yield event
    finally:
        live.streams -= 1


async def _news(visit: Visit, live: Live) -> AsyncIterator[bytes]:
    seen: Mapping[Topic, str] = {}
    silent = 0
    for _ in range(_LONGEST):
        if live.stopping():
            return
        try:
            await admitted(visit)
            now = await live.now()
        except KeyInvalid:
            yield b"event: signed-out\ndata: {}\n\n"
            return
        except ImageRouterError as problem:
            _log.warning("a stream of the dashboard ends: %s", problem)
            return
        silent = 0 if now != seen else silent + 1
        if now != seen:
            yield b"event: stamps\ndata: " + orjson.dumps(now, option=orjson.OPT_NON_STR_KEYS) + b"\n\n"
        elif silent % _SILENCE == 0:
            yield b": nothing new\n\n"
        seen = now
        await asyncio.sleep(_EVERY)


ENTRIES: Final = (Entry(method="GET", path=PATH, endpoint=shown(stream), surface=PAGES, public=True),)
