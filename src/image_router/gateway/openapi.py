"""The OpenAPI 3.1 document: every operation of the gateway, from its entries and what is told of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from image_router._version import __version__
from image_router.gateway import (
    openapi_admin,
    openapi_chains,
    openapi_errors,
    openapi_gemini,
    openapi_health,
    openapi_jobs,
    openapi_openai,
    openapi_router,
    openapi_schemas,
    openapi_webhooks,
)
from image_router.gateway.app import Entry
from image_router.gateway.openapi_words import Answer, Group, Json, Operation, Risk

Key = tuple[str, str]
_ABOUT: Final = """\
Say what an image is for; get it from the right Gemini image model, at a price known before it is spent.

Three ways in: our own API under `/router/v1`, OpenAI's Images API under `/v1`, and Google's own API under
`/v1beta`. Every answer has an `x-request-id`. Money is exact US dollars as text. An error says what happened,
the numbers, and what to do; each surface says it in the shape its clients know.
"""
_OPERATIONS: Final[Mapping[Key, Operation | tuple[Operation, ...]]] = {
    **openapi_router.OPERATIONS,
    **openapi_admin.OPERATIONS,
    **openapi_openai.OPERATIONS,
    **openapi_gemini.OPERATIONS,
    **openapi_jobs.OPERATIONS,
    **openapi_chains.OPERATIONS,
    **openapi_webhooks.OPERATIONS,
    **openapi_health.OPERATIONS,
}
_SECURITY: Final[Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A router key: `Authorization: Bearer ir_…`",
    },
    "google": {"type": "apiKey", "in": "header", "name": "x-goog-api-key", "description": "A router key."},
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "A router key."},
}
_ANY_KEY: Final[list[Json]] = [{name: []} for name in _SECURITY]
_ID: Final = {"description": "Id of this request, for the log.", "schema": {"type": "string"}}


def told_of(entry: Entry) -> tuple[Operation, ...]:
    """What is told of an entry; nothing where it was forgotten."""
    found = _OPERATIONS.get((entry.method, entry.path), ())
    return found if isinstance(found, tuple) else (found,)


def is_page(entry: Entry) -> bool:
    """Whether it is for people with a browser: the dashboard is no part of the API."""
    return entry.path == "/" or entry.path.startswith("/dashboard")


def document(entries: Iterable[Entry], *, address: str) -> Json:
    """The whole document for a gateway at this address."""
    paths: dict[str, Json] = {}
    for group in _by_operation(entries):
        for told in told_of(group[0]):
            path = told.path or re.sub(r"\{(\w+):\w+\}", r"{\1}", group[0].path)
            paths.setdefault(path, {})[group[0].method.lower()] = _operation(told, group)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "image-router",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": address}],
        "tags": [{"name": str(group)} for group in Group],
        "security": _ANY_KEY,
        "paths": paths,
        "components": {"securitySchemes": _SECURITY, "schemas": _schemas()},
    }


def _by_operation(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries that share method and path answer one operation."""
    groups: dict[Key, list[Entry]] = {}
    for entry in entries:
        if not is_page(entry):
            groups.setdefault((entry.method, entry.path), []).append(entry)
    yield from groups.values()


def _operation(told: Operation, group: list[Entry]) -> Json:
    public = all(entry.public for entry in group)
    good = {str(status): _answered(answer) for status, answer in sorted(told.answers.items())}
    view: Json = {
        "operationId": told.id,
        "tags": [str(told.group)],
        "summary": told.summary,
        "responses": {**good, **openapi_errors.errors_of(told, group)},
    }
    if told.about:
        view["description"] = told.about
    if told.params:
        view["parameters"] = [param.view() for param in told.params]
    if told.body:
        view["requestBody"] = told.body.view()
    if public:
        view["security"] = [*_ANY_KEY, {}] if Risk.LINKED in told.risks else []
    return view


def _answered(answer: Answer) -> Json:
    view = answer.view()
    return {**view, "headers": {"x-request-id": _ID, **view.get("headers", {})}}


def _schemas() -> Json:
    parts = (
        openapi_schemas,
        openapi_openai,
        openapi_jobs,
        openapi_chains,
        openapi_webhooks,
        openapi_errors,
    )
    return {name: schema for part in parts for name, schema in part.SCHEMAS.items()}
