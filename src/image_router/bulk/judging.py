"""What an error means for a row of a run: it is over, it is tried again later, or the run stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from image_router.core.errors import (
    AllAttemptsFailed,
    AmbiguousOutcome,
    BillingRequired,
    BudgetExceeded,
    ImageRouterError,
    InvalidCredentials,
    KeyBusy,
    ModelUnavailable,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RegionBlocked,
    StorageError,
)
from image_router.core.runs import Pause, RowEnd, RowState
from image_router.storage.runs import Stopped

TRIES: Final = 5
"""How often a row is tried whose failures pass, beside the attempts that the policy makes each time."""
LONGEST: Final = 60.0
"""Seconds between two tries of a row, at most."""
QUOTA_LOOK: Final = 900.0
"""Seconds until a run looks again whose daily quota is used up: a look costs nothing while it is."""
BUDGET_LOOK: Final = 10.0
STORE_LOOK: Final = 15.0

_CREDENTIALS: Final = (InvalidCredentials, BillingRequired, RegionBlocked)
_PASSING: Final = (ProviderUnavailable, ProviderTimeout, ModelUnavailable, AllAttemptsFailed)


@dataclass(frozen=True, slots=True)
class Later:
    """Try it again after so many seconds. `counts`: as one of its tries."""

    seconds: float
    counts: bool = True


Verdict = RowEnd | Later | Stopped


def judged(error: ImageRouterError, *, tries: int) -> Verdict:
    """What becomes of a row whose request raised this, after so many earlier tries."""
    match error:
        case AllAttemptsFailed() if heard := _worst(error):
            return judged(heard, tries=tries)
        case AmbiguousOutcome():
            return _over(error, RowState.UNKNOWN)
        case BudgetExceeded():
            return Stopped(pause=Pause.BUDGET, reason=str(error), resumes_in=BUDGET_LOOK)
        case QuotaExhausted():
            look = error.retry_after or QUOTA_LOOK
            return Stopped(pause=Pause.QUOTA, reason=str(error), resumes_in=look)
        case RateLimited() if tries >= TRIES:
            look = error.retry_after or LONGEST
            return Stopped(pause=Pause.QUOTA, reason=str(error), resumes_in=look)
        case RateLimited():
            return Later(min(LONGEST, error.retry_after or _backoff(tries)))
        case StorageError():
            return Stopped(pause=Pause.STORE, reason=str(error), resumes_in=STORE_LOOK)
        case KeyBusy():
            return Later(_backoff(tries), counts=False)
    if isinstance(error, _CREDENTIALS):
        return Stopped(pause=Pause.CREDENTIALS, reason=str(error))
    if isinstance(error, _PASSING) and tries + 1 < TRIES:
        return Later(_backoff(tries))
    return _over(error, RowState.FAILED)


def _worst(error: AllAttemptsFailed) -> ImageRouterError | None:
    """The failure among several that concerns the whole run, if one does."""
    grave = (*_CREDENTIALS, BudgetExceeded, QuotaExhausted, StorageError, AmbiguousOutcome)
    return next((failure for failure in error.failures if isinstance(failure, grave)), None)


def _over(error: ImageRouterError, state: RowState) -> RowEnd:
    return RowEnd(state=state, cause=error.code, message=str(error))


def _backoff(tries: int) -> float:
    return float(min(LONGEST, 2.0**tries))
