"""A decision with exactly what would be sent: endpoint, payload, and the SDK call it corresponds to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from image_router.core.decision import Candidate, Decision
from image_router.core.types import Dialect
from image_router.engine.calls import call_for
from image_router.providers import gemini_body, text_wire
from image_router.providers.base import Call
from image_router.providers.bodies import BODIES

_FIELDS = {"aspectRatio": "aspect_ratio", "imageSize": "image_size"}
_SEARCHES = {
    "webSearch": "web_search=types.WebSearch()",
    "imageSearch": "image_search=types.ImageSearch()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSending:
    """The call that would shorten the prompt first."""

    payload: dict[str, Any]
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would happen, without doing it."""

    decision: Decision
    payload: dict[str, Any]
    """The JSON body; picture data is shown as {size, digest}."""
    endpoint: str
    sdk_call: str
    """Python of google-genai that sends the same; `reference_1` and `history` stand for the pictures."""
    text_call: TextSending | None = None
    """None where the prompt is not shortened first."""


def explain(decision: Decision, root: str) -> Explanation:
    """The first choice spelled out. `root` is the base URL with the API version."""
    text_call = _text_call(decision, root)
    call = call_for(decision.request, _with_stand_in(decision) if text_call else decision.head)
    body = BODIES[call.model.dialect]
    payload = body.request_body(call)
    return Explanation(
        decision=decision,
        payload=gemini_body.elided(payload),
        endpoint=f"POST {root}/models/{call.model.id}:{body.method}",
        sdk_call=_sdk_call(call, payload),
        text_call=text_call,
    )


def _text_call(decision: Decision, root: str) -> TextSending | None:
    step = decision.compression
    if step is None or step.skipped:
        return None
    from image_router.core.text_calls import call_of  # few prompts are shortened

    call = call_of(step, decision.request.prompt)
    return TextSending(
        payload=text_wire.request_body(call),
        endpoint=f"POST {root}/models/{call.model.id}:{gemini_body.METHOD}",
    )


def _with_stand_in(decision: Decision) -> Candidate:
    """Nobody knows the shortened prompt yet: what it will be stands in its place."""
    step, head = decision.compression, decision.head
    length = f"about {step.target:,} tokens" if step else "its target"
    return replace(head, prompt=head.prompt or f"<the prompt, shortened to {length}>")


def _sdk_call(call: Call, payload: dict[str, Any]) -> str:
    if call.model.dialect is Dialect.PREDICT:
        return (
            f"# google-genai refuses generate_images on the Gemini API since 2.20: POST the payload to\n"
            f"# models/{call.model.id}:predict"
        )
    pictures = "".join(f"reference_{i}, " for i in range(1, len(call.request.references) + 1))
    history = "*history, " if call.request.conversation else ""
    words = payload["contents"][-1]["parts"][-1]["text"]
    return (
        f"client.models.generate_content(\n"
        f"    model={call.model.id!r},\n"
        f"    contents=[{history}{pictures}{words!r}],\n"
        f"    config=types.GenerateContentConfig({', '.join(_config(payload))}),\n"
        f")"
    )


def _config(payload: dict[str, Any]) -> Iterator[str]:
    sent = payload["generationConfig"]
    yield f"response_modalities={sent['responseModalities']!r}"
    if image := sent.get("imageConfig"):
        fields = ", ".join(f"{_FIELDS[key]}={value!r}" for key, value in image.items())
        yield f"image_config=types.ImageConfig({fields})"
    if thinking := sent.get("thinkingConfig"):
        level = [f"thinking_level={thinking['thinkingLevel']!r}"] if "thinkingLevel" in thinking else []
        drafts = ["include_thoughts=True"] if "includeThoughts" in thinking else []
        yield f"thinking_config=types.ThinkingConfig({', '.join(level + drafts)})"
    if "seed" in sent:
        yield f"seed={sent['seed']}"
    if "maxOutputTokens" in sent:
        yield f"max_output_tokens={sent['maxOutputTokens']}"
    if instruction := payload.get("systemInstruction"):
        yield f"system_instruction={instruction['parts'][0]['text']!r}"
    for tool in payload.get("tools", ()):
        searches = ", ".join(_SEARCHES[kind] for kind in tool["googleSearch"].get("searchTypes", ()))
        types = f"search_types=types.SearchTypes({searches})" if searches else ""
        yield f"tools=[types.Tool(google_search=types.GoogleSearch({types}))]"
    if settings := payload.get("safetySettings"):
        shown = ", ".join(
            f"types.SafetySetting(category={each['category']!r}, threshold={each['threshold']!r})"
            for each in settings
        )
        yield f"safety_settings=[{shown}]"
