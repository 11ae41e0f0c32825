"""What volumes cost: the blend of a mix of tiers, and projections of a volume.

Only the picture's own price counts here: no prompt, no references, no thinking. Amounts are exact fractions
of a nano-dollar and are rounded once, by `usd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

from image_router.core.catalog import Catalog, Model
from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.money import USD
from image_router.core.rates import RateCard
from image_router.core.toml_table import TomlFile, day, text, whole
from image_router.core.types import Lane, Size, ThinkingLevel, Tier

Mix: TypeAlias = Mapping[Tier, int]
"""Share of each tier, in any unit: 65, 12, … or 650, 120, …"""


class Basis(StrEnum):
    """Which price of a picture a table is made from."""

    LIST = "list"
    """As published for the lane, rounded by the provider."""
    HALVED = "halved"
    """The interactive list price, halved exactly where batch is sold. Published batch prices are rounded once
    more (3.1 Flash at 1K: $0.034, half of $0.067 being $0.0335)."""
    CHARGED = "charged"
    """Image tokens × rate: what the bill says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """The terms a table is made for."""

    catalog: Catalog
    card: RateCard
    day: date
    size: Size = Size.K1
    lane: Lane = Lane.INTERACTIVE
    basis: Basis = Basis.LIST


@dataclass(frozen=True, slots=True, kw_only=True)
class TierPrice:
    """What one picture of a tier costs on a market."""

    tier: Tier
    model: Model
    thinking: ThinkingLevel | None
    size: Size
    """The size asked for, or the nearest one the model makes."""
    lane: Lane
    """The lane asked for, or interactive where the model has no batch."""
    price: Fraction
    """Nano-dollars."""
    note: str = ""
    """How size and lane differ from what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """A volume on each tier alone and on the mix. Prices in nano-dollars an image."""

    images: int
    mix: Mix
    tiers: tuple[TierPrice, ...]
    blend: Fraction
    saving: Fraction
    """How many times dearer the same volume is on nano_banana_pro alone."""

    def total(self, price: Fraction) -> Fraction:
        """Nano-dollars for the whole volume."""
        return self.images * price


def parse_mix(file: TomlFile) -> Mix:
    """A file with `[mix]` → shares by tier. Raises ConfigError naming file, line, key and reason."""
    top = file.read()
    top.take("source", text)
    top.take("checked", day)
    shares = top.table("mix")
    mix = {tier: shares.take(name, whole) for name, tier in shares.names(Tier)}
    top.done()
    if not sum(mix.values()):
        raise top.error("mix", "needs a share above 0 for at least one tier")
    return mix


def tier_price(market: Market, tier: Tier) -> TierPrice:
    """The price of a tier's picture. Raises ConfigError when no living model with a price serves it."""
    entry = market.catalog.serving(tier, market.day)
    if entry is None:
        raise ConfigError(f"no living model serves {tier} on {market.day}; mend its lineage in the catalog")
    model = market.catalog.models[entry.model]
    size = nearest_size(model, market.size)
    lane = market.lane if model.batch else Lane.INTERACTIVE
    notes = [
        f"{market.size} is not made: priced at {size}" if size is not market.size else "",
        f"no {market.lane} lane: full price" if lane is not market.lane else "",
    ]
    return TierPrice(
        tier=tier,
        model=model,
        thinking=entry.thinking,
        size=size,
        lane=lane,
        price=image_price(market, model, size=size, lane=lane),
        note="; ".join(note for note in notes if note),
    )


def image_price(market: Market, model: Model, *, size: Size, lane: Lane) -> Fraction:
    """One picture in nano-dollars, on the market's basis."""
    rates = market.card.rates(model.id, lane)
    if market.basis is Basis.CHARGED:
        if lane in rates.tokens:
            return Fraction(model.tokens_per_image[size] * rates.tokens[lane].image_output)
        return Fraction(rates.per_image[lane][size])
    if market.basis is Basis.HALVED and lane is Lane.BATCH:
        return Fraction(rates.list_price[Lane.INTERACTIVE][size], 2)
    return Fraction(rates.list_price[lane][size])


def nearest_size(model: Model, size: Size) -> Size:
    """The size itself, or the one the model makes that is fewest steps away."""
    steps = list(Size)
    return min(model.sizes, key=lambda made: abs(steps.index(made) - steps.index(size)))


def blend(mix: Mix, market: Market) -> Fraction:
    """The price of the average picture of a mix, in nano-dollars."""
    total = sum(share * tier_price(market, tier).price for tier, share in mix.items())
    return Fraction(total, sum(mix.values()))


def projection(images: int, mix: Mix, *, market: Market) -> Projection:
    """A volume, such as a month's, on each tier alone and on the mix. Raises InvalidRequest below 0."""
    if images < 0:
        raise InvalidRequest(f"{images} images cannot be projected; give 0 or more")
    prices = {tier: tier_price(market, tier) for tier in Tier}
    mixed = blend(mix, market)
    return Projection(
        images=images,
        mix=mix,
        tiers=tuple(prices.values()),
        blend=mixed,
        saving=prices[Tier.NANO_BANANA_PRO].price / mixed,
    )


def usd(amount: Fraction, *, decimals: int) -> str:
    """Exact nano-dollars for people, rounded half up here and only here: '$436.70', '$0.04367'."""
    units = (2 * amount * 10**decimals / USD + 1) // 2
    whole_part, fraction = divmod(int(units), 10**decimals)
    return f"${whole_part:,}" + (f".{fraction:0{decimals}d}" if decimals else "")
