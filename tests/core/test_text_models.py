"""Who shortens prompts on a day, and what it costs: facts of the shipped files, and how they are read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from image_router.core.catalog import ModelState
from image_router.core.catalog_toml import parse_catalog
from image_router.core.errors import ConfigError
from image_router.core.rates import TextRates, card_on
from image_router.core.rates_toml import parse_card
from image_router.core.toml_table import TomlFile
from image_router.facts import load_cards, load_catalog

CATALOG, CARDS = load_catalog(None), load_cards(None)
LITE, PREVIEW = "gemini-3.1-flash-lite", "gemini-3.1-flash-lite-preview"
ENTRY = """
source = "a page"
checked = 2026-11-22
[text_models.lite]
name = "Lite"
prompt_tokens = 1000
output_tokens = 500
overhead = { expected = 0, allowance = 64 }
target = 200
life = { released = 2026-05-07 }
"""


@pytest.mark.parametrize(
    ("day", "model"),
    [
        ("2026-03-02", None),
        ("2026-03-03", PREVIEW),
        ("2026-04-09", PREVIEW),
        ("2026-05-06", PREVIEW),
        ("2026-05-07", LITE),
        ("2026-11-22", LITE),
    ],
)
def test_each_day_has_its_text_model(day: str, model: str | None) -> None:
    """The release before the preview, as soon as it lives; none before either."""
    found = CATALOG.text_model(date.fromisoformat(day))
    assert (found.id if found else None) == model


def test_what_the_operator_knows_counts() -> None:
    """A text model set to retired serves no more; the next that lives does."""
    known = replace(CATALOG, overrides={LITE: ModelState.RETIRED})
    assert known.text_model(date(2026, 11, 22)) is None
    may = known.text_model(date(2026, 5, 8))
    assert may
    assert may.id == PREVIEW


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.day.isoformat())
def test_the_text_model_of_every_card_has_its_price(card: object) -> None:
    """$0.25 and $1.50 per million tokens: 250 and 1,500 nano-dollars each."""
    found = next(one for one in CARDS if one is card)
    model = CATALOG.text_model(found.day)
    assert model
    assert found.texts[model.id] == TextRates(input=250, output=1_500)
    assert card_on(found.day, CARDS) is found


def test_an_entry_is_read() -> None:
    """Its own facts, with the file's source and day."""
    (model,) = parse_catalog([TomlFile("own.toml", ENTRY)]).texts.values()
    assert (model.id, model.target, model.thinking, model.checked) == ("lite", 200, None, date(2026, 11, 22))
    assert model.overhead.allowance == 64


@pytest.mark.parametrize(
    ("line", "words"),
    [("target = 200", "target: is missing"), ("name = ", "name"), ("target", "targets: is not a known key")],
)
def test_a_broken_entry_is_refused(line: str, words: str) -> None:
    """What is missing or unknown is named, with its line."""
    broken = {"target = 200": "", "name = ": "name = 3 # ", "target": "targets = 1\ntarget"}[line]
    with pytest.raises(ConfigError, match=words):
        parse_catalog([TomlFile("own.toml", ENTRY.replace(line, broken, 1))])


def test_a_price_too_fine_is_refused() -> None:
    """A token costs whole nano-dollars."""
    text = """
day = 2026-11-22
source = "a page"
checked = 2026-11-22
search_per_1000 = "14"
[text_models]
lite = { input = "0.2505", output = "1.50" }
"""
    with pytest.raises(ConfigError, match="input"):
        parse_card(TomlFile("card.toml", text))
