"""The catalog for programs: what each model takes as typed descriptors, what it costs, how long it lives.

A parameter that is not described is one that the model does not take.
"""

from __future__ import annotations

from typing import Any

from image_router.core.catalog import Model
from image_router.core.types import MAX_IMAGES, THRESHOLDS, Lane, Tier
from image_router.engine.model_rows import Known, Row, life_view, rows
from image_router.engine.price_views import lane_view

_SEED_BITS = 31

Json = dict[str, Any]


def catalog_view(facts: Known) -> Json:
    """Every model released by the day, and who serves which tier."""
    return {
        "as_of": facts.day.isoformat(),
        "rate_card": facts.card.day.isoformat(),
        "price_source": facts.card.source,
        "tiers": [tier_view(tier, facts) for tier in Tier],
        "models": [entry_view(row, facts) for row in rows(facts)],
    }


def tier_view(tier: Tier, facts: Known) -> Json:
    """The model in a role on the day; null where nobody serves it."""
    entry = facts.catalog.serving(tier, facts.day)
    return {
        "tier": tier,
        "model": entry.model if entry else None,
        "thinking": entry.thinking if entry else None,
        "since": entry.since.isoformat() if entry else None,
        "until": entry.until.isoformat() if entry and entry.until else None,
    }


def entry_view(row: Row, facts: Known) -> Json:
    """One model: its life, its parameters and its prices in each lane."""
    model = row.model
    lanes = [lane for lane in Lane if facts.card.has_price(model.id, lane)]
    return {
        **life_view(row),
        "tiers": [str(tier) for tier in facts.catalog.tiers_served_by(model.id, facts.day)],
        "parameters": parameters_view(model, lanes),
        "pixels": {
            aspect: {size: str(pixels) for size, pixels in by_size.items()}
            for aspect, by_size in model.pixels.items()
        },
        "media_type": model.default_media_type,
        "text_rendering": model.text_rendering,
        "context": model.context,
        "watermark": model.watermark,
        "tokens_per_image": dict(model.tokens_per_image),
        "prices": {lane: lane_view(row, lane) for lane in lanes},
        "source": model.source,
        "checked": model.checked.isoformat(),
    }


def parameters_view(model: Model, lanes: list[Lane]) -> Json:
    """What the model takes, by the names of a request's fields: enum, range, boolean or text."""
    limits = model.references
    roles = {str(role): most for role, most in limits.by_role.items()}
    told: Json = {
        "prompt": {"type": "text", "max_tokens": model.prompt_tokens},
        "size": _enum(model.sizes, default=model.default_size),
        "aspect": _enum(tuple(model.pixels)),
        "n": _range(1, MAX_IMAGES, default=1),
        "lane": _enum(lanes, default=Lane.INTERACTIVE),
    }
    if limits.total:
        told["references"] = {**_range(0, limits.total), "by_role": roles}
    if model.thinking:
        told["thinking"] = _enum(model.thinking, default=model.default_thinking)
    if model.grounding:
        told["grounding"] = _enum(model.grounding)
    if model.person_generation:
        told["person_generation"] = _enum(model.person_generation)
    if model.safety_settings:
        told["safety"] = _enum(THRESHOLDS)
    if model.languages:
        told["language"] = _enum(model.languages)
    if model.seed:
        told["seed"] = _range(-(2**_SEED_BITS), 2**_SEED_BITS - 1)
    if model.system_instruction:
        told["system_instruction"] = {"type": "text"}
    if model.conversation:
        told["previous"] = {"type": "boolean"}
    return told


def _enum(values: Any, *, default: str | None = None) -> Json:
    return {"type": "enum", "values": [str(value) for value in values], "default": default}


def _range(least: int, most: int, *, default: int | None = None) -> Json:
    return {"type": "range", "min": least, "max": most, "default": default}
