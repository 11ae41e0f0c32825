"""Lines that add up, and periods of whole days."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.budget import from_micros
from image_router.core.errors import InvalidRequest
from image_router.core.statement import SUMS, Line, period_of, rolled_up, total_of, within_period

amounts = st.integers(-(10**12), 10**12)
lines = st.lists(
    st.builds(
        Line,
        of=st.tuples(st.sampled_from(["a", "b", ""]), st.sampled_from(["x", "y"])),
        **dict.fromkeys(SUMS, amounts),
    ),
    max_size=12,
)


@given(lines, st.permutations([0, 1]))
def test_rolled_up_lines_keep_their_sum(given_lines: list[Line], columns: list[int]) -> None:
    """However lines are put together, their sum stays, and each value stands once."""
    for kept in (columns, columns[:1], []):
        rolled = rolled_up(given_lines, kept)
        assert total_of(rolled) == total_of(given_lines)
        assert len({line.of for line in rolled}) == len(rolled)


def test_no_lines_are_nothing() -> None:
    """The sum of nothing is zero in every column."""
    assert total_of([], of=("total",)) == Line(of=("total",))


@pytest.mark.parametrize(
    ("first", "last", "zone", "start", "end"),
    [
        ("2026-11-22", "2026-11-22", "UTC", "2026-11-22T00:00:00+00:00", "2026-11-23T00:00:00+00:00"),
        (
            "2026-03-29",
            "2026-03-29",
            "Europe/Berlin",
            "2026-03-28T23:00:00+00:00",
            "2026-03-29T22:00:00+00:00",
        ),
        (
            "2026-10-25",
            "2026-10-26",
            "Europe/Berlin",
            "2026-10-24T22:00:00+00:00",
            "2026-10-26T23:00:00+00:00",
        ),
        ("1970-01-01", "1970-01-01", "UTC", "1970-01-01T00:00:00+00:00", "1970-01-02T00:00:00+00:00"),
    ],
)
def test_a_period_is_whole_days(first: str, last: str, zone: str, start: str, end: str) -> None:
    """Both days belong to it, as long as their zone makes them."""
    period = period_of(date.fromisoformat(first), date.fromisoformat(last), zone=zone)
    assert period.end is not None
    assert (from_micros(period.start).isoformat(), from_micros(period.end).isoformat()) == (start, end)
    assert within_period(period, period.start)
    assert not within_period(period, period.end)
    assert not within_period(period, period.start - 1)


def test_an_open_period_has_no_end() -> None:
    """Without days everything counts."""
    period = period_of()
    assert (period.start, period.end) == (0, None)
    assert within_period(period, 2**62)


@pytest.mark.parametrize(
    ("first", "last", "zone", "said"),
    [
        (date(2026, 11, 2), date(2026, 11, 1), "UTC", "swap the days"),
        (date(1969, 12, 31), None, "UTC", "out of reach"),
        (None, date.max, "UTC", "out of reach"),
        (None, None, "Mars/Olympus", "time zone 'Mars/Olympus' is unknown"),
    ],
)
def test_odd_periods_are_refused(first: date | None, last: date | None, zone: str, said: str) -> None:
    """Days out of order or out of reach and unknown zones are told what would do."""
    with pytest.raises(InvalidRequest, match=said):
        period_of(first, last, zone=zone)
