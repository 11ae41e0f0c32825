"""/llms.txt: what a language model or an agent needs to know to use this gateway (https://llmstxt.org)."""

from __future__ import annotations

from collections.abc import Iterator

from image_router.core.types import AspectRatio, Purpose, Size, Tier
from image_router.engine.model_rows import Known, rows

_TIER_FOR = {
    Tier.NANO_BANANA_PRO: "keeps a character's identity over references; best lettering",
    Tier.GEMINI_31_FLASH_IMAGE: "contextual edits at high throughput",
    Tier.NANO_BANANA: "the cheap default",
    Tier.IMAGEN_4_ULTRA: "print finals, exact lettering",
    Tier.IMAGEN_4_STANDARD: "general hero pictures",
    Tier.IMAGEN_4_FAST: "drafts and previews",
}


def llms_text(facts: Known, root: str) -> str:
    """The page, with the tiers and prices of the day."""
    return _TEMPLATE.format(
        root=root,
        day=facts.day,
        card=facts.card.day,
        purposes=", ".join(Purpose),
        sizes=", ".join(Size),
        ratios=", ".join(AspectRatio),
        tiers="\n".join(_tiers(facts)),
        prices="\n".join(_prices(facts)),
    )


def _tiers(facts: Known) -> Iterator[str]:
    for tier in Tier:
        entry = facts.catalog.serving(tier, facts.day)
        served = f"served by {entry.model}" if entry else "served by nobody on this day"
        yield f"- {tier}: {_TIER_FOR[tier]}; {served}"


def _prices(facts: Known) -> Iterator[str]:
    for row in rows(facts):
        if row.state.serves:
            yield f"- {row.model.id} ({row.life}): {row.list_prices} an image; batch {row.batch_prices}"


_TEMPLATE = """\
# image-router

> Say what an image is for; get it from the right Gemini image model, at a price known before it is spent.

Every call but this page, /docs, /openapi.json and /healthz needs a router key:
`Authorization: Bearer ir_...` (or `x-goog-api-key: ir_...`). Errors say what happened, the numbers, and what
to do. Money is exact US dollars as text. Day of prices and models: {day}, rate card of {card}.

## Make a picture

POST {root}/router/v1/images
{{"prompt": "a red mug on an oak table", "purpose": "hero", "size": "1K", "aspect": "4:3", "max_cost": "0.1"}}

The answer has images[].b64_json (or images[].url with "response_format": "url"), what it cost, the decision
with its reasons, and warnings. `Idempotency-Key: <your id>` makes repeating it free of charge.

- purpose: {purposes}
- size: {sizes}
- aspect: {ratios}
- text: words to letter into the picture
- references: list of {{"image_url": "https://... or data:..."}} or {{"file_id": "<asset id>"}}, each with an
  optional "role": object, character or style
- previous: asset id of a picture to change in its conversation
- n, seed, tier, model, max_cost, max_total, deadline (seconds), scope

## Ask first, free of charge

- POST {root}/router/v1/quote: the same body; what it costs. With "variants": a character chain.
- POST {root}/router/v1/explain: the same body; the decision, every dropped tier with its reason, the payload.
- GET {root}/router/v1/catalog: each model's parameters as typed descriptors, life cycle, successor, prices.
- GET {root}/router/v1/pricing: all rates.

## Look after pictures and money

- GET {root}/router/v1/assets, /router/v1/assets/{{id}}, /router/v1/assets/{{id}}/content
- GET {root}/router/v1/statement?by=tier&from=2026-11-01, /router/v1/usage, /router/v1/budgets
- GET {root}/router/v1/key: what the key in use may do

## Other clients

- OpenAI: base URL {root}/v1 (images.generate, images.edit); model: auto, auto:<purpose>, a tier or a model id
- Google: base URL {root} (google-genai, @google/genai)
- The whole API: {root}/openapi.json

## Tiers

{tiers}

## List prices

{prices}
"""
