"""Signing in with a router key, out again, and the choice of light or dark."""

from __future__ import annotations

import time
from typing import Final

from starlette.responses import RedirectResponse, Response

from image_router.core.errors import KeyInvalid
from image_router.core.key_secret import digest_of
from image_router.gateway.app import Visit
from image_router.gateway.dashboard.doors import SIGN_IN, form, local_path
from image_router.gateway.dashboard.rendering import HEADERS, SESSION_COOKIE, THEME_COOKIE, THEMES, page
from image_router.gateway.sessions import LIFETIME, Session

_YEAR: Final = 365 * 86_400
_PATH: Final = "/dashboard"


async def ask(visit: Visit) -> Response:
    """GET /dashboard/sign-in."""
    back = local_path(visit.request.query_params.get("next", ""))
    if visit.parts.doorkeeper.open:
        return RedirectResponse(back, 303, headers=HEADERS)
    return page(visit, "sign_in.html", back=back, problem=None)


async def sign_in(visit: Visit) -> Response:
    """POST /dashboard/sign-in: a router key for a session."""
    fields = await form(visit, harmless=True)
    back, secret = local_path(str(fields.get("next", ""))), str(fields.get("secret", "")).strip()
    try:
        key = await visit.parts.ring.check(secret)
    except KeyInvalid as error:
        return page(visit, "sign_in.html", status=401, back=back, problem=str(error))
    session = Session(
        key_id=key.id,
        digest=digest_of(secret),
        expires=int(time.time()) + LIFETIME,
        looks=bool(fields.get("look")),
    )
    answer = RedirectResponse(back, 303, headers=HEADERS)
    answer.set_cookie(
        SESSION_COOKIE,
        visit.parts.sessions.cookie(session),
        max_age=LIFETIME,
        path=_PATH,
        httponly=True,
        samesite="strict",
        secure=_secure(visit),
    )
    return answer


async def sign_out(visit: Visit) -> Response:
    """POST /dashboard/sign-out."""
    await form(visit, harmless=True)
    answer = RedirectResponse(SIGN_IN, 303, headers=HEADERS)
    answer.delete_cookie(SESSION_COOKIE, path=_PATH, httponly=True, samesite="strict", secure=_secure(visit))
    return answer


async def choose_theme(visit: Visit) -> Response:
    """POST /dashboard/theme: light, dark, or as the system says."""
    fields = await form(visit, harmless=True)
    theme = str(fields.get("theme", ""))
    answer = RedirectResponse(local_path(str(fields.get("next", ""))), 303, headers=HEADERS)
    if theme in THEMES:
        answer.set_cookie(
            THEME_COOKIE, theme, max_age=_YEAR, path=_PATH, samesite="strict", secure=_secure(visit)
        )
    return answer


def _secure(visit: Visit) -> bool:
    """Whether browsers reach this server over TLS, also behind a proxy."""
    return (visit.parts.url or str(visit.request.base_url)).startswith("https:")
