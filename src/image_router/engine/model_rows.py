"""The capability and price matrix as rows, one for each model known on a day; every surface shows these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from image_router.core.catalog import Catalog, Model, ModelState
from image_router.core.money import show_usd, usd_text
from image_router.core.rates import ModelRates, RateCard
from image_router.core.types import Lane, Size

_NO_RATES = ModelRates()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known for a day."""

    catalog: Catalog
    card: RateCard
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    model: Model
    state: ModelState
    serves: tuple[str, ...]
    """Tiers on the day, with the thinking level of the tier's use: 'imagen_4_fast (minimal)'."""
    successor: str | None
    rates: ModelRates

    @property
    def life(self) -> str:
        """State and the date that matters: 'retired 2026-08-17'."""
        end = self.model.life.shutdown
        if self.state is ModelState.RETIRED and end:
            return f"retired {end}"
        if self.state is ModelState.DEPRECATED and end:
            return f"until {end}"
        return self.state.value

    @property
    def list_prices(self) -> str:
        """Published dollars an image: '1K, 2K $0.134; 4K $0.24'."""
        return "; ".join(_by_price(self.rates, Lane.INTERACTIVE)) or "no price"

    @property
    def batch_prices(self) -> str:
        return "; ".join(_by_price(self.rates, Lane.BATCH)) or "none"

    @property
    def claimed(self) -> str:
        """The article's claim where it is larger than the truth."""
        return f"article: {self.model.claimed_size}" if self.model.claimed_size else ""


def rows(facts: Known) -> list[Row]:
    """Models released by the day: those that serve a tier first, in tier order, then living, then retired."""
    found = [
        _row(facts, model)
        for model in facts.catalog.models.values()
        if facts.catalog.state(model.id, facts.day) is not ModelState.UNRELEASED
    ]
    return sorted(found, key=lambda row: (not row.serves, not row.state.serves))


def matrix_view(facts: Known) -> dict[str, Any]:
    """The whole matrix for programs; money is exact dollars as text."""
    return {
        "as_of": facts.day.isoformat(),
        "rate_card": facts.card.day.isoformat(),
        "price_source": facts.card.source,
        "models": [model_view(row) for row in rows(facts)],
    }


def _row(facts: Known, model: Model) -> Row:
    catalog = facts.catalog
    serves = []
    for tier in catalog.tiers_served_by(model.id, facts.day):
        entry = catalog.serving(tier, facts.day)
        level = f" ({entry.thinking})" if entry and entry.thinking else ""
        serves.append(f"{tier}{level}")
    state = catalog.state(model.id, facts.day)
    heir = catalog.successor(model.id, facts.day) if state is not ModelState.ALIVE else None
    return Row(
        model=model,
        state=state,
        serves=tuple(serves),
        successor=heir.id if heir else None,
        rates=facts.card.models.get(model.id, _NO_RATES),
    )


def _by_price(rates: ModelRates, lane: Lane) -> Iterator[str]:
    """Sizes of the same price share an entry."""
    sizes: dict[int, list[Size]] = {}
    for size, price in rates.list_price.get(lane, {}).items():
        sizes.setdefault(price, []).append(size)
    for price, of_price in sizes.items():
        yield f"{', '.join(of_price)} {show_usd(price)}"


def life_view(row: Row) -> dict[str, Any]:
    """How a model is called, and how long it lives."""
    model, life = row.model, row.model.life
    return {
        "id": model.id,
        "name": model.name,
        "aliases": list(model.aliases),
        "dialect": model.dialect,
        "state": row.state,
        "successor": row.successor,
        "released": life.released.isoformat(),
        "deprecated": life.deprecated.isoformat() if life.deprecated else None,
        "shutdown": life.shutdown.isoformat() if life.shutdown else None,
        "shutdown_confidence": life.confidence,
    }


def model_view(row: Row) -> dict[str, Any]:
    model = row.model
    return {
        **life_view(row),
        "serves": list(row.serves),
        "list_price_usd": _prices(row.rates, Lane.INTERACTIVE),
        "batch_list_price_usd": _prices(row.rates, Lane.BATCH),
        "sizes": list(model.sizes),
        "claimed_size": model.claimed_size,
        "aspect_ratios": list(model.pixels),
        "tokens_per_image": dict(model.tokens_per_image),
        "references": {
            "total": model.references.total,
            **{str(k): v for k, v in model.references.by_role.items()},
        },
        "prompt_tokens": model.prompt_tokens,
        "thinking": list(model.thinking),
        "grounding": list(model.grounding),
        "batch": model.batch,
        "text_rendering": model.text_rendering,
        "context": model.context,
        "watermark": model.watermark,
        "source": model.source,
        "checked": model.checked.isoformat(),
    }


def _prices(rates: ModelRates, lane: Lane) -> dict[str, str]:
    return {size: usd_text(price) for size, price in rates.list_price.get(lane, {}).items()}
