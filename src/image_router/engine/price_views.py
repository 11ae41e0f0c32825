"""Every price of a day as plain JSON: the sheet of constants."""

from __future__ import annotations

from typing import Any

from image_router.core.money import usd_text
from image_router.core.types import Lane
from image_router.engine.model_rows import Known, Row, rows

_PER_MILLION = 1_000_000


def sheet(facts: Known) -> dict[str, Any]:
    """All rates as exact dollars in text, with day and source. Tokens are priced per million."""
    return {
        "currency": "USD",
        "as_of": facts.day.isoformat(),
        "rate_card": facts.card.day.isoformat(),
        "source": facts.card.source,
        "checked": facts.card.checked.isoformat(),
        "rule": "charged = tokens x rate (Imagen: per image); list_price is the published figure, rounded",
        "grounding_search_usd": usd_text(facts.card.search),
        "models": [_priced(row, facts) for row in rows(facts) if row.rates.list_price],
    }


def _priced(row: Row, facts: Known) -> dict[str, Any]:
    lanes = [lane for lane in Lane if facts.card.has_price(row.model.id, lane)]
    return {
        "id": row.model.id,
        "state": row.state,
        "serves": [str(tier) for tier in facts.catalog.tiers_served_by(row.model.id, facts.day)],
        "tokens_per_image": dict(row.model.tokens_per_image),
        "reference_tokens": row.model.references.tokens,
        "lanes": {lane: lane_view(row, lane) for lane in lanes},
        "source": row.model.source,
        "checked": row.model.checked.isoformat(),
    }


def lane_view(row: Row, lane: Lane) -> dict[str, Any]:
    """What a model costs in a lane: published prices, token rates, and what an image is charged."""
    rates = row.rates
    view: dict[str, Any] = {
        "list_price_usd": {size: usd_text(price) for size, price in rates.list_price.get(lane, {}).items()}
    }
    if tokens := rates.tokens.get(lane):
        view["usd_per_million_tokens"] = {
            "input": usd_text(tokens.input * _PER_MILLION),
            "text_output": usd_text(tokens.text_output * _PER_MILLION),
            "image_output": usd_text(tokens.image_output * _PER_MILLION),
        }
        charged = {size: count * tokens.image_output for size, count in row.model.tokens_per_image.items()}
    else:
        charged = dict(rates.per_image.get(lane, {}))
    view["charged_usd"] = {size: usd_text(price) for size, price in charged.items()}
    if lane in rates.list_reference:
        view["list_reference_usd"] = usd_text(rates.list_reference[lane])
    return view
