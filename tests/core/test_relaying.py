"""What a body that passes through can cost: the ceiling bounds it, whatever the body says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router import facts
from image_router.core.rates import LineKind, price
from image_router.core.relaying import Written, parameters_of, quote_of
from image_router.core.types import Lane, Size, Usage

CATALOG = facts.load_catalog(None)
CARD = facts.load_cards(None)[-1]
PRO = CATALOG.models["gemini-3-pro-image"]
NEW = CATALOG.models["gemini-nano-banana-2.1"]


def quoted(written: Written, lane: Lane = Lane.INTERACTIVE):
    return quote_of(written, parameters_of(written), card=CARD, lane=lane)


def ceiling(written: Written, kind: LineKind) -> int:
    return sum(line.ceiling_units for line in quoted(written).lines if line.kind is kind)


@pytest.mark.parametrize(
    ("size", "counts_as"),
    [(None, Size.K1), ("2K", Size.K2), ("4k", Size.K4), ("8K", Size.K4), ("1K+4K", Size.K4)],
)
def test_a_size_that_is_not_made_counts_as_the_largest(size, counts_as) -> None:
    """The provider may refuse it or read it in its own way; the hold covers the dearest."""
    assert parameters_of(Written(model=PRO, size=size)).size is counts_as


def test_other_inputs_count_as_all_that_the_model_reads() -> None:
    """Nobody can count a video before; the model's input limit bounds it."""
    written = Written(model=PRO, words=1000, opaque=True)
    assert ceiling(written, LineKind.REFERENCE_INPUT) == PRO.prompt_tokens - 1000


@pytest.mark.parametrize(
    ("said", "room"),
    [
        (Written(model=NEW), 2000),
        (Written(model=NEW, thinking="HIGH"), 4000),
        (Written(model=NEW, thinking="deepest"), 2000),
        (Written(model=NEW, thinking_tokens=9000), 9000),
        (Written(model=NEW, most_output=500), 2000),
        (Written(model=NEW, most_output=20_000), 20_000 - 1120),
        (Written(model=NEW, most_output=10**9), NEW.output_tokens - 1120),
    ],
)
def test_thinking_and_a_larger_output_limit_are_held(said, room) -> None:
    """A limit below what the router itself would send frees nothing; a higher one is covered."""
    assert ceiling(said, LineKind.TEXT_OUTPUT) == room


def test_searches_are_held_at_their_most() -> None:
    """A grounded call may run as many as the model's ceiling."""
    assert ceiling(Written(model=PRO, searches=True), LineKind.GROUNDING) == PRO.search_ceiling


def test_batch_rates_are_half() -> None:
    """The same body in the batch lane."""
    written = Written(model=PRO, words=400, pictures=2)
    assert quoted(written, Lane.BATCH).ceiling * 2 == quoted(written).ceiling


@given(
    words=st.integers(0, 200_000),
    pictures=st.integers(0, 20),
    opaque=st.booleans(),
    size=st.sampled_from([None, "1K", "2K", "4K", "huge"]),
    share=st.floats(0, 1),
)
def test_no_reply_within_its_bounds_costs_more_than_the_hold(words, pictures, opaque, size, share) -> None:
    """Any usage up to one picture, the inputs' ceilings and the thinking allowance."""
    written = Written(model=PRO, words=words, pictures=pictures, opaque=opaque, size=size)
    parameters = parameters_of(written)
    quote = quote_of(written, parameters, card=CARD, lane=Lane.INTERACTIVE)
    most = {line.kind: line.ceiling_units for line in quote.lines}
    read = int(share * (most.get(LineKind.TEXT_INPUT, 0) + most.get(LineKind.REFERENCE_INPUT, 0)))
    drawn, thought = most[LineKind.IMAGE_OUTPUT], int(share * most[LineKind.TEXT_OUTPUT])
    usage = Usage(prompt_tokens=read, candidates_tokens=drawn, image_tokens=drawn, thoughts_tokens=thought)
    cost = price(usage, PRO, size=parameters.size, card=CARD, lane=Lane.INTERACTIVE)
    assert cost.total <= quote.ceiling
    assert quote.total <= quote.ceiling
    assert read <= PRO.prompt_tokens
    assert quote.images == 1


def test_every_living_model_has_a_ceiling() -> None:
    """No model of the card is passed on without a price; one that is not sold is a ConfigError."""
    for model in CATALOG.models.values():
        if CARD.has_price(model.id, Lane.INTERACTIVE):
            assert quoted(replace(Written(model=model), images=4)).ceiling > 0
