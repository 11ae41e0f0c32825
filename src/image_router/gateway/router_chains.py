"""Chains over HTTP: one character, many pictures, made in the background and taken up again where needed."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from image_router.core.budget import Micros, moment_text
from image_router.core.money import usd_text
from image_router.core.storing import StoreMode
from image_router.engine.chains import ChainPlan, quote_chain
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.chains_work import cancel_jobs
from image_router.gateway.fields import whole
from image_router.gateway.jobs_api import MOST_WAIT
from image_router.gateway.jobs_views import Terms, problem_view
from image_router.gateway.openai_asks import Delivery
from image_router.gateway.preferences import preferred
from image_router.gateway.router_asks import ask_of, request_of
from image_router.gateway.router_reading import answer, query, variants_of
from image_router.gateway.router_scopes import owns, seen_scope
from image_router.gateway.surfaces import REPLAYED, ROUTER
from image_router.storage.chains_tables import Chain, ChainItem, ChainState
from image_router.storage.jobs_line import JobsFull
from image_router.storage.jobs_tables import JobState
from image_router.storage.key_tables import rules_text
from image_router.storage.records import REQUEST, Record

CHAINS: Final = "/router/v1/chains"
_LOOKS: Final = 0.25
"""Seconds between looks of whoever waits for a chain."""
_AGAIN: Final = (ChainState.PARTIAL, ChainState.FAILED, ChainState.CANCELLED)


async def create(visit: Visit) -> Response:
    """POST /router/v1/chains: the character's request, and `variants`. 202 with the chain."""
    body = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
    ask = ask_of(body, others=("variants",))
    if ask.previous is not None:
        raise refusals.malformed("previous: a chain begins with a picture of its own", param="previous")
    base = await request_of(visit, ask, key=bodies.idempotency_key(visit.request))
    plan = ChainPlan(base=base, variants=tuple(variants_of(body)), profile=ask.profile)
    chain, replayed = await begun(visit, plan)
    made = answer(await _view(visit, chain), 202)
    made.headers.update({"location": visit.address(f"{CHAINS}/{chain.id}"), "retry-after": "2"})
    made.headers.update(REPLAYED if replayed else {})
    return made


async def begun(visit: Visit, plan: ChainPlan) -> tuple[Chain, bool]:
    """The chain, and whether its key had named it before. Raises Refusal where its pictures are not kept."""
    base = plan.base
    rule = await visit.parts.books.assets.rules.of(base.scope)
    if rule.store is not StoreMode.ALL:
        raise refusals.malformed(
            f"a chain needs its pictures to be kept, and scope {base.scope!r} keeps {rule.store}"
        )
    total = await quote_chain(visit.router, plan)
    terms = Terms(
        profile=plan.profile,
        cache=None,
        delivery=Delivery(),
        quote_usd=usd_text(total.total),
        highest_usd=usd_text(total.ceiling),
        base=visit.address(""),
    )
    record = await asyncio.to_thread(REQUEST.write, replace(base, key=None, max_total=None))
    most = visit.parts.limits.jobs_waiting
    try:
        return await visit.parts.chains.add(_new(visit, plan, record, terms), record, most=most)
    except JobsFull as full:
        raise refusals.too_many_jobs(base.scope, full) from None


def _new(visit: Visit, plan: ChainPlan, record: Record, terms: Terms) -> Chain:
    key, prompts = visit.caller.key, (plan.base.prompt, *plan.variants)
    digest = hashlib.sha256(record.data)
    digest.update("\n".join((plan.profile or "", *prompts)).encode())
    return Chain(
        id=f"chain_{secrets.token_hex(12)}",
        scope=plan.base.scope,
        key_id=key.id if key else None,
        rules=rules_text(key.rules) if key else None,
        asked_key=plan.base.key,
        fingerprint=digest.hexdigest(),
        request=record.data,
        prompts=prompts,
        terms=terms.written(),
    )


async def list_chains(visit: Visit) -> Response:
    """GET /router/v1/chains: newest first."""
    given = query(visit, "scope", "limit", "after")
    limit = whole(given, "limit", default=20, low=1, high=100)
    scope = seen_scope(visit, given.get("scope"))
    found = await visit.parts.chains.listed(scope=scope, limit=limit + 1, before=given.get("after"))
    views = [await _view(visit, chain) for chain in found[:limit]]
    return answer({"chains": views, "has_more": len(found) > limit})


async def show(visit: Visit) -> Response:
    """GET /router/v1/chains/{id}: each picture with its job, and its id once it is kept.

    With `Prefer: wait=N` the answer waits up to N seconds (60 at most) for the chain's end.
    """
    until = time.monotonic() + min(preferred(visit.request).wait, MOST_WAIT)
    chain = await _mine(visit)
    while chain.state is ChainState.RUNNING and time.monotonic() < until and not visit.stopping:
        await asyncio.sleep(_LOOKS)
        chain = await _mine(visit)
    return answer(await _view(visit, chain))


async def cancel(visit: Visit) -> Response:
    """POST /router/v1/chains/{id}/cancel: what waits is not made; a call under way may be billed."""
    chain = await _mine(visit)
    if await visit.parts.chains.end(chain.id, ChainState.CANCELLED):
        await cancel_jobs(visit.parts, chain)
    return answer(await _view(visit, await _mine(visit)))


async def resume(visit: Visit) -> Response:
    """POST /router/v1/chains/{id}/resume: make what is missing, and pay only for that."""
    chain = await _mine(visit)
    if chain.state is ChainState.RUNNING or chain.state not in _AGAIN:
        words = f"chain {chain.id} is {chain.state}; there is nothing to take up again"
        raise refusals.conflict("chain_" + chain.state, words)
    if any(item.job and not item.job.state.over for item in await visit.parts.chains.items(chain)):
        raise refusals.conflict("chain_stopping", f"jobs of chain {chain.id} are still being stopped", wait=2)
    try:
        await visit.parts.chains.resume(chain, most=visit.parts.limits.jobs_waiting)
    except JobsFull as full:
        raise refusals.too_many_jobs(chain.scope, full) from None
    return answer(await _view(visit, await _mine(visit)), 202)


async def _mine(visit: Visit) -> Chain:
    chain_id = visit.request.path_params["id"]
    chain = await visit.parts.chains.get(chain_id)
    if chain is None or not owns(visit, chain.scope):
        raise refusals.absent(f"there is no chain {chain_id!r}")
    return chain


async def _view(visit: Visit, chain: Chain) -> dict[str, Any]:
    items = await visit.parts.chains.items(chain)
    terms, address = Terms.read(chain.terms), visit.address(f"{CHAINS}/{chain.id}")
    jobs = [item.job for item in items if item.job is not None]
    reference, *variants = (_item(item) for item in items)
    return {
        "object": "chain",
        "id": chain.id,
        "status": chain.state,
        "scope": chain.scope,
        "created_at": moment_text(chain.created_at),
        "finished_at": _moment(chain.ended_at),
        "progress": {
            "images": len(items),
            "done": sum(job.state is JobState.SUCCEEDED for job in jobs),
            "failed": sum(job.state is JobState.FAILED for job in jobs),
        },
        "quote_usd": terms.quote_usd,
        "highest_usd": terms.highest_usd,
        "cost_usd": usd_text(sum(job.cost for job in jobs)),
        "reference": reference,
        "variants": variants,
        "urls": {"self": address, "cancel": f"{address}/cancel", "resume": f"{address}/resume"},
    }


def _item(item: ChainItem) -> dict[str, Any]:
    job = item.job
    return {
        "key": item.key,
        "prompt": item.prompt,
        "status": job.state if job else JobState.SUCCEEDED if item.asset_id else "waiting",
        "job": job.id if job else None,
        "asset_id": item.asset_id,
        "cost_usd": usd_text(job.cost if job else 0),
        "error": problem_view(job) if job else None,
    }


def _moment(at: Micros | None) -> str | None:
    return None if at is None else moment_text(at)


ENTRIES: Final = (
    Entry(method="POST", path=CHAINS, endpoint=create, surface=ROUTER),
    Entry(method="GET", path=CHAINS, endpoint=list_chains, surface=ROUTER),
    Entry(method="GET", path=f"{CHAINS}/{{id}}", endpoint=show, surface=ROUTER),
    Entry(method="POST", path=f"{CHAINS}/{{id}}/cancel", endpoint=cancel, surface=ROUTER),
    Entry(method="POST", path=f"{CHAINS}/{{id}}/resume", endpoint=resume, surface=ROUTER),
)
