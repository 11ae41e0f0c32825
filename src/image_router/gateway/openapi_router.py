"""What is told of our own API's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from image_router.core.types import Purpose, Tier
from image_router.gateway.openapi_fields import MOMENT, asking
from image_router.gateway.openapi_params import (
    A_THING,
    DAYS,
    DECIDING,
    IDEMPOTENCY,
    IMAGE_HEADERS,
    ITS_BYTES,
    OF_SCOPE,
    PICTURE_ID,
    PREFER,
    SPENDING,
    UNLESS,
)
from image_router.gateway.openapi_words import (
    Answer,
    Group,
    Operation,
    Param,
    Risk,
    many,
    obj,
    ok,
    one_of,
    ref,
    sent,
    text,
    whole,
)

_FEEDBACK: Final = ("kept", "rejected", "none")
_YES: Final = {"type": "boolean"}
_PRESSURE: Final = whole("Percent of a budget to assume as used.", minimum=0, maximum=100)
_PICTURE: Final = {"type": "string", "contentMediaType": "application/octet-stream"}
_ETAG: Final = {"etag": "The digest of the bytes."}
_UNCHANGED: Final = Answer(about="It is what you have.", headers=_ETAG)
_HERO: Final = {"prompt": "a red mug on an oak table", "purpose": "hero", "size": "1K", "max_cost": "0.10"}
_COURIER: Final = {"prompt": "Mira, a courier with green hair", "variants": ["on a bike", "at the sea"]}

_MAKING: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/router/v1/images"): Operation(
        id="makeImages",
        group=Group.IMAGES,
        summary="Make pictures",
        about="The request names what the picture is for; the answer has the pictures, their cost, the "
        "decision with its reasons, and what failed.",
        params=(IDEMPOTENCY, PREFER),
        body=sent(
            ref("Request"),
            hero=_HERO,
            edit={"prompt": "now at night", "previous": "req_1c0ffee.0"},
            character={
                "prompt": "Mira on a bike",
                "references": [{"file_id": "req_1c0ffee.0", "role": "character"}],
                "response_format": "url",
            },
        ),
        answers=ok("The pictures.", ref("Result"), headers=IMAGE_HEADERS),
        risks=SPENDING,
    ),
    ("POST", "/router/v1/explain"): Operation(
        id="explain",
        group=Group.DECIDING,
        summary="Explain a decision",
        about="Every candidate with its quote, every dropped tier with its reason, and exactly what would "
        "be sent. Spends nothing.",
        body=sent(asking(pressure=_PRESSURE), hero=_HERO),
        answers=ok("The decision.", ref("Explanation")),
        risks=DECIDING,
    ),
    ("POST", "/router/v1/quote"): Operation(
        id="quote",
        group=Group.DECIDING,
        summary="Quote a request or a chain",
        about="What it costs on its first choice. With `variants`: a character chain as a whole, its "
        "reference included. Spends nothing.",
        body=sent(
            asking(
                pressure=_PRESSURE,
                variants=many(text(minLength=1), "Prompts of a chain.", minItems=1, maxItems=100),
            ),
            one=_HERO,
            chain=_COURIER,
        ),
        answers=ok("The quote, line by line.", ref("Quote")),
        risks=DECIDING,
    ),
    ("GET", "/router/v1/catalog"): Operation(
        id="catalog",
        group=Group.DECIDING,
        summary="Models, tiers and what they take",
        about="A typed descriptor for each parameter of each model: enum, range, boolean or text. A "
        "parameter that is not described is not taken.",
        answers=ok("The catalog of the day.", ref("Catalog")),
    ),
    ("GET", "/router/v1/catalog/{model}"): Operation(
        id="catalogModel",
        group=Group.DECIDING,
        summary="One model",
        params=(Param(name="model", where="path", about="Id or alias.", example="gemini-3-pro-image"),),
        answers=ok("The model.", ref("CatalogModel")),
        risks=A_THING,
    ),
    ("GET", "/router/v1/pricing"): Operation(
        id="pricing",
        group=Group.DECIDING,
        summary="All rates of the day",
        answers=ok("Rates, list prices and what an image is charged.", ref("Pricing")),
    ),
    ("GET", "/llms.txt"): Operation(
        id="llms",
        group=Group.HELP,
        summary="A page for language models",
        answers={200: Answer(about="Plain text.", content={"text/plain": text()})},
    ),
    ("GET", "/router/v1/llms.txt"): Operation(
        id="routerLlms",
        group=Group.HELP,
        summary="The same page, below the router's own API",
        answers={200: Answer(about="Plain text.", content={"text/plain": text()})},
    ),
}

_PICTURES: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/router/v1/assets"): Operation(
        id="listAssets",
        group=Group.PICTURES,
        summary="List kept pictures",
        about="Newest first; every condition must hold.",
        params=(
            OF_SCOPE,
            Param(name="tier", about="Made by this tier.", schema=one_of(Tier)),
            Param(name="model", about="Made by this model."),
            Param(name="purpose", about="Made for it.", schema=one_of(Purpose)),
            Param(name="request_id", about="Made by this request."),
            *DAYS,
            Param(name="min_cost", about="In dollars: it cost at least this.", schema=text()),
            Param(name="max_cost", about="In dollars: it cost at most this.", schema=text()),
            Param(name="feedback", about="What was said of it; none: nothing.", schema=one_of(_FEEDBACK)),
            Param(name="warned", about="Whether its checks on arrival had something to say.", schema=_YES),
            Param(name="limit", about="How many.", schema=whole(minimum=1, maximum=1000, default=50)),
            Param(name="before", about="`next` of the page before.", schema=text(minLength=1)),
        ),
        answers=ok("A page.", obj(assets=many(ref("Asset")), next={"type": ["string", "null"]})),
        risks=A_THING,
    ),
    ("GET", "/router/v1/assets/{id}"): Operation(
        id="showAsset",
        group=Group.PICTURES,
        summary="One picture and its lineage",
        params=(PICTURE_ID,),
        answers=ok("What it is, what it was made from, what was made from it.", ref("AssetWithLineage")),
        risks=A_THING,
    ),
    ("DELETE", "/router/v1/assets/{id}"): Operation(
        id="removeAsset",
        group=Group.PICTURES,
        summary="Remove a picture's bytes",
        about="What is known of it stays. Doing it again changes nothing.",
        params=(PICTURE_ID,),
        answers=ok("What is left.", ref("Asset")),
        risks=A_THING,
    ),
    ("GET", "/router/v1/assets/{id}/content"): Operation(
        id="assetContent",
        group=Group.PICTURES,
        summary="The bytes of a picture",
        about="As they came. With the `expires` and `signature` of a link no key is needed.",
        params=(
            PICTURE_ID,
            Param(name="expires", about="Of a link."),
            Param(name="signature", about="Of a link."),
            UNLESS,
        ),
        answers={
            200: Answer(
                about="The picture.",
                content=dict.fromkeys(("image/png", "image/jpeg", "image/webp"), _PICTURE),
                headers=_ETAG,
            ),
            304: _UNCHANGED,
        },
        risks=ITS_BYTES | {Risk.LINKED},
    ),
    ("GET", "/router/v1/assets/{id}/thumbnail"): Operation(
        id="assetThumbnail",
        group=Group.PICTURES,
        summary="A thumbnail",
        about="At most 320 pixels.",
        params=(PICTURE_ID, UNLESS),
        answers={
            200: Answer(about="The thumbnail.", content={"image/webp": _PICTURE}, headers=_ETAG),
            304: _UNCHANGED,
        },
        risks=ITS_BYTES,
    ),
    ("PUT", "/router/v1/assets/{id}/feedback"): Operation(
        id="judgeAsset",
        group=Group.PICTURES,
        summary="Keep or reject a picture",
        about="The last word counts; null takes it back. Nothing is deleted by it.",
        params=(PICTURE_ID,),
        body=sent(
            obj(verdict={"type": ["string", "null"], "enum": ["kept", "rejected", None]}),
            keep={"verdict": "kept"},
        ),
        answers=ok("The picture, with what was said of it.", ref("Asset")),
        risks=A_THING,
    ),
    ("POST", "/router/v1/assets/{id}/link"): Operation(
        id="linkAsset",
        group=Group.PICTURES,
        summary="An address that works without a key for an hour",
        params=(PICTURE_ID,),
        answers=ok("The address.", obj(url=text(format="uri"), expires_at=MOMENT)),
        risks=ITS_BYTES,
    ),
}

OPERATIONS: Final = {**_MAKING, **_PICTURES}
