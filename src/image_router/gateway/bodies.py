"""Request bodies, read under limits: their size is known or counted, a silent sender is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

import orjson
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from image_router.config import Limits
from image_router.gateway import intake, refusals
from image_router.gateway.surfaces import Refusal

_MARKS: Final = (b",", b"[", b"{")
"""One of them begins every value of a JSON document but the first; base64 has none of them."""
_NUL: Final = b"\\u0000"
_NO_NUL: Final = "a text has a NUL character in it; leave it out"


async def read(request: Request, *, limit: int) -> bytes:
    """The whole body. Refuses what is longer than `limit` bytes, before reading where its length is told."""
    whole = BytesIO()  # hands its buffer over uncopied
    async for piece in pieces(request, limit=limit):
        whole.write(piece)
    return whole.getvalue()


async def pieces(request: Request, *, limit: int) -> AsyncGenerator[bytes]:
    """The body as it comes, its bytes counted against `limit` and held against the room of the process.

    Raises Refusal: 413, 415 for a compressed one, 408 for a slow one, 503 where there is no room.
    """
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise refusals.encoded(coding)
    taken, size = intake.of(request), 0
    told = request.headers.get("content-length")
    known = told is not None and told.isdigit()
    if told is not None and known:
        if int(told) > limit:
            raise refusals.too_large("the body", int(told), limit=limit)
        await taken.hold(int(told))
    async for piece in _timed(request, taken.limits):
        size += len(piece)
        if size > limit:
            raise refusals.too_large("the body", None, limit=limit)
        if not known:
            await taken.hold(len(piece))
        yield piece


async def _timed(request: Request, limits: Limits) -> AsyncGenerator[bytes]:
    """Pieces, until the body ends; neither a pause nor the whole may take too long."""
    clock, stream = asyncio.get_running_loop().time, request.stream()
    end = clock() + limits.body_time
    while True:
        patience = min(limits.body_silence, end - clock())
        try:
            async with asyncio.timeout(patience):
                piece = await anext(stream, b"")
        except TimeoutError:
            raise _slow(limits, ended=clock() >= end) from None
        except ClientDisconnect:
            raise refusals.malformed("the connection closed before the body was whole") from None
        if not piece:
            return
        yield piece


def _slow(limits: Limits, *, ended: bool) -> Refusal:
    if ended:
        return refusals.too_slow(f"the body was not whole after {limits.body_time:g} s")
    return refusals.too_slow(f"nothing of the body came for {limits.body_silence:g} s")


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key of a request. Raises Refusal for one that is empty, too long or not in ASCII."""
    keys = request.headers.getlist("idempotency-key")
    if len(keys) > 1:
        raise refusals.malformed(f"Idempotency-Key is given {len(keys)} times; send one")
    key = keys[0] if keys else None
    if key is not None and not 0 < len(key) <= 255:
        raise refusals.malformed(f"Idempotency-Key has {len(key)} characters; 1 to 255 are taken")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise refusals.malformed("Idempotency-Key has other characters than those of printable ASCII")
    return key


async def read_json(request: Request, *, limit: int) -> dict[str, Any]:
    """The body as a JSON object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise refusals.wrong_type(kind, "application/json")
    body = await read(request, limit=limit)
    return document(body, most=intake.of(request).limits.json_values)


def document(body: bytes, *, most: int) -> dict[str, Any]:
    """The JSON object of a body that has at most so many values. Raises Refusal."""
    _check_values(body, most)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise refusals.malformed(f"the body is no JSON: {problem}") from None
    if not isinstance(found, dict):
        raise refusals.malformed(f"the body is a JSON {type(found).__name__}; send an object")
    if _has_nul(body):
        raise refusals.malformed(_NO_NUL)
    return found


def _check_values(body: bytes, most: int) -> None:
    """Before a few bytes become many objects: `[[],[],…` takes sixteen times its size."""
    if len(body) <= most:
        return
    left = most
    for mark in _MARKS:
        at = body.find(mark)
        while at >= 0:
            left -= 1
            if left < 0:
                raise refusals.too_many_values(most)
            at = body.find(mark, at + 1)


def _has_nul(body: bytes) -> bool:
    """Whether a text of a JSON document has U+0000 in it; pictures are passed over at memory's speed."""
    first = body.find(b"\\")
    at = body.find(_NUL, first) if first >= 0 else -1
    while at >= 0:
        before = at
        while before and body[before - 1] == _NUL[0]:
            before -= 1
        if (at - before) % 2 == 0:
            return True
        at = body.find(_NUL, at + 1)
    return False


class _FormParser(MultiPartParser):
    """Starlette's, which takes a form without an end for a whole one, and forgets its files."""

    ended = False

    def on_end(self) -> None:
        self.ended = True

    def close(self) -> None:
        for file in self._files_to_close_on_error:
            file.close()


@dataclass(slots=True)
class Form:
    """A multipart form: texts by name, and uploads by name in their order. `image[]` counts as `image`."""

    fields: dict[str, Any] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)


MAX_FILES = 20
MAX_FIELDS = 64
MAX_FIELD_BYTES = 1 << 20


async def read_form(request: Request, *, limit: int) -> Form:
    """The body as a multipart form; large uploads rest on disk while it is read."""
    kind = request.headers.get("content-type", "")
    parser = _FormParser(
        Headers({"content-type": kind}),
        pieces(request, limit=limit),
        max_files=MAX_FILES,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        form = await _filled(parser)
    except (MultiPartException, KeyError, ValueError) as problem:
        raise refusals.malformed(f"the form cannot be read: {problem}") from None
    finally:
        parser.close()
    return form


async def _filled(parser: _FormParser) -> Form:
    form, parsed = Form(), await parser.parse()
    if not parser.ended:
        raise refusals.malformed("the form ends before its last boundary")
    for name, value in parsed.multi_items():
        if isinstance(value, UploadFile):
            form.files.setdefault(name.removesuffix("[]"), []).append(await value.read())
        elif "\0" in value:
            raise refusals.malformed(_NO_NUL, param=name)
        else:
            form.fields[name] = value
    return form
