"""The life-cycle calendar: who serves when, who dies next, who follows."""

from __future__ import annotations

from datetime import date

import pytest

from image_router import facts
from image_router.core.types import Tier
from image_router.gateway.dashboard.calendar import Calendar, calendar, picture


@pytest.fixture(scope="module")
def catalog():
    return facts.load_catalog(None)


def _row(shown: Calendar, tier: Tier):
    return next(row for row in shown.rows if row.tier is tier)


def test_a_reign_begins_where_the_one_before_it_ends(catalog) -> None:
    """A successor that is there early waits for its turn."""
    reigns = _row(calendar(catalog, date(2026, 11, 22)), Tier.IMAGEN_4_ULTRA).reigns
    imagen, gemini = reigns
    assert (imagen.model, imagen.until) == ("imagen-4.0-ultra-generate-001", date(2026, 8, 17))
    assert (gemini.model, gemini.since) == ("gemini-3-pro-image", date(2026, 8, 17))
    assert gemini.serves
    assert not imagen.serves


@pytest.mark.parametrize("day", [date(2026, 4, 9), date(2026, 7, 1), date(2026, 10, 20), date(2026, 11, 22)])
def test_who_is_marked_as_serving_is_who_serves(catalog, day: date) -> None:
    """On any day, as the router itself resolves the tier."""
    for row in calendar(catalog, day).rows:
        serving = catalog.serving(row.tier, day)
        assert [one.model for one in row.reigns if one.serves] == ([serving.model] if serving else [])


def test_the_next_to_die_is_named_with_its_heir(catalog) -> None:
    """In July 2026 that is Imagen, and its tiers go on."""
    shown = calendar(catalog, date(2026, 7, 1))
    first = shown.next_end
    assert first is not None
    assert (first.shutdown, first.days_left) == (date(2026, 8, 17), 47)
    assert first.successor in {"gemini-3.1-flash-image", "gemini-3-pro-image"}
    assert first.tiers


def test_models_that_ended_come_last(catalog) -> None:
    """The latest end first; those to come are at the top, the nearest first."""
    lives = calendar(catalog, date(2026, 7, 1)).lives
    left = [life.days_left for life in lives]
    to_come = [days for days in left if days is not None]
    assert to_come == sorted(to_come)
    assert left[: len(to_come)] == to_come


def test_the_picture_says_in_words_what_it_shows(catalog) -> None:
    """One bar for each reign in sight, and each is in the description too."""
    shown = calendar(catalog, date(2026, 11, 22))
    drawn = str(picture(shown))
    assert drawn.count('class="reign') == 13
    assert "Imagen 4 Fast: imagen-4.0-fast-generate-001" in drawn
    assert "sources conflict" in drawn
