"""Pages from templates: escaped by default, with headers under which a browser loads nothing foreign."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from image_router.core.economics import usd
from image_router.core.errors import ConfigError
from image_router.core.money import show_usd
from image_router.core.palette import TITLE
from image_router.core.types import Tier
from image_router.gateway.app import Visit
from image_router.gateway.dashboard import charts
from image_router.gateway.dashboard.statics import address
from image_router.gateway.surfaces import Problem

THEMES: Final = ("system", "light", "dark")
THEME_COOKIE: Final = "image_router_theme"
SESSION_COOKIE: Final = "image_router_session"

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "private, no-store",
    "vary": "cookie",
}
"""Of every page. Nothing inline runs: a prompt that got through escaping would still do nothing."""


_HEADINGS: Final[Mapping[str, str]] = {
    "no_eligible_tier": "Nobody can take this job",
    "budget_exceeded": "The budget does not cover this",
    "content_refused": "The provider refused this",
    "form_refused": "This form is not believed",
    "read_only": "You are here to look",
    "signed_out": "Your session has ended",
    "stopping": "This server is stopping",
}
_HEADINGS_OF_STATUS: Final[Mapping[int, str]] = {
    400: "This cannot be asked so",
    401: "Sign in first",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This page is not for that",
    429: "Too much for now",
    500: "The gateway failed here",
}
_BELOW: Final[Mapping[str, str]] = {"pictures": "gallery", "runs": "operations"}
"""Paths whose pages belong to one of the navigation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nav:
    """One entry of the navigation."""

    name: str
    title: str
    path: str
    admin: bool = False
    """For admins alone."""


NAV: Final = (
    Nav(name="router", title="Live router", path="/dashboard/router"),
    Nav(name="playground", title="Playground", path="/dashboard/playground"),
    Nav(name="economics", title="Economics", path="/dashboard/economics"),
    Nav(name="gallery", title="Gallery", path="/dashboard/gallery"),
    Nav(name="spend", title="Spend", path="/dashboard/spend"),
    Nav(name="operations", title="Operations", path="/dashboard/operations"),
    Nav(name="keys", title="Keys", path="/dashboard/keys", admin=True),
    Nav(name="settings", title="Settings", path="/dashboard/settings", admin=True),
)


def page(visit: Visit, template: str, *, status: int = 200, **values: Any) -> Response:
    """A whole page, or a part of one, for whoever asked."""
    if isinstance(problem := values.get("problem"), Problem):
        values["heading"] = heading(problem)
    html = _environment().get_template(template).render(**_surroundings(visit), **values)
    return Response(html, status, headers=HEADERS, media_type="text/html")


class PagesSurface:
    """Errors that no page of ours could answer: wrong methods, bugs."""

    name = "dashboard"
    headers = HEADERS

    def encoded(self, problem: Problem) -> tuple[bytes, str]:
        nobody = {
            "theme": "system",
            "who": None,
            "signed_in": False,
            "open": True,
            "provider": "",
            "looks": False,
        }
        place = {"here": "/dashboard", "here_name": "", "form_token": ""}
        html = _environment().get_template("problem.html")
        return html.render(**nobody, **place, problem=problem, heading=heading(problem)).encode(), "text/html"


PAGES: Final = PagesSurface()


def heading(problem: Problem) -> str:
    """What happened, in a few words."""
    return _HEADINGS.get(problem.code) or _HEADINGS_OF_STATUS.get(problem.status, "This did not work")


def counted(number: int, what: str) -> str:
    """1 picture, 1,200 pictures."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def session_cookie(visit: Visit) -> str:
    """The cookie as it came; empty in open mode, where there is none to come."""
    return "" if visit.parts.doorkeeper.open else visit.request.cookies.get(SESSION_COOKIE, "")


def looks_only(visit: Visit) -> bool:
    """Whether whoever is signed in chose to change nothing."""
    session = visit.parts.sessions.read(session_cookie(visit), now=time.time())
    return session is not None and session.looks


def _surroundings(visit: Visit) -> dict[str, Any]:
    theme = visit.request.cookies.get(THEME_COOKIE, "system")
    url = visit.request.url
    return {
        "theme": theme if theme in THEMES else "system",
        "who": visit.caller,
        "signed_in": visit.caller.key is not None or visit.caller.admin,
        "open": visit.parts.doorkeeper.open,
        "form_token": visit.parts.sessions.form_token(session_cookie(visit)),
        "provider": provider_words(visit),
        "looks": looks_only(visit),
        "here": url.path + (f"?{url.query}" if url.query and visit.request.method == "GET" else ""),
        "here_name": _BELOW.get(name := url.path.removeprefix("/dashboard/").partition("/")[0], name),
    }


def provider_words(visit: Visit) -> str:
    """emulator, real, or missing: what a paid request would meet."""
    try:
        return "real" if visit.router.provider.real else "emulator"
    except ConfigError:
        return "missing"


@cache
def _environment() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["money"] = show_usd
    templates.filters["fraction_money"] = lambda amount, decimals: usd(amount, decimals=decimals)
    templates.filters["tier_title"] = lambda tier: TITLE[Tier(tier)] if tier else "Pinned model"
    templates.filters["counted"] = counted
    templates.filters["words"] = lambda name: str(name).replace("_", " ")
    templates.globals.update(static=address, nav=NAV, themes=THEMES, charts=charts)
    return templates
