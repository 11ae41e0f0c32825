"""A text call → the JSON of generateContent. Its replies are read by gemini_wire. Pure.

Format: https://ai.google.dev/api/generate-content, read 2026-10-08.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_router.providers.lenient import JsonObject

if TYPE_CHECKING:
    from image_router.core.text_calls import TextCall


def request_body(call: TextCall) -> JsonObject:
    """The body of one generateContent call, ready to be written as JSON."""
    config: JsonObject = {"responseModalities": ["TEXT"], "maxOutputTokens": call.max_output_tokens}
    if call.model.thinking is not None:
        config["thinkingConfig"] = {"thinkingLevel": call.model.thinking.upper()}
    return {
        "contents": [{"role": "user", "parts": [{"text": call.prompt}]}],
        "systemInstruction": {"parts": [{"text": call.instruction}]},
        "generationConfig": config,
    }
