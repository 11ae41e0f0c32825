"""The gallery: kept pictures by the page, narrowed by whatever is known of them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from image_router.core.errors import AssetError
from image_router.core.statement import period_of
from image_router.core.types import Purpose, Tier
from image_router.gateway import refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.doors import shown
from image_router.gateway.dashboard.rendering import PAGES, page
from image_router.gateway.fields import day, one_of, text
from image_router.gateway.router_assets import judged
from image_router.gateway.router_scopes import seen_scope
from image_router.storage.asset_queries import Query

PATH: Final = "/dashboard/gallery"
_PAGE: Final = 48
_FIRST: Final = ("tier", "purpose", "feedback", "from", "to")
_MORE: Final = ("model", "scope", "min_cost", "max_cost", "warned")


async def gallery(visit: Visit) -> Response:
    """GET /dashboard/gallery: newest first; with `before` and as a part, the page that follows."""
    given: dict[str, str] = {name: value for name, value in visit.request.query_params.items() if value}
    try:
        found = await visit.parts.books.assets.list(_query(visit, given))
    except AssetError as error:
        raise refusals.absent(str(error)) from None
    kept: dict[str, str] = {name: given[name] for name in (*_FIRST, *_MORE) if name in given}
    more = f"{PATH}?{urlencode({**kept, 'before': found[-1].id})}" if len(found) == _PAGE else None
    part = visit.request.headers.get("x-part") == "fragment"
    return page(
        visit,
        "_gallery.html" if part else "gallery.html",
        found=found,
        more=more,
        given=given,
        filtered=bool(kept),
        narrowed=sum(name in kept for name in _MORE),
        tiers=tuple(Tier),
        purposes=tuple(Purpose),
        models=sorted(visit.router.world().catalog.models),
    )


def _query(visit: Visit, given: dict[str, str]) -> Query:
    tier = one_of(given, "tier", words=tuple(Tier))
    purpose = one_of(given, "purpose", words=tuple(Purpose))
    period = period_of(day(given, "from"), day(given, "to"))
    return Query(
        scope=seen_scope(visit, given.get("scope")),
        since=period.start or None,
        until=period.end,
        tier=Tier(tier) if tier else None,
        model=text(given, "model"),
        purpose=Purpose(purpose) if purpose else None,
        **judged(given),
        limit=_PAGE,
        before=given.get("before"),
    )


ENTRIES: Final = (Entry(method="GET", path=PATH, endpoint=shown(gallery), surface=PAGES, public=True),)
