"""Requests for auto, a tier or a purpose: translated, made by the router, answered in Gemini's shape."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from image_router.core.errors import AssetError
from image_router.core.types import Adaptation, Conversation, ImageRequest, Purpose, Turn
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Visit
from image_router.gateway.gemini_asks import Asked, asked_of, asked_of_predict
from image_router.gateway.gemini_bodies import Json
from image_router.gateway.gemini_views import Stream, content_view, predictions_view, shown
from image_router.gateway.openai_views import Ending, headers_of
from image_router.gateway.surfaces import header_text

_OWN: Final = "x-image-router-"


def common(visit: Visit) -> dict[str, Any]:
    """What every paid request says: who pays, its key, and what becomes of retired models."""
    scope = visit.request.headers.get(f"{_OWN}scope")
    return {"key": bodies.idempotency_key(visit.request), **visit.terms(scope)}


async def made(visit: Visit, message: Json, *, method: str, fields: Mapping[str, Any]) -> Response:
    """Decide, make, and answer as a model would. `fields` is what the model's name stands for."""
    predicts = method == "predict"
    asked = asked_of_predict(message) if predicts else asked_of(message)
    request = await _request(visit, asked, fields)
    end, said = Ending(), visit.request.headers
    result = await visit.router.generate(
        request, profile=said.get(f"{_OWN}profile"), cache=said.get(f"{_OWN}cache"), on_event=end
    )
    headers = {**headers_of(result, end), **_ignored(asked)}
    view = predictions_view(result) if predicts else content_view(result)
    return shown(view, headers, stream=Stream.of(visit.request))


async def _request(visit: Visit, asked: Asked, fields: Mapping[str, Any]) -> ImageRequest:
    given = {**common(visit), **asked.fields, **fields}
    if cost := visit.request.headers.get(f"{_OWN}max-cost"):
        given["max_cost"] = cost
    if asked.references or asked.turns:
        given.setdefault("purpose", Purpose.CONTEXTUAL_EDIT.value)
    if asked.turns:
        given["conversation"] = await _conversation(visit, asked.turns)
        given["allow"] = [Adaptation.FLATTEN_HISTORY.value]
    if not asked.prompt.strip():
        raise refusals.malformed("the prompt is empty; say what the picture shall show", param="prompt")
    return await visit.router.request(asked.prompt, references=asked.references, **given)


async def _conversation(visit: Visit, turns: tuple[Turn, ...]) -> Conversation:
    """Whoever drew the last picture can read its signature; of an unknown one the picture alone is used."""
    drawn = [part for turn in turns if turn.role == "model" for part in turn.parts if part.data is not None]
    digest = hashlib.sha256(drawn[-1].data or b"").hexdigest()
    try:
        model = visit.router.world().catalog.find((await visit.parts.books.assets.get(digest)).model)
    except AssetError:
        model = None
    if model is None:
        return Conversation(model="a model that is not known here", family="", turns=turns)
    return Conversation(model=model.id, family=model.family, turns=turns)


def _ignored(asked: Asked) -> dict[str, str]:
    """What had no effect, and why."""
    words = [f"{name}: {why}" for name, why in asked.ignored.items()]
    return {f"{_OWN}ignored": header_text(words)} if words else {}
