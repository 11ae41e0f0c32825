"""What one reply means: an image, a refusal, no image, a failure, or an unknown outcome.

The order of judging is that of docs/failures.md. Unknown enum values and fields never raise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from image_router.core.reply import ReplyImage
from image_router.core.types import Usage


class Kind(StrEnum):
    IMAGE = "image"
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
class Outcome:
    """The judgement of one reply.

    `image` is set for Kind.IMAGE alone; `extras` are further pictures that were made and paid.
    """

    kind: Kind
    cause: Cause = Cause.OK
    detail: str = ""
    image: ReplyImage | None = field(default=None, repr=False)
    extras: tuple[ReplyImage, ...] = field(default=(), repr=False)
    text: str = ""
    reason: str = ""
    """The provider's finishReason or blockReason, when it gave one."""
    usage: Usage | None = None
    billed: Billed = Billed.NO
    scope: FailureScope = FailureScope.REQUEST
    retry: Retry = Retry.NEVER
    retry_after: float | None = None
    warnings: tuple[str, ...] = ()
    response_id: str | None = None
    model_version: str | None = None
    elapsed: float = 0.0
