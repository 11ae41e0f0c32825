"""route_tier() against the article's rules, spelled out as a table of their own."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from image_router.core.article import route_tier

MISSING = object()
REFERENCES = (MISSING, None, [], ["a.png"], b"bytes")
PURPOSES = (
    MISSING, None, "", "economy", "draft", "preview", "hero", "final_hero", "contextual_edit",
    "character_lock", "Hero", "poster", 7,
)  # fmt: skip
TEXT_HEAVY = (MISSING, None, False, True, "yes")
CONSUMED = (MISSING, 0, 89, 89.9, 90, 100, 250)

# The article's order of tests: the first line that holds answers.
RULES = (
    (lambda c: bool(c.get("reference_images")), "nano_banana_pro"),
    (lambda c: c.get("purpose") == "character_lock", "nano_banana_pro"),
    (lambda c: c.get("purpose") == "final_hero" and bool(c.get("text_heavy")), "imagen_4_ultra"),
    (lambda c: c.get("purpose") == "hero", "imagen_4_standard"),
    (lambda c: c.get("purpose") == "draft", "imagen_4_fast"),
    (lambda c: c.get("purpose") == "preview", "imagen_4_fast"),
    (lambda c: c.get("purpose") == "contextual_edit", "gemini_31_flash_image"),
    (lambda c: c.get("budget_consumed_pct", 0) >= 90, "nano_banana"),
    (lambda c: True, "nano_banana"),
)


def constraints() -> list[dict[str, Any]]:
    names = ("reference_images", "purpose", "text_heavy", "budget_consumed_pct")
    rows = product(REFERENCES, PURPOSES, TEXT_HEAVY, CONSUMED)
    return [{k: v for k, v in zip(names, row, strict=True) if v is not MISSING} for row in rows]


def test_every_combination() -> None:
    """For each combination of its inputs the answer is that of the first rule of the article that holds."""
    for given in constraints():
        expected = next(tier for holds, tier in RULES if holds(given))
        assert route_tier(given) == expected, given


@pytest.mark.parametrize(
    ("given", "tier"),
    [
        ({}, "nano_banana"),
        ({"purpose": "final_hero"}, "nano_banana"),
        ({"purpose": "final_hero", "text_heavy": True}, "imagen_4_ultra"),
        ({"purpose": "hero", "text_heavy": True}, "imagen_4_standard"),
        ({"purpose": "hero", "budget_consumed_pct": 99}, "imagen_4_standard"),
        ({"purpose": "draft", "reference_images": ["a"]}, "nano_banana_pro"),
        ({"colour": "red", "purpose": "poster"}, "nano_banana"),
    ],
)
def test_answers_by_hand(given: dict[str, Any], tier: str) -> None:
    """The answers one reads off the article, its oddities included, as plain text."""
    answer = route_tier(given)
    assert answer == tier
    assert type(answer) is str
