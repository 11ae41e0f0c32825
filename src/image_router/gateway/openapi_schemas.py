"""The shapes of our own API: what the views of the engine answer, and what requests are made of."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import orjson

from image_router.core.catalog import Confidence, Grade, ModelState
from image_router.core.storing import CacheMode
from image_router.core.types import Dialect, Purpose, RetiredPolicy, Size, Tier
from image_router.gateway.openapi_fields import DAY, DOLLARS, MOMENT, PERCENT, SCOPE, USD, asking
from image_router.gateway.openapi_words import (
    Json,
    by_name,
    many,
    maybe,
    number,
    obj,
    one_of,
    ref,
    text,
    whole,
    yes_no,
)

_SPENT: Final = {"cost_usd": USD, "at_risk_usd": USD}
_USAGE: Final = obj(
    prompt_tokens=whole(),
    prompt_image_tokens=whole(),
    image_tokens=whole(),
    text_output_tokens=whole(),
    total_tokens=whole(),
    images=whole(),
    searches=whole(),
)
_COST_LINE: Final = obj(what=text(), unit=text(), rate_usd=USD, units=whole(), amount_usd=USD)
_SUMS: Final = {
    "calls": whole(),
    "images": whole(),
    "spent_usd": USD,
    "unconfirmed_usd": USD,
    "for_nothing_usd": USD,
    "overrun_usd": USD,
}
_LANE: Final = obj(
    need=("list_price_usd", "charged_usd"),
    list_price_usd=by_name(USD),
    charged_usd=by_name(USD),
    usd_per_million_tokens=obj(input=USD, text_output=USD, image_output=USD),
    list_reference_usd=USD,
)
_BLAME: Final = {"code": text(), "message": text()}

_RESULT: Final = {
    "Cost": obj(lines=many(_COST_LINE), total_usd=USD, rate_card=maybe(DAY)),
    "Attempt": obj(
        "One call to the provider.",
        number=whole(),
        tier=maybe(one_of(Tier)),
        model=text(),
        outcome=text(),
        cause=maybe(text()),
        detail=text(),
        billed=text(),
        cost=ref("Cost"),
        at_risk_usd=USD,
        usage=maybe(_USAGE),
        response_id=maybe(text()),
        seconds=number(),
    ),
    "Image": obj(
        "A picture, and all that is known of it.",
        index=whole(),
        media_type=text(),
        width=whole(),
        height=whole(),
        bytes=whole(),
        sha256=text(),
        tier=maybe(one_of(Tier)),
        model=text(),
        cost=ref("Cost"),
        usage=maybe(_USAGE),
        text=text("What the model said beside it."),
        extras=whole("Further pictures of the same call."),
        cached=yes_no(),
        response_id=maybe(text()),
        warnings=many(text()),
        asset_id=maybe(text("Under which it is kept.")),
        b64_json=maybe(text(contentEncoding="base64")),
        url=maybe(text("Works for an hour, without a key.")),
    ),
    "Failure": {
        **obj(need=("code", "message"), **_BLAME),
        "additionalProperties": True,
        "description": "Why something did not come, with its numbers.",
    },
    "Result": obj(
        "Images and failures side by side, each with its cost.",
        request_id=text(),
        images=many(ref("Image")),
        failures=many(obj(index=whole(), error=ref("Failure"))),
        attempts=many(ref("Attempt")),
        **_SPENT,
        decision=ref("Decision"),
        warnings=many(text()),
        overhead_ms=number("Milliseconds that were ours, not the provider's."),
    ),
}

_CATALOG: Final = {
    "Descriptor": {
        **obj(
            "How a parameter is given. A parameter without one is not taken.",
            need=("type",),
            type=one_of(("enum", "range", "boolean", "text")),
            values=many(text()),
            min=whole(),
            max=whole(),
            default={"type": ["string", "integer", "null"]},
            max_tokens=whole(),
            by_role=by_name(whole()),
        ),
    },
    "CatalogModel": obj(
        id=text(),
        name=text(),
        aliases=many(text()),
        dialect=one_of(Dialect),
        state=one_of(ModelState),
        tiers=many(one_of(Tier)),
        successor=maybe(text()),
        released=DAY,
        deprecated=maybe(DAY),
        shutdown=maybe(DAY),
        shutdown_confidence=one_of(Confidence),
        parameters=by_name(ref("Descriptor")),
        pixels=by_name(by_name(text("Width x height."))),
        media_type=text(),
        text_rendering=one_of(Grade),
        context=text(),
        watermark=text(),
        tokens_per_image=by_name(whole()),
        prices=by_name(ref("LanePrices")),
        source=text(),
        checked=DAY,
    ),
    "LanePrices": _LANE,
    "Catalog": obj(
        as_of=DAY,
        rate_card=DAY,
        price_source=text(),
        tiers=many(
            obj(
                tier=one_of(Tier),
                model=maybe(text()),
                thinking=maybe(text()),
                since=maybe(DAY),
                until=maybe(DAY),
            )
        ),
        models=many(ref("CatalogModel")),
    ),
    "Pricing": obj(
        currency=text(),
        as_of=DAY,
        rate_card=DAY,
        source=text(),
        checked=DAY,
        rule=text(),
        grounding_search_usd=USD,
        models=many(
            obj(
                id=text(),
                state=one_of(ModelState),
                serves=many(one_of(Tier)),
                tokens_per_image=by_name(whole()),
                reference_tokens=whole(),
                lanes=by_name(ref("LanePrices")),
                source=text(),
                checked=DAY,
            )
        ),
    ),
}

_SAID: Final = obj(verdict=one_of(("kept", "rejected")), who=text(), at=MOMENT)
_ASSET: Final[Json] = {
    "id": text(),
    "request_id": text(),
    "made_at": MOMENT,
    "scope": text(),
    "purpose": one_of(Purpose),
    "tier": maybe(one_of(Tier)),
    "model": text(),
    "cost_usd": USD,
    "sha256": text(),
    "bytes": whole(),
    "media_type": text(),
    "width": whole(),
    "height": whole(),
    "key": maybe(text()),
    "response_id": maybe(text()),
    "c2pa": yes_no(),
    "xmp": yes_no(),
    "source_type": maybe(text()),
    "stored": yes_no("Whether its bytes can be had."),
    "removed": maybe(text("Why they cannot.")),
    "prompt": maybe(text()),
    "shortened_prompt": maybe(text()),
    "rule": maybe(text()),
    "policy": maybe(text()),
    "quote_usd": maybe(USD),
    "asked_size": maybe(text("As asked for; null: it was not noted.")),
    "asked_aspect": maybe(text("As asked for; null: the model chose, or it was not noted.")),
    "warnings": many(text(), "What its checks on arrival had to say."),
    "feedback": maybe(_SAID),
}
_PARENT: Final = obj(sha256=text(), role=text(), name=maybe(text()))
_BUDGET_IN: Final[Json] = {
    **{f"{name}_usd": maybe(DOLLARS) for name in ("day", "month", "total", "per_request")},
    "zone": text("Whose days and months, as Europe/Berlin."),
    "guard_percent": maybe(PERCENT),
    "alerts": many(PERCENT, uniqueItems=True),
    "prepaid": yes_no("A total that top-ups raise."),
}
_GAUGE: Final = obj(
    window=one_of(("day", "month", "total")),
    cap_usd=USD,
    spent_usd=USD,
    held_usd=USD,
    left_usd=USD,
    percent=whole(),
    resets_at=maybe(MOMENT),
)
_DOLLAR_LIMIT: Final = obj(amount_usd=USD, seconds=whole(minimum=1, maximum=366 * 86_400))
_COUNT: Final = maybe(whole(minimum=1, maximum=1_000_000))
_RULES: Final[Json] = {
    "name": text("Who holds it.", minLength=1, maxLength=100),
    "scope": SCOPE,
    "tiers": maybe(many(one_of(Tier), "These alone.", minItems=1)),
    "models": maybe(many(text(minLength=1), "These alone.", minItems=1)),
    "max_size": maybe(one_of(Size)),
    "requests_per_minute": _COUNT,
    "images_per_minute": _COUNT,
    "dollars": maybe(_DOLLAR_LIMIT),
    "in_flight": _COUNT,
    "expires": maybe(MOMENT),
    "admin": yes_no(),
    "retired": one_of(RetiredPolicy),
}
_KEY: Final[Json] = {
    "id": text(),
    "display": text("As lists and logs name it."),
    **_RULES,
    "state": one_of(("living", "expired", "revoked")),
    "created_at": MOMENT,
    "created_by": text(),
    "rotated_at": maybe(MOMENT),
    "old_secret_until": maybe(MOMENT),
    "revoked_at": maybe(MOMENT),
    "revoked_by": maybe(text()),
}
_ANYTHING: Final[Json] = {}
_USE: Final = obj(
    need=("in_flight",),
    in_flight=whole(),
    requests_per_minute=whole(),
    images_per_minute=whole(),
    dollars_usd=USD,
)

_BOOKS: Final = {
    "Asset": obj("A picture that was made here.", **_ASSET),
    "AssetWithLineage": obj(**_ASSET, made_from=many(_PARENT), used_for=many(text())),
    "Budget": obj(
        scope=text(),
        **{f"{name}_usd": maybe(USD) for name in ("day", "month", "total", "per_request")},
        zone=text(),
        guard_percent=maybe(PERCENT),
        alerts=many(PERCENT),
        prepaid=yes_no(),
        windows=many(_GAUGE, "How each cap stands."),
    ),
    "BudgetFields": obj("What a budget is set to.", need=(), **_BUDGET_IN),
    "BudgetChange": obj(at=MOMENT, who=text(), scope=text(), field=text(), old=_ANYTHING, new=_ANYTHING),
    "Key": obj("A router key, without its secret.", **_KEY),
    "KeyWithUse": obj(**_KEY, use=_USE),
    "KeyRules": obj("What a key may do; null: any, or no limit.", need=(), **_RULES),
    "NewKey": obj(secret=text("Shown this once."), key=ref("Key")),
    "KeyChange": obj(at=MOMENT, who=text(), what=text(), field=maybe(text()), old=_ANYTHING, new=_ANYTHING),
    "Sums": obj(**_SUMS),
    "Statement": obj(
        by=many(text()),
        lines=many(
            {**obj(**_SUMS), "additionalProperties": text("The columns it is by.")},
        ),
        total=ref("Sums"),
    ),
    "Usage": obj(
        total=ref("Sums"),
        per_image_usd=maybe(USD),
        target_per_image_usd=maybe(USD),
        mix=many(
            obj(
                tier=maybe(text()),
                images=whole(),
                share_percent=text(),
                target_percent=text(),
                spent_usd=USD,
            )
        ),
        days=many(obj(day=DAY, **_SUMS)),
        all_pro=maybe(obj(cost_usd=USD, saved_usd=USD, rate_card=DAY)),
        failures=many(obj(outcome=text(), **_SUMS)),
    ),
}


def _published() -> Json:
    """The published schema of explain as components: the explanation, the decision in it, and their parts."""
    source = files("image_router") / "data" / "schemas" / "explain.schema.json"
    known = orjson.loads(source.read_bytes().replace(b"#/$defs/", b"#/components/schemas/explain_"))
    parts = {f"explain_{name}": schema for name, schema in known.pop("$defs").items()}
    del known["$schema"]
    sending = ("payload", "endpoint", "sdk_call", "text_call")
    decision = {
        **known,
        "title": "Decision",
        "properties": {name: each for name, each in known["properties"].items() if name not in sending},
        "required": [name for name in known["required"] if name not in sending],
    }
    quote = parts["explain_quote"]
    more: Json = {
        "tier": maybe(one_of(Tier)),
        "model": maybe(text()),
        "highest_usd": maybe({**USD, "description": "The dearest candidate, all images."}),
        "warnings": many(text()),
    }
    priced = {
        **quote,
        "properties": {**quote["properties"], **more},
        "required": [*quote["required"], *more],
    }
    return {**parts, "Explanation": known, "Decision": decision, "Quote": priced}


SCHEMAS: Final[Json] = {
    "Request": asking(
        cache=one_of(CacheMode),
        response_format=one_of(("b64_json", "url")),
    ),
    **_published(),
    **_RESULT,
    **_CATALOG,
    **_BOOKS,
}
