"""The live router: a job and its controls in, the decision with every reason out; and the button to pay."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from image_router.core.errors import ImageRouterError
from image_router.core.types import AspectRatio, Lane, Purpose, Size
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard import samples
from image_router.gateway.dashboard.doors import form, shown
from image_router.gateway.dashboard.jobs import JOBS
from image_router.gateway.dashboard.live_answers import LiveAnswer, hindrance, live_answer, previews
from image_router.gateway.dashboard.live_asks import MOST_IMAGES, LiveAsk, live_ask
from image_router.gateway.dashboard.making import made
from image_router.gateway.dashboard.rendering import HEADERS, PAGES, page
from image_router.gateway.refusals import malformed
from image_router.gateway.surfaces import Problem, problem_of

PATH: Final = "/dashboard/router"


async def home(visit: Visit) -> Response:
    """GET / and /dashboard."""
    return RedirectResponse(PATH, 303, headers=HEADERS)


async def live_router(visit: Visit) -> Response:
    """GET /dashboard/router: controls and answer; the same for whoever has its URL."""
    ask = _ask(visit, visit.request.query_params)
    answer, problem = await _answered(visit, ask)
    return page(
        visit,
        "router.html",
        **_shown(ask, answer, problem),
        jobs=JOBS,
        previews=await previews(visit, ask),
        profiles=visit.router.profiles,
        purposes=tuple(Purpose),
        sizes=tuple(Size),
        aspects=tuple(AspectRatio),
        lanes=tuple(Lane),
        most_images=MOST_IMAGES,
        most_references=samples.MOST,
    )


async def answer(visit: Visit) -> Response:
    """GET /dashboard/router/answer: the answer alone."""
    ask = _ask(visit, visit.request.query_params)
    found, problem = await _answered(visit, ask)
    return page(visit, "_answer.html", **_shown(ask, found, problem))


async def make(visit: Visit) -> Response:
    """POST /dashboard/router: make it, once for each form, however often it is sent."""
    fields = await form(visit)
    key = str(fields.pop("key", ""))
    ask = _ask(visit, fields)
    if why := hindrance(visit, ask):
        raise malformed(why)
    result = await made(visit, ask, key=key)
    part = visit.request.headers.get("x-part") == "fragment"
    return page(visit, "_made.html" if part else "made.html", ask=ask, made=result)


def _ask(visit: Visit, given: Mapping[str, Any]) -> LiveAsk:
    return live_ask(given, today=visit.router.day, profile=visit.router.profile)


async def _answered(visit: Visit, ask: LiveAsk) -> tuple[LiveAnswer | None, Problem | None]:
    """That nobody can serve is an answer too."""
    try:
        return await live_answer(visit, ask), None
    except ImageRouterError as error:
        return None, problem_of(error)


def _shown(ask: LiveAsk, found: LiveAnswer | None, problem: Problem | None) -> dict[str, Any]:
    return {"ask": ask, "answer": found, "problem": problem, "key": f"dashboard-{secrets.token_hex(8)}"}


ENTRIES: Final = (
    Entry(method="GET", path="/", endpoint=home, surface=PAGES, public=True),
    Entry(method="GET", path="/dashboard", endpoint=home, surface=PAGES, public=True),
    Entry(method="GET", path=PATH, endpoint=shown(live_router), surface=PAGES, public=True),
    Entry(method="POST", path=PATH, endpoint=shown(make), surface=PAGES, public=True),
    Entry(method="GET", path=f"{PATH}/answer", endpoint=shown(answer), surface=PAGES, public=True),
)
