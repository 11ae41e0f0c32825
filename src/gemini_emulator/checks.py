"""The rules a generateContent body must keep, in the provider's words. Every breach is an ApiError 400."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gemini_emulator.errors import Json, invalid
from gemini_emulator.text_models import TextModel
from gemini_emulator.world import Model

ALL_RATIOS = (
    "1:1",
    "1:4",
    "1:8",
    "2:3",
    "3:2",
    "3:4",
    "4:1",
    "4:3",
    "4:5",
    "5:4",
    "8:1",
    "9:16",
    "16:9",
    "21:9",
)
# accepted spellings, in the order of the provider's own message
_SIZES: Mapping[str, str] = {"1K": "1K", "2K": "2K", "4K": "4K", "512": "512", "512P": "512", "512PX": "512"}
_ENUM_NUMBERS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
_TEENS: Mapping[str, str] = {"16": "SIXTEEN", "21": "TWENTY_ONE"}
_SIZE_ENUMS: Mapping[str, str] = {"FIVE_TWELVE": "512", "ONE_K": "1K", "TWO_K": "2K", "FOUR_K": "4K"}
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
_OTHER_TYPES = frozenset({"application/pdf", "text/plain"})
_MODALITIES = frozenset({"TEXT", "IMAGE", "AUDIO", "MODALITY_UNSPECIFIED"})
_HARMS = frozenset(
    f"HARM_CATEGORY_{name}"
    for name in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")
)
_LEVELS = frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH"})
_TEXT_TYPES = frozenset({"text/plain"})
_STRUCTURED_TYPES = frozenset({"application/json", "application/xml", "application/yaml", "text/x.enum"})
_ENUM_HOME = "type.googleapis.com/google.ai.generativelanguage.v1beta"


def check_request(body: Json, model: Model, *, vertex: bool = False) -> None:
    """Everything that can be judged without opening a picture or counting tokens."""
    config: Json = body.get("generationConfig", {})
    _check_contents(body, model)
    _check_modalities(config, model)
    _check_image_config(image_config(config), model)
    _check_thinking(config.get("thinkingConfig", {}), model)
    _check_generation(config, model)
    _check_tools(body, model)
    _check_safety(body, vertex=vertex)
    if body.get("serviceTier", "standard").lower().removeprefix("service_tier_") not in {
        "standard",
        "unspecified",
    }:
        # wording assumed: the docs only say that no image model has the flex or priority tier
        raise invalid(f"Service tier {body['serviceTier']} is not supported for this model.")
    if "systemInstruction" in body and not model.system_instruction:
        raise invalid(f"Developer instruction is not enabled for models/{model.id}")


def check_text_request(body: Json, model: TextModel, *, vertex: bool = False) -> None:
    """The same for a model that answers in words."""
    config: Json = body.get("generationConfig", {})
    _check_contents(body, model)
    wanted = {name.upper() for name in config.get("responseModalities", ())}
    if wanted - {"TEXT"}:
        raise invalid(
            f"The requested combination of response modalities ({', '.join(sorted(wanted))}) is not "
            f"supported by the model. models/{model.id} accepts the following combination of response "
            "modalities:\n* TEXT\n"
        )
    _check_thinking(config.get("thinkingConfig", {}), model)
    _check_generation(config, model)
    _check_safety(body, vertex=vertex)


def image_config(config: Mapping[str, Any]) -> Json:
    """imageConfig, or the same thing under responseFormat.image, enum names turned into plain ones."""
    found: Json = dict(config.get("imageConfig") or config.get("responseFormat", {}).get("image") or {})
    ratio, size = found.get("aspectRatio", ""), found.get("imageSize", "")
    if ratio.startswith("ASPECT_RATIO_"):
        found["aspectRatio"] = _RATIO_ENUMS.get(ratio.removeprefix("ASPECT_RATIO_"), ratio)
    if size.startswith("IMAGE_SIZE_"):
        found["imageSize"] = _SIZE_ENUMS.get(size.removeprefix("IMAGE_SIZE_"), size)
    return found


def size_name(spelling: str) -> str:
    """`512`, `1K`, `2K` or `4K` of an accepted spelling."""
    return _SIZES[spelling]


def _spelt(number: str) -> str:
    return _TEENS.get(number) or _ENUM_NUMBERS[int(number)]


_RATIO_ENUMS = {"_BY_".join(_spelt(side) for side in ratio.split(":")): ratio for ratio in ALL_RATIOS}


def _check_contents(body: Json, model: Model | TextModel) -> None:
    contents = body.get("contents")
    if not contents:
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")
    for position, content in enumerate(contents):
        if content.get("role", "user") not in {"user", "model", "function"}:
            raise invalid("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise invalid(
                f"* GenerateContentRequest.contents[{position}].parts: contents.parts must not be empty.\n"
            )
        for index, part in enumerate(content["parts"]):
            _check_part(part, f"contents[{position}].parts[{index}]", model)


def _check_part(part: Json, path: str, model: Model | TextModel) -> None:
    if not part.keys() & {"text", "inlineData", "fileData", "functionCall", "functionResponse"}:
        raise invalid(
            f"* GenerateContentRequest.{path}.data: required oneof field 'data' must have one initialized "
            "field\n"
        )
    if "inlineData" not in part:
        return
    kind = part["inlineData"].get("mimeType", "")
    if kind in _IMAGE_TYPES or kind in _OTHER_TYPES or (model.video_input and kind.startswith("video/")):
        return
    raise invalid(
        f"* GenerateContentRequest.{path}.inline_data.mime_type: MIME type must be image/png, image/jpeg, "
        "image/webp, image/heic, or image/heif.\n"
    )


def _check_modalities(config: Json, model: Model) -> None:
    wanted = config.get("responseModalities", [])
    for index, name in enumerate(wanted):
        if name.upper() not in _MODALITIES:
            raise invalid(
                f"Invalid value at 'generation_config.response_modalities[{index}]' "
                f'({_ENUM_HOME}.GenerationConfig.Modality), "{name}"'
            )
    names = {name.upper() for name in wanted}
    if wanted and ("IMAGE" not in names or "AUDIO" in names):
        raise invalid(
            f"The requested combination of response modalities ({', '.join(sorted(names))}) is not supported "
            f"by the model. models/{model.id} accepts the following combination of response modalities:\n"
            "* IMAGE\n* IMAGE, TEXT\n"
        )


def _check_image_config(image: Json, model: Model) -> None:
    ratio, size = image.get("aspectRatio"), image.get("imageSize")
    where = "* GenerateContentRequest.generation_config.image_config"
    if ratio is not None and ratio not in ALL_RATIOS:
        listed = ", ".join(f"'{known}'" for known in ALL_RATIOS[:-1])
        raise invalid(f"{where}.aspect_ratio: aspect_ratio must be one of {listed} or '{ALL_RATIOS[-1]}'.\n")
    if ratio is not None and ratio not in model.ratios:
        raise invalid(f"Aspect ratio {ratio} is not supported for this model")
    if size is None:
        return
    if not model.image_size_field:
        # wording assumed, after "Aspect ratio is not enabled for this model"
        raise invalid("Image size is not enabled for this model")
    if size not in _SIZES:
        listed = ", ".join(f"'{known}'" for known in _SIZES)
        raise invalid(f"{where}.image_size: image_size must be one of {listed}.\n")
    if _SIZES[size] not in model.sizes:
        raise invalid(f"Image size {size} is not supported for this model")


def _check_thinking(thinking: Json, model: Model | TextModel) -> None:
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    if level is not None and budget is not None:
        raise invalid("You can only set only one of thinking budget and thinking level.")
    if thinking.get("includeThoughts") and not model.thinks:
        raise invalid("Thinking_config.include_thoughts is only enabled when thinking is enabled.")
    if budget is not None:
        raise invalid("Thinking budget is not supported for this model.")
    if level is None or level == "THINKING_LEVEL_UNSPECIFIED":
        return
    if level.upper() not in _LEVELS:
        raise invalid(
            f"Invalid value at 'generation_config.thinking_config.thinking_level' "
            f'({_ENUM_HOME}.ThinkingConfig.ThinkingLevel), "{level}"'
        )
    if level.lower() not in model.thinking_levels:
        raise invalid(
            f"Thinking level {level.upper()} is not supported for this model. Please retry with other "
            "thinking level."
        )


def _check_generation(config: Json, model: Model | TextModel) -> None:
    if config.get("candidateCount", 1) > 1:
        raise invalid("Multiple candidates is not enabled for this model")
    if "mediaResolution" in config and not model.media_resolution:
        raise invalid(f"Media resolution is not enabled for models/{model.id}")
    if config.get("maxOutputTokens", 1) < 1:
        raise invalid("max_output_tokens must be positive.")
    kind = config.get("responseMimeType", "text/plain")
    if kind not in _TEXT_TYPES | _STRUCTURED_TYPES:
        raise invalid(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are "
            "`text/plain`, `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.\n"
        )
    if kind in _STRUCTURED_TYPES and not model.json_mode:
        raise invalid(f"JSON mode is not enabled for models/{model.id}")


def _check_tools(body: Json, model: Model) -> None:
    for tool in body.get("tools", ()):
        if "functionDeclarations" in tool:
            raise invalid(f"Function calling is not enabled for models/{model.id}")
        if "googleSearch" in tool and not model.grounding:
            raise invalid(f"Search as tool is not enabled for models/{model.id}")
        kinds = (tool.get("googleSearch") or {}).get("searchTypes") or {}
        if "imageSearch" in kinds and "image" not in model.grounding:
            # wording assumed
            raise invalid(f"Image search is not enabled for models/{model.id}")


def _check_safety(body: Json, *, vertex: bool) -> None:
    """The usual categories everywhere; HARM_CATEGORY_IMAGE_... in the enterprise service alone."""
    for index, setting in enumerate(body.get("safetySettings", ())):
        category = setting.get("category", "")
        if category not in _HARMS and not (vertex and category.startswith("HARM_CATEGORY_IMAGE_")):
            raise invalid(
                f"Invalid value at 'safety_settings[{index}].category' ({_ENUM_HOME}.HarmCategory), "
                f'"{category}"'
            )
