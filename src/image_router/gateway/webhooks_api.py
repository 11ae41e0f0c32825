"""Webhooks over HTTP: endpoints and secrets for admins, deliveries for whoever they belong to."""

from __future__ import annotations

import base64
from typing import Any, Final

from starlette.responses import Response

from image_router.core.budget import Micros, from_micros
from image_router.core.scopes import scope_path
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.fields import one_of, text, whole
from image_router.gateway.router_asks import check_names
from image_router.gateway.router_reading import answer, query
from image_router.gateway.router_scopes import owns, seen_scope, who
from image_router.gateway.surfaces import ROUTER
from image_router.gateway.webhooks_rules import check_url
from image_router.storage.webhooks_tables import (
    Delivery,
    DeliveryQuery,
    DeliveryState,
    Endpoint,
    HookEvent,
)

ROOT: Final = "/router/v1/webhooks"
PREFIX: Final = "whsec_"
_GRACE: Final = 86_400
_MOST_GRACE: Final = 30 * 86_400
_PAGE: Final = 50


async def rotate(visit: Visit) -> Response:
    """POST /router/v1/webhooks/secrets: a new secret for the webhooks of a scope and all below. Admins only.

    Fields: `scope` (else the caller's), `grace_seconds` (0 to 2592000, else 86400): how long the secret
    before it signs too. Answers 201 {"scope", "secret", "old_until"}; the secret is shown this once.
    """
    body = await _body(visit, "scope", "grace_seconds")
    scope = text(body, "scope") or visit.caller.scope
    scope_path(scope)
    grace = whole(body, "grace_seconds", default=_GRACE, low=0, high=_MOST_GRACE)
    made = await visit.parts.outbox.rotate(scope, who=who(visit), grace=grace)
    shown = PREFIX + base64.b64encode(made.secret).decode()
    told = answer({"scope": scope, "secret": shown, "old_until": _moment(made.old_until)}, 201)
    told.headers["cache-control"] = "no-store"
    return told


async def add_endpoint(visit: Visit) -> Response:
    """POST /router/v1/webhooks/endpoints: tell an address of a scope and all below it. Admins only.

    Fields: `url` (https), `scope` (else the caller's), `events` (else all: job.succeeded, job.failed,
    job.cancelled, budget.alert, key.revoked). The scope must have a secret. Answers 201 with the endpoint.
    """
    body = await _body(visit, "url", "scope", "events")
    url, scope = text(body, "url"), text(body, "scope") or visit.caller.scope
    scope_path(scope)
    if url is None:
        raise refusals.malformed("url is missing; say which address is to be told", param="url")
    check_url(url, private=visit.parts.private_hooks, param="url")
    events = _events(body)
    if not await visit.parts.outbox.secrets_of(scope):
        words = f"scope {scope!r} has no secret to sign with; make one first: POST {ROOT}/secrets"
        raise refusals.malformed(words, param="scope")
    endpoint = await visit.parts.outbox.add_endpoint(scope, url, events=events, who=who(visit))
    return answer(endpoint_view(endpoint), 201)


async def list_endpoints(visit: Visit) -> Response:
    """GET /router/v1/webhooks/endpoints: {"endpoints": [...]}, of `scope` and all below it, or all."""
    given = query(visit, "scope")
    found = await visit.parts.outbox.endpoints(seen_scope(visit, given.get("scope")))
    return answer({"endpoints": [endpoint_view(one) for one in found]})


async def remove_endpoint(visit: Visit) -> Response:
    """DELETE /router/v1/webhooks/endpoints/{id}: 204; what is on its way to it is given up."""
    endpoint_id = visit.request.path_params["id"]
    if not await visit.parts.outbox.remove_endpoint(endpoint_id):
        raise refusals.absent(f"there is no endpoint {endpoint_id!r}")
    return Response(status_code=204)


async def list_deliveries(visit: Visit) -> Response:
    """GET /router/v1/webhooks/deliveries: {"deliveries": [...]}, newest first, each with its last try.

    Query: `status` (pending, delivered, failed), `scope`, `subject` (a job's id), `limit` (1 to 200).
    """
    given: dict[str, Any] = dict(query(visit, "status", "scope", "subject", "limit"))
    state = one_of(given, "status", words=tuple(DeliveryState))
    found = await visit.parts.outbox.listed(
        DeliveryQuery(
            scope=seen_scope(visit, given.get("scope")),
            state=DeliveryState(state) if state else None,
            subject=given.get("subject"),
            limit=whole(given, "limit", default=_PAGE, low=1, high=200),
        )
    )
    return answer({"deliveries": [delivery_view(one) for one in found]})


async def resend(visit: Visit) -> Response:
    """POST /router/v1/webhooks/deliveries/{id}/resend: try again from the beginning, its id the same. 202."""
    delivery = await _delivery(visit)
    await visit.parts.outbox.resend(delivery.id)
    return answer(delivery_view(await _delivery(visit)), 202)


def endpoint_view(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "scope": endpoint.scope,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "created_at": _moment(endpoint.created_at),
        "created_by": endpoint.created_by,
        "off_at": _moment(endpoint.off_at),
        "off_why": endpoint.off_why,
    }


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "status": delivery.state,
        "event": delivery.event,
        "subject": delivery.subject,
        "scope": delivery.scope,
        "url": delivery.url,
        "endpoint": delivery.endpoint_id,
        "created_at": _moment(delivery.created_at),
        "finished_at": _moment(delivery.ended_at),
        "tries": delivery.tries,
        "next_try_at": _moment(delivery.next_at) if delivery.state is DeliveryState.PENDING else None,
        "http_status": delivery.status,
        "trouble": delivery.trouble,
    }


async def _body(visit: Visit, *names: str) -> dict[str, Any]:
    body = await bodies.read_json(visit.request, limit=visit.parts.limits.small_body)
    check_names(body, names)
    return body


def _events(body: dict[str, Any]) -> tuple[HookEvent, ...]:
    given = body.get("events")
    if given is None:
        return tuple(HookEvent)
    if not isinstance(given, list) or not given or not all(isinstance(name, str) for name in given):
        raise refusals.malformed("events is no list of names; leave it out for all", param="events")
    for name in given:
        one_of({"events": name}, "events", words=tuple(HookEvent))
    return tuple(HookEvent(name) for name in given)


async def _delivery(visit: Visit) -> Delivery:
    delivery_id = visit.request.path_params["id"]
    delivery = await visit.parts.outbox.get(delivery_id)
    if delivery is None or not owns(visit, delivery.scope):
        raise refusals.absent(f"there is no delivery {delivery_id!r}")
    return delivery


def _moment(at: Micros | None) -> str | None:
    return from_micros(at).isoformat(timespec="milliseconds") if at is not None else None


ENTRIES: Final = (
    Entry(method="POST", path=f"{ROOT}/secrets", endpoint=rotate, surface=ROUTER, admin=True),
    Entry(method="GET", path=f"{ROOT}/endpoints", endpoint=list_endpoints, surface=ROUTER, admin=True),
    Entry(method="POST", path=f"{ROOT}/endpoints", endpoint=add_endpoint, surface=ROUTER, admin=True),
    Entry(
        method="DELETE", path=f"{ROOT}/endpoints/{{id}}", endpoint=remove_endpoint, surface=ROUTER, admin=True
    ),
    Entry(method="GET", path=f"{ROOT}/deliveries", endpoint=list_deliveries, surface=ROUTER),
    Entry(method="POST", path=f"{ROOT}/deliveries/{{id}}/resend", endpoint=resend, surface=ROUTER),
)
