"""Imagen's :predict: its own parameters, pictures counted instead of tokens, no ids and no usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pybase64

from gemini_emulator.asks import Ask
from gemini_emulator.errors import Json, invalid
from gemini_emulator.studio import Studio
from gemini_emulator.usage import prompt_tokens
from gemini_emulator.world import Model

_PERSONS = frozenset({"dont_allow", "allow_adult", "allow_all"})
_LANGUAGES = frozenset({"auto", "en"})
_TYPES = frozenset({"image/png", "image/jpeg"})
# Vertex only; "... is not adjustable" is recorded for enhancePrompt, the others follow it
_VERTEX_ONLY = ("seed", "negativePrompt", "addWatermark", "enhancePrompt", "storageUri")
_ALL_FILTERED = (
    "Unable to show generated images. All images were filtered out because they violated Vertex AI's usage "
    "guidelines. You will not be charged for blocked images. Try rephrasing the prompt. If you think this "
    "was an error, send feedback. Support codes: 29310472"
)
_SOME_FILTERED = (
    "Your current safety filter threshold filtered out {count} generated images. You will not be charged for "
    "blocked images. Try rephrasing the prompt. If you think this was an error, send feedback."
)


def read_predict(body: Json, model: Model, *, vertex: bool = False) -> tuple[Ask, Json]:
    """The request as a value, and its parameters. Raises ApiError 400 as the provider would."""
    prompt = _prompt(body)
    asked: Json = {name: value for name, value in (body.get("parameters") or {}).items() if value is not None}
    _check_parameters(asked, vertex=vertex)
    ratio = asked.get("aspectRatio", "1:1")
    size = str(asked.get("sampleImageSize", asked.get("imageSize", "1K")))
    if ratio not in model.ratios:
        raise invalid(f"Aspect ratio {ratio} is not supported for this model")
    if size not in model.sizes:
        raise invalid(f"Image size {size} is not supported for this model")
    count = asked.get("sampleCount", model.max_images)
    if not isinstance(count, int) or not 1 <= count <= model.max_images:
        raise invalid(f"sampleCount {count} is out of range; supported values are 1 to {model.max_images}.")
    tokens = prompt_tokens([prompt])
    if tokens > model.input_limit:
        raise invalid(
            f"The input token count ({tokens}) exceeds the maximum number of tokens allowed "
            f"({model.input_limit})."
        )
    ask = Ask(
        model=model,
        prompt=prompt,
        prompt_tokens=tokens,
        ratio=ratio,
        size=size,
        seed=asked.get("seed"),
        count=count,
        media_type=asked.get("outputOptions", {}).get("mimeType", model.media_type),
        vertex=vertex,
    )
    return ask, asked


async def predictions(ask: Ask, parameters: Json, *, studio: Studio, filtered: int = 0) -> Json:
    """The answer, `filtered` of its pictures held back."""
    frame = ask.frame
    shown = [await studio.paint(ask, frame, index=index) for index in range(ask.count - filtered)]
    entries: list[Json] = [
        {"mimeType": ask.media_type, "bytesBase64Encoded": pybase64.b64encode(data).decode()}
        for data in shown
    ]
    if filtered:
        reason = _ALL_FILTERED if not shown else _SOME_FILTERED.format(count=filtered)
        entries.append({"raiFilteredReason": reason})
    if parameters.get("includeSafetyAttributes"):
        entries.append(
            {"safetyAttributes": {"categories": [], "scores": []}, "contentType": "Positive Prompt"}
        )
    return {"predictions": entries}


def _prompt(body: Json) -> str:
    instances: Any = body.get("instances")
    first = instances[0] if isinstance(instances, list) and instances else instances
    prompt = first.get("prompt") if isinstance(first, Mapping) else None
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("* PredictRequest.instances: instances[0].prompt is not specified\n")
    return prompt


def _check_parameters(asked: Json, *, vertex: bool) -> None:
    for name in _VERTEX_ONLY if not vertex else ():
        if name in asked:
            raise invalid(f"{name} is not adjustable.")
    if not vertex and str(asked.get("language", "en")).lower() not in _LANGUAGES:
        raise invalid("Setting language is not supported.")
    if not vertex and str(asked.get("safetySetting", "block_low_and_above")).lower() != "block_low_and_above":
        raise invalid("Only block_low_and_above is supported for safetySetting.")
    if str(asked.get("personGeneration", "allow_adult")).lower() not in _PERSONS:
        raise invalid(f"Invalid personGeneration: {asked['personGeneration']}.")
    kind = asked.get("outputOptions", {}).get("mimeType", "image/png")
    if kind not in _TYPES:
        raise invalid(f"Unsupported output mime type: {kind}.")
