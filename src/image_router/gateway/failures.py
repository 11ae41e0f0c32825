"""One table: error class → HTTP status and the words that OpenAI's and Google's clients know."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from image_router.core import errors


class Answered(NamedTuple):
    """How an error looks on the wire."""

    status: int
    kind: str
    """OpenAI's `error.type`."""
    google: str
    """google.rpc.Code, as in Gemini's `error.status`."""


_INVALID: Final = "invalid_request_error"
_QUOTA: Final = "insufficient_quota"
_SERVER: Final = "server_error"
BUSY: Final = 5.0
"""Seconds until another request may have ended: about as long as a picture takes."""

ANSWER_OF: Final[Mapping[type[errors.ImageRouterError], Answered]] = MappingProxyType(
    {
        errors.ImageRouterError: Answered(500, _SERVER, "INTERNAL"),
        errors.RequestError: Answered(400, _INVALID, "INVALID_ARGUMENT"),
        errors.ModelRetired: Answered(404, _INVALID, "NOT_FOUND"),
        errors.IdempotencyConflict: Answered(422, _INVALID, "FAILED_PRECONDITION"),
        errors.KeyRefused: Answered(403, "permission_error", "PERMISSION_DENIED"),
        errors.KeyInvalid: Answered(401, "authentication_error", "UNAUTHENTICATED"),
        errors.KeyLimited: Answered(429, "rate_limit_error", "RESOURCE_EXHAUSTED"),
        errors.KeyBusy: Answered(409, "conflict_error", "ABORTED"),
        errors.BudgetExceeded: Answered(429, _QUOTA, "RESOURCE_EXHAUSTED"),
        errors.HoldExpired: Answered(503, _SERVER, "ABORTED"),
        errors.ProcessFull: Answered(503, _SERVER, "UNAVAILABLE"),
        errors.ProviderError: Answered(502, _SERVER, "UNAVAILABLE"),
        errors.RateLimited: Answered(429, "rate_limit_error", "RESOURCE_EXHAUSTED"),
        errors.QuotaExhausted: Answered(429, _QUOTA, "RESOURCE_EXHAUSTED"),
        errors.ProviderUnavailable: Answered(503, _SERVER, "UNAVAILABLE"),
        errors.ProviderTimeout: Answered(504, _SERVER, "DEADLINE_EXCEEDED"),
        errors.AmbiguousOutcome: Answered(504, _SERVER, "DEADLINE_EXCEEDED"),
        errors.ContentRefused: Answered(400, "image_generation_user_error", "INVALID_ARGUMENT"),
        errors.RequestRejected: Answered(400, _INVALID, "INVALID_ARGUMENT"),
        errors.AssetError: Answered(410, _INVALID, "NOT_FOUND"),
        errors.StorageError: Answered(503, _SERVER, "UNAVAILABLE"),
    }
)
"""https://platform.openai.com/docs/guides/error-codes and https://google.aip.dev/193, both 2026-11-22."""


def answer_of(error: errors.ImageRouterError) -> Answered:
    """The entry of the error's own class, or of its nearest ancestor."""
    return next(ANSWER_OF[kind] for kind in type(error).__mro__ if kind in ANSWER_OF)


def retry_after(error: errors.ImageRouterError) -> float | None:
    """Seconds after which trying again makes sense, where that is known."""
    if isinstance(error, errors.KeyBusy | errors.ProcessFull):
        return BUSY
    return error.retry_after if isinstance(error, errors.ProviderError | errors.KeyLimited) else None
