"""The playground: pictures of words and references, the same on several tiers, or a character's variants."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from image_router.core.errors import ImageRouterError
from image_router.core.storing import StoreMode
from image_router.core.types import AspectRatio, Purpose, ReferenceRole, Size, Tier
from image_router.engine.outline import outline
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.doors import filled_in, form, shown
from image_router.gateway.dashboard.pictures import SHIELD
from image_router.gateway.dashboard.playground_asks import MOST_IMAGES, PATH, Mode, PlayAsk, play_ask
from image_router.gateway.dashboard.playground_prices import Prices, prices
from image_router.gateway.dashboard.playground_references import MOST, brought, content
from image_router.gateway.dashboard.playground_runs import Run, begin, drafts_of, job_of, run_of, stop
from image_router.gateway.dashboard.rendering import HEADERS, PAGES, page
from image_router.gateway.refusals import absent, malformed
from image_router.gateway.surfaces import Problem, Refusal, problem_of


async def playground(visit: Visit) -> Response:
    """GET /dashboard/playground: controls, price, and the run that `run` names; the same for all its URLs."""
    told = visit.request.query_params
    ask = await play_ask(visit, told)
    offered, problem = await _offered(visit, ask)
    run, gone = await _run(visit, told.get("run", ""))
    return page(
        visit,
        "playground.html",
        **await _prices(visit, ask, offered),
        problem=problem,
        run=run,
        gone=gone,
        modes=tuple(Mode),
        tiers=tuple(Tier),
        purposes=tuple(Purpose),
        sizes=tuple(Size),
        aspects=tuple(AspectRatio),
        roles=tuple(ReferenceRole),
        profiles=visit.router.profiles,
        most_images=MOST_IMAGES,
        most_references=MOST,
    )


async def price(visit: Visit) -> Response:
    """GET /dashboard/playground/price: the button alone, with what it costs."""
    ask = await play_ask(visit, visit.request.query_params)
    offered, problem = await _offered(visit, ask)
    return page(visit, "_prices.html", **await _prices(visit, ask, offered), problem=problem)


async def bring(visit: Visit) -> Response:
    """POST /dashboard/playground/references: the form with files; back to the page, or as a part of it."""
    filled = await filled_in(visit, limit=visit.parts.limits.form_body)
    ask = await play_ask(visit, filled.fields)
    files = [data for data in filled.files.get("files", ()) if data]
    if len(ask.references) + len(files) > MOST:
        words = f"{len(ask.references) + len(files)} references; at most {MOST} are taken"
        raise malformed(words, param="references")
    names = [one.name for one in ask.references] + [await brought(visit, data) for data in files]
    ask = await play_ask(visit, {**ask.fields, **{f"ref{place}": name for place, name in enumerate(names)}})
    if visit.request.headers.get("x-part") == "fragment":
        return page(visit, "_references.html", ask=ask, most_references=MOST)
    return RedirectResponse(ask.address, 303, headers=HEADERS)


async def make(visit: Visit) -> Response:
    """POST /dashboard/playground: put it in line, once for each form, however often it is sent."""
    fields = await form(visit)
    ask = await play_ask(visit, fields)
    key = str(fields.get("key", "")) or _new_key()
    name = await begin(visit, ask, key=key)
    address = f"{ask.address}&{urlencode({'run': name})}#run"
    if visit.request.headers.get("x-part") == "fragment":
        return page(visit, "_run.html", run=await run_of(visit, name), gone=None, address=address)
    return RedirectResponse(address, 303, headers=HEADERS)


async def look(visit: Visit) -> Response:
    """GET /dashboard/playground/run: how far a run is."""
    run, gone = await _run(visit, visit.request.query_params.get("run", ""))
    return page(visit, "_run.html", run=run, gone=gone, address="")


async def cancel(visit: Visit) -> Response:
    """POST /dashboard/playground/cancel: what waits is not made; what runs is stopped soon."""
    name = str((await form(visit)).get("run", ""))
    await stop(visit, name)
    if visit.request.headers.get("x-part") == "fragment":
        return page(visit, "_run.html", run=await run_of(visit, name), gone=None, address="")
    return RedirectResponse(f"{PATH}?{urlencode({'run': name})}#run", 303, headers=HEADERS)


async def draft(visit: Visit) -> Response:
    """GET /dashboard/playground/drafts/{job}/{digest}: what a model drew while it thought."""
    told: Mapping[str, str] = visit.request.path_params
    if told["digest"] not in await drafts_of(visit, await job_of(visit, told["job"])):
        raise absent("there is no such draft")
    data = await visit.parts.books.assets.blobs.read(told["digest"])
    if (known := outline(data)) is None:
        raise absent("this draft came damaged, and cannot be shown")
    return Response(data, headers=SHIELD, media_type=known[0])


async def _offered(visit: Visit, ask: PlayAsk) -> tuple[Prices | None, Problem | None]:
    """That nobody can make it is an answer too."""
    try:
        return await prices(visit, ask), None
    except ImageRouterError as error:
        return None, problem_of(error)


async def _run(visit: Visit, name: str) -> tuple[Run | None, Problem | None]:
    if not name.strip():
        return None, None
    try:
        return await run_of(visit, name), None
    except Refusal as refusal:
        return None, refusal.problem


async def _prices(visit: Visit, ask: PlayAsk, offered: Prices | None) -> dict[str, Any]:
    rule = await visit.parts.books.assets.rules.of(visit.terms(None)["scope"])
    return {"ask": ask, "offered": offered, "key": _new_key(), "keeps": rule.store is StoreMode.ALL}


def _new_key() -> str:
    return f"playground-{secrets.token_hex(8)}"


ENTRIES: Final = (
    Entry(method="GET", path=PATH, endpoint=shown(playground), surface=PAGES, public=True),
    Entry(method="POST", path=PATH, endpoint=shown(make), surface=PAGES, public=True),
    Entry(method="GET", path=f"{PATH}/price", endpoint=shown(price), surface=PAGES, public=True),
    Entry(method="GET", path=f"{PATH}/run", endpoint=shown(look), surface=PAGES, public=True),
    Entry(method="POST", path=f"{PATH}/cancel", endpoint=shown(cancel), surface=PAGES, public=True),
    Entry(method="POST", path=f"{PATH}/references", endpoint=shown(bring), surface=PAGES, public=True),
    Entry(
        method="GET",
        path=f"{PATH}/references/{{name}}",
        endpoint=shown(content),
        surface=PAGES,
        public=True,
    ),
    Entry(
        method="GET",
        path=f"{PATH}/drafts/{{job}}/{{digest}}",
        endpoint=shown(draft),
        surface=PAGES,
        public=True,
    ),
)
