"""Which errors an operation may answer with, and how each surface's look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from image_router.gateway.app import Entry
from image_router.gateway.openapi_words import JSON, Json, Operation, Risk, many, maybe, obj, ref, text, whole

SCHEMAS: Final[Json] = {
    "Error": obj(
        "What happened, the numbers, and what to do. Further fields are numbers of this error.",
        error={
            **obj(code=text("For programs."), message=text("For people."), param=maybe(text("Field."))),
            "additionalProperties": True,
        },
    ),
    "OpenAIError": obj(
        "OpenAI's shape; our own view stands beside it.",
        need=("error",),
        error=obj(message=text(), type=text(), param=maybe(text()), code=text()),
        image_router=obj(error=ref("Failure")),
    ),
    "GoogleError": obj(
        "Google's shape.",
        error=obj(
            need=("code", "message", "status"),
            code=whole(),
            message=text(),
            status=text(),
            details=many({"type": "object", "additionalProperties": True}),
        ),
    ),
}
_SHAPES: Final = {"router": "Error", "openai": "OpenAIError", "gemini": "GoogleError"}

_MEANINGS: Final[Mapping[int, str]] = {
    400: "Something is wrong with the request; the message names it.",
    401: "No key, or none that opens anything.",
    403: "The key does not allow it; or a link has expired or was changed.",
    404: "There is no such thing, or it is not yours; or the model is retired.",
    405: "The address is meant for another method.",
    408: "The body came too slowly.",
    409: "Somebody else is at the same key or thing.",
    410: "It was there, and its bytes cannot be had any more.",
    413: "Longer than is taken here.",
    415: "Of a type that is not taken here.",
    422: "The idempotency key stands for another request.",
    429: "A limit of the key, a budget or the provider; Retry-After says when to come back.",
    500: "A bug of ours; the log has it under the request id.",
    502: "The provider failed.",
    503: "Not now: stopping, busy, or the database cannot be asked.",
    504: "The provider did not answer in time.",
}
_EVERY: Final = frozenset({400, 500, 503})
_KEYED: Final = frozenset({401, 403, 429})
_OF_RISK: Final[Mapping[Risk, frozenset[int]]] = {
    Risk.BODY: frozenset({408, 413, 415}),
    Risk.THING: frozenset({404}),
    Risk.BYTES: frozenset({404, 410}),
    Risk.DECIDING: frozenset({404, 410, 429}),
    Risk.SPENDING: frozenset({404, 409, 410, 422, 429, 502, 504}),
    Risk.LINKED: _KEYED,
    Risk.CHANGING: frozenset({409}),
}


def errors_of(operation: Operation, entries: Sequence[Entry]) -> Json:
    """Status → response, in the words of the surfaces that answer there."""
    found = set(_EVERY) if all(entry.public for entry in entries) else {*_EVERY, *_KEYED}
    if all(entry.asked for entry in entries):
        found.add(405)
    for risk in operation.risks:
        found |= _OF_RISK[risk]
    shapes = [ref(_SHAPES[name]) for name in dict.fromkeys(entry.surface.name for entry in entries)]
    schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    return {
        str(status): {"description": _MEANINGS[status], "content": {JSON: {"schema": schema}}}
        for status in sorted(found)
        if status not in operation.answers
    }
