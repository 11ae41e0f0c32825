"""Results, attempts and errors as plain JSON for --json and HTTP; decisions are in decision_views.

Money is exact dollars as text; digests stand for pictures.
"""

from __future__ import annotations

from image_router.core.errors import ImageRouterError, NoEligibleTier, ProviderError
from image_router.core.money import Nanos, usd_text
from image_router.core.rates import Cost
from image_router.core.results import Attempt, GeneratedImage, ImageResult
from image_router.core.types import Usage
from image_router.engine.chains import ChainResult
from image_router.engine.decision_views import Json, decision_view, dropped_view, line_view, quote_view


def cost_view(cost: Cost) -> Json:
    return {
        "lines": [line_view(line) for line in cost.lines],
        "total_usd": usd_text(cost.total),
        "rate_card": cost.card.isoformat() if cost.card else None,
    }


def usage_view(usage: Usage | None) -> Json | None:
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.prompt_tokens,
        "prompt_image_tokens": usage.prompt_image_tokens,
        "image_tokens": usage.image_tokens,
        "text_output_tokens": usage.text_output_tokens,
        "total_tokens": usage.total_tokens,
        "images": usage.images,
        "searches": usage.searches,
    }


def attempt_view(attempt: Attempt) -> Json:
    return {
        "number": attempt.number,
        "tier": attempt.tier,
        "model": attempt.model,
        "outcome": attempt.kind,
        "cause": attempt.cause,
        "detail": attempt.detail,
        "billed": attempt.billed,
        "cost": cost_view(attempt.cost),
        "at_risk_usd": usd_text(attempt.at_risk),
        "usage": usage_view(attempt.usage),
        "response_id": attempt.response_id,
        "seconds": round(attempt.elapsed, 3),
    }


def image_view(image: GeneratedImage, *, file: str | None = None) -> Json:
    """Everything about a picture but its bytes."""
    return {
        "index": image.index,
        "file": file,
        "media_type": image.media_type,
        "width": image.pixels.width,
        "height": image.pixels.height,
        "bytes": len(image.data),
        "sha256": image.digest,
        "tier": image.tier,
        "model": image.model,
        "cost": cost_view(image.cost),
        "usage": usage_view(image.usage),
        "text": image.text,
        "extras": len(image.extras),
        "cached": image.cached,
        "response_id": image.response_id,
        "warnings": list(image.warnings),
    }


def error_view(error: ImageRouterError) -> Json:
    view: Json = {"code": error.code, "message": str(error)}
    if isinstance(error, NoEligibleTier):
        view["dropped"] = [dropped_view(dropped) for dropped in error.dropped]
        view["nearest"] = error.nearest
    if isinstance(error, ProviderError):
        view |= _spent(error.cost, error.at_risk)
        view["attempts"] = [attempt_view(attempt) for attempt in error.attempts]
    return view


def _spent(cost: Nanos, at_risk: Nanos) -> Json:
    return {"cost_usd": usd_text(cost), "at_risk_usd": usd_text(at_risk)}


def result_view(result: ImageResult, *, files: dict[int, str] | None = None) -> Json:
    """A whole request. `files` names the file of each image by its index."""
    names = files or {}
    return {
        "request_id": result.request_id,
        "images": [image_view(image, file=names.get(image.index)) for image in result.images],
        "failures": [{"index": f.index, "error": error_view(f.error)} for f in result.failures],
        "attempts": [attempt_view(attempt) for attempt in result.attempts],
        **_spent(result.cost, result.at_risk),
        "decision": decision_view(result.decision),
        "warnings": list(result.warnings),
    }


def chain_view(result: ChainResult) -> Json:
    """A chain: its reference, and each variant or why it failed."""
    return {
        "reference": image_view(result.reference),
        "variants": [
            image_view(variant)
            if isinstance(variant, GeneratedImage)
            else {"key": variant.key, "prompt": variant.prompt, "error": error_view(variant.error)}
            for variant in result.variants
        ],
        "quote": quote_view(result.quote),
        "attempts": [attempt_view(attempt) for attempt in result.attempts],
        **_spent(result.cost, result.at_risk),
        "paid_before_usd": usd_text(result.paid_before),
        "manifest": str(result.manifest) if result.manifest else None,
        "warnings": list(result.warnings),
    }
