"""Request bodies, read under limits: their size is known or counted, a silent sender is let go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from image_router.gateway import refusals

PATIENCE = 30.0
"""Seconds without a byte before a sender is let go."""


async def read(request: Request, *, limit: int) -> bytes:
    """The whole body. Refuses what is longer than `limit` bytes, before reading where its length is told."""
    told = request.headers.get("content-length")
    if told is not None and told.isdigit() and int(told) > limit:
        raise refusals.too_large("the body", int(told), limit=limit)
    chunks: list[bytes] = []
    size = 0
    stream = request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream, b""), PATIENCE)
        except TimeoutError:
            raise refusals.too_slow(PATIENCE) from None
        except ClientDisconnect:
            raise refusals.malformed("the connection closed before the body was whole") from None
        if not chunk:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        size += len(chunk)
        if size > limit:
            raise refusals.too_large("the body", None, limit=limit)
        chunks.append(chunk)


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key of a request. Raises Refusal for one that is empty or too long."""
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= 255:
        raise refusals.malformed(f"Idempotency-Key has {len(key)} characters; 1 to 255 are taken")
    return key


async def read_json(request: Request, *, limit: int) -> dict[str, Any]:
    """The body as a JSON object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise refusals.wrong_type(kind, "application/json")
    body = await read(request, limit=limit)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise refusals.malformed(f"the body is no JSON: {problem}") from None
    if not isinstance(document, dict):
        raise refusals.malformed(f"the body is a JSON {type(document).__name__}; send an object")
    return document


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
    body = await read(request, limit=limit)

    async def whole() -> Any:
        yield body

    headers = Headers({"content-type": request.headers.get("content-type", "")})
    parser = MultiPartParser(
        headers, whole(), max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    )
    try:
        parsed = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as problem:
        raise refusals.malformed(f"the form cannot be read: {problem}") from None
    form = Form()
    try:
        for name, value in parsed.multi_items():
            if isinstance(value, UploadFile):
                form.files.setdefault(name.removesuffix("[]"), []).append(await value.read())
            else:
                form.fields[name] = value
    finally:
        await parsed.close()
    return form
