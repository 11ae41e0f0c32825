"""`stream=true`: server-sent events of OpenAI's names. Drafts are the only partial images there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
from starlette.responses import Response, StreamingResponse

from image_router.core.errors import ImageRouterError
from image_router.core.events import Decided, Event, ImageMade
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.types import ImageRequest
from image_router.engine.views import image_view
from image_router.gateway.app import Visit
from image_router.gateway.converting import delivered
from image_router.gateway.openai_asks import Asked
from image_router.gateway.openai_views import own_view, spliced, usage_view
from image_router.gateway.outset import Outset
from image_router.gateway.surfaces import OPENAI, problem_of

HEARTBEAT: Final = 15.0
"""Seconds between comments while nothing happens: proxies cut connections that are silent for a minute."""


async def streamed(visit: Visit, request: ImageRequest, *, asked: Asked, editing: bool) -> Response:
    """The answer of a request that is made while it is sent, with what is known by then in its headers.

    Raises ImageRouterError for what fails before anything is decided: then nothing went out.
    """
    stream = _Stream(visit, request, asked=asked, name="image_edit" if editing else "image_generation")
    # Begun here, the work is cancelled with the stream even where nobody reads on.
    events = stream.events()
    await anext(events)
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no", **stream.outset.headers}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


class _Stream:
    def __init__(self, visit: Visit, request: ImageRequest, *, asked: Asked, name: str) -> None:
        self._visit, self._request, self._asked, self._name = visit, request, asked, name
        self._news: asyncio.Queue[Event | None] = asyncio.Queue()
        self.outset = Outset()

    async def events(self) -> AsyncIterator[bytes]:
        """Nothing, once it is decided or silent for long; then each picture when it comes, and the last one
        tells of the whole request. Leaving early cancels."""
        work = asyncio.create_task(self._work())
        work.add_done_callback(lambda _: self._news.put_nowait(None))
        held: GeneratedImage | None = None
        try:
            await self._decided(work)
            yield b""
            yield b": accepted\n\n"
            while (event := await self._next()) is not None:
                if isinstance(event, ImageMade):
                    for sent in await self._before(event.image, held):
                        yield sent
                    held = event.image
                elif event is _SILENCE:
                    yield b": waiting\n\n"
            for sent in await self._end(work, held):
                yield sent
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _decided(self, work: asyncio.Task[ImageResult]) -> None:
        """Wait for the decision, or for as long as a connection may be silent. Raises what kept it."""
        while (event := await self._next()) is not None:
            if isinstance(event, Decided) or event is _SILENCE:
                return
        await work

    def _hear(self, event: Event) -> None:
        self.outset(event)
        self._news.put_nowait(event)

    async def _work(self) -> ImageResult:
        asked = self._asked
        return await self._visit.router.generate(
            self._request, profile=asked.profile, cache=asked.cache, on_event=self._hear
        )

    async def _next(self) -> Event | object | None:
        try:
            return await asyncio.wait_for(self._news.get(), HEARTBEAT)
        except TimeoutError:
            return _SILENCE

    async def _before(self, image: GeneratedImage, held: GeneratedImage | None) -> list[bytes]:
        """The picture that was held back, then the drafts of the new one."""
        sent = [await self._completed(held, own={})] if held else []
        wanted = self._asked.delivery.partial_images
        drafts = image.drafts[-wanted:] if wanted else ()
        return sent + [self._partial(image, draft, index=index) for index, draft in enumerate(drafts)]

    async def _end(self, work: asyncio.Task[ImageResult], held: GeneratedImage | None) -> list[bytes]:
        try:
            result = await work
        except ImageRouterError as error:
            return [_event("error", {"type": "error", **OPENAI.problem(problem_of(error))})]
        image = held or result.images[-1]
        return [await self._completed(image, own=own_view(result, (), delivery=self._asked.delivery))]

    async def _completed(self, image: GeneratedImage, *, own: dict[str, Any]) -> bytes:
        delivery = self._asked.delivery
        picture = await delivered(image, delivery.format, compression=delivery.compression)
        kind = f"{self._name}.completed"
        body = {
            **self._common(kind, image, picture.format),
            "b64_json": spliced(picture.data),
            "usage": usage_view([image.usage]),
            "image_router": own or {"image": image_view(image)},
        }
        return _event(kind, body)

    def _partial(self, image: GeneratedImage, draft: bytes, *, index: int) -> bytes:
        kind = f"{self._name}.partial_image"
        common = self._common(kind, image, image.media_type.removeprefix("image/"))
        body = {**common, "b64_json": spliced(draft), "partial_image_index": index}
        return _event(kind, body)

    def _common(self, kind: str, image: GeneratedImage, made: str) -> dict[str, Any]:
        return {
            "type": kind,
            "created_at": int(time.time()),
            "size": str(image.pixels),
            "quality": self._asked.delivery.quality or "auto",
            "background": "opaque",
            "output_format": made,
        }


_SILENCE: Final = object()


def _event(name: str, body: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"
