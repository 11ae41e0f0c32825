"""OpenAI's Images API (https://platform.openai.com/docs/api-reference/images, 2026-11-22)."""

from __future__ import annotations

import time
from typing import Any, Final

import orjson
import pybase64
from starlette.responses import Response

from image_router.core.results import ImageResult
from image_router.engine.views import result_view
from image_router.gateway import bodies
from image_router.gateway.app import Entry, Visit
from image_router.gateway.surfaces import JSON, OPENAI


async def generations(visit: Visit) -> Response:
    asked = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
    result = await visit.router.generate(
        asked["prompt"], n=asked.get("n", 1), purpose=asked.get("purpose"), scope=visit.caller.scope
    )
    return Response(orjson.dumps(_body(result)), media_type=JSON)


def _body(result: ImageResult) -> dict[str, Any]:
    data = [{"b64_json": pybase64.b64encode_as_string(image.data)} for image in result.images]
    return {"created": int(time.time()), "data": data, "image_router": result_view(result)}


ENTRIES: Final = (Entry(method="POST", path="/v1/images/generations", endpoint=generations, surface=OPENAI),)
