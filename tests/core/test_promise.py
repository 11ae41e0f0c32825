"""Until when a batch job may be waited for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from image_router.core.budget import SECOND
from image_router.core.promise import Pace, give_up_at

PACE = Pace(seconds_per_row=40, at_once=16, spare_percent=50, spare=300)


def test_the_rest_needs_its_calls_its_margin_and_the_time_to_cancel() -> None:
    assert PACE.needed(16) == 40 * 1.5 + 300
    assert PACE.needed(17) == 80 * 1.5 + 300
    assert PACE.needed(0) == 300


def test_a_limit_per_minute_makes_it_longer_where_it_is_the_narrower_one() -> None:
    assert PACE.needed(1000, per_minute=20) == 3000 * 1.5 + 300
    assert PACE.needed(16, per_minute=5000) == PACE.needed(16)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.none() | st.integers(1, 5000))
def test_more_rows_are_never_given_up_later(fewer: int, more: int, per_minute: int | None) -> None:
    fewer, more = sorted((fewer, more))
    by = 10**15
    early = give_up_at(by, PACE, rows=more, per_minute=per_minute)
    assert early <= give_up_at(by, PACE, rows=fewer, per_minute=per_minute) <= by - 300 * SECOND
