"""Request bodies, read under limits: their size is known or counted, a silent sender is let go."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from image_router.gateway import refusals

PATIENCE = 30.0
"""Seconds without a byte before a sender is let go."""


async def read(request: Request, *, limit: int) -> bytes:
    """The whole body. Refuses what is longer than `limit` bytes, before reading where its length is told."""
    told = request.headers.get("content-length")
    if told is not None and told.isdigit() and int(told) > limit:
        raise refusals.too_large("the body", int(told), limit)
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
            raise refusals.too_large("the body", None, limit)
        chunks.append(chunk)


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
