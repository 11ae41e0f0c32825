from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.errors import InvalidRequest
from image_router.core.money import USD, parse_usd, show_usd, to_usd, usd_text

AMOUNTS = st.integers(min_value=0, max_value=1_000_000_000 * USD)


@given(AMOUNTS)
def test_text_round_trip(nanos: int) -> None:
    """Every amount survives being written as text and read back."""
    assert parse_usd(usd_text(nanos)) == nanos


@given(AMOUNTS)
def test_decimal_round_trip(nanos: int) -> None:
    """Every amount survives being a Decimal and coming back."""
    assert parse_usd(to_usd(nanos)) == nanos


@given(AMOUNTS)
def test_shown_exactly_by_default(nanos: int) -> None:
    """What people see holds the exact amount unless decimals are stated."""
    assert parse_usd(show_usd(nanos).replace(",", "")) == nanos


@given(st.integers(min_value=0, max_value=10**17), st.integers(min_value=0, max_value=9))
def test_shown_within_half_a_step(nanos: int, decimals: int) -> None:
    """A stated number of decimals is never more than half a step away from the amount."""
    shown = (
        parse_usd(show_usd(nanos, decimals=decimals).replace(",", ""), name="shown") if nanos < USD else nanos
    )
    assert abs(shown - nanos) * 2 <= 10 ** (9 - decimals)


@pytest.mark.parametrize(
    ("value", "nanos"),
    [
        ("0.134", 134_000_000),
        ("$0.134", 134_000_000),
        (" 12 ", 12_000_000_000),
        (3, 3_000_000_000),
        (Decimal("0.000000001"), 1),
        ("0.10", 100_000_000),
        ("1000000000", 10**18),
    ],
)
def test_reads_dollars(value: str | int | Decimal, nanos: int) -> None:
    """Dollars are read as text, whole numbers or Decimals."""
    assert parse_usd(value) == nanos


@pytest.mark.parametrize(
    "value",
    [0.1, 1.0, float("nan"), float("inf"), True, "NaN", "inf", "-inf", "sNaN", "-0.01", -1, "0.0000000001",
     "1000000000.01", "", "a lot", "1_000", "1e-2000000", "0.1" + "0" * 36 + "1", "0,5", "$", "1 2"],
)  # fmt: skip
def test_refuses_inexact_amounts(value: str | float) -> None:
    """Floats, not-numbers, negatives, amounts too large or finer than a nano-dollar are refused by name."""
    with pytest.raises(InvalidRequest, match="max_cost"):
        parse_usd(value, name="max_cost")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nanos", "decimals", "shown"),
    [
        (436_700_000_000, None, "$436.70"),
        (134_400_000, None, "$0.1344"),
        (0, None, "$0.00"),
        (1_234_567_000_000_000, None, "$1,234,567.00"),
        (-134_000_000, None, "-$0.134"),
        (5_000_000, 2, "$0.01"),
        (4_999_999, 2, "$0.00"),
        (-5_000_000, 2, "-$0.01"),
        (1_999_500_000_000, 0, "$2,000"),
    ],
)
def test_shows_dollars(nanos: int, decimals: int | None, shown: str) -> None:
    """People see at least two decimals, thousands apart, halves rounded up."""
    assert show_usd(nanos, decimals=decimals) == shown
