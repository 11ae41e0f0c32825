"""Kept pictures over HTTP: listed, shown with their lineage, handed out byte for byte, judged, removed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from image_router.core.budget import moment_text
from image_router.core.errors import AssetError
from image_router.core.money import Nanos, parse_usd
from image_router.core.statement import period_of
from image_router.core.types import Purpose, Tier
from image_router.engine.asset_views import asset_view, family_view
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.fields import day, flag, one_of, whole
from image_router.gateway.links import LIFETIME
from image_router.gateway.references import asset
from image_router.gateway.router_asks import check_names
from image_router.gateway.router_reading import answer, query
from image_router.gateway.router_scopes import owns, seen_scope, who
from image_router.gateway.surfaces import ROUTER
from image_router.storage.asset_queries import Query, Unsaid
from image_router.storage.asset_values import Asset, Verdict
from image_router.storage.objects import now_micros

_FILTERS: Final = (
    *("scope", "tier", "model", "purpose", "request_id", "from", "to", "zone"),
    *("min_cost", "max_cost", "feedback", "warned", "limit", "before"),
)
_MOST: Final = 1000
_SHIELD: Final = {
    "content-security-policy": "default-src 'none'; sandbox",
    "cache-control": "private, max-age=3600",
}
"""A picture is shown as a picture, whatever its bytes pretend to be."""


async def list_assets(visit: Visit) -> Response:
    """GET /router/v1/assets: newest first; `next` is the `before` of the page that follows."""
    wanted = _query(visit, query(visit, *_FILTERS))
    try:
        found = await visit.parts.books.assets.list(wanted)
    except AssetError as error:
        raise refusals.absent(f"before: {error}") from None
    more = found[-1].id if len(found) == wanted.limit else None
    return answer({"assets": [asset_view(each) for each in found], "next": more})


def _query(visit: Visit, given: Mapping[str, str]) -> Query:
    tier = one_of(given, "tier", words=tuple(Tier))
    purpose = one_of(given, "purpose", words=tuple(Purpose))
    first, last, zone = day(given, "from"), day(given, "to"), given.get("zone", "UTC")
    period = period_of(first, last, zone=zone)
    return Query(
        scope=seen_scope(visit, given.get("scope")),
        since=period.start or None,
        until=period.end,
        tier=Tier(tier) if tier else None,
        model=given.get("model"),
        purpose=Purpose(purpose) if purpose else None,
        request_id=given.get("request_id"),
        **judged(given),
        limit=whole(given, "limit", default=50, low=1, high=_MOST),
        before=given.get("before"),
    )


def judged(given: Mapping[str, str]) -> dict[str, Any]:
    """The conditions on cost, feedback and checks. Raises Refusal and InvalidRequest naming the field."""
    said = one_of(given, "feedback", words=(*Verdict, *Unsaid))
    return {
        "least": _dollars(given, "min_cost"),
        "most": _dollars(given, "max_cost"),
        "feedback": Unsaid.NONE if said == Unsaid.NONE else Verdict(said) if said else None,
        "warned": flag(given, "warned") if "warned" in given else None,
    }


def _dollars(given: Mapping[str, str], name: str) -> Nanos | None:
    return parse_usd(given[name], name=name) if name in given else None


async def show(visit: Visit) -> Response:
    """GET /router/v1/assets/{id}: all that is known of it, what it was made from and used for."""
    found = await _asked(visit)
    family = await visit.parts.books.assets.family(found.id)
    view = family_view(family)
    view["used_for"] = [one.id for one in family.children if owns(visit, one.scope)]
    return answer(view)


async def link(visit: Visit) -> Response:
    """POST /router/v1/assets/{id}/link: an address that works without a key for an hour."""
    found = await _asked(visit)
    if not found.stored or found.removed_at is not None:
        raise refusals.gone(f"the bytes of {found.id} are not kept, so no link can show them")
    path = visit.parts.links.path(found.id, now=time.time())
    until = moment_text(now_micros() + LIFETIME * 1_000_000)
    return answer({"url": visit.address(path), "expires_at": until})


async def content(visit: Visit) -> Response:
    """GET /router/v1/assets/{id}/content: the bytes as they came, for a key or for whoever has a link."""
    name, given = visit.request.path_params["id"], query(visit, "expires", "signature")
    if "signature" in given or "expires" in given:
        found = await _linked(visit, name, given)
    else:
        found = await _asked(await known(visit))
    if _has(visit, found.digest):
        return _unchanged(found.digest)
    data = await visit.parts.books.assets.read(found)
    name_of_file = f"{found.id}.{found.media_type.removeprefix('image/')}"
    shown = {"etag": f'"{found.digest}"', "content-disposition": f'inline; filename="{name_of_file}"'}
    return Response(data, headers={**_SHIELD, **shown}, media_type=found.media_type)


async def _linked(visit: Visit, name: str, given: Mapping[str, str]) -> Asset:
    told = {"expires": given.get("expires", ""), "signature": given.get("signature", "")}
    if not visit.parts.links.holds(name, **told, now=time.time()):
        raise refusals.bad_link()
    try:
        return await visit.parts.books.assets.get(name)
    except AssetError as error:
        raise refusals.absent(str(error)) from None


async def thumbnail(visit: Visit) -> Response:
    """GET /router/v1/assets/{id}/thumbnail: WebP of at most 320 pixels."""
    found = await _asked(visit)
    data = await visit.parts.books.assets.thumbnail(found.id)
    digest = hashlib.sha256(data).hexdigest()
    if _has(visit, digest):
        return _unchanged(digest)
    return Response(data, headers={**_SHIELD, "etag": f'"{digest}"'}, media_type="image/webp")


async def give_feedback(visit: Visit) -> Response:
    """PUT /router/v1/assets/{id}/feedback: `verdict` is kept or rejected; null takes it back."""
    found = await _asked(visit)
    body = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
    check_names(body, ("verdict",))
    if "verdict" not in body:
        raise refusals.malformed("verdict is missing; say kept, rejected, or null", param="verdict")
    said = one_of(body, "verdict", words=tuple(Verdict))
    verdict = Verdict(said) if said else None
    return answer(asset_view(await visit.parts.books.feedback.say(found.id, verdict, who=who(visit))))


async def remove(visit: Visit) -> Response:
    """DELETE /router/v1/assets/{id}: its bytes; what is known of it stays."""
    found = await _asked(visit)
    if found.removed_at is None:
        await visit.parts.books.keeper.remove(found.id, why=f"removed by {who(visit)}")
    return answer(asset_view(await visit.parts.books.assets.get(found.id)))


async def _asked(visit: Visit) -> Asset:
    """The picture in the path, if it is the caller's. Raises Refusal: 404, whoever owns it."""
    return await asset(visit, visit.request.path_params["id"])


async def known(visit: Visit) -> Visit:
    """The visit of a public path, by whoever shows a key. Raises KeyInvalid."""
    return replace(visit, caller=await visit.parts.doorkeeper.known(visit.request))


def _has(visit: Visit, digest: str) -> bool:
    told = visit.request.headers.get("if-none-match", "")
    return told.strip() == "*" or f'"{digest}"' in (tag.strip().removeprefix("W/") for tag in told.split(","))


def _unchanged(digest: str) -> Response:
    kept = {"etag": f'"{digest}"', "cache-control": _SHIELD["cache-control"]}
    return Response(status_code=304, headers=kept)


def _path(tail: str = "") -> str:
    return f"/router/v1/assets/{{id}}{tail}"


ENTRIES: Final = (
    Entry(method="GET", path="/router/v1/assets", endpoint=list_assets, surface=ROUTER),
    Entry(method="GET", path=_path(), endpoint=show, surface=ROUTER),
    Entry(method="DELETE", path=_path(), endpoint=remove, surface=ROUTER),
    Entry(method="GET", path=_path("/content"), endpoint=content, surface=ROUTER, public=True),
    Entry(method="GET", path=_path("/thumbnail"), endpoint=thumbnail, surface=ROUTER),
    Entry(method="PUT", path=_path("/feedback"), endpoint=give_feedback, surface=ROUTER),
    Entry(method="POST", path=_path("/link"), endpoint=link, surface=ROUTER),
)
