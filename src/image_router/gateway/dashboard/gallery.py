"""The gallery: kept pictures by the page, and one picture with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from image_router.core.budget import moment_text
from image_router.core.errors import AssetError
from image_router.core.statement import period_of
from image_router.core.types import Purpose, Tier
from image_router.gateway import refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.doors import form, shown
from image_router.gateway.dashboard.rendering import HEADERS, PAGES, page
from image_router.gateway.fields import day, one_of, text
from image_router.gateway.references import asset
from image_router.gateway.router_scopes import owns, seen_scope, who
from image_router.storage.asset_queries import Query
from image_router.storage.asset_values import Asset, Details, Parent

PATH: Final = "/dashboard/gallery"
_PAGE: Final = 48
_FILTERS: Final = ("tier", "purpose", "model", "scope", "from", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a picture was made from, and where that is, if it is kept and the viewer's."""

    parent: Parent
    asset: Asset | None


async def gallery(visit: Visit) -> Response:
    """GET /dashboard/gallery: newest first; with `before` and as a part, the page that follows."""
    given: dict[str, str] = {name: value for name, value in visit.request.query_params.items() if value}
    try:
        found = await visit.parts.books.assets.list(_query(visit, given))
    except AssetError as error:
        raise refusals.absent(str(error)) from None
    kept: dict[str, str] = {name: given[name] for name in _FILTERS if name in given}
    more = f"{PATH}?{urlencode({**kept, 'before': found[-1].id})}" if len(found) == _PAGE else None
    part = visit.request.headers.get("x-part") == "fragment"
    return page(
        visit,
        "_gallery.html" if part else "gallery.html",
        found=found,
        more=more,
        given=given,
        filtered=bool(kept),
        tiers=tuple(Tier),
        purposes=tuple(Purpose),
        moment=moment_text,
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
        limit=_PAGE,
        before=given.get("before"),
    )


async def picture(visit: Visit) -> Response:
    """GET /dashboard/pictures/{id}: the picture, its lineage, its decision, its cost."""
    return page(visit, "picture.html", **await _known(visit))


async def ask_removal(visit: Visit) -> Response:
    """GET /dashboard/pictures/{id}/remove: the question before."""
    return page(visit, "remove.html", **await _known(visit))


async def remove(visit: Visit) -> Response:
    """POST /dashboard/pictures/{id}/remove: its bytes go, what is known of it stays."""
    await form(visit)
    found = await asset(visit, visit.request.path_params["id"])
    await visit.parts.books.keeper.remove(found.id, why=f"removed by {who(visit)}")
    return RedirectResponse(f"/dashboard/pictures/{found.id}", 303, headers=HEADERS)


async def _known(visit: Visit) -> dict[str, Any]:
    found = await asset(visit, visit.request.path_params["id"])
    family = await visit.parts.books.assets.family(found.id)
    details = found.details
    return {
        "asset": found,
        "there": found.stored and found.removed_at is None,
        "origins": [await _origin(visit, each) for each in family.parents],
        "children": [one for one in family.children if owns(visit, one.scope)],
        "again": f"/dashboard/router?{_again(found.purpose, details)}" if details else None,
        "moment": moment_text,
    }


def _again(purpose: Purpose, details: Details) -> str:
    return urlencode({"job": "own", "purpose": purpose, "prompt": details.prompt, "text": details.text or ""})


async def _origin(visit: Visit, parent: Parent) -> Origin:
    """With the kept picture of these bytes, if the viewer may see it."""
    try:
        found = await visit.parts.books.assets.get(parent.digest)
    except AssetError:
        return Origin(parent=parent, asset=None)
    return Origin(parent=parent, asset=found if owns(visit, found.scope) else None)


def _path(tail: str = "") -> str:
    return f"/dashboard/pictures/{{id}}{tail}"


ENTRIES: Final = (
    Entry(method="GET", path=PATH, endpoint=shown(gallery), surface=PAGES, public=True),
    Entry(method="GET", path=_path(), endpoint=shown(picture), surface=PAGES, public=True),
    Entry(method="GET", path=_path("/remove"), endpoint=shown(ask_removal), surface=PAGES, public=True),
    Entry(method="POST", path=_path("/remove"), endpoint=shown(remove), surface=PAGES, public=True),
)
