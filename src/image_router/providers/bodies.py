"""What is sent in a dialect. Reading replies is apart (wires): explaining sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from image_router.core.types import Dialect
from image_router.providers import gemini_body, imagen_body, json_text
from image_router.providers.base import Call
from image_router.providers.lenient import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One dialect's way out: the method's name in the URL, and the translation of a call."""

    method: str
    request_body: Callable[[Call], JsonObject]


BODIES: Mapping[Dialect, Body] = {
    Dialect.GENERATE_CONTENT: Body(method=gemini_body.METHOD, request_body=gemini_body.request_body),
    Dialect.PREDICT: Body(method=imagen_body.METHOD, request_body=imagen_body.request_body),
}


def weight_of(call: Call) -> int:
    """Bytes of the pictures that a call takes along."""
    request = call.request
    turns = request.conversation.turns if request.conversation else ()
    history = sum(len(part.data) for turn in turns for part in turn.parts if part.data)
    return history + sum(len(reference.data) for reference in request.references)


def encoded_body(call: Call) -> bytes:
    """The call as JSON text. Worth a thread: references may be tens of megabytes."""
    return json_text.dumps(BODIES[call.model.dialect].request_body(call))
