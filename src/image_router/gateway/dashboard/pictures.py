"""Kept pictures for the pages: the untouched original, and a thumbnail."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.doors import shown
from image_router.gateway.dashboard.rendering import PAGES
from image_router.gateway.references import asset

SHIELD: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, max-age=3600",
}
"""Of whatever came from outside: a browser shows it as a picture, or not at all."""


async def content(visit: Visit) -> Response:
    """GET /dashboard/pictures/{id}/content: the bytes as they came; with ?download, as a file."""
    found = await asset(visit, visit.request.path_params["id"])
    data = await visit.parts.books.assets.read(found)
    way = "attachment" if "download" in visit.request.query_params else "inline"
    name = f"{found.id}.{found.media_type.removeprefix('image/')}"
    headers = {**SHIELD, "content-disposition": f'{way}; filename="{name}"'}
    return Response(data, headers=headers, media_type=found.media_type)


async def thumbnail(visit: Visit) -> Response:
    """GET /dashboard/pictures/{id}/thumbnail: WebP of at most 320 pixels."""
    found = await asset(visit, visit.request.path_params["id"])
    data = await visit.parts.books.assets.thumbnail(found.id)
    return Response(data, headers=SHIELD, media_type="image/webp")


def _path(tail: str) -> str:
    return f"/dashboard/pictures/{{id}}/{tail}"


ENTRIES: Final = (
    Entry(method="GET", path=_path("content"), endpoint=shown(content), surface=PAGES, public=True),
    Entry(method="GET", path=_path("thumbnail"), endpoint=shown(thumbnail), surface=PAGES, public=True),
)
