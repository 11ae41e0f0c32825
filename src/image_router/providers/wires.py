"""Which wire module speaks a dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from image_router.core.reply import Reply
from image_router.core.types import Dialect
from image_router.providers import gemini_wire, imagen_wire, json_text
from image_router.providers.base import Call
from image_router.providers.lenient import JsonObject


class ParseReply(Protocol):
    def __call__(self, http_status: int, headers: Mapping[str, str], *, body: bytes) -> Reply: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One dialect: the method's name in the URL, and the translation both ways."""

    method: str
    request_body: Callable[[Call], JsonObject]
    parse_reply: ParseReply


WIRES: Mapping[Dialect, Wire] = {
    Dialect.GENERATE_CONTENT: Wire(
        method=gemini_wire.METHOD,
        request_body=gemini_wire.request_body,
        parse_reply=gemini_wire.parse_reply,
    ),
    Dialect.PREDICT: Wire(
        method=imagen_wire.METHOD,
        request_body=imagen_wire.request_body,
        parse_reply=imagen_wire.parse_reply,
    ),
}


def weight_of(call: Call) -> int:
    """Bytes of the pictures that a call takes along."""
    request = call.request
    turns = request.conversation.turns if request.conversation else ()
    history = sum(len(part.data) for turn in turns for part in turn.parts if part.data)
    return history + sum(len(reference.data) for reference in request.references)


def encoded_body(call: Call) -> bytes:
    """The call as JSON text. Worth a thread: references may be tens of megabytes."""
    return json_text.dumps(WIRES[call.model.dialect].request_body(call))
