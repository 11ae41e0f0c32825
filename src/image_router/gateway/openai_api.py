"""OpenAI's Images API (https://platform.openai.com/docs/api-reference/images, 2026-11-22)."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from starlette.responses import Response

from image_router.core.catalog import Model, ModelState
from image_router.core.errors import InvalidRequest
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.storing import StoreMode
from image_router.core.types import ImageRequest, Purpose, Tier
from image_router.engine.decision_views import explanation_view
from image_router.engine.router import ImageRouter
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.converting import Picture, delivered
from image_router.gateway.jobs_making import accepted
from image_router.gateway.openai_asks import Asked, Delivery, asked_of, of_form
from image_router.gateway.openai_stream import streamed
from image_router.gateway.openai_views import Ending, headers_of, images_view
from image_router.gateway.pictured import Pictured
from image_router.gateway.preferences import preferred
from image_router.gateway.references import sources
from image_router.gateway.surfaces import JSON, OPENAI
from image_router.providers.spooling import spooling
from image_router.storage.asset_values import asset_id

_LIVING: Final = (ModelState.ALIVE, ModelState.DEPRECATED)
_NO_MODEL: Final = "use auto, a tier, a purpose like auto:hero, or a model id of GET /v1/models"


async def generations(visit: Visit) -> Response:
    """POST /v1/images/generations."""
    body = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
    return await _answer(visit, asked_of(body))


async def edits(visit: Visit) -> Response:
    """POST /v1/images/edits, as a form with uploads or as JSON with references."""
    asked = await _edit_asked(visit)
    if not asked.references:
        raise refusals.malformed("image is missing; an edit needs the picture to change", param="image")
    return await _answer(visit, asked, editing=True)


async def _edit_asked(visit: Visit) -> Asked:
    kind = visit.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        body = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
        return asked_of(image_first(body), editing=True)
    form = await bodies.read_form(visit.request, limit=visit.parts.limits.form_body)
    uploads = tuple(form.files.pop("image", ()))
    others = dict.fromkeys(form.files, "(a file)")
    return asked_of({**others, **of_form(form.fields)}, files=uploads, editing=True)


def image_first(body: dict[str, Any]) -> dict[str, Any]:
    """The body of an edit with all its pictures under `images`, the one to change first."""
    if "image" in body:
        one = body.pop("image")
        body["images"] = [*(one if isinstance(one, list) else [one]), *(body.get("images") or ())]
    return body


async def _answer(visit: Visit, asked: Asked, *, editing: bool = False) -> Response:
    request = await request_of(visit, asked, editing=editing)
    if preferred(visit.request).respond_async:
        return await accepted(visit, request, asked=asked, editing=editing)
    if asked.delivery.explain:
        explained = await visit.router.explain(request, profile=asked.profile)
        body = {"created": int(time.time()), "data": [], "image_router": explanation_view(explained)}
        return Response(orjson.dumps(body), media_type=JSON)
    if asked.delivery.stream:
        return await streamed(visit, request, asked=asked, editing=editing)
    end = Ending()
    with spooling() if await _is_passed_on(visit, request, asked) else nullcontext():
        result = await visit.router.generate(request, profile=asked.profile, cache=asked.cache, on_event=end)
    return await shown(visit, result, delivery=asked.delivery, end=end)


async def _is_passed_on(visit: Visit, request: ImageRequest, asked: Asked) -> bool:
    """Whether the pictures go to the caller as they are and nowhere else."""
    if asked.delivery.format or request.key is not None:
        return False
    rule = await visit.parts.books.assets.rules.of(request.scope)
    return rule.store is not StoreMode.ALL


async def shown(visit: Visit, result: ImageResult, *, delivery: Delivery, end: Ending) -> Response:
    """A result as the caller wants it delivered."""
    pictures = await _delivered(result, delivery)
    both, inside = zip(result.images, pictures, strict=True), Pictured()
    data = [
        _link(visit, image) if delivery.as_url else {"b64_json": inside.shown(picture.data)}
        for image, picture in both
    ]
    view = images_view(result, pictures, delivery=delivery, data=data)
    view["image_router"]["overhead_ms"] = end.overhead_ms
    return inside.response(view, headers=headers_of(result, end))


async def _check_delivery(visit: Visit, asked: Asked) -> None:
    """Before anything is spent: a link needs a kept original."""
    if not asked.delivery.as_url:
        return
    if asked.delivery.format or asked.delivery.stream:
        words = "response_format=url gives the kept original at the end; leave output_format and stream out"
        raise refusals.malformed(words, param="response_format")
    scope = visit.caller.paying(asked.scope)
    rule = await visit.parts.books.assets.rules.of(scope)
    if rule.store is not StoreMode.ALL:
        words = f"response_format=url needs pictures to be kept, and scope {scope!r} keeps {rule.store}"
        raise refusals.malformed(words, param="response_format")


async def request_of(visit: Visit, asked: Asked, *, editing: bool) -> ImageRequest:
    """What the router is asked for. Raises Refusal for what it could make and nobody could deliver."""
    await _check_delivery(visit, asked)
    references = await sources(visit, asked.references)
    fields = {**visit.terms(asked.scope), **asked.fields, "key": bodies.idempotency_key(visit.request)}
    router = visit.router
    _check_model(router, fields.get("model"))
    if not editing:
        return await router.request(asked.prompt, references=references, **fields)
    first, *others = references
    return await router.edit_request(asked.prompt, image=first, references=others, **fields)


def _check_model(router: ImageRouter, name: str | None) -> None:
    if name is None:
        return
    try:
        router.world().catalog.resolve(name)
    except InvalidRequest as error:
        raise refusals.no_model(f"{error}; {_NO_MODEL}") from None


async def _delivered(result: ImageResult, delivery: Delivery) -> list[Picture]:
    wanted, compression = delivery.format, delivery.compression
    return await asyncio.gather(
        *(delivered(image, wanted, compression=compression) for image in result.images)
    )


def _link(visit: Visit, image: GeneratedImage) -> dict[str, Any]:
    path = visit.parts.links.path(asset_id(image.request_id, image.index), now=time.time())
    return {"url": visit.address(path)}


async def models(visit: Visit) -> Response:
    """GET /v1/models: auto, tiers, purposes, then every model id that is alive on the day."""
    return Response(orjson.dumps({"object": "list", "data": _listed(visit)}), media_type=JSON)


async def model(visit: Visit) -> Response:
    """GET /v1/models/{name}."""
    name = visit.request.path_params["name"]
    for entry in _listed(visit):
        if entry["id"] == name:
            return Response(orjson.dumps(entry), media_type=JSON)
    raise refusals.no_model(f"there is no model {name!r}; {_NO_MODEL}")


def _listed(visit: Visit) -> list[dict[str, Any]]:
    world, day = visit.router.world(), visit.router.day
    ours = ["auto", *(f"auto:{purpose}" for purpose in Purpose), *Tier]
    living = (each for each in world.catalog.models.values() if world.catalog.state(each.id, day) in _LIVING)
    return [_model_view(name, 0, "image-router") for name in ours] + [_living_view(each) for each in living]


def _living_view(known: Model) -> dict[str, Any]:
    born = datetime.combine(known.life.released, datetime.min.time(), UTC)
    view = _model_view(known.id, int(born.timestamp()), "google")
    return {**view, "shutdown_date": known.life.shutdown.isoformat() if known.life.shutdown else None}


def _model_view(name: str, created: int, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


ENTRIES: Final = (
    Entry(method="POST", path="/v1/images/generations", endpoint=generations, surface=OPENAI),
    Entry(method="POST", path="/v1/images/edits", endpoint=edits, surface=OPENAI),
    Entry(method="GET", path="/v1/models", endpoint=models, surface=OPENAI),
    Entry(method="GET", path="/v1/models/{name}", endpoint=model, surface=OPENAI),
)
