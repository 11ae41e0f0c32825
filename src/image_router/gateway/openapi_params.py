"""Parameters that several operations have, and what may go wrong with kinds of them."""

from __future__ import annotations

from typing import Final

from image_router.gateway.openapi_fields import DAY, SCOPE
from image_router.gateway.openapi_words import (
    JSON,
    Answer,
    Param,
    Risk,
    many,
    obj,
    ok,
    one_of,
    ref,
    text,
    whole,
    yes_no,
)

DECIDING: Final = frozenset({Risk.BODY, Risk.THING, Risk.DECIDING})
SPENDING: Final = frozenset({*Risk} - {Risk.LINKED})
A_THING: Final = frozenset({Risk.THING})
A_CHANGE: Final = frozenset({Risk.BODY, Risk.THING})
ITS_BYTES: Final = frozenset({Risk.THING, Risk.BYTES})

IDEMPOTENCY: Final = Param(
    name="Idempotency-Key",
    where="header",
    about="The same key and body again: the stored answer, free of charge. Another body: 422.",
    schema=text(minLength=1, maxLength=255, pattern="^[ -~]+$"),
    example="order-4711",
)
PREFER: Final = Param(
    name="Prefer",
    where="header",
    about="`wait=30`: wait so many seconds for another request at the same key, or for a job's end. "
    "`respond-async`, where the answer 202 is documented: answer with a job.",
    schema=text(pattern="^(wait=[0-9]{1,2}|respond-async)$"),
    example="wait=30",
)
OF_SCOPE: Final = Param(name="scope", about="This scope and all below it.", schema=SCOPE, example="acme/shop")
PICTURE_ID: Final = Param(name="id", where="path", about="Id of the picture.", example="req_1c0ffee.0")
KEY_ID: Final = Param(
    name="id", where="path", about="Id of the key.", schema=text(minLength=1), example="k7f2m4qa"
)
BUDGET_SCOPE: Final = Param(
    name="scope",
    where="path",
    about="Its slashes as %2F or as they are.",
    schema=SCOPE,
    example="acme",
)
DAYS: Final = (
    Param(name="from", about="First day that counts.", schema=DAY, example="2026-11-01"),
    Param(name="to", about="Last day that counts.", schema=DAY),
    Param(name="zone", about="Whose days.", schema=text(default="UTC"), example="Europe/Berlin"),
)
AFTER: Final = Param(name="after", about="Id of the last one seen.")
UNLESS: Final = Param(
    name="If-None-Match", where="header", about="ETag of what you have: 304 if it is still that."
)
FORMAT: Final = Param(name="format", about="Also by the Accept header.", schema=one_of(("json", "csv")))
IMAGE_HEADERS: Final = {
    "x-image-router-request": "Id of the request.",
    "x-image-router-tier": "Tier of the first picture.",
    "x-image-router-model": "Model of the first picture.",
    "x-image-router-quote-usd": "What was expected.",
    "x-image-router-cost-usd": "What it cost.",
    "x-image-router-attempts": "Calls to the provider.",
    "x-image-router-cache": "hit or miss.",
    "x-image-router-overhead-ms": "Our own time.",
    "x-image-router-failures": "Pictures that did not come.",
    "x-image-router-usage": "Tokens of all calls: input=3; output=1520.",
    "x-image-router-warnings": "What else is to be known; left out where nothing is.",
}


def how_many(default: int, *, most: int) -> Param:
    """The length of a page."""
    return Param(name="limit", about="How many.", schema=whole(minimum=1, maximum=most, default=default))


def page_of(name: str, thing: str) -> dict[int, Answer]:
    """Things in a list under `name`, of a list that may go on."""
    return ok("A page.", obj(**{name: many(ref(thing))}, has_more=yes_no()))


def taken_up(about: str, thing: str, *, address: str) -> dict[int, Answer]:
    """202: it is done later; where to look, and when."""
    told = {"location": address, "retry-after": "Seconds until a look is worth it."}
    return {202: Answer(about=about, content={JSON: ref(thing)}, headers=told)}
