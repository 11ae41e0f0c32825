"""Requests for one model: the client's bytes go out, the provider's come back, and all is booked."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from image_router.core.errors import ImageRouterError, ProviderError
from image_router.core.money import usd_text
from image_router.core.relaying import Written, parameters_of
from image_router.core.reply import RawAnswer
from image_router.core.types import ImageRequest
from image_router.engine.relaying import Parcel
from image_router.gateway import gemini_bodies as bodies
from image_router.gateway.app import Visit
from image_router.gateway.gemini_targets import Target, check_method
from image_router.gateway.gemini_views import Stream, rebuilt, shown
from image_router.gateway.openai_views import Ending, headers_of
from image_router.providers.base import Letter

CARRIED: Final = (
    "content-type",
    "content-disposition",
    "retry-after",
    "server-timing",
    "x-gemini-service-tier",
)
"""Headers of an answer that belong to it; the others are of the connection to the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A body as it came, and as it was read."""

    method: str
    body: bytes = field(repr=False)
    message: bodies.Json = field(repr=False)
    files: tuple[str, ...] = ()
    """The caller's own files at the provider that it names."""


async def parcel_of(visit: Visit, request: ImageRequest, *, meant: Target, heard: Heard) -> Parcel:
    """What is to be passed on, with all that deciding about its money needs. Raises Refusal."""
    check_method(meant.model, heard.method)
    read = bodies.written_predict if heard.method == "predict" else bodies.written
    written = read(heard.message, meant.model)
    return Parcel(
        letter=Letter(path=_path(visit, meant, method=heard.method), body=heard.body),
        request=await _known(visit, request, written=written),
        written=written,
        resources=heard.files,
        digest=await asyncio.to_thread(lambda: hashlib.sha256(heard.body).hexdigest()),
    )


def _path(visit: Visit, target: Target, *, method: str) -> str:
    query = "?alt=sse" if Stream.of(visit.request) is Stream.SSE else ""
    return f"models/{quote(target.path, safe='')}:{method}{query}"


async def _known(visit: Visit, request: ImageRequest, *, written: Written) -> ImageRequest:
    """The request as the books know it: its model, size and shape."""
    parameters = parameters_of(written)
    return await visit.router.request(
        request.prompt,
        model=written.model.id,
        size=parameters.size.value,
        aspect=parameters.aspect.value if parameters.aspect else None,
        scope=request.scope,
        key=request.key,
        compress="off",
    )


async def passed_on(
    visit: Visit, parcel: Parcel, *, meant: Target, stream: Stream = Stream.NONE, seen: Ending | None = None
) -> Response:
    """The provider's answer, byte for byte; or the stored one of the same key, in Google's shape again."""
    end = seen or Ending()
    try:
        result = await visit.router.relay(parcel, on_event=end)
    except ImageRouterError as error:
        if parcel.answer is None:
            raise
        return as_it_came(parcel.answer, {**meant.headers, **failed(error)})
    headers = {**meant.headers, **headers_of(result, end), "x-image-router-cache": "bypass"}
    if parcel.answer is None:
        view = rebuilt(result, model=meant.model)
        return shown(view, {**headers, "x-image-router-replayed": "rebuilt"}, stream=stream)
    return as_it_came(parcel.answer, headers)


def as_it_came(answer: RawAnswer, headers: Mapping[str, str]) -> Response:
    """Status, body and the headers that belong to them."""
    carried = carried_of(answer)
    return Response(answer.body, answer.status, headers={**headers, **carried})


def carried_of(answer: RawAnswer) -> dict[str, str]:
    found = {name.lower(): text for name, text in answer.headers.items()}
    return {name: found[name] for name in CARRIED if name in found}


def failed(error: ImageRouterError) -> dict[str, Any]:
    """What a program wants to know of a failed call."""
    headers = {"x-image-router-error": error.code, "x-should-retry": "false"}
    if isinstance(error, ProviderError):
        headers["x-image-router-cost-usd"] = usd_text(error.cost)
        headers["x-image-router-attempts"] = str(len(error.attempts))
        if error.at_risk:
            headers["x-image-router-at-risk-usd"] = usd_text(error.at_risk)
    return headers
