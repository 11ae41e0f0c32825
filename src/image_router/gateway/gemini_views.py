"""Results in Google's words: candidates with their parts, or predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from image_router.core.catalog import Model
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.types import Dialect, TurnPart, Usage
from image_router.gateway.openai_views import spliced
from image_router.gateway.surfaces import JSON

Json = dict[str, Any]


class Stream(StrEnum):
    """How an answer travels."""

    NONE = "none"
    SSE = "sse"
    ARRAY = "array"

    @classmethod
    def of(cls, request: Request) -> Stream:
        """What the address of a stream asks for."""
        if not request.url.path.endswith(":streamGenerateContent"):
            return cls.NONE
        return cls.SSE if request.query_params.get("alt") == "sse" else cls.ARRAY


def shown(view: Json, headers: Mapping[str, str], *, stream: Stream) -> Response:
    """A view that is there as a whole: as it is, or as a stream of one event."""
    body = orjson.dumps(view)
    if stream is Stream.SSE:
        return Response(b"data: " + body + b"\r\n\r\n", headers=headers, media_type="text/event-stream")
    return Response(b"[" + body + b"]" if stream is Stream.ARRAY else body, headers=headers, media_type=JSON)


def rebuilt(result: ImageResult, *, model: Model) -> Json:
    """A stored result in the shape in which its model answers."""
    return predictions_view(result) if model.dialect is Dialect.PREDICT else content_view(result)


def content_view(result: ImageResult) -> Json:
    """A GenerateContentResponse with one picture."""
    image = result.image
    content = {"parts": _parts(image), "role": "model"}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage_view(attempt.usage for attempt in result.attempts),
        "modelVersion": image.model,
        "responseId": image.response_id or result.request_id,
    }


def _parts(image: GeneratedImage) -> list[Json]:
    """The model's own parts with their signatures, as the next turn must hand them back."""
    if image.conversation is None:
        return [_picture(image.data, image.media_type)]
    return [_part(part) for part in image.conversation.turns[-1].parts]


def _part(part: TurnPart) -> Json:
    own = {"text": part.text or ""} if part.data is None else _picture(part.data, part.media_type or "")
    return own if part.signature is None else {**own, "thoughtSignature": part.signature}


def _picture(data: bytes, media_type: str) -> Json:
    return {"inlineData": {"mimeType": media_type, "data": spliced(data)}}


def predictions_view(result: ImageResult) -> Json:
    """A PredictResponse: every picture, then why others are missing."""
    shown = [
        {"mimeType": image.media_type, "bytesBase64Encoded": spliced(data)}
        for image in result.images
        for data in (image.data, *image.extras)
    ]
    missing = [{"raiFilteredReason": str(failure.error)} for failure in result.failures]
    return {"predictions": [*shown, *missing]}


def usage_view(usages: Iterable[Usage | None]) -> Json:
    """Tokens of all calls together, failed ones included: what was used is what is billed."""
    known = [usage for usage in usages if usage is not None]
    read = sum(usage.prompt_tokens for usage in known)
    seen = sum(usage.prompt_image_tokens for usage in known)
    drawn = sum(usage.image_tokens for usage in known)
    said = sum(max(0, usage.candidates_tokens - usage.image_tokens) for usage in known)
    thought = sum(usage.thoughts_tokens for usage in known)
    details = [{"modality": "TEXT", "tokenCount": read - seen}]
    return {
        "promptTokenCount": read,
        "candidatesTokenCount": drawn + said,
        "totalTokenCount": read + drawn + said + thought,
        "promptTokensDetails": [*details, *_image_detail(seen)],
        "candidatesTokensDetails": _image_detail(drawn),
        **({"thoughtsTokenCount": thought} if thought else {}),
    }


def _image_detail(tokens: int) -> list[Json]:
    return [{"modality": "IMAGE", "tokenCount": tokens}] if tokens else []
