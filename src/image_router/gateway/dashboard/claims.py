"""What the article that described the six tiers said about money, beside what its own prices come to.

Source: the article of April 2026; the truth is computed from the rate card of its day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from image_router.core.economics import Basis, Market, Mix, projection, tier_price, usd
from image_router.core.types import Lane, Tier

VOLUME: Final = 10_000
_POSES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A figure as it was said, and as it is."""

    what: str
    said: str
    true: str
    why: str


def claims_of(mix: Mix, market: Market) -> tuple[Claim, ...]:
    """On the article's mix and day; `market` at 1K, interactive, list prices."""
    return tuple(_claims(mix, market))


def _claims(mix: Mix, market: Market) -> Iterator[Claim]:
    plan = projection(VOLUME, mix, market=market)
    batch = projection(VOLUME, mix, market=replace(market, lane=Lane.BATCH, basis=Basis.HALVED))
    yield Claim(
        what="A picture of the mix",
        said="$0.041",
        true=usd(plan.blend, decimals=5),
        why="65 / 12 / 10 / 6 / 5 / 2 % at the article's own prices",
    )
    yield Claim(
        what=f"{VOLUME:,} pictures a month",
        said="$410",
        true=usd(plan.total(plan.blend), decimals=2),
        why="the same blend, times the volume",
    )
    yield Claim(
        what="Everything on Nano Banana Pro instead",
        said="6 times as dear",
        true=f"{float(plan.saving):.2f} times",
        why="the Pro price over the blend",
    )
    yield Claim(
        what=f"{VOLUME:,} pictures in batch",
        said="half of it",
        true=usd(batch.total(batch.blend), decimals=2),
        why="Imagen never had a batch lane and keeps its full price",
    )
    yield Claim(
        what="A character in ten poses",
        said="$1.379",
        true=usd(_chain(market), decimals=3),
        why="one reference, ten Pro pictures, and the reference sent with each",
    )


def _chain(market: Market) -> Fraction:
    reference = tier_price(market, Tier.NANO_BANANA).price
    pro = tier_price(market, Tier.NANO_BANANA_PRO)
    shown = market.card.rates(pro.model.id, Lane.INTERACTIVE).list_reference[Lane.INTERACTIVE]
    return reference + _POSES * (pro.price + shown)
