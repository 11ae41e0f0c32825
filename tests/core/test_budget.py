"""Scope paths, caps, windows over every time zone, pressure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.budget import (
    LARGEST,
    SECOND,
    Budget,
    Shortfall,
    Span,
    Window,
    check_amount,
    from_micros,
    percent_used,
    span_of,
    to_micros,
)
from image_router.core.errors import InvalidRequest
from image_router.core.money import USD
from image_router.core.scopes import scope_path, within

ZONES = sorted(available_timezones())
MOMENTS = st.integers(-2_208_988_800 * SECOND, 4_102_444_800 * SECOND).map(from_micros)
"""From 1900 to 2100."""
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@+:-]{0,12}", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=8).map("/".join)


def utc(text: str) -> int:
    """An ISO time in UTC as microseconds."""
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("default", ("default",)),
        ("acme/studio-a/key-7", ("acme", "acme/studio-a", "acme/studio-a/key-7")),
        ("a@b.c/x:1", ("a@b.c", "a@b.c/x:1")),
    ],
)
def test_scope_path(scope: str, path: tuple[str, ...]) -> None:
    """A scope is paid by itself and by everything above it, outermost first."""
    assert scope_path(scope) == path


@pytest.mark.parametrize(
    "scope", ["", "/", "a/", "/a", "a//b", "a b", "-a", "a/../b", "ä", "a" * 65, "/".join("abcdefghi"), "a\n"]
)
def test_odd_scopes_are_refused(scope: str) -> None:
    """A scope that is no path of plain names is refused before any money moves."""
    with pytest.raises(InvalidRequest, match="is not a path"):
        scope_path(scope)


@given(PATHS, PATHS)
def test_within_is_what_is_below(scope: str, other: str) -> None:
    """The range of names of a scope holds exactly the scopes below it."""
    low, high = within(scope)
    assert (low <= other < high) == other.startswith(f"{scope}/")


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from([Window.DAY, Window.MONTH]))
def test_windows_follow_each_other(moment: datetime, zone: str, window: Window) -> None:
    """In every zone, whatever its clocks do, a moment is in one window, and the next begins where it ends."""
    at = to_micros(moment)
    span = span_of(window, at, zone=zone)
    assert span.end is not None
    assert at in span
    assert span_of(window, span.start, zone=zone) == span
    assert span_of(window, span.end - 1, zone=zone) == span
    assert span_of(window, span.end, zone=zone).start == span.end
    assert span.end - span.start < 33 * 86_400_000_000


@pytest.mark.parametrize(
    ("window", "moment", "zone", "start", "end"),
    [
        (Window.DAY, "2026-11-22T12:00", "UTC", "2026-11-22T00:00", "2026-11-23T00:00"),
        (Window.DAY, "2026-11-22T23:30", "Europe/Berlin", "2026-11-22T23:00", "2026-11-23T23:00"),
        # 23 and 25 hours when Berlin's clocks change
        (Window.DAY, "2026-03-29T12:00", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),
        (Window.DAY, "2026-10-25T12:00", "Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00"),
        # midnight does not exist in Beirut on 2026-03-29, and happens twice in Havana on 2026-11-01
        (Window.DAY, "2026-03-29T12:00", "Asia/Beirut", "2026-03-28T22:00", "2026-03-29T21:00"),
        (Window.DAY, "2026-11-01T12:00", "America/Havana", "2026-11-01T04:00", "2026-11-02T05:00"),
        # Samoa had no 30 December 2011
        (Window.DAY, "2011-12-30T09:00", "Pacific/Apia", "2011-12-29T10:00", "2011-12-30T10:00"),
        # Newfoundland turned its clocks back at one minute past midnight: the day had begun for good
        (Window.DAY, "2010-11-07T03:00", "America/St_Johns", "2010-11-07T02:30", "2010-11-08T03:30"),
        # Toronto's clocks jumped from 23:30 to 00:30
        (Window.DAY, "1919-03-31T12:00", "America/Toronto", "1919-03-31T04:30", "1919-04-01T04:00"),
        (Window.MONTH, "2026-10-15T00:00", "America/New_York", "2026-10-01T04:00", "2026-11-01T04:00"),
        (Window.MONTH, "2026-12-31T23:30", "Europe/Berlin", "2026-12-31T23:00", "2027-01-31T23:00"),
    ],
)
def test_window_by_hand(window: Window, moment: str, zone: str, start: str, end: str) -> None:
    """Days and months begin with the first instant of their date in the named zone."""
    assert span_of(window, utc(moment), zone=zone) == Span(utc(start), utc(end))


def test_total_never_ends() -> None:
    """A total counts from the beginning and for ever."""
    assert span_of(Window.TOTAL, utc("2026-11-22T12:00"), zone="UTC") == Span(0, None)


@given(MOMENTS)
def test_micros_and_back(moment: datetime) -> None:
    """A moment survives being written down, to the microsecond."""
    assert from_micros(to_micros(moment)) == moment


@pytest.mark.parametrize(
    "caps",
    [
        {"day": 0},
        {"day": -1},
        {"month": LARGEST + 1},
        {"total": float("nan")},
        {"total": 10.0},
        {"total": Decimal(10)},
        {"per_request": True},
        {"day": "10"},
        {"zone": "Mars/Olympus"},
        {"zone": "../etc/passwd"},
        {"zone": ""},
        {"scope": "a b"},
        {"guard_percent": 0},
        {"guard_percent": 101},
        {"guard_percent": 50.5},
        {"guard_percent": float("nan")},
        {"guard_percent": True},
        {"alerts": (50.5,)},
        {"alerts": ("50",)},
        {"alerts": (50, 50)},
        {"alerts": (0,)},
        {"prepaid": True},
        {"prepaid": True, "total": USD, "day": USD},
    ],
)
def test_caps_that_make_no_sense(caps: dict[str, Any]) -> None:
    """Zero, negative, huge, inexact and NaN caps, unknown zones and contradictions are refused in words."""
    with pytest.raises(InvalidRequest):
        Budget(**({"scope": "acme"} | caps))


def test_caps_by_window() -> None:
    """Only caps that are set are looked at; the one per request has no window."""
    budget = Budget(scope="acme", month=5 * USD, per_request=USD)
    assert budget.caps == {Window.MONTH: 5 * USD}


@pytest.mark.parametrize("amount", [0, -5, LARGEST + 1, 1.5, float("nan"), None, "1", True])
def test_amounts_that_are_none(amount: object) -> None:
    """An amount is a whole number of nano-dollars within limits, or a typed error."""
    with pytest.raises(InvalidRequest):
        check_amount(amount, "the amount")


@pytest.mark.parametrize(
    ("settled", "held", "percent"),
    [(0, 0, 0), (899, 0, 89), (899, 1, 90), (900, 0, 90), (1500, 0, 150), (-5, 0, 0)],
)
def test_pressure_is_rounded_down(settled: int, held: int, percent: int) -> None:
    """Ninety percent are reached with nine tenths and not a nano-dollar before."""
    assert percent_used(settled, held, cap=1000) == percent


def test_refusal_in_words() -> None:
    """A refusal names scope, sums and the end of the window, as the architecture spells it."""
    lacking = Shortfall(
        scope="studio-a",
        window="month",
        cap=10 * USD,
        spent=9_910_000_000,
        held=50_000_000,
        asked=134_000_000,
        window_end=datetime(2026, 12, 1, tzinfo=UTC),
        resets_in=3600.0,
    )
    error = lacking.error()
    assert str(error) == (
        "Budget 'studio-a' cannot cover $0.134: $9.91 of $10.00 spent, $0.05 held; "
        "raise the cap or wait until 2026-12-01."
    )
    assert (error.scope, error.window, error.cap) == ("studio-a", "month", 10 * USD)
    assert (error.spent, error.held, error.asked) == (9_910_000_000, 50_000_000, 134_000_000)
    assert error.window_end == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spent", "held", "resets_in", "seconds", "in_vain"),
    [
        (5, 5, None, 1.0, False),
        (9, 1, None, 1.0, True),
        (9, 1, 2.0, 1.0, True),
        (9, 1, 1.0, 1.0, False),
        (0, 10, 2.0, 1.0, False),
    ],
)
def test_waiting_in_vain(
    spent: int, held: int, resets_in: float | None, seconds: float, in_vain: bool
) -> None:
    """Waiting helps while holds stand in the way or when the window ends in time, and else it does not."""
    lacking = Shortfall(scope="a", window="day", cap=10, spent=spent, held=held, asked=5, resets_in=resets_in)
    assert lacking.in_vain(seconds) is in_vain


def test_waiting_for_more_than_the_cap_is_in_vain() -> None:
    """A request above the whole cap does not wait for the next window."""
    lacking = Shortfall(scope="a", window="day", cap=10, spent=0, held=0, asked=11, resets_in=0.5)
    assert lacking.in_vain(1.0)


def test_spans_of_a_year_are_its_days() -> None:
    """A year in a zone with daylight saving has 365 days, of 23, 24 and 25 hours."""
    at, lengths = utc("2026-01-01T06:00"), set()
    for _ in range(365):
        span = span_of(Window.DAY, at, zone="America/New_York")
        assert span.end is not None
        lengths.add(timedelta(microseconds=span.end - span.start))
        at = span.end
    assert lengths == {timedelta(hours=hours) for hours in (23, 24, 25)}
    assert at == utc("2027-01-01T05:00")
