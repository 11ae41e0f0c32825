"""What a request asks for, as the painter gets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pybase64

from gemini_emulator.asks import read_ask
from gemini_emulator.ids import sign
from gemini_emulator.world import world

MODEL = world().find("gemini-3-pro-image")


def turn(role: str, data: bytes, text: str) -> dict[str, Any]:
    part: dict[str, Any] = {
        "inlineData": {"mimeType": "image/png", "data": pybase64.b64encode(data).decode()}
    }
    if role == "model":
        part["thoughtSignature"] = sign(b"t", 64)
    return {"role": role, "parts": [part, {"text": text}]}


def test_a_conversation_is_drawn_after_its_last_answer(picture: Callable[..., bytes]) -> None:
    """The last picture of the model comes first, its earlier ones are done with, the user's own follow."""
    assert MODEL is not None
    sides = [picture((side, side)) for side in (32, 48, 64)]
    body = {
        "contents": [
            turn("user", sides[0], "a fox like this"),
            turn("model", sides[1], "here"),
            turn("model", sides[2], "here again"),
            {"role": "user", "parts": [{"text": "make it night"}]},
        ]
    }
    ask = read_ask(body, MODEL, read_file=lambda uri: ("", b""))
    assert ask.drawn_after == (sides[2], sides[0])
