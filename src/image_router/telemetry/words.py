"""A closed vocabulary of errors for metrics and traces: one word each, that begins with who must act."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from image_router.core import errors
from image_router.core.causes import Cause
from image_router.core.failures import FAILURES


class FaultDomain(StrEnum):
    """Who must act."""

    NONE = "none"
    CALLER = "caller"
    POLICY = "policy"
    """The owner of the money, or of a router key."""
    CONTENT = "content"
    """Nobody: the provider does not draw this."""
    PROVIDER = "provider"
    OPERATOR = "operator"
    OTHER = "other"
    """Nobody foresaw it: raise an alarm."""


class ErrorWord(StrEnum):
    """What went wrong."""

    NONE = "none"
    CALLER_INVALID_REQUEST = "caller_invalid_request"
    CALLER_NO_ELIGIBLE_TIER = "caller_no_eligible_tier"
    CALLER_MODEL_RETIRED = "caller_model_retired"
    CALLER_COST_LIMIT = "caller_cost_limit"
    CALLER_LANE = "caller_lane"
    CALLER_IDEMPOTENCY_CONFLICT = "caller_idempotency_conflict"
    CALLER_KEY_BUSY = "caller_key_busy"
    CALLER_UNAUTHENTICATED = "caller_unauthenticated"
    CALLER_CHAIN = "caller_chain"
    CALLER_CANCELLED = "caller_cancelled"
    POLICY_KEY_REFUSED = "policy_key_refused"
    POLICY_KEY_LIMITED = "policy_key_limited"
    POLICY_BUDGET_EXCEEDED = "policy_budget_exceeded"
    POLICY_GUARD_REFUSED = "policy_guard_refused"
    CONTENT_REFUSED = "content_refused"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_QUOTA_EXHAUSTED = "provider_quota_exhausted"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_TIMEOUT = "provider_timeout"
    PROVIDER_MODEL_UNAVAILABLE = "provider_model_unavailable"
    PROVIDER_NO_IMAGE = "provider_no_image"
    PROVIDER_REQUEST_REJECTED = "provider_request_rejected"
    PROVIDER_AMBIGUOUS = "provider_ambiguous"
    PROVIDER_MIXED = "provider_mixed"
    """Several images failed, for different reasons."""
    PROVIDER_BATCH = "provider_batch"
    PROVIDER_OTHER = "provider_other"
    OPERATOR_CREDENTIALS = "operator_credentials"
    OPERATOR_REGION = "operator_region"
    OPERATOR_BILLING = "operator_billing"
    OPERATOR_HOLD_EXPIRED = "operator_hold_expired"
    OPERATOR_PROCESS_FULL = "operator_process_full"
    OPERATOR_ASSET = "operator_asset"
    OPERATOR_STORAGE = "operator_storage"
    OPERATOR_CONFIG = "operator_config"
    OTHER = "other"

    @property
    def domain(self) -> FaultDomain:
        return FaultDomain(self.value.partition("_")[0])


WORD_OF: Final[Mapping[type[BaseException], ErrorWord]] = MappingProxyType(
    {
        BaseException: ErrorWord.OTHER,
        asyncio.CancelledError: ErrorWord.CALLER_CANCELLED,
        errors.ImageRouterError: ErrorWord.OTHER,
        errors.RequestError: ErrorWord.CALLER_INVALID_REQUEST,
        errors.InvalidRequest: ErrorWord.CALLER_INVALID_REQUEST,
        errors.NoEligibleTier: ErrorWord.CALLER_NO_ELIGIBLE_TIER,
        errors.ModelRetired: ErrorWord.CALLER_MODEL_RETIRED,
        errors.CostLimitExceeded: ErrorWord.CALLER_COST_LIMIT,
        errors.LaneUnavailable: ErrorWord.CALLER_LANE,
        errors.IdempotencyConflict: ErrorWord.CALLER_IDEMPOTENCY_CONFLICT,
        errors.KeyBusy: ErrorWord.CALLER_KEY_BUSY,
        errors.KeyRefused: ErrorWord.POLICY_KEY_REFUSED,
        errors.KeyInvalid: ErrorWord.CALLER_UNAUTHENTICATED,
        errors.KeyForbids: ErrorWord.POLICY_KEY_REFUSED,
        errors.KeyLimited: ErrorWord.POLICY_KEY_LIMITED,
        errors.BudgetExceeded: ErrorWord.POLICY_BUDGET_EXCEEDED,
        errors.GuardRefused: ErrorWord.POLICY_GUARD_REFUSED,
        errors.HoldExpired: ErrorWord.OPERATOR_HOLD_EXPIRED,
        errors.ProcessFull: ErrorWord.OPERATOR_PROCESS_FULL,
        errors.ProviderError: ErrorWord.PROVIDER_OTHER,
        errors.RateLimited: ErrorWord.PROVIDER_RATE_LIMITED,
        errors.QuotaExhausted: ErrorWord.PROVIDER_QUOTA_EXHAUSTED,
        errors.ProviderUnavailable: ErrorWord.PROVIDER_UNAVAILABLE,
        errors.ProviderTimeout: ErrorWord.PROVIDER_TIMEOUT,
        errors.ModelUnavailable: ErrorWord.PROVIDER_MODEL_UNAVAILABLE,
        errors.NoImageReturned: ErrorWord.PROVIDER_NO_IMAGE,
        errors.ContentRefused: ErrorWord.CONTENT_REFUSED,
        errors.InvalidCredentials: ErrorWord.OPERATOR_CREDENTIALS,
        errors.RegionBlocked: ErrorWord.OPERATOR_REGION,
        errors.BillingRequired: ErrorWord.OPERATOR_BILLING,
        errors.RequestRejected: ErrorWord.PROVIDER_REQUEST_REJECTED,
        errors.AmbiguousOutcome: ErrorWord.PROVIDER_AMBIGUOUS,
        errors.AllAttemptsFailed: ErrorWord.PROVIDER_MIXED,
        errors.ChainError: ErrorWord.CALLER_CHAIN,
        errors.BatchError: ErrorWord.PROVIDER_BATCH,
        errors.AssetError: ErrorWord.OPERATOR_ASSET,
        errors.StorageError: ErrorWord.OPERATOR_STORAGE,
        errors.ConfigError: ErrorWord.OPERATOR_CONFIG,
    }
)


def word_of(error: BaseException | None) -> ErrorWord:
    """The word of the error's own class, or of its nearest ancestor."""
    if error is None:
        return ErrorWord.NONE
    return next(WORD_OF[kind] for kind in type(error).__mro__ if kind in WORD_OF)


def word_of_cause(cause: Cause) -> ErrorWord:
    """The word of the error that a cause becomes."""
    return ErrorWord.NONE if cause is Cause.OK else WORD_OF[FAILURES[cause].error]
