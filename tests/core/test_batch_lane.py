"""What becomes of rows for the batch lane whose first choice has no batch."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from image_router import facts
from image_router.core.batch_lane import served
from image_router.core.errors import LaneUnavailable, NoEligibleTier
from image_router.core.policy import WithoutBatch
from image_router.core.rates import card_on
from image_router.core.routing import World, decide
from image_router.core.types import ImageRequest, Lane, Purpose, Size, Tier

NOWHERE = Path("no-home")
APRIL = date(2026, 4, 9)
IMAGEN = "imagen-4.0-generate-001"
ULTRA = "imagen-4.0-ultra-generate-001"


def world(choice: WithoutBatch, day: date = APRIL) -> World:
    return World(
        catalog=facts.load_catalog(NOWHERE),
        card=card_on(day, facts.load_cards(NOWHERE)),
        policy=replace(facts.load_policies(NOWHERE, None)["default"], without_batch=choice),
        day=day,
    )


def asked(**fields: Any) -> ImageRequest:
    return ImageRequest(prompt="a red mug", **{"lane": Lane.BATCH, **fields})


def lane_of(request: ImageRequest, there: World) -> Any:
    return served(request, there, decide=lambda one: decide(one, there))


HERO = asked(purpose=Purpose.HERO)
PINNED = asked(tier=Tier.IMAGEN_4_STANDARD)


@pytest.mark.parametrize("request_", [HERO, PINNED, asked(model=IMAGEN)], ids=["rule", "tier", "model"])
def test_the_interactive_lane_keeps_the_specialist(request_: ImageRequest) -> None:
    found = lane_of(request_, world(WithoutBatch.INTERACTIVE))
    assert (found.request.lane, found.decision.head.model.id) == (Lane.INTERACTIVE, IMAGEN)
    assert found.note == f"{IMAGEN} has no batch: made on the interactive lane"


@pytest.mark.parametrize("request_", [HERO, PINNED, asked(model=IMAGEN)], ids=["rule", "tier", "model"])
def test_another_model_keeps_the_batch_lane(request_: ImageRequest) -> None:
    """In April the successor is not yet released: the tier's fallback stands in for a pin."""
    found = lane_of(request_, world(WithoutBatch.SUCCESSOR))
    head = found.decision.head
    assert found.request.lane is Lane.BATCH
    assert head.model.batch
    assert found.note == f"{IMAGEN} has no batch: made by {head.model.id} instead"
    assert found.request.model != IMAGEN


def test_a_pinned_models_successor_comes_first() -> None:
    """In July both live."""
    there = world(WithoutBatch.SUCCESSOR, date(2026, 7, 1))
    found = lane_of(asked(model=ULTRA), there)
    assert found.decision.head.model is there.catalog.successor(ULTRA, there.day)


@pytest.mark.parametrize("request_", [HERO, PINNED], ids=["rule", "tier"])
def test_a_refusal_names_both_ways_out_with_their_prices(request_: ImageRequest) -> None:
    with pytest.raises(LaneUnavailable) as caught:
        lane_of(request_, world(WithoutBatch.REFUSE))
    told = str(caught.value)
    assert "interactive lane at $0.04 (" in told
    assert "which has, at $0.034" in told
    assert 'without_batch = "successor"' in told


@pytest.mark.parametrize("choice", WithoutBatch)
@pytest.mark.parametrize(
    "request_",
    [asked(), asked(lane=Lane.INTERACTIVE, purpose=Purpose.HERO)],
    ids=["has batch", "interactive"],
)
def test_what_can_be_made_as_asked_is(choice: WithoutBatch, request_: ImageRequest) -> None:
    there = world(choice)
    found = lane_of(request_, there)
    assert (found.decision, found.note) == (decide(request_, there), "")


def test_what_cannot_be_made_on_any_lane_is_refused_for_that() -> None:
    with pytest.raises(NoEligibleTier, match="4K"):
        lane_of(asked(tier=Tier.IMAGEN_4_STANDARD, size=Size.K4), world(WithoutBatch.SUCCESSOR))
