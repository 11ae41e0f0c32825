"""Tiers whose model is not worth its price: another living model does all it does, and something better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from image_router.core.catalog import Model
from image_router.core.economics import Market, TierPrice, image_price, tier_price
from image_router.core.money import Nanos
from image_router.core.types import ReferenceRole, ThinkingLevel, Tier

_Columns: TypeAlias = Mapping[str, int | frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dominated:
    """A tier's model, and the one that matches it everywhere and beats it somewhere."""

    tier: Tier
    model: Model
    price: Fraction
    by: Model
    by_price: Fraction
    better: tuple[str, ...]
    """The columns, price among them, in which the other one is strictly better."""


def dominated(market: Market) -> tuple[Dominated, ...]:
    """Tiers whose model another living model equals or beats in every capability and in price.

    Price means two things, and neither may be higher: the picture on the market's basis, and as charged
    together with the text and thinking such a call is expected to put out. Contextual understanding has no
    order and is not compared.
    """
    rows = (tier_price(market, tier) for tier in Tier)
    return tuple(found for row in rows if (found := _dominator(row, market)))


def _dominator(row: TierPrice, market: Market) -> Dominated | None:
    """The cheapest of the rivals that dominate."""
    rivals = (
        model
        for model in market.catalog.models.values()
        if model.id != row.model.id
        and market.catalog.state(model.id, market.day).serves
        and row.size in model.sizes
        and market.card.has_price(model.id, row.lane)
    )
    found = (_beaten(row, rival, market) for rival in rivals)
    return min((one for one in found if one), key=lambda one: one.by_price, default=None)


def _beaten(row: TierPrice, rival: Model, market: Market) -> Dominated | None:
    price = image_price(market, rival, size=row.size, lane=row.lane)
    if price > row.price or _call(market, rival, None, row) > _call(market, row.model, row.thinking, row):
        return None
    mine, theirs = _columns(row.model, market), _columns(rival, market)
    if not all(_covers(theirs[name], mine[name]) for name in mine):
        return None
    better = [name for name in mine if theirs[name] != mine[name]]
    if price < row.price:
        better.append("price")
    if not better:
        return None
    return Dominated(
        tier=row.tier, model=row.model, price=row.price, by=rival, by_price=price, better=tuple(better)
    )


def _covers(theirs: int | frozenset[str], mine: int | frozenset[str]) -> bool:
    if isinstance(theirs, frozenset) and isinstance(mine, frozenset):
        return theirs >= mine
    return not isinstance(theirs, frozenset) and not isinstance(mine, frozenset) and theirs >= mine


def _call(market: Market, model: Model, thinking: ThinkingLevel | None, row: TierPrice) -> Nanos:
    """Expected charge of a call without its input."""
    rates = market.card.rates(model.id, row.lane)
    tokens = rates.tokens.get(row.lane)
    if tokens is None:
        return rates.per_image[row.lane][row.size]
    words = model.overhead(thinking).expected * tokens.text_output
    return model.tokens_per_image[row.size] * tokens.image_output + words


def _columns(model: Model, market: Market) -> _Columns:
    """Everything a model can do that has an order: more of a number or a set is better."""
    limits = model.references
    spoken = frozenset(code for other in market.catalog.models.values() for code in other.languages or ())
    return {
        "sizes": frozenset(model.sizes),
        "aspect ratios": frozenset(model.pixels),
        "references": limits.total,
        **{
            f"{role} references": min(limits.by_role.get(role, limits.total), limits.total)
            for role in ReferenceRole
        },
        "prompt tokens": model.prompt_tokens,
        "languages": (spoken | {"any"}) if model.languages is None else frozenset(model.languages),
        "text rendering": model.text_rendering.rank,
        "thinking levels": frozenset(model.thinking),
        "grounding": frozenset(model.grounding),
        "batch": model.batch,
        "system instruction": model.system_instruction,
        "seed": model.seed,
        "safety settings": model.safety_settings,
        "person generation": frozenset(model.person_generation),
        "conversation": model.conversation,
    }
