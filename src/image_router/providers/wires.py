"""Which wire module speaks a dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from image_router.core.reply import Reply
from image_router.core.types import Dialect
from image_router.providers import gemini_wire, imagen_wire
from image_router.providers.bodies import BODIES, Body


class ParseReply(Protocol):
    def __call__(self, http_status: int, headers: Mapping[str, str], *, body: bytes) -> Reply: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire(Body):
    """One dialect both ways."""

    parse_reply: ParseReply


_PARSERS: Mapping[Dialect, ParseReply] = {
    Dialect.GENERATE_CONTENT: gemini_wire.parse_reply,
    Dialect.PREDICT: imagen_wire.parse_reply,
}
WIRES: Mapping[Dialect, Wire] = {
    dialect: Wire(method=body.method, request_body=body.request_body, parse_reply=_PARSERS[dialect])
    for dialect, body in BODIES.items()
}
