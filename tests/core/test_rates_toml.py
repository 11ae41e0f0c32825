"""Rate card files: exact prices, and how a broken one is refused."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.errors import ConfigError
from image_router.core.rates import ModelRates, TokenRates
from image_router.core.rates_toml import parse_card
from image_router.core.toml_table import TomlFile
from image_router.core.types import Lane, Size

CARD = """day = 2026-12-01
source = "a page"
checked = 2026-12-02
search_per_1000 = "14"

[models."painter-1"]
tokens.interactive = { input = "0.25", text_output = "1.50", image_output = "30" }
tokens.batch = { input = "0.125", text_output = "0.75", image_output = "15" }
list.interactive = { 1K = "0.0336" }
list.batch = { 1K = "0.0168" }
list_reference.interactive = "0.0011"

[models."imager-1"]
per_image.interactive = { 1K = "0.04", 2K = "0.06" }
"""


def test_a_whole_card() -> None:
    """Dollars a million become nano-dollars for one; what is sold per image is its own list price."""
    card = parse_card(TomlFile("card.toml", CARD))
    images = {Lane.INTERACTIVE: {Size.K1: 40_000_000, Size.K2: 60_000_000}}
    assert (card.day, card.checked, card.source) == (date(2026, 12, 1), date(2026, 12, 2), "a page")
    assert card.search == 14_000_000
    assert card.models == {
        "painter-1": ModelRates(
            tokens={
                Lane.INTERACTIVE: TokenRates(input=250, text_output=1_500, image_output=30_000),
                Lane.BATCH: TokenRates(input=125, text_output=750, image_output=15_000),
            },
            list_price={Lane.INTERACTIVE: {Size.K1: 33_600_000}, Lane.BATCH: {Size.K1: 16_800_000}},
            list_reference={Lane.INTERACTIVE: 1_100_000},
        ),
        "imager-1": ModelRates(per_image=images, list_price=images),
    }


@given(st.integers(min_value=0, max_value=1_000_000))
def test_any_whole_rate_is_read_exactly(nanos: int) -> None:
    """Every whole number of nano-dollars for a token can be written in dollars a million."""
    text = CARD.replace('"0.25"', f'"{nanos // 1000}.{nanos % 1000:03}"')
    rates = parse_card(TomlFile("card.toml", text)).models["painter-1"]
    assert rates.tokens[Lane.INTERACTIVE].input == nanos


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"0.25"', '"0.2505"', "line 7: models.painter-1.tokens.interactive.input: .*no whole"),
        ('"0.25"', "0.25", "input: must be text in quotes, not 0.25"),
        ('"0.25"', '"a quarter"', "input: .*is not an amount in dollars"),
        ('"0.25"', '"-1"', "input: .*must be between"),
        ('input = "0.25", ', "", "tokens.interactive.input: is missing"),
        ('image_output = "30"', 'image_output = "30", image = "1"', "interactive.image: is not a known key"),
        ("tokens.batch", "tokens.flex", "tokens.flex: 'flex' is not one of interactive, batch"),
        ('{ 1K = "0.0336" }', '{ 1K = "0.0000000001" }', "list: .*finer than a nano-dollar"),
        ('{ 1K = "0.0336" }', '{ 3K = "0.0336" }', "list: '3K' is not one of"),
        ('list.batch = { 1K = "0.0168" }', "", "list: has no price for batch"),
        ("per_image.", "pre_image.", "pre_image: is not a known key"),
        ('per_image.interactive = { 1K = "0.04", 2K = "0.06" }', "", "priced either by tokens"),
        ('search_per_1000 = "14"', "", "search_per_1000: is missing"),
        ('"14"', '"0.0000001"', "search_per_1000: '0.0000001' for 1,000 is no whole number"),
        ("day = 2026-12-01", 'day = "soon"', "line 1: day: must be a day without quotes"),
        ("day = 2026-12-01", "day = 2026-12-01\ndays = 1", "line 2: days: is not a known key"),
        ("day = 2026-12-01", "day = ", "card.toml is not TOML: .*line 1"),
    ],
)  # fmt: skip
def test_a_broken_card(old: str, new: str, said: str) -> None:
    """A price that is not exact, or a key nobody knows, is refused with file, line, key and reason."""
    text = CARD.replace(old, new, 1)
    assert text != CARD
    with pytest.raises(ConfigError, match=said) as refused:
        parse_card(TomlFile("card.toml", text))
    assert "card.toml" in str(refused.value)
