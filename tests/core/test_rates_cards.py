"""Every price of every shipped card, spelled out by hand in dollars.

Sources: https://ai.google.dev/gemini-api/docs/pricing as read 2026-09-05 to 2026-10-08, and the published
table of 2026-04-09.
"""

from datetime import date

import pytest

from image_router.core.money import parse_usd
from image_router.core.rates import RateCard
from image_router.core.types import Lane
from image_router.facts import load_cards, load_catalog

CARDS = {card.day.isoformat(): card for card in load_cards(None)}
FIRST, GA, LITE, NANO_21, LAST = "2026-04-09", "2026-05-28", "2026-06-30", "2026-10-06", "2026-10-08"

SINCE = {
    "gemini-3-pro-image-preview": FIRST,
    "gemini-3-pro-image": GA,
    "gemini-3.1-flash-image-preview": FIRST,
    "gemini-3.1-flash-image": GA,
    "gemini-nano-banana-2.1": NANO_21,
    "gemini-3.1-flash-lite-image": LITE,
    "gemini-2.5-flash-image": FIRST,
    "imagen-4.0-ultra-generate-001": FIRST,
    "imagen-4.0-generate-001": FIRST,
    "imagen-4.0-fast-generate-001": FIRST,
}

# Dollars per million tokens: input, text and thinking, image. Batch is half of each.
PRO = (("2", "12", "120"), ("1", "6", "60"))
FLASH = (("0.5", "3", "60"), ("0.25", "1.5", "30"))
TOKENS = {
    "gemini-3-pro-image-preview": PRO,
    "gemini-3-pro-image": PRO,
    "gemini-3.1-flash-image-preview": FLASH,
    "gemini-3.1-flash-image": FLASH,
    "gemini-nano-banana-2.1": (("1.5", "7.5", "30"), ("0.75", "3.75", "15")),
    "gemini-3.1-flash-lite-image": (("0.25", "1.5", "30"), ("0.125", "0.75", "15")),
    "gemini-2.5-flash-image": (("0.3", "2.5", "30"), ("0.15", "1.25", "15")),
}

# Published dollars per image: interactive, batch.
PRO_LIST = ("1K 0.134, 2K 0.134, 4K 0.24", "1K 0.067, 2K 0.067, 4K 0.12")
FLASH_LIST = ("512 0.045, 1K 0.067, 2K 0.101, 4K 0.151", "512 0.022, 1K 0.034, 2K 0.05, 4K 0.076")
LIST = {
    "gemini-3-pro-image-preview": PRO_LIST,
    "gemini-3-pro-image": PRO_LIST,
    "gemini-3.1-flash-image-preview": FLASH_LIST,
    "gemini-3.1-flash-image": FLASH_LIST,
    "gemini-nano-banana-2.1": ("1K 0.0336, 2K 0.0504, 4K 0.113", "1K 0.0168, 2K 0.0252, 4K 0.0567"),
    "gemini-3.1-flash-lite-image": ("1K 0.0336", "1K 0.0168"),
    "gemini-2.5-flash-image": ("1K 0.039", "1K 0.0195"),
    "imagen-4.0-ultra-generate-001": ("1K 0.06, 2K 0.06",),
    "imagen-4.0-generate-001": ("1K 0.04, 2K 0.04",),
    "imagen-4.0-fast-generate-001": ("1K 0.02",),
}

PAIRS = [(day, model) for day in CARDS for model, since in SINCE.items() if since <= day]


def test_one_card_for_each_day_of_change() -> None:
    """There is a card for the first day, for each arrival, and for the last reading of the page."""
    assert list(CARDS) == [FIRST, GA, LITE, NANO_21, LAST]


@pytest.mark.parametrize("day", CARDS)
def test_a_card_is_complete_for_its_day(day: str) -> None:
    """A card lists every model that has had a price until then, retired ones included."""
    assert set(CARDS[day].models) == {model for model, since in SINCE.items() if since <= day}


@pytest.mark.parametrize(("day", "model"), PAIRS)
def test_token_rates(day: str, model: str) -> None:
    """Token rates of both lanes, as nano-dollars: $120 a million is 120,000 for one."""
    rates = CARDS[day].models[model]
    found = {lane: (each.input, each.text_output, each.image_output) for lane, each in rates.tokens.items()}
    expected = zip(Lane, TOKENS.get(model, ()), strict=False)
    assert found == {
        lane: tuple(parse_usd(dollars) // 1_000_000 for dollars in three) for lane, three in expected
    }


@pytest.mark.parametrize(("day", "model"), PAIRS)
def test_list_prices(day: str, model: str) -> None:
    """Published prices of both lanes and every size; Imagen is charged just that and has no batch."""
    rates = CARDS[day].models[model]
    expected = {
        lane: {size: parse_usd(dollars) for size, dollars in (pair.split() for pair in prices.split(", "))}
        for lane, prices in zip(Lane, LIST[model], strict=False)
    }
    assert rates.list_price == expected
    assert rates.per_image == ({} if model in TOKENS else expected)


@pytest.mark.parametrize("day", CARDS)
def test_references_and_searches(day: str) -> None:
    """One reference is published for Pro alone, at $0.0011; a thousand searches cost $14."""
    card = CARDS[day]
    priced = {
        model: dict(rates.list_reference) for model, rates in card.models.items() if rates.list_reference
    }
    assert priced == {
        model: {Lane.INTERACTIVE: 1_100_000}
        for model in ("gemini-3-pro-image-preview", "gemini-3-pro-image")
        if SINCE[model] <= day
    }
    assert card.search == 14_000_000


@pytest.mark.parametrize(("day", "model"), [pair for pair in PAIRS if pair[1] in TOKENS])
def test_list_is_tokens_times_rate_rounded(day: str, model: str) -> None:
    """A list price is within 2 % of tokens × rate, in both lanes."""
    rates, tokens = CARDS[day].models[model], load_catalog(None).models[model].tokens_per_image
    for lane, prices in rates.list_price.items():
        for size, listed in prices.items():
            charged = tokens[size] * rates.tokens[lane].image_output
            assert abs(listed - charged) * 100 <= 2 * charged, (lane, size)


@pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))
def test_every_card_has_a_source(card: RateCard) -> None:
    """A card says where its prices come from and when they were checked."""
    assert "pricing" in card.source
    assert date(2026, 4, 9) <= card.checked <= date(2026, 10, 8)
