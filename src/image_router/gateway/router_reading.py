"""Our own API, what spends nothing: explain, quote, the catalog, prices, and a page for language models."""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.responses import PlainTextResponse, Response

from image_router.core.errors import InvalidRequest
from image_router.core.money import usd_text
from image_router.engine.catalog_views import catalog_view, entry_view
from image_router.engine.chains import ChainPlan, quote_chain
from image_router.engine.decision_views import explanation_view, quote_view
from image_router.engine.model_rows import Known, rows
from image_router.engine.price_views import sheet
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.llms_text import llms_text
from image_router.gateway.router_asks import Ask, ask_of, check_names, pressure_of, request_of
from image_router.gateway.surfaces import JSON, ROUTER

MOST_VARIANTS: Final = 100
_ENUM_KEYS: Final = orjson.OPT_NON_STR_KEYS


async def explain(visit: Visit) -> Response:
    """POST /router/v1/explain: the decision with every reason, and what would be sent."""
    body = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
    ask = ask_of(body, others=("pressure",))
    request = await request_of(visit, ask)
    explained = await visit.router.explain(request, profile=ask.profile, pressure=pressure_of(body))
    return answer(explanation_view(explained))


async def quote(visit: Visit) -> Response:
    """POST /router/v1/quote: what a request costs on its first choice; with `variants`, a whole chain."""
    body = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
    ask = ask_of(body, others=("pressure", "variants"))
    if body.get("variants") is not None:
        return answer(await _chain_quote(visit, ask, body))
    request = await request_of(visit, ask)
    decision = await visit.router.decide(request, profile=ask.profile, pressure=pressure_of(body))
    head = {"tier": decision.head.tier, "model": decision.head.model.id}
    highest = usd_text(decision.ceiling)
    return answer(
        {**quote_view(decision.quote), **head, "highest_usd": highest, "warnings": list(decision.warnings)}
    )


async def _chain_quote(visit: Visit, ask: Ask, body: dict[str, Any]) -> dict[str, Any]:
    if body.get("pressure") is not None:
        raise refusals.malformed("pressure is assumed for single requests only", param="pressure")
    request = await request_of(visit, ask)
    plan = ChainPlan(base=request, variants=tuple(variants_of(body)), profile=ask.profile)
    total = await quote_chain(visit.router, plan)
    return {**quote_view(total), "tier": None, "model": None, "highest_usd": None, "warnings": []}


def variants_of(body: dict[str, Any]) -> list[str]:
    """The prompts of a chain's variants."""
    given = body.get("variants")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise refusals.malformed("variants is no list of prompts", param="variants")
    if not 1 <= len(given) <= MOST_VARIANTS:
        words = f"{len(given)} variants; a chain has 1 to {MOST_VARIANTS}"
        raise refusals.malformed(words, param="variants")
    return given


async def catalog(visit: Visit) -> Response:
    """GET /router/v1/catalog."""
    return answer(catalog_view(known(visit)))


async def model(visit: Visit) -> Response:
    """GET /router/v1/catalog/{model}: by id or alias."""
    facts, name = known(visit), visit.request.path_params["model"]
    try:
        found = facts.catalog.resolve(name)
    except InvalidRequest as error:
        raise refusals.absent(str(error)) from None
    for row in rows(facts):
        if row.model.id == found.id:
            return answer(entry_view(row, facts))
    raise refusals.absent(f"{found.id} is not released yet on {facts.day}")


async def pricing(visit: Visit) -> Response:
    """GET /router/v1/pricing: the rates of the day as constants."""
    return answer(sheet(known(visit)))


async def llms(visit: Visit) -> Response:
    """GET /llms.txt."""
    return PlainTextResponse(llms_text(known(visit), visit.address("")))


def known(visit: Visit) -> Known:
    """Catalog and rate card of the router's day."""
    world = visit.router.world()
    return Known(catalog=world.catalog, card=world.card, day=world.day)


def answer(view: Any, status: int = 200) -> Response:
    """A view as JSON."""
    return Response(orjson.dumps(view, option=_ENUM_KEYS), status, media_type=JSON)


def query(visit: Visit, *names: str, many: tuple[str, ...] = ()) -> dict[str, str]:
    """The query's values by name, empty ones left out. Refuses unknown names, and a name twice."""
    params = visit.request.query_params
    check_names(params, (*names, *many, "key"))
    for name in params:
        if name not in many and len(params.getlist(name)) > 1:
            raise refusals.malformed(f"{name} is given {len(params.getlist(name))} times", param=name)
    return {name: value for name, value in params.items() if name in names and value}


ENTRIES: Final = (
    Entry(method="POST", path="/router/v1/explain", endpoint=explain, surface=ROUTER),
    Entry(method="POST", path="/router/v1/quote", endpoint=quote, surface=ROUTER),
    Entry(method="GET", path="/router/v1/catalog", endpoint=catalog, surface=ROUTER),
    Entry(method="GET", path="/router/v1/catalog/{model}", endpoint=model, surface=ROUTER),
    Entry(method="GET", path="/router/v1/pricing", endpoint=pricing, surface=ROUTER),
    Entry(method="GET", path="/llms.txt", endpoint=llms, surface=ROUTER, public=True),
    Entry(method="GET", path="/router/v1/llms.txt", endpoint=llms, surface=ROUTER, public=True),
)
