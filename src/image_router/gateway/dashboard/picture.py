"""One picture with all that is known of it: words, decision, money, origin, relatives; judged and removed."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from image_router.core.budget import moment_text
from image_router.core.types import Purpose, ReferenceRole
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.doors import form, local_path, shown
from image_router.gateway.dashboard.picture_books import booked_for
from image_router.gateway.dashboard.picture_lineage import Lineage, graph, lineage_of
from image_router.gateway.dashboard.playground_asks import PATH as PLAYGROUND
from image_router.gateway.dashboard.rendering import HEADERS, PAGES, page
from image_router.gateway.fields import one_of
from image_router.gateway.references import asset
from image_router.gateway.router_scopes import who
from image_router.storage.asset_values import Asset, Details, Verdict


async def picture(visit: Visit) -> Response:
    """GET /dashboard/pictures/{id}: the picture, its lineage, its decision, its cost."""
    found = await _asked(visit)
    lineage = await lineage_of(visit, found)
    return page(
        visit,
        "picture.html",
        **_known(found),
        lineage=lineage,
        graph=graph(lineage),
        booked=await booked_for(visit, found),
        again=_again(found, found.details, lineage) if found.details else None,
        decided=_decided(found.purpose, found.details) if found.details else None,
        onward=f"{PLAYGROUND}?{urlencode({'ref0': found.id, 'purpose': Purpose.CONTEXTUAL_EDIT})}",
    )


async def ask_removal(visit: Visit) -> Response:
    """GET /dashboard/pictures/{id}/remove: the question before."""
    return page(visit, "remove.html", **_known(await _asked(visit)))


async def remove(visit: Visit) -> Response:
    """POST /dashboard/pictures/{id}/remove: its bytes go, what is known of it stays."""
    await form(visit)
    found = await _asked(visit)
    await visit.parts.books.keeper.remove(found.id, why=f"removed by {who(visit)}")
    return RedirectResponse(f"/dashboard/pictures/{found.id}", 303, headers=HEADERS)


async def judge(visit: Visit) -> Response:
    """POST /dashboard/pictures/{id}/feedback: kept, rejected, or nothing said any more."""
    fields = await form(visit)
    found = await _asked(visit)
    said = one_of({**fields, "verdict": fields.get("verdict", "")}, "verdict", words=(*Verdict, ""))
    back = local_path(str(fields.get("next", "")))
    judged = await visit.parts.books.feedback.say(found.id, Verdict(said) if said else None, who=who(visit))
    if visit.request.headers.get("x-part") == "fragment":
        return page(visit, "_judged.html", asset=judged, next=back)
    return RedirectResponse(back, 303, headers=HEADERS)


async def _asked(visit: Visit) -> Asset:
    return await asset(visit, visit.request.path_params["id"])


def _known(found: Asset) -> dict[str, Any]:
    return {"asset": found, "there": found.stored and found.removed_at is None, "moment": moment_text}


def _again(found: Asset, details: Details, lineage: Lineage) -> str:
    """The playground, filled in as this one was asked for; references that are kept come along."""
    kept = [one.asset for one in lineage.parents if one.asset]
    there = [one.id for one in kept if one.stored and one.removed_at is None]
    told = {
        "prompt": details.prompt,
        "text": details.text or "",
        "purpose": found.purpose,
        "size": details.size,
        "aspect": details.aspect,
        "role": next((one.note for one in lineage.parents if one.note in tuple(ReferenceRole)), ""),
        **{f"ref{place}": name for place, name in enumerate(there)},
    }
    return f"{PLAYGROUND}?{urlencode({name: value for name, value in told.items() if value})}"


def _decided(purpose: Purpose, details: Details) -> str:
    """The live router with the same words and purpose."""
    told = {"job": "own", "purpose": purpose, "prompt": details.prompt, "text": details.text or ""}
    return f"/dashboard/router?{urlencode({**told, **({'size': details.size} if details.size else {})})}"


def _path(tail: str = "") -> str:
    return f"/dashboard/pictures/{{id}}{tail}"


ENTRIES: Final = (
    Entry(method="GET", path=_path(), endpoint=shown(picture), surface=PAGES, public=True),
    Entry(method="GET", path=_path("/remove"), endpoint=shown(ask_removal), surface=PAGES, public=True),
    Entry(method="POST", path=_path("/remove"), endpoint=shown(remove), surface=PAGES, public=True),
    Entry(method="POST", path=_path("/feedback"), endpoint=shown(judge), surface=PAGES, public=True),
)
