"""One call → the JSON of generateContent. Pure: no network, no clock, no judgement.

Format: https://ai.google.dev/api/generate-content and https://ai.google.dev/gemini-api/docs/image-generation,
read 2026-10-08, and recorded traffic. Field names are camelCase, as both the Gemini API and Vertex take them.
"""

from __future__ import annotations

from typing import Any

from image_router.core.prompting import final_prompt
from image_router.core.types import Grounding, ImageRequest, Turn, TurnPart
from image_router.providers.base import Call
from image_router.providers.lenient import JsonObject

METHOD = "generateContent"


def request_body(call: Call) -> JsonObject:
    """The body of one generateContent call, ready to be written as JSON."""
    request = call.request
    history = request.conversation.turns if request.conversation else ()
    body: JsonObject = {"contents": [_content(turn) for turn in (*history, user_turn(request))]}
    if request.system_instruction:
        body["systemInstruction"] = {"parts": [{"text": request.system_instruction}]}
    if request.safety:
        body["safetySettings"] = [{"category": s.category, "threshold": s.threshold} for s in request.safety]
    if request.grounding:
        body["tools"] = [_search_tool(request.grounding)]
    body["generationConfig"] = _generation_config(call)
    return body


def user_turn(request: ImageRequest) -> Turn:
    """The new turn: pictures first, then the words about them, as vendors advise
    (https://ai.google.dev/gemini-api/docs/image-understanding)."""
    images = [TurnPart(data=ref.data, media_type=ref.media_type) for ref in request.references]
    return Turn(role="user", parts=(*images, TurnPart(text=final_prompt(request))))


def _thinking(call: Call) -> JsonObject:
    level, drafts = call.parameters.thinking, call.request.drafts and call.model.drafts
    sent: JsonObject = {"thinkingLevel": level.value.upper()} if level else {}
    return {**sent, "includeThoughts": True} if drafts else sent


def _generation_config(call: Call) -> JsonObject:
    request, parameters = call.request, call.parameters
    # IMAGE alone: with TEXT allowed the model may answer in words only, which is paid too.
    config: JsonObject = {"responseModalities": ["IMAGE"]}
    image: JsonObject = {}
    if parameters.aspect is not None:
        image["aspectRatio"] = parameters.aspect.value
    if call.model.sends_size:
        image["imageSize"] = parameters.size.value
    if image:
        config["imageConfig"] = image
    if thinking := _thinking(call):
        config["thinkingConfig"] = thinking
    if request.seed is not None:
        config["seed"] = request.seed
    if call.max_output_tokens is not None:
        config["maxOutputTokens"] = call.max_output_tokens
    return config


def _search_tool(grounding: tuple[Grounding, ...]) -> JsonObject:
    if Grounding.IMAGE not in grounding:
        return {"googleSearch": {}}
    names = {Grounding.WEB: "webSearch", Grounding.IMAGE: "imageSearch"}
    return {"googleSearch": {"searchTypes": {names[kind]: {} for kind in Grounding if kind in grounding}}}


def _content(turn: Turn) -> JsonObject:
    return {"role": turn.role, "parts": [_part(part) for part in turn.parts]}


def _part(part: TurnPart) -> JsonObject:
    wire: JsonObject
    if part.data is not None:
        import pybase64  # for pictures alone, as below

        encoded = pybase64.b64encode_as_string(part.data)
        wire = {"inlineData": {"mimeType": part.media_type, "data": encoded}}
    else:
        wire = {"text": part.text or ""}
    if part.signature is not None:
        wire["thoughtSignature"] = part.signature
    return wire


def elided(body: JsonObject) -> JsonObject:
    """A copy to show to people: picture data as {size, digest} of its bytes, signatures likewise."""
    shown: JsonObject = _elided(body)
    return shown


def _elided(value: Any) -> Any:
    if isinstance(value, list):
        return [_elided(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {key: _elided(item) for key, item in value.items()}
    if isinstance(value.get("data"), str):
        import pybase64

        shown["data"] = _size_and_digest(pybase64.b64decode(value["data"], validate=True))
    if isinstance(value.get("thoughtSignature"), str):
        shown["thoughtSignature"] = _size_and_digest(value["thoughtSignature"].encode())
    return shown


def _size_and_digest(data: bytes) -> JsonObject:
    from hashlib import sha256  # 5 ms that words alone need not wait for

    return {"size": len(data), "digest": sha256(data).hexdigest()}
