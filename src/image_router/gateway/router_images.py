"""POST /router/v1/images: a request in the library's own words, answered with all that is known of it."""

from __future__ import annotations

import time
from typing import Any, Final

from starlette.responses import Response

from image_router.core.results import ImageResult
from image_router.core.storing import StoreMode
from image_router.core.types import ImageRequest
from image_router.engine.views import result_view
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.fields import text
from image_router.gateway.openai_views import Ending, headers_of, spliced
from image_router.gateway.router_asks import as_links, ask_of, request_of
from image_router.gateway.router_reading import answer
from image_router.gateway.surfaces import ROUTER
from image_router.storage.asset_values import asset_id

_OTHERS: Final = ("cache", "response_format")


async def images(visit: Visit) -> Response:
    """Make the images; some may fail, and stand beside the others."""
    body = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
    ask, links = ask_of(body, others=_OTHERS), as_links(body)
    request = await request_of(visit, ask, key=bodies.idempotency_key(visit.request))
    kept = await _kept(visit, request, links)
    end, cache = Ending(), text(body, "cache")
    result = await visit.router.generate(request, profile=ask.profile, cache=cache, on_event=end)
    view = _view(visit, result, kept=kept, links=links)
    made = answer({**view, "overhead_ms": end.overhead_ms})
    made.headers.update(headers_of(result, end))
    return made


async def _kept(visit: Visit, request: ImageRequest, links: bool) -> StoreMode:
    """What is kept of the pictures. Before anything is spent: a link needs a kept original."""
    rule = await visit.parts.books.assets.rules.of(request.scope)
    if links and rule.store is not StoreMode.ALL:
        words = (
            f"response_format=url needs pictures to be kept, and scope {request.scope!r} keeps {rule.store}"
        )
        raise refusals.malformed(words, param="response_format")
    return rule.store


def _view(visit: Visit, result: ImageResult, *, kept: StoreMode, links: bool) -> dict[str, Any]:
    view = result_view(result)
    for told, image in zip(view["images"], result.images, strict=True):
        name = asset_id(image.request_id, image.index)
        del told["file"]
        told["asset_id"] = name if kept is not StoreMode.NONE else None
        told["b64_json"] = None if links else spliced(image.data)
        told["url"] = visit.address(visit.parts.links.path(name, now=time.time())) if links else None
    return view


ENTRIES: Final = (Entry(method="POST", path="/router/v1/images", endpoint=images, surface=ROUTER),)
