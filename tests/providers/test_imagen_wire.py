"""Imagen's own dialect: what is asked for, and what its answers hold."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from image_router.core.decision import Parameters
from image_router.core.reply import FaultKind
from image_router.core.types import AspectRatio, ImageRequest, PersonGeneration, SafetySetting, Size, Usage
from image_router.facts import load_catalog
from image_router.providers import imagen_body, imagen_wire
from image_router.providers.base import Call
from pictures import as_base64, picture

MODELS = load_catalog(None).models
PNG = picture("PNG")


def call(model: str, **fields: Any) -> Call:
    request = ImageRequest(**{"prompt": "a fox", **fields})
    parameters = Parameters(thinking=None, size=request.size, aspect=request.aspect)
    return Call(request=request, model=MODELS[model], parameters=parameters, max_output_tokens=None)


def test_full_request() -> None:
    """One picture is asked for, since four are the default, with the reasons of the filter."""
    whole = call(
        "imagen-4.0-generate-001",
        aspect=AspectRatio.R9_16,
        size=Size.K2,
        person_generation=PersonGeneration.DONT_ALLOW,
        safety=(SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_LOW_AND_ABOVE"),),
    )
    assert imagen_body.request_body(whole) == {
        "instances": [{"prompt": "a fox"}],
        "parameters": {
            "sampleCount": 1,
            "includeRaiReason": True,
            "aspectRatio": "9:16",
            "imageSize": "2K",
            "personGeneration": "dont_allow",
            "safetySetting": "BLOCK_LOW_AND_ABOVE",
        },
    }


def test_only_what_the_api_takes_is_sent() -> None:
    """A filter level the API refuses is left out; a model of one size gets none."""
    asked = call(
        "imagen-4.0-fast-generate-001",
        safety=(SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE"),),
    )
    sends_size = asked.model.sends_size
    parameters = imagen_body.request_body(asked)["parameters"]
    expected = {"sampleCount": 1, "includeRaiReason": True, **({"imageSize": "1K"} if sends_size else {})}
    assert parameters == expected


def test_pictures_and_filter_reasons_are_read() -> None:
    """Pictures are counted as made; filtered ones leave their reason; other entries are passed over."""
    entry = {"mimeType": "image/png", "bytesBase64Encoded": as_base64(PNG)}
    safety = {"safetyAttributes": {}, "contentType": "Positive Prompt"}
    body = orjson.dumps({"predictions": [entry, {"raiFilteredReason": "too bold"}, safety]})
    reply = imagen_wire.parse_reply(200, {}, body=body)
    assert [image.data for image in reply.images] == [PNG]
    assert (reply.filtered, reply.usage) == (("too bold",), Usage(images=1))


def test_empty_object_means_nothing_was_made() -> None:
    """An empty answer is no fault: nothing was made and nothing counted."""
    reply = imagen_wire.parse_reply(200, {}, body=b"{}")
    assert (reply.fault, reply.usage, reply.has_candidates) == (None, Usage(), False)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"predictions": [{"bytes', FaultKind.TRUNCATED),
        (b"<html>", FaultKind.MALFORMED),
        (b"[]", FaultKind.MALFORMED),
        (b'{"generatedImages": []}', FaultKind.MALFORMED),
    ],
)
def test_unreadable_body_is_a_fault(body: bytes, kind: FaultKind) -> None:
    """A cut body and a foreign one are told apart."""
    fault = imagen_wire.parse_reply(200, {}, body=body).fault
    assert fault is not None
    assert fault.kind is kind


def test_errors_are_found_at_any_status() -> None:
    """An error body counts under 400 and under 200."""
    body = orjson.dumps({"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}})
    for status in (400, 200):
        error = imagen_wire.parse_reply(status, {}, body=body).error
        assert error is not None
        assert (error.http_status, error.message) == (400, "no")
