"""A decision with exactly what would be sent: endpoint, payload, and the SDK call it corresponds to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from image_router.core.adapting import adapted
from image_router.core.decision import Decision
from image_router.core.rates import max_output_tokens
from image_router.core.types import Dialect
from image_router.providers import gemini_wire, imagen_wire
from image_router.providers.base import Call

_WIRES: dict[Dialect, ModuleType] = {
    Dialect.GENERATE_CONTENT: gemini_wire,
    Dialect.PREDICT: imagen_wire,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would happen, without doing it."""

    decision: Decision
    payload: dict[str, Any]
    """The JSON body; picture data is shown as {size, digest}."""
    endpoint: str
    sdk_call: str


def explain(decision: Decision, root: str) -> Explanation:
    """The first choice spelled out. `root` is the base URL with the API version."""
    head = decision.head
    call = Call(
        request=adapted(decision.request, head),
        model=head.model,
        parameters=head.parameters,
        max_output_tokens=max_output_tokens(head.model, head.parameters),
        lane=decision.request.lane,
    )
    wire = _WIRES[head.model.dialect]
    payload: dict[str, Any] = wire.request_body(call)
    return Explanation(
        decision=decision,
        payload=gemini_wire.elided(payload),
        endpoint=f"POST {root}/models/{head.model.id}:{wire.METHOD}",
        sdk_call=_sdk_call(call, payload),
    )


def _sdk_call(call: Call, payload: dict[str, Any]) -> str:
    """Python of google-genai that sends the same; Imagen has none since google-genai 2.20."""
    if call.model.dialect is Dialect.PREDICT:
        return (
            f"# google-genai refuses generate_images on the Gemini API since 2.20: POST the payload to\n"
            f"# models/{call.model.id}:predict"
        )
    config = ", ".join(_config(call, payload["generationConfig"]))
    pictures = "".join(f"reference_{i}, " for i in range(1, len(call.request.references) + 1))
    history = "*history, " if call.request.conversation else ""
    words = payload["contents"][-1]["parts"][-1]["text"]
    return (
        f"client.models.generate_content(\n"
        f"    model={call.model.id!r},\n"
        f"    contents=[{history}{pictures}{words!r}],\n"
        f"    config=types.GenerateContentConfig({config}),\n"
        f")"
    )


def _config(call: Call, sent: dict[str, Any]) -> Iterator[str]:
    yield f"response_modalities={sent['responseModalities']!r}"
    if image := sent.get("imageConfig"):
        names = {"aspectRatio": "aspect_ratio", "imageSize": "image_size"}
        fields = ", ".join(f"{names[key]}={value!r}" for key, value in image.items())
        yield f"image_config=types.ImageConfig({fields})"
    if thinking := sent.get("thinkingConfig"):
        yield f"thinking_config=types.ThinkingConfig(thinking_level={thinking['thinkingLevel']!r})"
    if "seed" in sent:
        yield f"seed={sent['seed']}"
    if "maxOutputTokens" in sent:
        yield f"max_output_tokens={sent['maxOutputTokens']}"
    if call.request.system_instruction:
        yield f"system_instruction={call.request.system_instruction!r}"
    if call.request.grounding:
        yield "tools=[types.Tool(google_search=types.GoogleSearch())]"
    if call.request.safety:
        settings = ", ".join(
            f"types.SafetySetting(category={s.category!r}, threshold={s.threshold!r})"
            for s in call.request.safety
        )
        yield f"safety_settings=[{settings}]"
