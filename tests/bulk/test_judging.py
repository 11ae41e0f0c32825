"""What errors mean for a row: over, later, or the run stands still."""

from __future__ import annotations

import pytest

from image_router.bulk.judging import TRIES, Later, judged
from image_router.core.errors import (
    AllAttemptsFailed,
    AmbiguousOutcome,
    BillingRequired,
    BudgetExceeded,
    ContentRefused,
    ImageRouterError,
    InvalidCredentials,
    InvalidRequest,
    KeyBusy,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RegionBlocked,
    StorageError,
)
from image_router.core.runs import Pause, RowEnd, RowState
from image_router.storage.runs import Stopped


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ContentRefused("no"), RowState.FAILED),
        (InvalidRequest("no"), RowState.FAILED),
        (AmbiguousOutcome("perhaps"), RowState.UNKNOWN),
        (AllAttemptsFailed("none", failures=[AmbiguousOutcome("perhaps")]), RowState.UNKNOWN),
    ],
)
def test_what_no_try_can_mend_is_over(error: ImageRouterError, state: RowState) -> None:
    verdict = judged(error, tries=0)
    assert isinstance(verdict, RowEnd)
    assert (verdict.state, bool(verdict.cause)) == (state, True)


@pytest.mark.parametrize(
    ("error", "pause", "by_itself"),
    [
        (BudgetExceeded("spent"), Pause.BUDGET, True),
        (QuotaExhausted("used up"), Pause.QUOTA, True),
        (StorageError("full"), Pause.STORE, True),
        (InvalidCredentials("wrong"), Pause.CREDENTIALS, False),
        (BillingRequired("none"), Pause.CREDENTIALS, False),
        (RegionBlocked("here"), Pause.CREDENTIALS, False),
        (AllAttemptsFailed("none", failures=[InvalidCredentials("wrong")]), Pause.CREDENTIALS, False),
    ],
)
def test_what_no_row_can_mend_stops_the_run(error: ImageRouterError, pause: Pause, by_itself: bool) -> None:
    verdict = judged(error, tries=0)
    assert isinstance(verdict, Stopped)
    assert verdict.pause is pause
    assert (verdict.resumes_in is not None) is by_itself


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), RateLimited("slowly")])
def test_what_passes_is_tried_later_and_not_for_ever(error: ImageRouterError) -> None:
    waits = [judged(error, tries=tries) for tries in range(TRIES - 1)]
    seconds = [each.seconds for each in waits if isinstance(each, Later)]
    assert len(seconds) == len(waits)
    assert seconds == sorted(seconds)
    assert not isinstance(judged(error, tries=TRIES), Later)


def test_a_key_that_another_is_at_costs_no_try() -> None:
    verdict = judged(KeyBusy("there"), tries=99)
    assert isinstance(verdict, Later)
    assert not verdict.counts
