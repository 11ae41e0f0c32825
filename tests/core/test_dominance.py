"""Which tiers' models are not worth their price, and that no tier is accused wrongly."""

from dataclasses import replace
from datetime import date

import pytest

from image_router.core.catalog import Model, ModelState
from image_router.core.dominance import dominated
from image_router.core.economics import Basis, Market
from image_router.core.rates import RateCard, card_on
from image_router.core.types import Lane, Tier
from image_router.facts import load_cards, load_catalog

CARDS = load_cards(None)
NANO_25, LITE, NANO_21 = "gemini-2.5-flash-image", "gemini-3.1-flash-lite-image", "gemini-nano-banana-2.1"


def market(day: str, **changes: object) -> Market:
    on = date.fromisoformat(day)
    plain = Market(catalog=load_catalog(None), card=card_on(on, CARDS), day=on)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("day", "pairs"),
    [
        ("2026-04-09", []),
        ("2026-06-29", []),
        ("2026-06-30", [(Tier.NANO_BANANA, NANO_25, LITE)]),
        ("2026-10-01", [(Tier.NANO_BANANA, NANO_25, LITE)]),
        ("2026-10-02", []),
        ("2026-11-22", []),
    ],
)
@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("basis", Basis)
def test_the_shipped_tiers(day: str, pairs: list[tuple[Tier, str, str]], lane: Lane, basis: Basis) -> None:
    """2.5 is not worth its price from the day of Flash-Lite until the tier moves to it; nobody else is."""
    found = dominated(market(day, lane=lane, basis=basis))
    assert [(each.tier, each.model.id, each.by.id) for each in found] == pairs


def test_it_says_in_what() -> None:
    """The finding names both prices and every column in which the other one is better."""
    (found,) = dominated(market("2026-07-01"))
    assert (found.price, found.by_price) == (39_000_000, 33_600_000)
    assert {"price", "text rendering", "references", "system instruction"} <= set(found.better)


def test_kept_in_use_it_stays_dominated() -> None:
    """Where 2.5 is confirmed to live on, it is still the worse choice."""
    catalog = load_catalog(None, {NANO_25: ModelState.ALIVE})
    (found,) = dominated(market("2026-11-22", catalog=catalog))
    assert (found.model.id, found.by.id) == (NANO_25, LITE)


def _twin(**changes: object) -> list[tuple[str, tuple[str, ...]]]:
    """Findings in a world with Flash-Lite and a changed copy of it, both at its price."""
    base = market("2026-11-22")
    lite = base.catalog.models[LITE]
    twin: Model = replace(lite, id="twin", **changes)
    models = {LITE: lite, "twin": twin}
    lineage = base.catalog.lineages[Tier.NANO_BANANA][1]
    card: RateCard = replace(base.card, models=dict.fromkeys(models, base.card.models[LITE]))
    catalog = replace(base.catalog, models=models, lineages=dict.fromkeys(Tier, (lineage,)))
    return [(each.by.id, each.better) for each in dominated(replace(base, catalog=catalog, card=card))][:1]


def test_one_better_column_is_enough() -> None:
    """At the same price, one column more and none less dominates."""
    assert _twin(prompt_tokens=70_000) == [("twin", ("prompt tokens",))]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"prompt_tokens": 70_000, "seed": False},
        {"prompt_tokens": 70_000, "sizes": ()},
        {"prompt_tokens": 70_000, "languages": ("en",)},
        {"prompt_tokens": 70_000, "batch": False},
        {"prompt_tokens": 70_000, "thinking": ()},
    ],
)
def test_one_worse_column_saves(changes: dict[str, object]) -> None:
    """An equal model, or one that lacks anything, does not dominate."""
    assert _twin(**changes) == []


def test_words_count_in_the_price() -> None:
    """A rival with an equal picture price but dearer words does not dominate."""
    lite = load_catalog(None).models[LITE]
    chatty = {level: replace(each, expected=each.expected + 1) for level, each in lite.overheads.items()}
    assert _twin(prompt_tokens=70_000, overheads=chatty) == []
