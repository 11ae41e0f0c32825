"""The JSON of Imagen's :predict → values. Pure: no network, no clock, no judgement.

What is sent is written by imagen_body.

Format: https://ai.google.dev/gemini-api/docs/imagen, read 2026-09-18, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Mapping

from image_router.core.reply import FaultKind, Reply, TransportFault
from image_router.core.types import Usage
from image_router.providers import json_text
from image_router.providers.error_wire import error_of, parse_error
from image_router.providers.gemini_wire import broken_body, image_of
from image_router.providers.lenient import JsonObject, obj, objs, some_text, text


def parse_reply(http_status: int, headers: Mapping[str, str], *, body: bytes) -> Reply:
    """Make a Reply of one whole answer. `usage.images` counts the pictures made, stored ones included.

    An empty object means that nothing was made. Never raises.
    """
    if http_status != 200:
        return Reply(http_status=http_status, error=parse_error(http_status, headers, body=body))
    try:
        answer = json_text.loads(body)
    except ValueError as error:
        return Reply(http_status=http_status, fault=broken_body(body, str(error)))
    if not isinstance(answer, dict) or (answer and not {"predictions", "error"} & answer.keys()):
        fault = TransportFault(kind=FaultKind.MALFORMED, sent=True, detail="JSON without predictions")
        return Reply(http_status=200, fault=fault)
    if "error" in answer:
        return Reply(http_status=200, error=error_of(obj(answer["error"])))
    return _reply_of(objs(answer.get("predictions")))


def _reply_of(predictions: list[JsonObject]) -> Reply:
    pictures = [entry for entry in predictions if some_text(entry.get("bytesBase64Encoded"))]
    stored = [entry for entry in predictions if some_text(entry.get("gcsUri"))]
    reasons = (some_text(entry.get("raiFilteredReason")) for entry in predictions)
    return Reply(
        http_status=200,
        parts=tuple(image_of(entry["bytesBase64Encoded"], text(entry.get("mimeType"))) for entry in pictures),
        has_candidates=bool(predictions),
        filtered=tuple(reason for reason in reasons if reason),
        usage=Usage(images=len(pictures) + len(stored)),
    )
