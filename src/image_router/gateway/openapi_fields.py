"""The fields of a request in our own words, as JSON Schemas."""

from __future__ import annotations

from typing import Any, Final

from image_router.core.types import (
    MAX_IMAGES,
    THRESHOLDS,
    Adaptation,
    AspectRatio,
    Grounding,
    Lane,
    PersonGeneration,
    Purpose,
    Quality,
    ReferenceRole,
    RetiredPolicy,
    Size,
    ThinkingLevel,
    Tier,
)
from image_router.gateway.openapi_words import Json, by_name, many, number, obj, one_of, text, whole, yes_no

USD: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?$", "description": "Exact US dollars."}
DOLLARS: Final = {
    "anyOf": [text(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$"), number(minimum=0, maximum=1_000_000_000)],
    "description": "US dollars, exact as text.",
}
SCOPE: Final = text(
    "organisation/project/key, of up to eight names",
    pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+:-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._@+:-]{0,63}){0,7}$",
)
MOMENT: Final = text(format="date-time")
DAY: Final = text(format="date")
PROGRESS: Final = obj(images=whole(), done=whole(), failed=whole())
TROUBLE: Final = obj(code=text(), message=text(), status=whole())
"""Why something that is done later did not come."""
PERCENT: Final = whole(minimum=1, maximum=100)

REFERENCE: Final = {
    "anyOf": [
        text("An https address, or a data: URI."),
        obj(
            need=("image_url",),
            image_url=text("An https address, or a data: URI."),
            role=one_of(ReferenceRole),
        ),
        obj(need=("file_id",), file_id=text("Id of a kept picture."), role=one_of(ReferenceRole)),
        obj(need=("b64_json",), b64_json=text(contentEncoding="base64"), role=one_of(ReferenceRole)),
    ]
}
"""A picture that goes in."""

FIELDS: Final[Json] = {
    "prompt": text("What the picture shall show.", minLength=1),
    "purpose": one_of(Purpose, "What it is for; decides the tier."),
    "text": text("Words to letter into the picture, exactly.", minLength=1),
    "text_heavy": yes_no("Much lettering, which the prompt describes."),
    "references": many(REFERENCE, "Pictures that go in.", maxItems=16),
    "previous": text("Id of a kept picture: the request goes on in the conversation that made it."),
    "size": one_of(Size),
    "aspect": one_of(AspectRatio, "Width to height; left out, the model chooses."),
    "n": whole("How many pictures.", minimum=1, maximum=MAX_IMAGES),
    "lane": one_of(Lane),
    "tier": one_of(Tier, "Only this role."),
    "model": text("Only this model id."),
    "retired": one_of(RetiredPolicy, "What a retired model id gets: a refusal, or its successor."),
    "max_cost": {**DOLLARS, "description": "The most one picture may be expected to cost."},
    "max_total": {**DOLLARS, "description": "The most the request may be expected to cost."},
    "quality_floor": one_of(Quality, "Never below."),
    "identity_locked": yes_no("The same character must come out."),
    "thinking": one_of(ThinkingLevel),
    "seed": whole(minimum=-(2**31), maximum=2**31 - 1),
    "safety": {
        **by_name(one_of(THRESHOLDS), "Category → threshold, in Gemini's spelling."),
        "propertyNames": {"pattern": "^HARM_CATEGORY_[A-Z_]+$"},
    },
    "person_generation": one_of(PersonGeneration),
    "system_instruction": text(),
    "grounding": many(one_of(Grounding), "Search tools; each search is billed."),
    "drafts": yes_no("Whether the pictures drawn while thinking are wanted too; free."),
    "language": text("BCP 47 code of the prompt."),
    "allow": many(one_of(Adaptation), "Deliberate changes that are allowed; each one made is reported."),
    "compress": {
        "anyOf": [one_of(("auto", "off")), whole(minimum=16, maximum=100_000)],
        "description": "Whether a long prompt is shortened first, and to how many tokens.",
    },
    "deadline": number("Seconds for the whole request.", exclusiveMinimum=0, exclusiveMaximum=86_400),
    "scope": {**SCOPE, "description": "Who pays: the key's scope, or one below it."},
    "key": text("Idempotency key, like the header.", minLength=1, maxLength=255),
    "profile": text("Name of the policy that decides."),
}
"""Fields of a request in our own words: the library's names."""


def asking(**others: Any) -> Json:
    """The body of a request, with further fields."""
    return obj("A request in the library's own words.", need=("prompt",), **FIELDS, **others)
