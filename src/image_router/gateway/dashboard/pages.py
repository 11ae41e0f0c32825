"""All pages of the dashboard."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from image_router.gateway import refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard import (
    economics,
    gallery,
    keys,
    live_router,
    operations,
    picture,
    pictures,
    playground,
    runs,
    settings,
    spend,
    stream,
)
from image_router.gateway.dashboard.doors import SIGN_IN, public
from image_router.gateway.dashboard.rendering import PAGES
from image_router.gateway.dashboard.signing_in import ask, choose_theme, sign_in, sign_out
from image_router.gateway.dashboard.statics import PREFIX, static


async def nothing_here(visit: Visit) -> Response:
    """GET /dashboard/…: a page that does not exist."""
    raise refusals.absent(f"there is no page at {visit.request.url.path}")


ENTRIES: Final = (
    *live_router.ENTRIES,
    *economics.ENTRIES,
    *playground.ENTRIES,
    *gallery.ENTRIES,
    *picture.ENTRIES,
    *spend.ENTRIES,
    *operations.ENTRIES,
    *runs.ENTRIES,
    *stream.ENTRIES,
    *keys.ENTRIES,
    *settings.ENTRIES,
    *pictures.ENTRIES,
    Entry(method="GET", path=SIGN_IN, endpoint=public(ask), surface=PAGES, public=True),
    Entry(method="POST", path=SIGN_IN, endpoint=public(sign_in), surface=PAGES, public=True),
    Entry(method="POST", path="/dashboard/sign-out", endpoint=public(sign_out), surface=PAGES, public=True),
    Entry(method="POST", path="/dashboard/theme", endpoint=public(choose_theme), surface=PAGES, public=True),
    Entry(method="GET", path=f"{PREFIX}{{name}}", endpoint=public(static), surface=PAGES, public=True),
    Entry(
        method="GET",
        path="/dashboard/{rest:path}",
        endpoint=public(nothing_here),
        surface=PAGES,
        public=True,
    ),
)
