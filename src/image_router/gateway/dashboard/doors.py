"""Who may see a page: sessions in a cookie, forms that prove they come from a page of ours, errors as pages.

Keys in headers or queries count for nothing here, and the cookie for nothing elsewhere: no API can be called
by another site in a browser that is signed in.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from image_router.core.errors import ImageRouterError, KeyInvalid
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Endpoint, Visit
from image_router.gateway.callers import holder, is_foreign
from image_router.gateway.dashboard.rendering import HEADERS, looks_only, page, session_cookie
from image_router.gateway.surfaces import Problem, Refusal, problem_of

Fields: TypeAlias = dict[str, Any]
FORM_BYTES: Final = 1 << 20
SIGN_IN: Final = "/dashboard/sign-in"


def shown(handler: Callable[[Visit], Awaitable[Response]]) -> Endpoint:
    """A page for whoever is signed in; others are asked to."""

    async def endpoint(visit: Visit) -> Response:
        try:
            known = await admitted(visit)
        except KeyInvalid:
            return to_sign_in(visit)
        except Refusal as refusal:
            return problem_page(visit, refusal.problem)
        return await answered(known, handler)

    return endpoint


def public(handler: Callable[[Visit], Awaitable[Response]]) -> Endpoint:
    """A page for everybody."""

    async def endpoint(visit: Visit) -> Response:
        return await answered(visit, handler)

    return endpoint


async def answered(visit: Visit, handler: Callable[[Visit], Awaitable[Response]]) -> Response:
    """What the handler answers, or its refusal as a page."""
    try:
        if visit.stopping:
            raise refusals.stopping(visit.parts.limits.drain)
        return await handler(visit)
    except Refusal as refusal:
        return problem_page(visit, refusal.problem)
    except ImageRouterError as error:
        return problem_page(visit, problem_of(error))


async def admitted(visit: Visit) -> Visit:
    """The visit by whoever is signed in. Raises KeyInvalid."""
    doorkeeper = visit.parts.doorkeeper
    if doorkeeper.open:
        return replace(visit, caller=await doorkeeper.known(visit.request))
    session = visit.parts.sessions.read(session_cookie(visit), now=time.time())
    if session is None:
        raise KeyInvalid("nobody is signed in", field="secret")
    key = await visit.parts.ring.check_again(session.key_id, session.digest)
    return replace(visit, caller=holder(key, visit.parts.ring))


def to_sign_in(visit: Visit) -> Response:
    """The way to the form, and back here afterwards."""
    if visit.request.method != "GET" or "fragment" in visit.request.headers.get("x-part", ""):
        words = "your session has ended; sign in again, in another tab if you want to keep what is here"
        return problem_page(visit, _problem(401, "signed_out", words))
    url = visit.request.url
    back = url.path + (f"?{url.query}" if url.query else "")
    return RedirectResponse(f"{SIGN_IN}?next={quote(back, safe='')}", 303, headers=HEADERS)


def problem_page(visit: Visit, problem: Problem) -> Response:
    """An error as a page, or as the part of one that was asked for."""
    part = visit.request.headers.get("x-part") == "fragment"
    template = "_problem.html" if part else "problem.html"
    return page(visit, template, status=problem.status, problem=problem)


async def form(visit: Visit, *, harmless: bool = False) -> Fields:
    """The fields of a form from a page of ours. Raises Refusal for a forged or foreign one, and, unless it is
    harmless, where somebody signed in to look only."""
    return (await filled_in(visit, limit=FORM_BYTES, harmless=harmless)).fields


async def filled_in(visit: Visit, *, limit: int, harmless: bool = False) -> bodies.Form:
    """The same with its files, of at most `limit` bytes in all."""
    if is_foreign(visit.request):
        raise forged("it was sent by another site")
    filled = await bodies.read_form(visit.request, limit=limit)
    token = filled.fields.pop("form_token", "")
    if not visit.parts.sessions.believes(str(token), cookie=session_cookie(visit)):
        raise forged("its token does not belong to this sign-in")
    if looks_only(visit) and not harmless:
        words = (
            "you are signed in to look only: nothing was done. Sign out, and in again without that choice."
        )
        raise Refusal(_problem(403, "read_only", words))
    return filled


def forged(why: str) -> Refusal:
    words = f"this form is not believed: {why}. Nothing was done; go back, load the page again and repeat."
    return Refusal(_problem(403, "form_refused", words))


def local_path(asked: str) -> str:
    """Where to go on; never off this host."""
    fine = asked.startswith("/dashboard") and "\\" not in asked and not asked.startswith("//")
    return asked if fine and asked.isprintable() else "/dashboard/router"


def _problem(status: int, code: str, message: str) -> Problem:
    return Problem(
        status=status, kind="permission_error", google="PERMISSION_DENIED", code=code, message=message
    )
