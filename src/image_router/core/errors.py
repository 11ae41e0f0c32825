"""Every error the product raises, grouped by who must act.

ImageRouterError
├─ RequestError            the caller
│   ├─ InvalidRequest
│   ├─ NoEligibleTier      .dropped .nearest
│   ├─ ModelRetired        .model .successor
│   ├─ CostLimitExceeded   .limit .asked
│   ├─ LaneUnavailable
│   └─ IdempotencyConflict
├─ KeyRefused              the caller, with the owner of the router key: .key_id .field .limit .asked
│   ├─ KeyInvalid          no secret, or one that is unknown, revoked or expired
│   ├─ KeyForbids          the key's rules
│   └─ KeyLimited          the key's limits: .retry_after
├─ BudgetExceeded          the owner of the money: .scope .window .cap .spent .held .asked .window_end
│   └─ GuardRefused        .at_percent .strain .waits
├─ HoldExpired             whoever kept working on a hold that was given up
├─ ProviderError           .tier .model .retry_after .usage .billed .attempts
│   ├─ RateLimited · QuotaExhausted · ProviderUnavailable · ProviderTimeout · ModelUnavailable
│   ├─ NoImageReturned · ContentRefused
│   ├─ InvalidCredentials · RegionBlocked · BillingRequired
│   ├─ RequestRejected     the provider's 400: our capability data or the caller's bytes are wrong
│   ├─ AmbiguousOutcome    .at_risk
│   └─ AllAttemptsFailed   .failures
├─ ChainError · BatchError · AssetError
├─ ProcessFull             the operator: more at once than one process of the gateway holds
├─ StorageError            the operator: the database; .problem
└─ ConfigError             the operator

No error knows HTTP or exit codes: each surface has one table, looked up along the class's ancestors.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from image_router.core.budget import Shortfall
    from image_router.core.decision import Dropped
    from image_router.core.pressure import Strain
    from image_router.core.results import Attempt


class ImageRouterError(Exception):
    """Base of every expected error; its text is meant for people."""

    code: ClassVar[str] = "error"

    def __reduce__(self) -> tuple[Any, ...]:
        # By default pickle and copy call the class with `args` alone, which keyword-only fields refuse.
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[ImageRouterError], args: tuple[Any, ...], own: dict[str, Any]) -> ImageRouterError:
    error = kind.__new__(kind, *args)
    vars(error).update(own)
    return error


class RequestError(ImageRouterError):
    """The caller asked for something that cannot be done as asked."""

    code = "request_error"


class InvalidRequest(RequestError):
    """A value is missing, malformed or out of range; nothing was spent."""

    code = "invalid_request"


class NoEligibleTier(RequestError):
    """No tier can serve the request; every reason is listed, with the nearest request that would work."""

    code = "no_eligible_tier"

    def __init__(self, message: str, *, dropped: Sequence[Dropped] = (), nearest: str | None = None) -> None:
        super().__init__(message)
        self.dropped = tuple(dropped)
        self.nearest = nearest


class ModelRetired(RequestError):
    """A pinned model id is past its shutdown date, or its state is uncertain and not confirmed."""

    code = "model_retired"

    def __init__(self, message: str, *, model: str, successor: str | None, shutdown: date | None) -> None:
        super().__init__(message)
        self.model = model
        self.successor = successor
        self.shutdown = shutdown


class CostLimitExceeded(RequestError):
    """The quote is above the caller's own limit; nothing was spent. Amounts in nano-dollars."""

    code = "cost_limit_exceeded"

    def __init__(self, message: str, *, limit: int, asked: int) -> None:
        super().__init__(message)
        self.limit = limit
        self.asked = asked


class LaneUnavailable(RequestError):
    """The lane was decided and quoted, but this call cannot run it."""

    code = "lane_unavailable"


class IdempotencyConflict(RequestError):
    """The same key named a different request before."""

    code = "idempotency_conflict"


class KeyBusy(ImageRouterError):
    """Somebody else is at the work of the same key, and had not ended when the waiting did."""

    code = "key_busy"


class KeyRefused(ImageRouterError):
    """A router key does not allow it; nothing was spent.

    `key_id` names the key where it is known; `field` the rule or limit that refused, as KeyRules spells it;
    `limit` and `asked` are its numbers or names as text, None where there are none.
    """

    code = "key_refused"

    def __init__(
        self,
        message: str,
        *,
        field: str,
        key_id: str | None = None,
        limit: str | None = None,
        asked: str | None = None,
    ) -> None:
        super().__init__(message)
        self.field = field
        self.key_id = key_id
        self.limit = limit
        self.asked = asked


class KeyInvalid(KeyRefused):
    """No secret was sent, or it opens nothing: malformed or unknown (field secret), revoked, expired."""

    code = "key_invalid"


class KeyForbids(KeyRefused):
    """The key's rules forbid it: scope, tiers, models, max_size, admin, or more than a limit ever allows."""

    code = "key_forbids"


class KeyLimited(KeyRefused):
    """One of the key's limits is reached for now; waiting `retry_after` seconds helps."""

    code = "key_limited"

    def __init__(
        self,
        message: str,
        *,
        field: str,
        retry_after: float,
        key_id: str | None = None,
        limit: str | None = None,
        asked: str | None = None,
    ) -> None:
        super().__init__(message, field=field, key_id=key_id, limit=limit, asked=asked)
        self.retry_after = retry_after


class BudgetExceeded(ImageRouterError):
    """A budget or its guard does not allow the spending; nothing was spent.

    Where a cap is the reason, `scope`, `window` (day, month, total, request), `cap`, `spent`, `held`, `asked`
    (nano-dollars) and `window_end` say which; they are None where the pressure was only assumed.
    """

    code = "budget_exceeded"

    def __init__(self, message: str, *, shortfall: Shortfall | None = None) -> None:
        super().__init__(message)
        self.shortfall = shortfall
        self.scope = shortfall.scope if shortfall else None
        self.window = shortfall.window if shortfall else None
        self.cap = shortfall.cap if shortfall else None
        self.spent = shortfall.spent if shortfall else None
        self.held = shortfall.held if shortfall else None
        self.asked = shortfall.asked if shortfall else None
        self.window_end = shortfall.window_end if shortfall else None


class GuardRefused(BudgetExceeded):
    """The guard acts, and no cheaper tier may serve; `waits`: until pressure falls. Cap: the fullest one."""

    def __init__(
        self,
        message: str,
        *,
        shortfall: Shortfall | None = None,
        at_percent: int = 100,
        strain: Strain | None = None,
        waits: bool = False,
    ) -> None:
        super().__init__(message, shortfall=shortfall)
        self.at_percent = at_percent
        self.strain = strain
        """What the guard saw; None where the pressure was only assumed."""
        self.waits = waits


class HoldExpired(ImageRouterError):
    """The hold was given up because its owner was silent too long, or is closed; send nothing more on it."""

    code = "hold_expired"


class ProcessFull(ImageRouterError):
    """The process has as many pictures on their way as it may hold. Nothing was spent."""

    code = "process_full"


class ProviderError(ImageRouterError):
    """The provider did not make the image. `attempts` lists every try with its cost."""

    code = "provider_error"
    replayed = False
    """It is the answer to an earlier request under the same key, told again: nothing was asked now."""

    def __init__(
        self,
        message: str,
        *,
        model: str | None = None,
        retry_after: float | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message)
        self.model = model
        self.retry_after = retry_after
        self.attempts = tuple(attempts)

    @property
    def cost(self) -> int:
        """What the failed attempts are known to have cost, in nano-dollars."""
        return sum(attempt.cost.total for attempt in self.attempts)

    @property
    def at_risk(self) -> int:
        """What attempts of unknown outcome may have cost on top, in nano-dollars."""
        return sum(attempt.at_risk for attempt in self.attempts)


class RateLimited(ProviderError):
    """A short-term limit (requests, tokens or spend per minute) was hit; waiting helps."""

    code = "rate_limited"


class QuotaExhausted(ProviderError):
    """A daily limit is used up; it resets at midnight Pacific time."""

    code = "quota_exhausted"


class ProviderUnavailable(ProviderError):
    """The provider is overloaded, broken or cannot be reached."""

    code = "provider_unavailable"


class ProviderTimeout(ProviderError):
    """The deadline passed before an image came."""

    code = "provider_timeout"


class ModelUnavailable(ProviderError):
    """The model does not exist for this key: retired, closed to new users, or not served."""

    code = "model_unavailable"


class NoImageReturned(ProviderError):
    """The provider answered without an image; `text` is what it said instead."""

    code = "no_image"
    text: str = ""


class ContentRefused(ProviderError):
    """The provider refused the content; `reason` and `words` are its own."""

    code = "content_refused"
    reason: str = ""
    words: str = ""


class InvalidCredentials(ProviderError):
    """The API key is wrong, expired, leaked or restricted."""

    code = "invalid_credentials"


class RegionBlocked(ProviderError):
    """The provider does not serve this server's location; no other model helps."""

    code = "region_blocked"


class BillingRequired(ProviderError):
    """The project has no billing, or its prepaid credits are used up."""

    code = "billing_required"


class RequestRejected(ProviderError):
    """The provider calls the request invalid."""

    code = "request_rejected"


class AmbiguousOutcome(ProviderError):
    """The request was sent and its outcome is unknown; it may have been billed (`at_risk`)."""

    code = "ambiguous_outcome"


class AllAttemptsFailed(ProviderError):
    """Attempts failed for different reasons; `failures` holds one error for each image or model tried."""

    code = "all_attempts_failed"

    def __init__(
        self, message: str, *, failures: Sequence[ImageRouterError], attempts: Sequence[Attempt] = ()
    ) -> None:
        super().__init__(message, attempts=attempts)
        self.failures = tuple(failures)


class ChainError(ImageRouterError):
    """A character chain cannot go on: its reference failed, or its run folder holds another chain."""

    code = "chain_error"


class BatchError(ImageRouterError):
    """A batch job failed as a whole."""

    code = "batch_error"


class AssetError(ImageRouterError):
    """A picture or file cannot be read, written or found."""

    code = "asset_error"


class StorageProblem(StrEnum):
    """What is wrong with the database."""

    LOCKED = "locked"
    GONE = "gone"
    """It cannot be reached, or the connection was lost."""
    READ_ONLY = "read_only"
    FULL = "full"
    CORRUPT = "corrupt"
    NEWER_SCHEMA = "newer_schema"
    OTHER = "other"


class StorageError(ImageRouterError):
    """The database cannot be opened, read or written. Unless `in_doubt`, nothing of the step was stored."""

    code = "storage_error"

    def __init__(
        self, message: str, *, problem: StorageProblem = StorageProblem.OTHER, in_doubt: bool = False
    ) -> None:
        super().__init__(message)
        self.problem = problem
        self.in_doubt = in_doubt


class ConfigError(ImageRouterError):
    """The installation is set up wrongly: settings, keys, policy, catalog or rate card files."""

    code = "config_error"
