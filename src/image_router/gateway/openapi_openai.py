"""What is told of OpenAI's Images API as it is served here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from image_router.core.types import AspectRatio, Size
from image_router.gateway.openai_asks import OWN, PURPOSE_OF
from image_router.gateway.openapi_fields import FIELDS, REFERENCE
from image_router.gateway.openapi_params import A_THING, IDEMPOTENCY, IMAGE_HEADERS, PREFER, SPENDING
from image_router.gateway.openapi_words import (
    JSON,
    Answer,
    Body,
    Group,
    Json,
    Operation,
    Param,
    many,
    maybe,
    obj,
    ok,
    one_of,
    ref,
    text,
    whole,
    yes_no,
)

_SAME: Final = ("prompt", "n", "references", "profile", "scope", *sorted(OWN))
"""Fields that are called as the library calls them."""
_MODEL: Final = text("auto, a tier, a purpose as auto:hero, or a model id.", default="auto")
OPENAI_FIELDS: Final[Json] = {
    **{name: FIELDS[name] for name in _SAME},
    "model": _MODEL,
    "quality": one_of(PURPOSE_OF, "Becomes a purpose."),
    "size": {
        "anyOf": [one_of(("auto", *Size)), text(pattern="^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$")],
        "description": "WxH is mapped to the nearest shape that is made, and reported.",
    },
    "aspect_ratio": one_of(("auto", *AspectRatio)),
    "resolution": one_of(("auto", *Size)),
    "response_format": one_of(("b64_json", "url")),
    "output_format": one_of(("png", "jpeg", "webp"), "Converted only when asked."),
    "output_compression": whole(minimum=0, maximum=100),
    "background": one_of(("auto", "opaque")),
    "moderation": one_of(("auto", "low")),
    "stream": yes_no("Server-sent events of OpenAI's names."),
    "partial_images": whole(minimum=0, maximum=3),
    "explain": yes_no("Decide and quote only; data is empty."),
    "cache": one_of(("use", "refresh", "bypass")),
    "user": text("Ignored, and reported so."),
    "safety_identifier": text("Ignored, and reported so."),
    "input_fidelity": one_of(("low", "high"), "Ignored, and reported so."),
}
PICTURES: Final = {"image": many(REFERENCE, maxItems=16), "images": many(REFERENCE, maxItems=16)}
_FORM: Final = obj(
    need=("image", "prompt"),
    image={"anyOf": [_upload := {"type": "string", "format": "binary"}, many(_upload, maxItems=16)]},
    **{name: OPENAI_FIELDS[name] for name in ("prompt", "model", "size", "quality", "response_format")},
)
_DATA: Final = many(obj(need=(), b64_json=text(contentEncoding="base64"), url=text(format="uri")))
_USAGE: Final = obj(
    input_tokens=whole(),
    input_tokens_details=obj(text_tokens=whole(), image_tokens=whole()),
    output_tokens=whole(),
    output_tokens_details=obj(image_tokens=whole(), text_tokens=whole()),
    total_tokens=whole(),
)
SCHEMAS: Final[Json] = {
    "OpenAIRequest": obj(need=("prompt",), **OPENAI_FIELDS),
    "OpenAIEdit": obj(need=("image", "prompt"), **OPENAI_FIELDS, **PICTURES),
    "OpenAIImages": obj(
        "OpenAI's answer; what is ours stands in `image_router`.",
        need=("created", "data", "image_router"),
        created=whole(),
        data=_DATA,
        background=text(),
        output_format=text(),
        quality=text(),
        size=text(),
        usage=_USAGE,
        image_router={"type": "object", "description": "A Result, or an Explanation."},
    ),
    "OpenAIModel": obj(
        need=("id", "object", "created", "owned_by"),
        id=text(),
        object=one_of(("model",)),
        created=whole(),
        owned_by=text(),
        shutdown_date=maybe(text(format="date")),
    ),
    "GeminiModel": obj(
        need=("name", "version", "displayName", "description", "supportedGenerationMethods"),
        name=text(),
        version=text(),
        displayName=text(),
        description=text(),
        inputTokenLimit=whole(),
        outputTokenLimit=whole(),
        supportedGenerationMethods=many(text()),
    ),
    "OpenAIModels": obj(object=one_of(("list",)), data=many(ref("OpenAIModel"))),
    "GeminiModels": obj(need=("models",), models=many(ref("GeminiModel")), nextPageToken=text()),
}
_FOX: Final[dict[str, Any]] = {"prompt": "a red fox", "model": "auto", "size": "1536x1024"}
_ANSWERS: Final = {
    200: Answer(
        about="The pictures; with stream=true events named image_generation.* or image_edit.*",
        content={JSON: ref("OpenAIImages"), "text/event-stream": {}},
        headers=IMAGE_HEADERS,
    ),
    202: Answer(
        about="With Prefer: respond-async a job.",
        content={JSON: ref("Job")},
        headers={"location": "The job's address."},
    ),
}
_BOTH: Final = "OpenAI's shape, or Google's for a caller who shows the key as Google's clients do."

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/images/generations"): Operation(
        id="openaiGenerate",
        group=Group.OPENAI,
        summary="Generate images",
        about="OpenAI's images.generate. Our own fields are taken beside OpenAI's.",
        params=(IDEMPOTENCY, PREFER),
        body=Body(
            content={JSON: ref("OpenAIRequest")},
            examples={
                "fox": _FOX,
                "purpose": {"prompt": "a red fox", "model": "auto:hero", "max_cost": "0.1"},
            },
        ),
        answers=_ANSWERS,
        risks=SPENDING,
    ),
    ("POST", "/v1/images/edits"): Operation(
        id="openaiEdit",
        group=Group.OPENAI,
        summary="Edit images",
        about="OpenAI's images.edit: uploads as `image` or `image[]`, or references as JSON. A mask is "
        "refused: no model takes one.",
        params=(IDEMPOTENCY, PREFER),
        body=Body(
            content={JSON: ref("OpenAIEdit"), "multipart/form-data": _FORM},
            examples={"rain": {"prompt": "make it rain", "image": ["https://example.org/fox.png"]}},
        ),
        answers=_ANSWERS,
        risks=SPENDING,
    ),
    ("GET", "/v1/models"): Operation(
        id="openaiModels",
        group=Group.OPENAI,
        summary="List models",
        about=f"auto, purposes, tiers, then every model that is alive. {_BOTH}",
        params=(
            Param(name="pageSize", about="Google's callers.", schema=whole(minimum=1, maximum=1000)),
            Param(name="pageToken", about="Google's callers."),
        ),
        answers=ok("The models.", {"anyOf": [ref("OpenAIModels"), ref("GeminiModels")]}),
    ),
    ("GET", "/v1/models/{name}"): Operation(
        id="openaiModel",
        group=Group.OPENAI,
        summary="One model",
        about=_BOTH,
        params=(Param(name="name", where="path", about="As listed.", example="auto"),),
        answers=ok("The model.", {"anyOf": [ref("OpenAIModel"), ref("GeminiModel")]}),
        risks=A_THING,
    ),
}
