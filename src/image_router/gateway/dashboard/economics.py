"""Economics: what a volume costs on each tier, on a mix and in batch; every figure is core's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from image_router.core.dominance import dominated
from image_router.core.economics import Basis, Market, Mix, Projection, projection
from image_router.core.types import Lane, Size, Tier
from image_router.engine.deciding import Decider
from image_router.engine.projection_views import batch_saving, projection_csv
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.claims import Claim, claims_of
from image_router.gateway.dashboard.doors import shown
from image_router.gateway.dashboard.live_asks import ARTICLE_DAY, WORLDS
from image_router.gateway.dashboard.rendering import HEADERS, PAGES, page
from image_router.gateway.fields import day, one_of, text, whole
from image_router.gateway.refusals import malformed

PATH: Final = "/dashboard/economics"
LEAST, MOST, USUAL = 100, 10_000_000, 10_000
_STEPS: Final = (100, 125, 160, 200, 250, 315, 400, 500, 630, 800)
VOLUMES: Final = (*(step * 10**decade for decade in range(5) for step in _STEPS), MOST)
"""Where the slider stops: ten in each power of ten, the preferred numbers R10 of ISO 3."""
_WHOLE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the controls say."""

    images: int
    profile: str
    mix: Mix
    size: Size
    lane: Lane
    basis: Basis
    world: str
    day: date

    @property
    def query(self) -> str:
        told = {"images": self.images, "profile": self.profile, "size": self.size, "lane": self.lane}
        told |= {"basis": self.basis, "world": self.world, "day": self.day.isoformat()}
        return urlencode({**told, **{str(tier): self.mix.get(tier, 0) for tier in Tier}})

    def with_mix(self, profile: str, mix: Mix) -> str:
        """The query of the same volume on a profile's traffic."""
        return replace(self, profile=profile, mix=mix).query

    @property
    def command(self) -> str:
        """What prints the same in a terminal."""
        shares = ",".join(f"{tier}={share}" for tier, share in self.mix.items() if share)
        return (
            f"image-router cost --images {self.images} --mix {shares} --size {self.size} --lane {self.lane} "
            f"--basis {self.basis} --as-of {self.day}"
        )


async def economics(visit: Visit) -> Response:
    """GET /dashboard/economics."""
    plan, decider = _plan(visit)
    mixes = {name: decider.world(name).policy.mix for name in visit.router.profiles}
    return page(
        visit,
        "economics.html",
        **_figures(plan, decider),
        mixes={name: mix for name, mix in mixes.items() if mix},
        volumes=VOLUMES,
        place=min(range(len(VOLUMES)), key=lambda place: abs(VOLUMES[place] - plan.images)),
        least=LEAST,
        most=MOST,
        tiers=tuple(Tier),
        sizes=tuple(Size),
        lanes=tuple(Lane),
        bases=tuple(Basis),
    )


async def figures(visit: Visit) -> Response:
    """GET /dashboard/economics/figures: bars and tables alone."""
    return page(visit, "_figures.html", **_figures(*_plan(visit)))


async def export(visit: Visit) -> Response:
    """GET /dashboard/economics.csv: the same as `image-router cost --csv`."""
    plan, decider = _plan(visit)
    projected = projection(plan.images, plan.mix, market=_market(plan, decider))
    name = f"image-router-{plan.day}-{plan.images}.csv"
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{name}"'}
    return Response(projection_csv(projected), headers=headers, media_type="text/csv")


def _figures(plan: Plan, decider: Decider) -> dict[str, Any]:
    market = _market(plan, decider)
    projected = projection(plan.images, plan.mix, market=market)
    saved, percent = batch_saving(projected, market)
    return {
        "plan": plan,
        "market": market,
        "projected": projected,
        "shares": {tier: Fraction(_WHOLE * plan.mix.get(tier, 0), sum(plan.mix.values())) for tier in Tier},
        "all_pro": _all_pro(projected),
        "batch_saved": saved,
        "batch_percent": percent,
        "dominated": dominated(market),
        "claims": _claims(decider),
    }


def _all_pro(plan: Projection) -> Fraction:
    """Nano-dollars for the volume on the Pro tier alone."""
    return plan.total(next(row.price for row in plan.tiers if row.tier is Tier.NANO_BANANA_PRO))


def _claims(decider: Decider) -> tuple[Claim, ...]:
    """The article's figures beside those of its own day, mix and sizes."""
    then = decider.dated(ARTICLE_DAY).world()
    market = Market(catalog=then.catalog, card=then.card, day=then.day)
    return claims_of(decider.world("default").policy.mix, market)


def _market(plan: Plan, decider: Decider) -> Market:
    world = decider.world()
    return Market(
        catalog=world.catalog,
        card=world.card,
        day=world.day,
        size=plan.size,
        lane=plan.lane,
        basis=plan.basis,
    )


def _plan(visit: Visit) -> tuple[Plan, Decider]:
    """What the query says, and who knows its day. Raises Refusal naming the control."""
    given = {name: value for name, value in visit.request.query_params.items() if value != ""}
    world = one_of(given, "world", words=WORLDS) or "today"
    today = visit.router.day
    asked = {"today": today, "april": ARTICLE_DAY}.get(world, day(given, "day") or today)
    decider = visit.router.dated(asked)
    profile = text(given, "profile") or visit.router.profile
    plan = Plan(
        images=whole(given, "images", default=USUAL, low=LEAST, high=MOST),
        profile=profile,
        mix=_mix(given) or decider.world(profile).policy.mix or decider.world("default").policy.mix,
        size=Size(one_of(given, "size", words=tuple(Size)) or Size.K1),
        lane=Lane(one_of(given, "lane", words=tuple(Lane)) or Lane.INTERACTIVE),
        basis=Basis(one_of(given, "basis", words=tuple(Basis)) or Basis.LIST),
        world=world,
        day=asked,
    )
    return plan, decider


def _mix(given: Mapping[str, Any]) -> Mix | None:
    """Shares in percent; None where no control says one."""
    if not any(tier in given for tier in Tier):
        return None
    mix = {tier: whole(given, tier, default=0, low=0, high=_WHOLE) for tier in Tier}
    if (found := sum(mix.values())) != _WHOLE:
        raise malformed(f"the shares of the mix sum to {found} %; they must sum to {_WHOLE}", param="mix")
    return {tier: share for tier, share in mix.items() if share}


ENTRIES: Final = (
    Entry(method="GET", path=PATH, endpoint=shown(economics), surface=PAGES, public=True),
    Entry(method="GET", path=f"{PATH}/figures", endpoint=shown(figures), surface=PAGES, public=True),
    Entry(method="GET", path=f"{PATH}.csv", endpoint=shown(export), surface=PAGES, public=True),
)
