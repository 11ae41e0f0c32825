"""Rules in order: the first that matches speaks; every condition given must hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desk import policies, reference
from image_router.core.policy import Rule, When, prefer
from image_router.core.types import ImageRequest, Purpose, Tier


def ask(**fields: object) -> ImageRequest:
    return ImageRequest(prompt="a fox", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("when", "fields", "holds"),
    [
        (When(), {}, True),
        (When(purposes=frozenset({Purpose.HERO})), {"purpose": "hero"}, True),
        (When(purposes=frozenset({Purpose.HERO})), {"purpose": "draft"}, False),
        (When(references=True), {}, False),
        (When(references=True), {"references": (reference(),)}, True),
        (When(references=False), {"references": (reference(),)}, False),
        (When(renders_text=True), {"text": "SALE"}, True),
        (When(renders_text=True), {"text_heavy": True}, True),
        (When(renders_text=False), {"text": "SALE"}, False),
        (When(locks_identity=True), {"purpose": "character_lock"}, True),
        (When(locks_identity=True), {"identity_locked": True}, True),
        (When(locks_identity=False), {"identity_locked": True}, False),
        (When(references=True, renders_text=True), {"text": "SALE"}, False),
    ],
)
def test_conditions(when: When, fields: dict[str, object], holds: bool) -> None:
    """A rule matches when each of its conditions does; none given always does."""
    assert when.matches(ask(**fields)) is holds


def test_first_match_speaks() -> None:
    """The first matching rule names the tier; its fallbacks follow in the policy's order."""
    default = policies()["default"]
    preference = prefer(ask(purpose="draft"), default)
    assert (preference.rule, preference.tiers[0]) == ("draft", Tier.IMAGEN_4_FAST)
    assert preference.tiers[1:] == default.fallbacks[Tier.IMAGEN_4_FAST]
    everything = Rule(name="all", when=When(), tier=Tier.NANO_BANANA_PRO, reason="always")
    first = replace(default, rules=(everything, *default.rules))
    assert prefer(ask(purpose="draft"), first).rule == "all"


@pytest.mark.parametrize("name", sorted(policies()))
def test_shipped_policies_are_whole(name: str) -> None:
    """Each shipped policy answers for every tier, names itself by its file, and its mix adds up to 100."""
    policy = policies()[name]
    assert policy.name == name
    assert policy.label == f"{name} {policy.version}"
    assert set(policy.fallbacks) == set(policy.quality) == set(Tier)
    assert sum(policy.mix.values()) == 100
    assert policy.rules[-1].when == When()


def test_the_articles_mix() -> None:
    """The default mix is the article's blend."""
    assert policies()["default"].mix == {
        "nano_banana": 65, "imagen_4_fast": 12, "imagen_4_standard": 10,
        "gemini_31_flash_image": 6, "nano_banana_pro": 5, "imagen_4_ultra": 2,
    }  # fmt: skip


def test_the_five_personas_ship() -> None:
    """Beside the default there is one profile for each persona."""
    assert set(policies()) == {
        "default", "ecommerce", "content_studio", "solo_founder", "print_desk", "character_product",
    }  # fmt: skip
