"""Calls that cost nothing, passed on as they are: tokens counted, files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.responses import Response, StreamingResponse

from image_router.core.reply import RawAnswer
from image_router.core.scopes import scope_path
from image_router.engine.errands import Reply, running
from image_router.gateway import refusals
from image_router.gateway.app import Visit
from image_router.gateway.gemini_relay import as_it_came, carried_of
from image_router.providers.base import Errand
from image_router.storage.remote_files import file_scope

MOST: Final = 16 << 20
"""Bytes of an answer that is no file."""
_LENGTHS: Final = ("content-length", "content-range")
_SENT: Final = ("content-type", "x-goog-upload-", "range", "x-server-timeout")


def errand_of(visit: Visit, path: str, *, body: bytes | None = None) -> Errand:
    """The caller's own call, to another address."""
    headers = {name: text for name, text in visit.request.headers.items() if name.startswith(_SENT)}
    return Errand(method=visit.request.method, path=path, headers=headers, body=body)


async def answered(
    visit: Visit, errand: Errand, *, about: str = "", resources: tuple[str, ...] = ()
) -> tuple[RawAnswer, Reply]:
    """The whole answer. Raises ProviderError."""
    door = await visit.router.door()
    async with running(door, errand, scope=visit.caller.scope, about=about, resources=resources) as reply:
        body = bytearray()
        async for piece in reply.running.pieces:
            body += piece
            if len(body) > MOST:
                raise refusals.too_large("the provider's answer", len(body), limit=MOST)
        found = reply.running
        return RawAnswer(status=found.status, headers=found.headers, body=bytes(body)), reply


async def passed(
    visit: Visit, errand: Errand, *, about: str = "", resources: tuple[str, ...] = ()
) -> Response:
    """The answer as it came."""
    answer, _ = await answered(visit, errand, about=about, resources=resources)
    return as_it_came(answer, {})


async def flowing(visit: Visit, errand: Errand, *, resources: tuple[str, ...]) -> Response:
    """An answer of any size, relayed while it arrives."""
    door = await visit.router.door()

    async def flow() -> AsyncIterator[bytes]:
        async with running(door, errand, scope=visit.caller.scope, resources=resources) as reply:
            heads.append(RawAnswer(status=reply.running.status, headers=reply.running.headers, body=b""))
            yield b""
            async for piece in reply.running.pieces:
                yield piece

    # Begun here, the stream is closed with its connection even where nobody reads on.
    heads: list[RawAnswer] = []
    stream = flow()
    await anext(stream)
    return StreamingResponse(stream, heads[0].status, headers=_with_length(heads[0]))


def _with_length(head: RawAnswer) -> Mapping[str, str]:
    found = {name.lower(): text for name, text in head.headers.items()}
    return {**carried_of(head), **{name: found[name] for name in _LENGTHS if name in found}}


async def check_files(visit: Visit, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, if all are the caller's. Raises Refusal: 403 in Google's words, whoever owns it."""
    for name in names:
        owner = await file_scope(visit.parts.books.db, name)
        if owner is None or visit.caller.scope not in scope_path(owner):
            raise refusals.no_file(name)
    return names
