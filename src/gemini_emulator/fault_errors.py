"""Faults that answer with an HTTP error instead of doing the work. Bodies as recorded; see errors.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from gemini_emulator import errors
from gemini_emulator.errors import ApiError, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The call that fails, and the fault's options."""

    model: str
    method: str
    version: str
    day: date
    options: Mapping[str, str] = field(default_factory=dict)

    def get(self, option: str, default: str) -> str:
        return self.options.get(option, default)


Maker = Callable[[Where], ApiError]
MAKERS: dict[str, Maker] = {}
DESCRIPTIONS: dict[str, str] = {}

_LIMITS_URL = "https://ai.google.dev/gemini-api/docs/rate-limits"
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on "
    f"this error, head to: {_LIMITS_URL}. To monitor your current usage, head to: https://ai.dev/rate-limit. "
)
_METRIC = "generativelanguage.googleapis.com/generate_content_"


def _fault(maker: Maker) -> Maker:
    MAKERS[maker.__name__] = maker
    DESCRIPTIONS[maker.__name__] = (maker.__doc__ or "").strip()
    return maker


def _plain(name: str, description: str, code: int, message: str, status: str | None = None) -> None:
    MAKERS[name] = lambda where: ApiError(code, where.get("message", message), status=status)
    DESCRIPTIONS[name] = description


def _help() -> Json:
    return errors.help_links(_LIMITS_URL, "Learn more about Gemini API quotas")


def _violation(metric: str, quota_id: str, model: str, value: str | None = None) -> Json:
    violation: Json = {
        "quotaMetric": _METRIC + metric,
        "quotaId": quota_id,
        "quotaDimensions": {"model": model, "location": "global"},
    }
    return violation | {"quotaValue": value} if value is not None else violation


def _exceeded(metric: str, limit: str, model: str) -> str:
    return f"\n* Quota exceeded for metric: {_METRIC}{metric}, limit: {limit}, model: {model}"


def _quota_error(where: Where, metric: str, quota_id: str, limit: str) -> ApiError:
    delay = where.get("retry", "48.939935699")
    message = f"{_QUOTA}{_exceeded(metric, limit, where.model)}\nPlease retry in {delay}s."
    details = [
        _help(),
        errors.quota_failure([_violation(metric, quota_id, where.model, limit)]),
        errors.retry_info(f"{delay.split('.')[0]}s"),
    ]
    return ApiError(429, message, details=details)


@_fault
def rate_limit_minute(where: Where) -> ApiError:
    """429 (a): per-minute quota with QuotaFailure, Help and RetryInfo; retry=48.9 seconds, limit=20"""
    quota_id = "GenerateRequestsPerMinutePerProjectPerModel"
    return _quota_error(where, "paid_tier_requests", quota_id, where.get("limit", "20"))


@_fault
def rate_limit_tokens(where: Where) -> ApiError:
    """429 (a): input tokens per minute, as recorded on a paid tier; retry=48.9 seconds, limit=1000000"""
    quota_id = "GenerateContentPaidTierInputTokensPerModelPerMinute"
    return _quota_error(where, "paid_tier_input_token_count", quota_id, where.get("limit", "1000000"))


@_fault
def rate_limit_day(where: Where) -> ApiError:
    """429 (a): per-day quota (quotaId says PerDay) though RetryInfo still says seconds; retry=, limit=250"""
    quota_id = "GenerateRequestsPerDayPerProjectPerModel"
    return _quota_error(where, "paid_tier_requests", quota_id, where.get("limit", "250"))


@_fault
def rate_limit_retry_info(where: Where) -> ApiError:
    """429 (a): QuotaFailure with a bare quotaId and fractional RetryInfo; retry=34.4"""
    message = "You exceeded your current quota, please check your plan."
    violation = {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}
    return ApiError(
        429,
        message,
        details=[errors.quota_failure([violation]), errors.retry_info(f"{where.get('retry', '34.4')}s")],
    )


@_fault
def quota_zero(where: Where) -> ApiError:
    """429 (a): free tier with limit 0, said only in the prose; the quota names another model id"""
    model = where.get("quota_model", _QUOTA_NAMES.get(where.model, where.model))
    tokens, requests = "free_tier_input_token_count", "free_tier_requests"
    lines = [_exceeded(metric, "0", model) for metric in (tokens, requests, requests)]
    violations = [
        _violation(tokens, "GenerateContentInputTokensPerModelPerMinute-FreeTier", model),
        _violation(requests, "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", model),
        _violation(requests, "GenerateRequestsPerDayPerProjectPerModel-FreeTier", model),
    ]
    message = f"{_QUOTA}{''.join(lines)}\nPlease retry in 1.357296117s."
    return ApiError(
        429, message, details=[_help(), errors.quota_failure(violations), errors.retry_info("1s")]
    )


_QUOTA_NAMES: Mapping[str, str] = {"gemini-2.5-flash-image": "gemini-2.5-flash-preview-image"}


@_fault
def rate_limit_help_only(where: Where) -> ApiError:
    """429 (b): the quota message with nothing but Help, as batch creation gets it"""
    return ApiError(429, _QUOTA, details=[_help()])


_plain(
    "rate_limit_bare",
    "429 (c): no details at all; treat as capacity",
    429,
    "Resource has been exhausted (e.g. check quota).",
)
_plain(
    "spend_limit",
    "429 (d): spend per ten minutes exceeded, no details; clears in minutes",
    429,
    "You exceeded your spend-based rate limit. Please try again later.",
)
_plain(
    "credits_depleted",
    "429 (e): prepaid credits are gone; retrying is no use",
    429,
    "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.",
)
_plain(
    "vertex_exhausted",
    "429: dynamic shared quota of the enterprise service",
    429,
    "Resource exhausted. Please try again later. Please refer to "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.",
)
_plain(
    "internal",
    "500 INTERNAL, older wording",
    500,
    "An internal error has occurred. Please retry or report in "
    "https://developers.generativeai.google/guide/troubleshooting",
)
_plain("internal_encountered", "500 INTERNAL, wording of 2026", 500, "Internal error encountered.")
_plain(
    "overloaded",
    "503 UNAVAILABLE, the model is overloaded",
    503,
    "The model is overloaded. Please try again later.",
)
_plain(
    "high_demand",
    "503 UNAVAILABLE, wording of 2026",
    503,
    "This model is currently experiencing high demand. Spikes in demand are usually temporary. "
    "Please try again later.",
)
_plain("deadline", "504 DEADLINE_EXCEEDED", 504, "Deadline expired before operation could complete.")
_plain("key_expired", "400: the key has expired", 400, "API key expired. Please renew the API key.")
_plain(
    "key_leaked",
    "403: the key was reported as leaked",
    403,
    "Your API key was reported as leaked. Please use another API key.",
)
_plain(
    "imagen_billing",
    "400: Imagen on a key without billing",
    400,
    "Imagen API is only accessible to billed users at this time.",
)
_plain(
    "region",
    "400 FAILED_PRECONDITION: the caller's location is not supported",
    400,
    "User location is not supported for the API use.",
    "FAILED_PRECONDITION",
)
_plain(
    "country",
    "400 FAILED_PRECONDITION: no image output in this country",
    400,
    "Image generation is not available in your country.",
    "FAILED_PRECONDITION",
)
_plain("invalid_argument", "400: no reason given", 400, "Request contains an invalid argument.")
_plain(
    "input_image_unreadable",
    "400: an input image cannot be processed",
    400,
    "Unable to process input image. Please retry or report in "
    "https://developers.generativeai.google/guide/troubleshooting",
)
_plain(
    "input_image_invalid",
    "400: the enterprise wording for a bad input image",
    400,
    "Provided image is not valid",
)
_plain(
    "compat_mime",
    "400: the OpenAI-compatible layer cannot return images",
    400,
    "Unhandled generated data mime type: image/jpeg",
)
_plain(
    "payload_too_large",
    "400: the request is over the inline limit",
    400,
    "Request payload size exceeds the limit: 104857600 bytes. Please use the Files API.",
)
_plain(
    "url_refused",
    "400: a URL input could not be fetched",
    400,
    "Cannot fetch content from the provided URL. Please ensure the URL is valid and accessible by Vertex AI. "
    "Vertex AI respects robots.txt rules, so confirm the URL is allowed to be crawled. Status: "
    "URL_ROBOTED-ROBOTED_DENIED",
)
_plain(
    "aspect_ratio_not_enabled",
    "400: an aspect ratio sent to a model without picture output",
    400,
    "Aspect ratio is not enabled for this model",
)
_plain(
    "imagen_prompt_block",
    "400: Imagen's prompt filter; content, not a bad request",
    400,
    "Image generation failed with the following error: The prompt could not be submitted. This "
    "prompt contains sensitive words that violate Google's Responsible AI practices. Try rephrasing the "
    "prompt. If you think this was an error, send feedback. Support codes: 42876398",
)


@_fault
def key_invalid(where: Where) -> ApiError:
    """400 API_KEY_INVALID, as for a bad key"""
    return errors.bad_key()


@_fault
def key_blocked(where: Where) -> ApiError:
    """403 API_KEY_SERVICE_BLOCKED: the key is restricted to other APIs; form=array as recorded, or object"""
    message = (
        "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1main."
        "GenerativeService.GenerateContent are blocked."
    )
    error = ApiError(403, message, details=[errors.error_info("API_KEY_SERVICE_BLOCKED")])
    error.form = "array" if where.get("form", "array") == "array" else "object"
    return error


@_fault
def service_disabled(where: Where) -> ApiError:
    """403 SERVICE_DISABLED: the API was never switched on for the project"""
    url = "https://console.developers.google.com/apis/api/generativelanguage.googleapis.com/overview?project=12345678"
    message = (
        "Generative Language API has not been used in project 12345678 before or it is disabled. Enable "
        f"it by visiting {url} then retry. If you enabled this API recently, wait a few minutes for the "
        "action to propagate to our systems and retry."
    )
    service = {"service": "generativelanguage.googleapis.com", "consumer": "projects/12345678"}
    links = errors.help_links(url, "Google developers console API activation")
    return ApiError(403, message, details=[links, errors.error_info("SERVICE_DISABLED", service)])


@_fault
def model_retired(where: Where) -> ApiError:
    """404: the id is not found or not supported for the method"""
    return errors.model_not_found(where.model, where.method, version=where.version, day=where.day)


@_fault
def not_entitled(where: Where) -> ApiError:
    """404: no longer available to new users, though models.list shows the id"""
    return errors.closed_to_new_users(where.model)


@_fault
def file_forbidden(where: Where) -> ApiError:
    """403: the file expired, was deleted or is another project's; file=<id>"""
    return errors.file_forbidden(where.get("file", "cxgja95z0ak1"))


@_fault
def file_not_active(where: Where) -> ApiError:
    """400 FAILED_PRECONDITION: the file is still being processed; file=<id>"""
    return errors.file_not_active(where.get("file", "cxgja95z0ak1"))


@_fault
def unknown_field(where: Where) -> ApiError:
    """400 with BadRequest.fieldViolations; field=size"""
    name = where.get("field", "size")
    return errors.unknown_fields(
        [("", f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')]
    )


@_fault
def missing_signature(where: Where) -> ApiError:
    """400: a model picture in the history lacks its thought signature"""
    return errors.invalid(
        "Image part is missing a thought_signature in content position 2, part position 1. Please refer to "
        "https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
    )


@_fault
def array_error(where: Where) -> ApiError:
    """An error wrapped in a JSON array; code=503"""
    code = int(where.get("code", "503"))
    error = ApiError(code, where.get("message", "The model is overloaded. Please try again later."))
    error.form = "array"
    return error


@_fault
def html_error(where: Where) -> ApiError:
    """Google's front end answers with an HTML page; code=502"""
    code = int(where.get("code", "502"))
    error = ApiError(
        code,
        "The server encountered a temporary error and could not complete your request.",
        status="UNAVAILABLE",
    )
    error.form = "html"
    return error
