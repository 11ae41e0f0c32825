"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from starlette.responses import Response

from image_router.core.errors import ConfigError, StorageError
from image_router.gateway.app import Entry, Visit
from image_router.gateway.surfaces import JSON, ROUTER

STALE_DAYS: Final = 60
"""The catalog's facts are worth another look after that; doctor says the same."""


async def alive(visit: Visit) -> Response:
    return Response(b'{"status":"ok"}', media_type=JSON)


async def ready(visit: Visit) -> Response:
    """503 while something is missing that paid requests need; an old catalog is told, not fatal."""
    checks = {"database": await _database(visit), "provider": _provider(visit), "catalog": _catalog(visit)}
    fine = all(check["ok"] for check in checks.values()) and not visit.stopping
    body = {"status": "ready" if fine else "not ready", "stopping": visit.stopping, "checks": checks}
    return Response(orjson.dumps(body), 200 if fine else 503, media_type=JSON)


async def _database(visit: Visit) -> dict[str, Any]:
    try:
        condition = await visit.parts.books.condition()
    except StorageError as error:
        return {"ok": False, "detail": str(error)}
    return {"ok": True, "schema": condition.schema}


def _provider(visit: Visit) -> dict[str, Any]:
    try:
        provider = visit.router.provider
    except ConfigError as error:
        return {"ok": False, "detail": str(error)}
    return {"ok": True, "name": provider.name, "real": provider.real}


def _catalog(visit: Visit) -> dict[str, Any]:
    world = visit.router.world()
    checked = world.catalog.oldest_check()
    age = (visit.router.day - checked).days
    return {"ok": True, "checked": checked.isoformat(), "days": age, "stale": age > STALE_DAYS}


async def metrics(visit: Visit) -> Response:
    """For Prometheus, with an admin key as its bearer token."""
    accepts = visit.request.headers.get("accept", "")
    body, kind = await asyncio.to_thread(visit.parts.metrics.exposition, accepts)
    return Response(body, headers={"content-type": kind})


ENTRIES: Final = (
    Entry(method="GET", path="/healthz", endpoint=alive, surface=ROUTER, public=True, vital=True),
    Entry(method="GET", path="/readyz", endpoint=ready, surface=ROUTER, public=True, vital=True),
    Entry(method="GET", path="/metrics", endpoint=metrics, surface=ROUTER, admin=True),
)
