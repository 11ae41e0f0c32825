"""Results in OpenAI's words: data, usage, size; what is ours stands beside it in `image_router`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
import pybase64

from image_router.core.events import Event, RequestEnded
from image_router.core.money import usd_text
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.types import Usage
from image_router.engine.views import result_view
from image_router.gateway.converting import Picture
from image_router.gateway.openai_asks import Delivery
from image_router.gateway.surfaces import REPLAYED, header_text

Json = dict[str, Any]
_QUALITIES: Final = frozenset({"low", "medium", "high", "xhigh", "max"})


def images_view(
    result: ImageResult, pictures: Sequence[Picture], *, delivery: Delivery, data: list[Json]
) -> Json:
    """The body of a finished request; `data` holds the pictures as the caller wanted them."""
    first = result.images[0]
    view: Json = {
        "created": int(time.time()),
        "data": data,
        "background": "opaque",
        "output_format": pictures[0].format,
        "size": str(first.pixels),
        "usage": usage_view(attempt.usage for attempt in result.attempts),
        "image_router": own_view(result, pictures, delivery=delivery),
    }
    if delivery.quality in _QUALITIES:
        view["quality"] = delivery.quality
    return view


def encoded(data: bytes) -> str:
    return pybase64.b64encode_as_string(data)


def spliced(data: bytes) -> orjson.Fragment:
    """Base64 text for orjson to take over as it is: it need not look for what to escape in megabytes."""
    return orjson.Fragment(b'"%b"' % pybase64.b64encode(data))


def own_view(result: ImageResult, pictures: Sequence[Picture], *, delivery: Delivery) -> Json:
    """The router's whole view of a result, with what the gateway did to it."""
    view = result_view(result)
    notes = [*_resized(result.images, delivery.asked_size), *(p.note for p in pictures if p.note)]
    view["warnings"] = [*view["warnings"], *dict.fromkeys(notes)]
    view["ignored"] = [{"param": name, "reason": why} for name, why in delivery.ignored.items()]
    return view


def _resized(images: Iterable[GeneratedImage], asked: str | None) -> list[str]:
    other = sorted({str(image.pixels) for image in images} - {asked})
    return (
        [f"size {asked} was asked for; the nearest that is made is {', '.join(other)}"]
        if asked and other
        else []
    )


def usage_view(usages: Iterable[Usage | None]) -> Json:
    """Tokens of all calls together, failed ones included: what was used is what is billed."""
    known = [usage for usage in usages if usage is not None]
    read = sum(usage.prompt_tokens for usage in known)
    seen = sum(usage.prompt_image_tokens for usage in known)
    drawn = sum(usage.image_tokens for usage in known)
    said = sum(usage.text_output_tokens for usage in known)
    return {
        "input_tokens": read,
        "input_tokens_details": {"text_tokens": read - seen, "image_tokens": seen},
        "output_tokens": drawn + said,
        "output_tokens_details": {"image_tokens": drawn, "text_tokens": said},
        "total_tokens": read + drawn + said,
    }


class Ending:
    """A sink that keeps what the end of a request says of our own time, and of an earlier answer."""

    def __init__(self) -> None:
        self.overhead_ms = 0.0
        self.replayed = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, RequestEnded):
            self.overhead_ms = round(event.overhead * 1000, 3)
            self.replayed = event.replayed


def headers_of(result: ImageResult, end: Ending) -> Mapping[str, str]:
    """What a program wants to know without parsing megabytes."""
    head, decision = result.images[0], result.decision
    used = usage_view(attempt.usage for attempt in result.attempts)
    return {
        "x-image-router-request": result.request_id,
        "x-image-router-tier": head.tier or "",
        "x-image-router-model": head.model,
        "x-image-router-quote-usd": usd_text(decision.quote.total),
        "x-image-router-cost-usd": usd_text(result.cost),
        "x-image-router-attempts": str(len(result.attempts)),
        "x-image-router-cache": "hit" if all(image.cached for image in result.images) else "miss",
        "x-image-router-overhead-ms": f"{end.overhead_ms:.3f}",
        "x-image-router-failures": str(len(result.failures)),
        "x-image-router-usage": f"input={used['input_tokens']}; output={used['output_tokens']}",
        **_warned(result),
        **(REPLAYED if end.replayed else {}),
    }


def _warned(result: ImageResult) -> Mapping[str, str]:
    warnings = dict.fromkeys((*result.warnings, *(w for image in result.images for w in image.warnings)))
    return {"x-image-router-warnings": header_text(warnings)} if warnings else {}
