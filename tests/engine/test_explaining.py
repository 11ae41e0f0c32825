"""What explain shows is what is sent, and its Python is Python."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from desk import ARTICLE, TODAY, conversation, png, reference, router, world
from image_router.core.routing import decide
from image_router.core.types import Grounding, ImageRequest
from image_router.engine.explaining import Explanation, explain
from image_router.providers import gemini_body
from image_router.providers.wires import WIRES

ROOT = "https://host/v1beta"
RICH: dict[str, Any] = {
    "purpose": "contextual_edit", "size": "2K", "aspect": "16:9", "thinking": "high", "seed": 7,
    "system_instruction": 'only "pencil"\n', "grounding": ["web", "image"],
    "safety": {"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE", "HARM_CATEGORY_HATE_SPEECH": "BLOCK_ONLY_HIGH"},
    "references": [png(), png(colour=1)], "text": "SALE",
}  # fmt: skip


@pytest.mark.parametrize("day", [ARTICLE, TODAY])
@pytest.mark.parametrize(
    "fields",
    [
        {}, {"purpose": "draft"}, {"purpose": "final_hero", "text": "SALE", "aspect": "3:4"}, {"n": 3},
        {"references": [png()]},
        {"tier": "nano_banana", "system_instruction": "s", "allow": "fold_system_instruction"},
        {"tier": "nano_banana_pro", "conversation": conversation("gemini-3.1-flash-image")},
    ],
)  # fmt: skip
async def test_the_payload_is_what_is_sent(fields: dict[str, Any], day: Any) -> None:
    """The payload and endpoint shown are those of the call that generate really makes."""
    shop, provider, _ = router(day=day)
    explanation = await shop.explain("a fox", **fields)
    await shop.generate("a fox", **fields)
    call = provider.calls[0]
    wire = WIRES[call.model.dialect]
    assert explanation.payload == gemini_body.elided(wire.request_body(call))
    assert explanation.endpoint.endswith(f"/v1beta/models/{call.model.id}:{wire.method}")


async def test_pictures_are_elided() -> None:
    """References and signatures show as size and digest; no picture data stands in the payload."""
    shop, _, _ = router()
    talk = conversation("gemini-nano-banana-2.1")
    explanation = await shop.explain("x", purpose="contextual_edit", references=[png()], conversation=talk)
    _, answer, asked = explanation.payload["contents"]
    digest = hashlib.sha256(png()).hexdigest()
    assert asked["parts"][0]["inlineData"] == {
        "mimeType": "image/png", "data": {"size": len(png()), "digest": digest},
    }  # fmt: skip
    signature = b"signature-0"
    assert answer["parts"][0]["thoughtSignature"] == {
        "size": len(signature), "digest": hashlib.sha256(signature).hexdigest(),
    }  # fmt: skip


def of(day: Any = TODAY, **fields: Any) -> Explanation:
    return explain(decide(ImageRequest(prompt="a fox", **fields), world(day)), ROOT)


def test_imagen_has_no_sdk_call() -> None:
    """For Imagen the SDK has no call any more; the explanation says so and names the endpoint."""
    shown = of(ARTICLE, purpose="draft")
    assert shown.endpoint == f"POST {ROOT}/models/imagen-4.0-fast-generate-001:predict"
    assert "since 2.20" in shown.sdk_call
    assert "imagen-4.0-fast-generate-001:predict" in shown.sdk_call


class Sent(Exception):
    """Raised instead of sending; holds the path and the body."""


def body_of(shown: Explanation, **names: Any) -> tuple[str, dict[str, Any]]:
    """What google-genai would post for the Python shown."""
    from google import genai
    from google.genai import types

    def capture(method: str, path: str, body: dict[str, Any], *_: Any) -> None:
        raise Sent(path, json.loads(json.dumps(body, default=str)))

    client = genai.Client(api_key="none")
    client._api_client.request = capture  # type: ignore[method-assign,assignment]
    with pytest.raises(Sent) as caught:
        eval(shown.sdk_call, {"client": client, "types": types, **names})
    client.close()
    path, body = caught.value.args
    return path, body


@pytest.mark.parametrize(
    "fields", [{}, RICH, {**RICH, "grounding": "web"}, {"purpose": "final_hero", "size": "4K"}]
)
async def test_the_sdk_call_sends_the_same(fields: dict[str, Any]) -> None:
    """The Python shown makes google-genai post the very payload to the very method."""
    from google.genai import types

    shop, _, _ = router()
    shown = await shop.explain("a 'fox'", **fields)
    pictures = {
        f"reference_{place}": types.Part.from_bytes(data=data, mime_type="image/png")
        for place, data in enumerate(fields.get("references", ()), 1)
    }
    path, body = body_of(shown, **pictures)
    assert shown.endpoint.endswith(path)
    sent = spelled_alike(body)
    sent.get("systemInstruction", {}).pop("role", None)  # the SDK names a role where none counts
    assert gemini_body.elided(sent) == shown.payload


def spelled_alike(value: Any) -> Any:
    """The API reads camelCase and snake_case, and both base64 alphabets; the SDK mixes them."""
    if isinstance(value, list):
        return [spelled_alike(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: spelled_alike(item) for key, item in value.items() if not key.startswith("_")}
    if isinstance(plain.get("data"), str):
        plain["data"] = plain["data"].replace("-", "+").replace("_", "/")
    return {re.sub("_([a-z])", lambda match: match[1].upper(), key): item for key, item in plain.items()}


def test_history_stands_before_the_new_words() -> None:
    """A continued conversation appears as history, then the references, then the words."""
    talk = conversation("gemini-nano-banana-2.1")
    shown = of(purpose="contextual_edit", conversation=talk, references=(reference(),))
    assert "contents=[*history, reference_1, 'a fox']" in shown.sdk_call


def test_grounding_by_image_names_both_searches() -> None:
    """Image search is asked for by name, in the payload and in the Python alike."""
    shown = of(purpose="contextual_edit", grounding=(Grounding.IMAGE,))
    assert shown.payload["tools"] == [{"googleSearch": {"searchTypes": {"imageSearch": {}}}}]
    assert "image_search=types.ImageSearch()" in shown.sdk_call
