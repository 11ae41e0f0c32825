"""What the playground's button would make, and for how much. Nothing is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from image_router.core.errors import ImageRouterError, NoEligibleTier
from image_router.core.money import Nanos
from image_router.core.palette import TITLE
from image_router.core.rates import Quote
from image_router.core.types import Purpose, Tier
from image_router.engine.chains import ChainPlan, quote_chain
from image_router.gateway.app import Visit
from image_router.gateway.dashboard.playground_asks import Mode, PlayAsk, request_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One request that would be sent, or why it cannot be."""

    title: str
    tier: Tier | None
    """Who would serve; None: nobody, or several of a chain."""
    model: str = ""
    reason: str = ""
    quote: Quote | None = None
    ceiling: Nanos = 0
    """Nano-dollars at most, whoever serves."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """All that one press of the button makes."""

    offers: tuple[Offer, ...]

    @property
    def fine(self) -> tuple[Offer, ...]:
        return tuple(offer for offer in self.offers if offer.quote)

    @property
    def total(self) -> Nanos:
        return sum(offer.quote.total for offer in self.offers if offer.quote)

    @property
    def ceiling(self) -> Nanos:
        return sum(offer.ceiling for offer in self.fine)

    @property
    def images(self) -> int:
        return sum(offer.quote.images for offer in self.offers if offer.quote)


async def prices(visit: Visit, ask: PlayAsk) -> Prices:
    """Raises what deciding raises, but for single tiers of a comparison: these say why beside the others."""
    if ask.mode is Mode.COMPARE:
        return Prices(offers=tuple([await _compared(visit, ask, tier) for tier in ask.compared]))
    if ask.mode is Mode.CHAIN:
        return Prices(offers=(await _chain(visit, ask),))
    return Prices(offers=(await _single(visit, ask, ask.tier),))


async def plan_of(visit: Visit, ask: PlayAsk, *, key: str | None = None) -> ChainPlan:
    """The chain that the controls stand for; with a key, ready to be sent."""
    request = await request_of(visit, ask, tier=None, sending=key is not None)
    base = replace(request, purpose=Purpose.ECONOMY, key=key)
    return ChainPlan(base=base, variants=ask.variants, profile=ask.profile)


async def _single(visit: Visit, ask: PlayAsk, tier: Tier | None) -> Offer:
    request = await request_of(visit, ask, tier=tier)
    decision = await visit.router.decide(request, profile=ask.profile)
    head = decision.head
    return Offer(
        title=TITLE[head.tier] if head.tier else head.model.id,
        tier=head.tier,
        model=head.model.id,
        reason=f"Rule “{decision.rule}”: {decision.reason}",
        quote=decision.quote,
        ceiling=decision.ceiling,
    )


async def _compared(visit: Visit, ask: PlayAsk, tier: Tier) -> Offer:
    try:
        return await _single(visit, ask, tier)
    except NoEligibleTier as error:
        why = [f"{one.reason.replace('_', ' ')}: {one.detail}" for one in error.dropped if one.tier is tier]
        return Offer(title=TITLE[tier], tier=tier, problem="; ".join(why) or str(error))
    except ImageRouterError as error:
        return Offer(title=TITLE[tier], tier=tier, problem=str(error))


async def _chain(visit: Visit, ask: PlayAsk) -> Offer:
    plan = await plan_of(visit, ask)
    quote = await quote_chain(visit.router, plan)
    return Offer(
        title="One reference, then " + _counted(plan.variants),
        tier=None,
        reason="An economical picture says what the character looks like; each variant is given it.",
        quote=quote,
        ceiling=quote.ceiling,
    )


def _counted(variants: Sequence[str]) -> str:
    return f"{len(variants)} variant{'' if len(variants) == 1 else 's'}"
