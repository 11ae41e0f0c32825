"""The tiers' colours can be read and told apart."""

from __future__ import annotations

import pytest

from image_router.core.palette import DARK, LIGHT, TITLE
from image_router.core.types import Tier

CARD = {"light": (LIGHT, "#ffffff"), "dark": (DARK, "#1d1d22")}


def _luminance(colour: str) -> float:
    """As WCAG 2.2 defines it: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", CARD)
@pytest.mark.parametrize("tier", Tier)
def test_a_tier_can_be_read_in_its_colour(tier: Tier, theme: str) -> None:
    """Words in the colour stand out five to one, above WCAG's 4.5."""
    colours, ground = CARD[theme]
    assert _contrast(colours[tier], ground) >= 5


def test_every_tier_has_its_own_colour_and_title() -> None:
    """Six of each."""
    assert len(set(LIGHT.values())) == len(set(DARK.values())) == len(set(TITLE.values())) == len(Tier)
