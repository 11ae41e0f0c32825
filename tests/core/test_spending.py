"""How money was used: shares, savings and failures by hand arithmetic."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from image_router import facts
from image_router.core.economics import Market
from image_router.core.rates import card_on
from image_router.core.spending import spending_of
from image_router.core.statement import Line, total_of
from image_router.core.types import Tier

APRIL = date(2026, 4, 9)
WISHED = {Tier.NANO_BANANA: 3, Tier.IMAGEN_4_FAST: 1}


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(catalog=facts.load_catalog(None), card=card_on(APRIL, facts.load_cards(None)), day=APRIL)


def line(tier: str, outcome: str = "ok", day: str = "2026-04-09", **sums: int) -> Line:
    return Line(of=(tier, day, outcome, "1K" if sums.get("images") else "", "interactive"), **sums)


LINES = (
    line("nano_banana", calls=2, images=2, spent=78_000_000),
    line("imagen_4_fast", day="2026-04-10", calls=1, images=1, spent=20_000_000),
    line("", calls=1, images=1, spent=5_000_000),
    line("nano_banana", "connection_lost", calls=1, spent=39_000_000, unconfirmed=39_000_000),
    line("nano_banana", "paid_without_image", calls=1, spent=38_000_000, for_nothing=38_000_000),
)


def test_the_mix_counts_pictures(market: Market) -> None:
    """Every tier has its share of the pictures beside the wished one; pinned models stand last."""
    report = spending_of(LINES, wished=WISHED, market=market)
    shares = {one.tier: (one.images, one.share, one.wished) for one in report.mix}
    assert shares["nano_banana"] == (2, Fraction(1, 2), Fraction(3, 4))
    assert shares["imagen_4_fast"] == (1, Fraction(1, 4), Fraction(1, 4))
    assert shares["nano_banana_pro"] == (0, 0, 0)
    assert report.mix[-1].tier == ""
    assert sum(one.share for one in report.mix) == 1
    assert sum(one.spent for one in report.mix) == report.total.spent == 180_000_000


def test_all_pro_is_what_is_charged_for_the_same_pictures(market: Market) -> None:
    """Four pictures at 1120 tokens of $120 per million are $0.5376; $0.18 was spent with everything."""
    report = spending_of(LINES, wished=WISHED, market=market)
    assert report.all_pro is not None
    assert (report.all_pro.cost, report.all_pro.saved) == (4 * 134_400_000, 4 * 134_400_000 - 180_000_000)
    assert report.wished_per_image == Fraction(3 * 39_000_000 + 20_000_000, 4)
    assert report.per_image == 45_000_000


def test_days_and_failures(market: Market) -> None:
    """Days stand in order; failures are what was charged for nothing or is unconfirmed, by outcome."""
    report = spending_of(LINES, wished=WISHED, market=market)
    assert [(day.of, day.spent) for day in report.days] == [
        (("2026-04-09",), 160_000_000),
        (("2026-04-10",), 20_000_000),
    ]
    assert [each.of for each in report.failures] == [("connection_lost",), ("paid_without_image",)]
    assert total_of(report.failures).for_nothing == 38_000_000


def test_nothing_spent_is_no_error(market: Market) -> None:
    """Without any call every figure is zero or absent."""
    report = spending_of([], wished=WISHED, market=market)
    assert (report.total.spent, report.per_image, report.days, report.failures) == (0, None, (), ())
    assert report.all_pro is not None
    assert (report.all_pro.cost, report.all_pro.saved) == (0, 0)
