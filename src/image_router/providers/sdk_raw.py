"""The connection under a google-genai client, used raw: bytes go out as they are, and come back as they are.

The client's streams hand over the answer of its own transport, which is aiohttp's, httpx's or httpx2's; of an
error its exception holds it. None of the three is imported here, and google.genai only where a client is.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from image_router.core.tracing import headers_onward

_READ_ONLY: Final = frozenset({"content-length", "transfer-encoding", "host", "connection"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCall:
    """One request, below the client's base URL."""

    method: str
    path: str
    """With its query."""
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    """Of the API, where it is another than the client's; empty where the path has it."""
    timeout: float | None = None
    """Seconds for everything; None: as the client was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """An answer whose headers are there; its body comes piece by piece."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


@asynccontextmanager
async def opened(transport: Any, call: RawCall) -> AsyncIterator[RawResponse]:
    """Send once; `transport` is the client's `_api_client`. Raises what that raises where nothing came."""
    from google.genai.errors import APIError  # in an extra, and heavy: loaded with the client

    # One attempt, said outright: without it the client re-sends a POST after a lost connection.
    options: dict[str, Any] = {"retry_options": {"attempts": 1}}
    if call.version is not None:
        options["api_version"] = call.version
    if call.timeout is not None:
        options["timeout"] = math.ceil(call.timeout * 1000)
    request = transport._build_request(call.method, call.path, {}, options)
    request.data = call.body
    _set(request.headers, {"accept-encoding": "identity", **headers_onward(), **call.headers})
    try:
        answer = (await transport._async_request(request, options, stream=True)).response_stream
    except APIError as error:
        answer = error.response
    answer = getattr(answer, "_response", answer)
    try:
        yield _read(answer)
    finally:
        await _close(answer)


def _set(headers: dict[str, str], more: Mapping[str, str]) -> None:
    """Headers by name, however it is written."""
    for name, value in more.items():
        if name.lower() not in _READ_ONLY:
            for same in [known for known in headers if known.lower() == name.lower()]:
                del headers[same]
            headers[name] = value


def _read(answer: Any) -> RawResponse:
    status = answer.status if hasattr(answer, "status") else answer.status_code
    return RawResponse(status=status, headers=dict(answer.headers), pieces=_pieces(answer))


async def _pieces(answer: Any) -> AsyncIterator[bytes]:
    if hasattr(answer, "aiter_raw"):
        if answer.is_stream_consumed:
            yield answer.content
            return
        async for piece in answer.aiter_raw():
            yield piece
    elif answer.status != 200:
        yield await answer.read()  # read before, to make an exception of it
    else:
        async for piece in answer.content.iter_any():
            yield piece


async def _close(answer: Any) -> None:
    if hasattr(answer, "aclose"):
        await answer.aclose()
    else:
        answer.close()
