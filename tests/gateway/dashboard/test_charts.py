"""Charts as SVG, and the files pages load."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from xml.etree import ElementTree

import pytest

from image_router.core.palette import DARK, LIGHT
from image_router.core.statement import Line
from image_router.core.types import Tier
from image_router.gateway.dashboard.charts import Bar, bars, columns, day_bars, strip
from image_router.gateway.dashboard.statics import address, statics, tier_colours

NASTY = '<script>"&'


def _bar(amount: int, label: str = "a") -> Bar:
    return Bar(label=label, amount=Fraction(amount), text=str(amount), tone="tier-nano_banana")


@pytest.mark.parametrize("draw", [bars, strip, columns])
def test_a_chart_is_whole_and_says_what_it_shows(draw) -> None:
    """Well-formed whatever the words; title and description name every bar."""
    drawn = ElementTree.fromstring(draw("c", [_bar(3, NASTY), _bar(1)], title=NASTY))
    assert drawn.find("title").text == NASTY
    assert drawn.find("desc").text == f"{NASTY} 3; a 1"
    assert drawn.get("aria-labelledby") == "c-title c-desc"


def test_bars_are_in_proportion() -> None:
    """The largest is as wide as the chart; what is there at all can be seen, and nothing is nothing."""
    drawn = ElementTree.fromstring(bars("c", [_bar(4), _bar(1), _bar(0)], title="t"))
    widths = [rect.get("width") for rect in drawn.iter("rect") if rect.get("class") == "bar"]
    assert widths == ["100.00%", "25.00%", "0.00%"]


@pytest.mark.parametrize("draw", [bars, strip, columns])
@pytest.mark.parametrize("amounts", [[], [0], [0, 0]])
def test_a_chart_of_nothing_is_drawn(draw, amounts: list[int]) -> None:
    """No division by nothing."""
    assert "<svg" in draw("c", [_bar(amount) for amount in amounts], title="t")


def test_days_without_spend_have_their_place() -> None:
    """A short period shows each of its days; a long one those on which something was spent."""
    days = [Line(of=("2026-11-03",), spent=5)]
    short = day_bars(days, first=date(2026, 11, 1), last=date(2026, 11, 4))
    assert [(bar.label[-2:], bar.amount) for bar in short] == [("01", 0), ("02", 0), ("03", 5), ("04", 0)]
    assert len(day_bars(days, first=date(2020, 1, 1), last=date(2026, 11, 4))) == 1


def test_every_tier_has_a_colour_in_both_themes() -> None:
    """The pages' colours are those of the terminal and the contact sheet."""
    css = tier_colours()
    for tier in Tier:
        assert f"--{tier}:light-dark({LIGHT[tier]},{DARK[tier]});" in css


def test_a_file_is_named_by_what_is_in_it() -> None:
    """Modules name each other by digest, so that none of them can be stale."""
    script = statics()["live.js"].data.decode()
    assert address("follow.js").rpartition("/")[2] in script
    assert 'from "./follow.js"' not in script
