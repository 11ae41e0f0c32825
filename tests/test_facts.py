"""The shipped files with the user's own on top."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from image_router.core.catalog import ModelState
from image_router.core.errors import ConfigError
from image_router.core.rates import card_on
from image_router.core.types import Lane, Tier
from image_router.facts import SHIPPED, load_cards, load_catalog, load_mix, load_policies

OWN_MODEL = """
[models."painter-1"]
like = "gemini-3.1-flash-lite-image"
name = "Painter"
life.released = 2026-12-01

[[lineages.nano_banana]]
model = "painter-1"
from = 2026-12-01
"""

OWN_POLICY = 'extends = "print_desk"\nname = "mine"\nversion = "1"\ndescription = "d"\n'


def write(home: Path, name: str, text: str) -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_every_tier_has_a_price_on_every_day() -> None:
    """From the first card to the end of January 2027, each tier resolves to a living model with a price."""
    catalog, cards = load_catalog(None), load_cards(None)
    first, last = date(2026, 4, 9), date(2027, 1, 31)
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    assert len(days) == 298
    for day in days:
        card = card_on(day, cards)
        for tier in Tier:
            entry = catalog.serving(tier, day)
            assert entry is not None, (tier, day)
            assert catalog.state(entry.model, day).serves, (tier, day)
            assert card.has_price(entry.model, Lane.INTERACTIVE), (tier, day)
            sold_in_batch = card.has_price(entry.model, Lane.BATCH)
            assert sold_in_batch is catalog.models[entry.model].batch, (tier, day)


def test_every_size_of_every_priced_model_has_a_price() -> None:
    """A card prices exactly the sizes that the catalog says the model makes."""
    catalog = load_catalog(None)
    for card in load_cards(None):
        for name, rates in card.models.items():
            for lane, prices in rates.list_price.items():
                assert set(prices) == set(catalog.models[name].sizes), (card.day, name, lane)


def test_a_home_without_files_changes_nothing(tmp_path: Path) -> None:
    """An empty or absent home folder leaves the shipped facts."""
    for home in (tmp_path, tmp_path / "absent"):
        assert load_catalog(home) == load_catalog(None)
        assert load_cards(home) == load_cards(None)
        assert load_mix(home) == load_mix(None)


def test_overrides_are_kept() -> None:
    """What configuration or a probe knows is part of the catalog."""
    overrides = {"gemini-2.5-flash-image": ModelState.ALIVE}
    assert load_catalog(None, overrides).overrides == overrides


def test_a_users_model_and_lineage(tmp_path: Path) -> None:
    """A user's catalog file adds a model like a shipped one, and may give it a tier."""
    write(tmp_path, "catalog/mine.toml", OWN_MODEL)
    catalog = load_catalog(tmp_path)
    entry = catalog.serving(Tier.NANO_BANANA, date(2026, 12, 24))
    assert entry is not None
    assert entry.model == "painter-1"
    assert catalog.models["painter-1"].prompt_tokens == 65_536
    assert set(load_catalog(None).models) < set(catalog.models)


def test_a_users_cards(tmp_path: Path) -> None:
    """A user's card of a shipped day replaces it, one of another day is added in order."""
    shipped = (SHIPPED / "rate_cards" / "2026-10-08.toml").read_text(encoding="utf-8")
    cheaper = shipped.replace('search_per_1000 = "14"', 'search_per_1000 = "7"')
    write(tmp_path, "rate_cards/2026-10-08.toml", cheaper)
    write(tmp_path, "rate_cards/2026-09-01.toml", shipped.replace("day = 2026-10-08", "day = 2026-09-01"))
    cards = load_cards(tmp_path)
    assert [card.day for card in cards] == sorted(card.day for card in cards)
    assert len(cards) == len(load_cards(None)) + 1
    assert card_on(date(2026, 10, 8), cards).search == 7_000_000
    assert card_on(date(2026, 9, 15), cards).day == date(2026, 9, 1)


def test_a_card_under_a_wrong_name(tmp_path: Path) -> None:
    """A card whose name and day differ is refused: it would replace the wrong prices."""
    shipped = (SHIPPED / "rate_cards" / "2026-10-08.toml").read_text(encoding="utf-8")
    write(tmp_path, "rate_cards/2026-12-01.toml", shipped)
    with pytest.raises(ConfigError, match=r"2026-12-01\.toml is the rate card of 2026-10-08; name it"):
        load_cards(tmp_path)


@pytest.mark.parametrize(
    ("day", "card"),
    [("2026-04-09", "2026-04-09"), ("2026-05-27", "2026-04-09"), ("2026-05-28", "2026-05-28"),
     ("2027-01-31", "2026-10-08"), ("2026-04-08", "2026-04-09")],
)  # fmt: skip
def test_the_card_that_serves_a_day(day: str, card: str) -> None:
    """Of the cards, the newest that is not after the day can be read alone; before the first, the first."""
    assert [each.day.isoformat() for each in load_cards(None, serving=date.fromisoformat(day))] == [card]


def test_one_policy_is_that_of_all(tmp_path: Path) -> None:
    """A policy read alone is the one that reading all gives; a name that no file has reads them all."""
    write(tmp_path, "policies/mine.toml", OWN_POLICY)
    everything = load_policies(tmp_path)
    for name, policy in everything.items():
        assert load_policies(tmp_path, only=name) == {name: policy}
    assert load_policies(tmp_path, only="nobody") == everything


def test_reading_twice_gives_the_same() -> None:
    """Reading a file takes nothing from what the next reader of the same file finds."""
    assert load_catalog(None) == load_catalog(None)
    assert load_policies(None) == load_policies(None)


def test_a_users_mix(tmp_path: Path) -> None:
    """A user's mix replaces the shipped one."""
    write(tmp_path, "economics.toml", 'source = "us"\nchecked = 2026-11-01\n[mix]\nnano_banana_pro = 1\n')
    assert load_mix(tmp_path) == {Tier.NANO_BANANA_PRO: 1}


def test_broken_files_are_named(tmp_path: Path) -> None:
    """A file that is not TOML, or not text, is refused by its path."""
    broken = write(tmp_path, "catalog/broken.toml", "[models\n")
    with pytest.raises(ConfigError, match=r"broken\.toml is not TOML: .*line 1"):
        load_catalog(tmp_path)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"broken\.toml cannot be read"):
        load_catalog(tmp_path)
