"""Google's own API (https://ai.google.dev/api, 2026-11-22): for its clients, by base URL alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from image_router.core.types import ImageRequest
from image_router.gateway import bodies, gemini_batches, gemini_bodies, gemini_files, gemini_targets, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.gemini_errands import check_files, errand_of, passed
from image_router.gateway.gemini_made import common, made
from image_router.gateway.gemini_relay import Heard, parcel_of, passed_on
from image_router.gateway.gemini_stream import streamed
from image_router.gateway.gemini_targets import check_method, decided, target
from image_router.gateway.surfaces import GOOGLE

_QUERY: Final = frozenset({"alt", "key", "prettyPrint", "$prettyPrint"})


async def model_method(visit: Visit) -> Response:
    """POST /v1beta/models/{name}:{method}."""
    name, _, method = visit.request.path_params["name"].rpartition(":")
    handler = _HANDLERS.get(method)
    if handler is None or not name:
        known = ", ".join(_HANDLERS)
        raise refusals.absent(f"models/{name or method} has no method {method!r} here; there are {known}")
    _check_query(visit.request)
    return await handler(visit, name, method)


def _check_query(request: Request) -> None:
    """A partial answer would hide what it cost."""
    for name in request.query_params:
        if name not in _QUERY:
            raise refusals.malformed(f"query parameter {name!r} is not taken here; leave it out", param=name)


async def _generated(visit: Visit, name: str, method: str) -> Response:
    body = await bodies.read(visit.request, limit=visit.parts.limits.json_body)
    message = bodies.document(body, most=visit.parts.limits.json_values)
    fields = decided(name)
    if fields is not None:
        return await made(visit, message, method=method, fields=fields)
    request = await _asked(visit, message)
    meant = target(visit, name, retired=request.retired)
    files = await check_files(visit, gemini_bodies.files(message))
    heard = Heard(method=method, body=body, message=message, files=files)
    parcel = await parcel_of(visit, request, meant=meant, heard=heard)
    answer = streamed if method == "streamGenerateContent" else passed_on
    return await answer(visit, parcel, meant=meant)


async def _asked(visit: Visit, message: gemini_bodies.Json) -> ImageRequest:
    """Who pays, under which key, and what becomes of retired models."""
    return await visit.router.request(gemini_bodies.last_words(message), **common(visit))


async def _counted(visit: Visit, name: str, method: str) -> Response:
    """Free: goes to the model as it is."""
    body = await bodies.read(visit.request, limit=visit.parts.limits.json_body)
    message = bodies.document(body, most=visit.parts.limits.json_values)
    if decided(name) is not None:
        words = f"countTokens needs a model; who serves {name} is decided with each request"
        raise refusals.malformed(words, param="model")
    meant = target(visit, name, retired=(await _asked(visit, message)).retired)
    check_method(meant.model, method)
    files = await check_files(visit, gemini_bodies.files(message))
    errand = errand_of(visit, f"v1beta/models/{quote(meant.path, safe='')}:countTokens", body=body)
    return await passed(visit, errand, about=meant.model.id, resources=files)


async def _batched(visit: Visit, name: str, method: str) -> Response:
    return await gemini_batches.created(visit, name, method=method)


_HANDLERS: Final[Mapping[str, Callable[[Visit, str, str], Awaitable[Response]]]] = {
    "generateContent": _generated,
    "streamGenerateContent": _generated,
    "predict": _generated,
    "countTokens": _counted,
    "batchGenerateContent": _batched,
}


def _of_google(request: Request) -> bool:
    """Whether the caller shows its key as Google's clients do; OpenAI's list has the same address."""
    return "x-goog-api-key" in request.headers or "key" in request.query_params


def _entries() -> list[Entry]:
    entries = []
    for root, asked in (("/v1beta", None), ("/v1", _of_google)):
        entries += [
            Entry(
                method="GET",
                path=f"{root}/models",
                endpoint=gemini_targets.listed,
                surface=GOOGLE,
                asked=asked,
            ),
            Entry(
                method="GET",
                path=f"{root}/models/{{name}}",
                endpoint=gemini_targets.shown,
                surface=GOOGLE,
                asked=asked,
            ),
            Entry(method="POST", path=f"{root}/models/{{name}}", endpoint=model_method, surface=GOOGLE),
        ]
    return entries


def _batches(version: str) -> tuple[Entry, ...]:
    path = f"/{version}/batches"
    return (
        Entry(method="GET", path=path, endpoint=gemini_batches.listed, surface=GOOGLE),
        *(
            Entry(method=method, path=f"{path}/{{name}}", endpoint=gemini_batches.one, surface=GOOGLE)
            for method in ("GET", "POST", "DELETE")
        ),
    )


ENTRIES: Final = (*_entries(), *gemini_files.ENTRIES, *_batches("v1beta"), *_batches("v1"))
