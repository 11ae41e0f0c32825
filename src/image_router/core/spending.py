"""How money was used: the traffic's mix beside the wished one, spend by day, what all on Pro would have cost,
and what failures cost. Made of a statement's lines; amounts are nano-dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Final

from image_router.core.economics import Basis, Market, Mix, blend, image_price, nearest_size, tier_price
from image_router.core.money import Nanos
from image_router.core.statement import By, Line, rolled_up, total_of
from image_router.core.types import Lane, Size, Tier

COLUMNS: Final = (By.TIER, By.DAY, By.OUTCOME, By.SIZE, By.LANE)
"""What a statement must be by for `spending_of`."""
_TIER, _DAY, _OUTCOME, _SIZE, _LANE = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One tier's part of the traffic. Shares are fractions of 1; `wished` is the target blend's."""

    tier: str
    """'' for pinned models that serve no tier."""
    images: int
    spent: Nanos
    share: Fraction
    wished: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class AllPro:
    """The same pictures on nano_banana_pro alone: pictures only, as charged on one day's card, so the figure
    is a lower bound. Prompts, references, thinking and failures would come on top."""

    cost: Nanos
    saved: Nanos
    """Less what was really spent, with everything; below zero when that was more."""
    card: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a period's money did."""

    total: Line
    mix: tuple[Share, ...]
    per_image: Nanos | None
    """Spent for each picture, failures included, rounded up; None without pictures."""
    wished_per_image: Fraction | None
    """A picture of the target blend, at list prices; None where one of its tiers has no living model."""
    days: tuple[Line, ...]
    all_pro: AllPro | None
    """None on a day on which no model serves that tier."""
    failures: tuple[Line, ...]
    """By outcome: what was charged for nothing, or is still unconfirmed."""


def spending_of(lines: Sequence[Line], *, wished: Mix, market: Market) -> Spending:
    """The report over lines that are by COLUMNS."""
    total = total_of(lines)
    by_outcome = rolled_up(lines, [_OUTCOME])
    sold = all(market.catalog.serving(tier, market.day) for tier, share in wished.items() if share)
    return Spending(
        total=total,
        mix=_mix(rolled_up(lines, [_TIER]), total, wished),
        per_image=-(-total.spent // total.images) if total.images else None,
        wished_per_image=blend(wished, market) if sold else None,
        days=rolled_up(lines, [_DAY]),
        all_pro=_all_pro(rolled_up(lines, [_SIZE, _LANE]), total, market),
        failures=tuple(line for line in by_outcome if line.for_nothing or line.unconfirmed),
    )


def _mix(by_tier: Sequence[Line], total: Line, wished: Mix) -> tuple[Share, ...]:
    there = {line.of[0]: line for line in by_tier}
    whole = sum(wished.values())
    names = [*Tier, *(name for name in there if name not in list(Tier))]
    return tuple(
        Share(
            tier=name,
            images=line.images,
            spent=line.spent,
            share=Fraction(line.images, total.images or 1),
            wished=Fraction(wished.get(Tier(name), 0) if name in list(Tier) else 0, whole),
        )
        for name in names
        if (line := there.get(name, Line(of=(name,)))) is not None
    )


def _all_pro(lines: Sequence[Line], total: Line, market: Market) -> AllPro | None:
    if market.catalog.serving(Tier.NANO_BANANA_PRO, market.day) is None:
        return None
    market = replace(market, basis=Basis.CHARGED)
    model = tier_price(market, Tier.NANO_BANANA_PRO).model
    cost = Fraction(0)
    for line in lines:
        if not line.images:
            continue
        size, lane = Size(line.of[0] or Size.K1), Lane(line.of[1])
        sold = lane if market.card.has_price(model.id, lane) else Lane.INTERACTIVE
        cost += line.images * image_price(market, model, size=nearest_size(model, size), lane=sold)
    return AllPro(cost=int(cost), saved=int(cost) - total.spent, card=market.card.day)
