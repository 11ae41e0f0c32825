"""route_tier(): the article's routing, answer for answer, kept beside the corrected policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from image_router.core.types import Tier

_BUDGET_TRIP = 90


def route_tier(constraints: Mapping[str, Any]) -> str:
    """The tier the article of April 2026 picks.

    Keys, tested in this order: `reference_images` (truthy), `purpose`, `text_heavy`,
    `budget_consumed_pct`. Unknown keys and purposes answer 'nano_banana'. The engine does not use this:
    docs/policy.md lists every input on which the two differ, and why.
    """
    purpose = constraints.get("purpose")
    if constraints.get("reference_images") or purpose == "character_lock":
        return Tier.NANO_BANANA_PRO.value
    if purpose == "final_hero" and constraints.get("text_heavy"):
        return Tier.IMAGEN_4_ULTRA.value
    if purpose == "hero":
        return Tier.IMAGEN_4_STANDARD.value
    if purpose in ("draft", "preview"):
        return Tier.IMAGEN_4_FAST.value
    if purpose == "contextual_edit":
        return Tier.GEMINI_31_FLASH_IMAGE.value
    # The article's guard: it answers what the default answers anyway, so no input shows it.
    if constraints.get("budget_consumed_pct", 0) >= _BUDGET_TRIP:
        return Tier.NANO_BANANA.value
    return Tier.NANO_BANANA.value
