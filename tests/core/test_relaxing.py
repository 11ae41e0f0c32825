"""The nearest request that would work, proven by making it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from desk import ARTICLE, TODAY, conversation, reference, world
from image_router.core.decision import Snapshot
from image_router.core.errors import ImageRouterError, NoEligibleTier
from image_router.core.policy import Policy
from image_router.core.relaxing import decide_or_suggest
from image_router.core.routing import World, decide
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    Grounding,
    ImageRequest,
    Lane,
    Quality,
    ReferenceRole,
    Size,
    ThinkingLevel,
    Tier,
)

CROWD = tuple(reference(str(i), role=ReferenceRole.CHARACTER) for i in range(6))
CASES = [
    (ARTICLE, {"tier": Tier.IMAGEN_4_FAST, "size": Size.K2}, "size 1K"),
    (ARTICLE, {"tier": Tier.IMAGEN_4_FAST, "aspect": AspectRatio.R2_3}, "aspect 3:4"),
    (ARTICLE, {"tier": Tier.IMAGEN_4_ULTRA, "lane": Lane.BATCH}, "the interactive lane"),
    (ARTICLE, {"tier": Tier.IMAGEN_4_ULTRA, "seed": 3}, "no seed"),
    (ARTICLE, {"tier": Tier.IMAGEN_4_ULTRA, "references": (reference(),)}, "without the pin"),
    (ARTICLE, {"tier": Tier.NANO_BANANA, "system_instruction": "s"}, "allow=fold_system_instruction"),
    (
        ARTICLE,
        {"aspect": AspectRatio.R8_1, "size": Size.S512, "lane": Lane.BATCH, "quality_floor": Quality.PRINT},
        "no quality_floor",
    ),
    (TODAY, {"tier": Tier.NANO_BANANA, "thinking": ThinkingLevel.MEDIUM}, "no thinking"),
    (TODAY, {"tier": Tier.NANO_BANANA, "grounding": (Grounding.WEB,)}, "no grounding"),
    (TODAY, {"tier": Tier.NANO_BANANA, "size": Size.K4, "seed": 1}, "size 1K"),
    (
        TODAY,
        {"tier": Tier.NANO_BANANA_PRO, "size": Size.S512, "aspect": AspectRatio.R8_1},
        "size 1K and aspect 21:9",
    ),
    (TODAY, {"references": tuple(reference(str(i)) for i in range(15))}, "14 references instead of 15"),
    (TODAY, {"references": CROWD, "quality_floor": Quality.HIGH}, "no quality_floor"),
    (ARTICLE, {"references": CROWD}, "5 references instead of 6"),
]


@pytest.mark.parametrize(("day", "fields", "change"), CASES)
def test_nearest(day: Any, fields: dict[str, Any], change: str) -> None:
    """The suggestion is the smallest change that works, and it names who would serve."""
    with pytest.raises(NoEligibleTier) as caught:
        decide_or_suggest(ImageRequest(prompt="a fox", **fields), world(day))
    assert caught.value.nearest is not None
    assert re.fullmatch(rf"{re.escape(change)} \(served by \w+\)", caught.value.nearest)
    assert f"this would work: {change}" in str(caught.value)
    assert caught.value.dropped


@pytest.mark.parametrize(("day", "fields", "change"), CASES)
def test_nearest_really_works(day: Any, fields: dict[str, Any], change: str) -> None:
    """The request changed as suggested is decided, and by the tier that was named."""
    request = ImageRequest(prompt="a fox", **fields)
    for part in change.split(" and "):
        request = applied(request, part)
    with pytest.raises(NoEligibleTier) as caught:
        decide_or_suggest(ImageRequest(prompt="a fox", **fields), world(day))
    assert f"(served by {decide(request, world(day)).head.tier})" in str(caught.value.nearest)


def applied(request: ImageRequest, change: str) -> ImageRequest:
    """A suggestion carried out, as its reader would."""
    match change.split():
        case ["the", "interactive", "lane"]:
            return replace(request, lane=Lane.INTERACTIVE)
        case ["without", "the", "pin"]:
            return replace(request, tier=None, model=None)
        case ["no", name]:
            return replace(request, **{name: () if name in ("safety", "grounding") else None})
        case ["size", size]:
            return replace(request, size=Size(size))
        case ["aspect", aspect]:
            return replace(request, aspect=AspectRatio(aspect))
        case [count, "references", *_]:
            return replace(request, references=request.references[: int(count)])
        case [allow]:
            return replace(request, allow=frozenset({Adaptation(allow.removeprefix("allow="))}))
    raise AssertionError(change)


def strict(here: World) -> World:
    policy: Policy = replace(here.policy, adapt=frozenset())
    return replace(here, policy=policy)


def test_flattening_is_suggested() -> None:
    """A conversation that no other family can continue asks for the permission to flatten it."""
    talk = conversation("gemini-3.1-flash-image")
    request = ImageRequest(prompt="now at night", tier=Tier.NANO_BANANA_PRO, conversation=talk)
    with pytest.raises(NoEligibleTier, match="allow=flatten_history"):
        decide_or_suggest(request, strict(world()))


def test_the_moment_counts() -> None:
    """Nothing is suggested that the moment forbids: with every circuit open no change helps."""
    closed = Snapshot(open_circuits=frozenset(world().catalog.models))
    with pytest.raises(NoEligibleTier) as caught:
        decide_or_suggest(ImageRequest(prompt="a fox", seed=1), world(), snapshot=closed)
    assert caught.value.nearest is None
    assert "this would work" not in str(caught.value)


def test_other_errors_pass() -> None:
    """An error that is no lack of tiers is left as it is."""
    with pytest.raises(ImageRouterError, match="is not in the catalog"):
        decide_or_suggest(ImageRequest(prompt="a fox", model="nobody"), world())


def test_a_decision_passes() -> None:
    """What can be decided is decided as ever."""
    request = ImageRequest(prompt="a fox")
    assert decide_or_suggest(request, world()) == decide(request, world())
