"""Outcomes → errors for the caller, through one table: what happened, the provider's words, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_router.core.causes import Cause
from image_router.core.errors import (
    AmbiguousOutcome,
    BillingRequired,
    ContentRefused,
    InvalidCredentials,
    ModelUnavailable,
    NoImageReturned,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RegionBlocked,
    RequestRejected,
)
from image_router.core.outcome import Outcome, Retry

if TYPE_CHECKING:
    from image_router.core.results import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How one cause is told."""

    error: type[ProviderError]
    what: str
    todo: str


def _failure(error: type[ProviderError], what: str, todo: str) -> Failure:
    return Failure(error=error, what=what, todo=todo)


_UNKNOWN_BILL = "It may have been billed; check before sending it again, or set on_ambiguous"
_REPHRASE = "Rephrase the prompt or change the reference images"

FAILURES: Mapping[Cause, Failure] = {
    Cause.RATE_LIMIT: _failure(
        RateLimited, "a limit per minute was hit", "Wait, or spread the requests over more time"
    ),
    Cause.SPEND_LIMIT: _failure(
        RateLimited,
        "the project's spend limit per ten minutes was hit",
        "Slow down, or raise the project's usage tier at https://ai.google.dev/gemini-api/docs/billing",
    ),
    Cause.CAPACITY: _failure(
        RateLimited, "the provider has no capacity left for now", "Try again later, or allow a fallback"
    ),
    Cause.DAILY_QUOTA: _failure(
        QuotaExhausted,
        "the daily quota of this model is used up",
        "It resets at midnight Pacific time; until then use another model or the batch lane",
    ),
    Cause.NO_QUOTA: _failure(
        BillingRequired,
        "the project's quota for images is zero: images have no free tier",
        "Enable billing for the project at https://aistudio.google.com/apikey",
    ),
    Cause.CREDITS_DEPLETED: _failure(
        BillingRequired, "the project's prepaid credits are used up", "Add credits, then try again"
    ),
    Cause.BILLING_REQUIRED: _failure(
        BillingRequired, "the model serves billed projects only", "Enable billing for the project"
    ),
    Cause.BAD_KEY: _failure(
        InvalidCredentials, "the API key is not valid", "Set a valid key (GEMINI_API_KEY)"
    ),
    Cause.KEY_LEAKED: _failure(
        InvalidCredentials,
        "the API key was reported as leaked and is disabled for good",
        "Delete the key, make a new one, and find out where the old one was published",
    ),
    Cause.KEY_RESTRICTED: _failure(
        InvalidCredentials,
        "the key or its project may not call this API",
        "Enable the Generative Language API for the project and allow it in the key's restrictions",
    ),
    Cause.REGION: _failure(
        RegionBlocked,
        "the provider does not serve images to this server's location",
        "Run from a supported region (https://ai.google.dev/gemini-api/docs/available-regions)",
    ),
    Cause.MODEL_NOT_FOUND: _failure(
        ModelUnavailable,
        "the model does not exist for this key, or was shut down",
        "Pin no model, or update the catalog; `image-router models` lists what lives",
    ),
    Cause.NOT_ENTITLED: _failure(
        ModelUnavailable, "the model is closed to new users", "Use its successor; a listing is no entitlement"
    ),
    Cause.BAD_PARAMETER: _failure(
        RequestRejected, "the provider calls a parameter invalid", "Check the value named above"
    ),
    Cause.BAD_REFERENCE: _failure(
        RequestRejected,
        "the provider cannot read a reference image",
        "Re-encode it as PNG or JPEG (allow reencode_reference to have it done)",
    ),
    Cause.TOO_LONG: _failure(
        RequestRejected,
        "the prompt and references together are too long for this model",
        "Shorten the prompt, use fewer or smaller references, or a model with a larger limit",
    ),
    Cause.MISSING_SIGNATURE: _failure(
        RequestRejected,
        "a picture of the conversation lacks its thought signature",
        "Send the earlier turns exactly as returned, or allow flatten_history",
    ),
    Cause.FILE_NOT_READY: _failure(
        RequestRejected, "an uploaded file is still being processed", "Try again in a few seconds"
    ),
    Cause.FILE_GONE: _failure(
        RequestRejected,
        "an uploaded file expired or belongs to another project",
        "Upload it again with the same key; files live 48 hours",
    ),
    Cause.OVERLOADED: _failure(
        ProviderUnavailable, "the model is overloaded", "Try again later, or allow a fallback"
    ),
    Cause.INTERNAL: _failure(
        ProviderUnavailable,
        "the provider had an internal error",
        "Try again; if it repeats on every model, a reference or parameter may be the reason",
    ),
    Cause.UNREACHABLE: _failure(
        ProviderUnavailable,
        "the provider could not be reached, and the request was not sent",
        "Check the network, DNS, proxy and base URL",
    ),
    Cause.SERVER_DEADLINE: _failure(
        AmbiguousOutcome, "the provider gave up before an image was ready", _UNKNOWN_BILL
    ),
    Cause.CONNECTION_LOST: _failure(
        AmbiguousOutcome, "the connection broke after the request was sent", _UNKNOWN_BILL
    ),
    Cause.TIMED_OUT: _failure(
        AmbiguousOutcome, "no whole answer came within the time allowed", _UNKNOWN_BILL
    ),
    Cause.TRUNCATED: _failure(AmbiguousOutcome, "the answer was cut off", _UNKNOWN_BILL),
    Cause.MALFORMED: _failure(
        AmbiguousOutcome, "the answer is nothing the API speaks; a proxy may have replaced it", _UNKNOWN_BILL
    ),
    Cause.CORRUPT_IMAGE: _failure(
        NoImageReturned, "the image that came cannot be decoded; it was billed", "Try again"
    ),
    Cause.PROMPT_BLOCKED: _failure(ContentRefused, "the prompt was blocked", _REPHRASE),
    Cause.OUTPUT_REFUSED: _failure(ContentRefused, "the image was refused", _REPHRASE),
    Cause.OUTPUT_FILTERED: _failure(ContentRefused, "every picture was filtered out", _REPHRASE),
    Cause.COPYRIGHT: _failure(
        ContentRefused,
        "the image was refused for the rights of others",
        "Leave out names of brands, characters and artists",
    ),
    Cause.DECLINED: _failure(
        NoImageReturned, "the model made no image", "Ask for an image explicitly, or rephrase the prompt"
    ),
    Cause.TEXT_INSTEAD: _failure(
        NoImageReturned, "the model answered in words", "Ask for an image explicitly; its words are in .text"
    ),
    Cause.EMPTY: _failure(NoImageReturned, "the answer was empty", "Try again"),
    Cause.PAID_WITHOUT_IMAGE: _failure(
        NoImageReturned, "an image was counted and billed but not delivered", "Try again"
    ),
    Cause.OUT_OF_TOKENS: _failure(
        NoImageReturned,
        "the answer hit its token limit before an image was done",
        "Try again, or use a lower thinking level",
    ),
    Cause.UNKNOWN_FINISH: _failure(
        NoImageReturned, "the model stopped for a reason that is not known here", "Rephrase the prompt"
    ),
    Cause.COMPRESSION_REJECTED: _failure(
        RequestRejected,
        "the shortened prompt lost something that must stay word for word, or is no shorter",
        "Shorten it by hand, or compress to another length",
    ),
    Cause.UNKNOWN_ERROR: _failure(
        ProviderError, "the provider answered with an error that is not known here", "See its words above"
    ),
}


def error_for(
    outcome: Outcome, model: str | None, *, attempts: Sequence[Attempt] = (), stopped: str = ""
) -> ProviderError:
    """Make the error for an outcome that is no image. Raises KeyError for one that is.

    `stopped` says why nothing more was tried, where trying again might have helped.
    """
    failure = FAILURES[outcome.cause]
    words = f' It says: "{outcome.detail}".' if outcome.detail else ""
    wait = f" It asks to wait {outcome.retry_after:g} s." if outcome.retry_after is not None else ""
    tries = f"Tried {len(attempts)} times, and not" if len(attempts) > 1 else "Not tried"
    end = f" {tries} again: {stopped}." if stopped and outcome.retry is not Retry.NEVER else ""
    error = failure.error(
        f"{model or 'provider'}: {failure.what}.{words}{wait} {failure.todo}.{end}",
        model=model,
        retry_after=outcome.retry_after,
        attempts=attempts,
    )
    if isinstance(error, ContentRefused):
        error.reason, error.words = outcome.reason, outcome.detail
    if isinstance(error, NoImageReturned):
        error.text = outcome.text
    return error
