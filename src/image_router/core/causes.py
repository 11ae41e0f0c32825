"""What the signs in a reply mean, as tables: error bodies, finish reasons, transport faults.

A new way to fail is a new row. The first error row that fits wins, so the narrow ones stand first. Rows
follow recorded traffic and public reports until 2026-11-22 (docs/failures.md); quota and status names:
https://ai.google.dev/gemini-api/docs/troubleshooting, read 2026-10-08.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from image_router.core.reply import ApiError, FaultKind


class Kind(StrEnum):
    IMAGE = "image"
    WORDS = "words"
    """What a text model was asked for."""
    REFUSED = "refused"
    NO_IMAGE = "no_image"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"


class Cause(StrEnum):
    """Why, in a closed vocabulary; `detail` holds the provider's own words."""

    OK = "ok"
    RATE_LIMIT = "rate_limit"
    SPEND_LIMIT = "spend_limit"
    CAPACITY = "capacity"
    DAILY_QUOTA = "daily_quota"
    NO_QUOTA = "no_quota"
    CREDITS_DEPLETED = "credits_depleted"
    BILLING_REQUIRED = "billing_required"
    BAD_KEY = "bad_key"
    KEY_LEAKED = "key_leaked"
    KEY_RESTRICTED = "key_restricted"
    REGION = "region"
    MODEL_NOT_FOUND = "model_not_found"
    NOT_ENTITLED = "not_entitled"
    BAD_PARAMETER = "bad_parameter"
    BAD_REFERENCE = "bad_reference"
    TOO_LONG = "too_long"
    MISSING_SIGNATURE = "missing_signature"
    FILE_NOT_READY = "file_not_ready"
    FILE_GONE = "file_gone"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"
    SERVER_DEADLINE = "server_deadline"
    UNREACHABLE = "unreachable"
    CONNECTION_LOST = "connection_lost"
    TIMED_OUT = "timed_out"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    CORRUPT_IMAGE = "corrupt_image"
    PROMPT_BLOCKED = "prompt_blocked"
    OUTPUT_REFUSED = "output_refused"
    OUTPUT_FILTERED = "output_filtered"
    COPYRIGHT = "copyright"
    DECLINED = "declined"
    """NO_IMAGE or IMAGE_OTHER: the model made nothing, without saying the content is the reason."""
    TEXT_INSTEAD = "text_instead"
    EMPTY = "empty"
    PAID_WITHOUT_IMAGE = "paid_without_image"
    OUT_OF_TOKENS = "out_of_tokens"
    COMPRESSION_REJECTED = "compression_rejected"
    """A shortened prompt that lost something, or is no shorter: paid, and not used."""
    UNKNOWN_FINISH = "unknown_finish"
    UNKNOWN_ERROR = "unknown_error"


class Billed(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class FailureScope(StrEnum):
    """What is ill: decides where a circuit opens and what may be tried instead."""

    REQUEST = "request"
    MODEL = "model"
    KEY = "key"
    PROJECT = "project"


class Retry(StrEnum):
    """Which retry budget applies."""

    NEVER = "never"
    CAPACITY = "capacity"
    """Several tries with full jitter, then one failover."""
    CONTENT = "content"
    """At most one repeat and one failover."""
    FAILOVER = "failover"
    """Not on this model; another candidate may do."""
    AMBIGUOUS = "ambiguous"
    """Only as on_ambiguous allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """Signs of an error and their meaning. Signs left empty are not looked at; all others must fit."""

    cause: Cause
    http: tuple[int, ...] = ()
    status: tuple[str, ...] = ()
    reason: str = ""
    """Regular expression for one whole ErrorInfo.reason."""
    quota: str = ""
    """Part of one quotaId."""
    no_quota: bool = False
    """Whether some quota's value must be zero."""
    words: str = ""
    """Regular expression for a part of the message or a field violation, in any case."""
    kind: Kind = Kind.FAILED
    scope: FailureScope = FailureScope.REQUEST
    retry: Retry = Retry.NEVER
    billed: Billed = Billed.NO
    wait: float | None = None
    """Seconds to wait when the provider names none."""

    def fits(self, error: ApiError) -> bool:
        said = "\n".join((error.message, *error.field_violations))
        return (
            (not self.http or error.http_status in self.http)
            and (not self.status or error.status in self.status)
            and (not self.reason or any(re.fullmatch(self.reason, reason) for reason in error.reasons))
            and (not self.quota or any(self.quota in quota for quota in error.quota_ids))
            and (not self.no_quota or "0" in error.quota_values)
            and (not self.words or re.search(self.words, said, re.IGNORECASE) is not None)
        )

    def wait_for(self, error: ApiError) -> float | None:
        """Seconds to wait before a retry on the same model. (A daily quota's RetryInfo says seconds, too.)"""
        if self.retry is not Retry.CAPACITY:
            return None
        return self.wait if error.retry_after is None else error.retry_after


_MODEL, _KEY, _PROJECT = FailureScope.MODEL, FailureScope.KEY, FailureScope.PROJECT
_CAPACITY, _FAILOVER = Retry.CAPACITY, Retry.FAILOVER
_BAD_IMAGE = (
    "unable to process input image|provided image is not valid|mime type must be|unsupported mime type"
    "|source image \\d+ too short|cannot fetch content"
)

ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(
        cause=Cause.CREDITS_DEPLETED,
        words="(prepayment|prepaid) credits|credits (are|have been) depleted",
        scope=_PROJECT,
    ),
    ErrorRule(
        cause=Cause.BILLING_REQUIRED, words="only accessible to billed users|enable billing", scope=_PROJECT
    ),
    ErrorRule(cause=Cause.BILLING_REQUIRED, reason="BILLING_DISABLED", scope=_PROJECT),
    ErrorRule(
        cause=Cause.SPEND_LIMIT,
        http=(429,),
        words="spend-based|spend(ing)? (rate )?limit",
        scope=_PROJECT,
        retry=_CAPACITY,
        wait=20.0,
    ),
    # The free tier's zero stands in the prose alone, beside a RetryInfo of one second.
    ErrorRule(cause=Cause.NO_QUOTA, http=(429,), words=r"\blimit: 0(?![\d.])", scope=_PROJECT),
    ErrorRule(cause=Cause.NO_QUOTA, http=(429,), no_quota=True, scope=_PROJECT),
    ErrorRule(cause=Cause.DAILY_QUOTA, http=(429,), quota="PerDay", scope=_MODEL, retry=_FAILOVER),
    ErrorRule(cause=Cause.RATE_LIMIT, http=(429,), quota="PerMinute", scope=_MODEL, retry=_CAPACITY),
    ErrorRule(
        cause=Cause.RATE_LIMIT, http=(429,), reason="RATE_LIMIT_EXCEEDED", scope=_MODEL, retry=_CAPACITY
    ),
    ErrorRule(
        cause=Cause.RATE_LIMIT,
        http=(429,),
        words="exceeded your current quota",
        scope=_MODEL,
        retry=_CAPACITY,
        wait=60.0,
    ),
    ErrorRule(cause=Cause.CAPACITY, http=(429,), scope=_MODEL, retry=_CAPACITY),
    ErrorRule(cause=Cause.KEY_LEAKED, words="reported as leaked", scope=_KEY),
    ErrorRule(cause=Cause.BAD_KEY, reason="API_KEY_(INVALID|EXPIRED)", scope=_KEY),
    ErrorRule(cause=Cause.BAD_KEY, words="api key (not valid|expired)", scope=_KEY),
    ErrorRule(cause=Cause.BAD_KEY, http=(401,), scope=_KEY),
    ErrorRule(cause=Cause.KEY_RESTRICTED, reason="SERVICE_DISABLED|CONSUMER_SUSPENDED", scope=_PROJECT),
    ErrorRule(
        cause=Cause.REGION,
        words="user location is not supported|not available in your (country|region)",
        scope=_PROJECT,
    ),
    ErrorRule(cause=Cause.FILE_GONE, http=(403, 404), words="permission to access the file"),
    ErrorRule(cause=Cause.KEY_RESTRICTED, http=(403,), scope=_KEY),
    ErrorRule(
        cause=Cause.NOT_ENTITLED,
        http=(404,),
        words="no longer available to new users",
        scope=_MODEL,
        retry=_FAILOVER,
    ),
    ErrorRule(cause=Cause.MODEL_NOT_FOUND, http=(404,), status=("NOT_FOUND",), scope=_MODEL, retry=_FAILOVER),
    ErrorRule(
        cause=Cause.FILE_NOT_READY, http=(400,), words="not in an active state", retry=_CAPACITY, wait=2.0
    ),
    ErrorRule(
        cause=Cause.PROMPT_BLOCKED, http=(400,), words="prompt could not be submitted", kind=Kind.REFUSED
    ),
    ErrorRule(cause=Cause.MISSING_SIGNATURE, http=(400,), words="thought_?signature"),
    ErrorRule(
        cause=Cause.TOO_LONG, http=(400,), words="exceeds the maximum number of tokens", retry=_FAILOVER
    ),
    ErrorRule(cause=Cause.TOO_LONG, words="request payload size exceeds"),
    ErrorRule(cause=Cause.TOO_LONG, http=(413,)),
    ErrorRule(cause=Cause.BAD_REFERENCE, http=(400,), words=_BAD_IMAGE),
    # A picture was made and a layer behind the API refused to pass it on.
    ErrorRule(
        cause=Cause.BAD_PARAMETER,
        http=(400,),
        words="unhandled generated data mime type",
        billed=Billed.UNKNOWN,
    ),
    ErrorRule(cause=Cause.BAD_PARAMETER, http=(400, 405, 409, 415, 422)),
    ErrorRule(
        cause=Cause.SERVER_DEADLINE,
        http=(408, 499, 504),
        kind=Kind.AMBIGUOUS,
        scope=_MODEL,
        retry=Retry.AMBIGUOUS,
        billed=Billed.UNKNOWN,
    ),
    ErrorRule(cause=Cause.OVERLOADED, http=(502, 503, 529), scope=_MODEL, retry=_CAPACITY),
    ErrorRule(cause=Cause.INTERNAL, http=tuple(range(500, 600)), scope=_MODEL, retry=_CAPACITY),
    ErrorRule(cause=Cause.UNKNOWN_ERROR),
)


def rule_for(error: ApiError) -> ErrorRule:
    """The first rule that fits; the last one fits everything."""
    return next(rule for rule in ERROR_RULES if rule.fits(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRule:
    """What a finishReason means when there is no image to keep."""

    cause: Cause
    kind: Kind = Kind.NO_IMAGE
    retry: Retry = Retry.CONTENT
    charged: bool = True
    """False: Google says that blocked output is not charged. True: what usageMetadata says."""


STOPPED = frozenset({"", "STOP", "FINISH_REASON_UNSPECIFIED"})
"""Reasons that leave a picture valid. In a stream the reason may come in a later, lost event."""

THIRD_PARTY_WORDS = "third-party content providers"

_SAFETY = FinishRule(cause=Cause.OUTPUT_REFUSED, kind=Kind.REFUSED, charged=False)
_PROHIBITED = FinishRule(cause=Cause.OUTPUT_REFUSED, kind=Kind.REFUSED, retry=Retry.FAILOVER, charged=False)
_RECITATION = FinishRule(cause=Cause.COPYRIGHT, kind=Kind.REFUSED, retry=Retry.NEVER, charged=False)
_BROKEN = FinishRule(cause=Cause.EMPTY)

FINISH_RULES: Mapping[str, FinishRule] = {
    "IMAGE_SAFETY": _SAFETY,
    "SAFETY": _SAFETY,
    "IMAGE_PROHIBITED_CONTENT": _PROHIBITED,
    "PROHIBITED_CONTENT": _PROHIBITED,
    "BLOCKLIST": _PROHIBITED,
    "SPII": _PROHIBITED,
    "IMAGE_RECITATION": _RECITATION,
    "RECITATION": _RECITATION,
    "IMAGE_OTHER": FinishRule(cause=Cause.DECLINED, charged=False),
    "NO_IMAGE": FinishRule(cause=Cause.DECLINED),
    "OTHER": FinishRule(cause=Cause.DECLINED),
    "LANGUAGE": FinishRule(cause=Cause.DECLINED, retry=Retry.FAILOVER),
    "MAX_TOKENS": FinishRule(cause=Cause.OUT_OF_TOKENS),
    "MALFORMED_RESPONSE": _BROKEN,
    "MALFORMED_FUNCTION_CALL": _BROKEN,
    "UNEXPECTED_TOOL_CALL": _BROKEN,
    "TOO_MANY_TOOL_CALLS": _BROKEN,
    "MISSING_THOUGHT_SIGNATURE": FinishRule(
        cause=Cause.MISSING_SIGNATURE, kind=Kind.FAILED, retry=Retry.NEVER
    ),
}
UNKNOWN_FINISH = FinishRule(cause=Cause.UNKNOWN_FINISH)
COPYRIGHTED = FinishRule(cause=Cause.COPYRIGHT, kind=Kind.REFUSED, retry=Retry.FAILOVER, charged=False)

FAULT_CAUSES: Mapping[FaultKind, Cause] = {
    FaultKind.CONNECT: Cause.UNREACHABLE,
    FaultKind.DROPPED: Cause.CONNECTION_LOST,
    FaultKind.TIMEOUT: Cause.TIMED_OUT,
    FaultKind.TRUNCATED: Cause.TRUNCATED,
    FaultKind.MALFORMED: Cause.MALFORMED,
}
"""Of a request that was sent; one that never left is UNREACHABLE."""
