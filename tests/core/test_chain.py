"""The chain as a flow of steps, and its quote by hand arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desk import ARTICLE, png, world
from image_router.core.chain import (
    REFERENCE_KEY,
    ChainImages,
    Made,
    as_reference,
    character_chain,
    combined,
    reference_item,
    variant_item,
    variant_key,
)
from image_router.core.errors import ChainError, ContentRefused
from image_router.core.rates import Cost
from image_router.core.results import GeneratedImage
from image_router.core.routing import decide
from image_router.core.types import ImageRequest, Pixels, Purpose, ReferenceRole, Size

BASE = ImageRequest(prompt="Mira, a courier")
POSES = tuple(f"pose {i:02}" for i in range(1, 11))


def image(name: str) -> GeneratedImage:
    return GeneratedImage(
        data=png(), media_type="image/jpeg", pixels=Pixels(32, 32), digest=name, tier=None, model="m",
        cost=Cost(), usage=None, request_id="req", response_id=None,
    )  # fmt: skip


def play(made: dict[str, Made], variants: tuple[str, ...] = POSES[:2]) -> ChainImages:
    flow = character_chain(BASE, variants)
    step = next(flow)
    try:
        while True:
            step = flow.send({item.key: made[item.key] for item in step})
    except StopIteration as end:
        images: ChainImages = end.value
        return images


def test_reference_then_variants() -> None:
    """First the reference alone, then all variants at once, each led by the reference in its true format."""
    flow = character_chain(BASE, POSES)
    (first,) = next(flow)
    assert (first.key, first.request.purpose) == (REFERENCE_KEY, Purpose.ECONOMY)
    step = flow.send({REFERENCE_KEY: image("ref")})
    assert [item.key for item in step] == [variant_key(place) for place in range(1, 11)]
    assert [item.request.prompt for item in step] == list(POSES)
    for item in step:
        (shown,) = item.request.references
        assert (shown.digest, shown.media_type, shown.role) == ("ref", "image/jpeg", ReferenceRole.CHARACTER)
        assert item.request.purpose is Purpose.CHARACTER_LOCK


def test_failed_variants_are_reported() -> None:
    """A failed variant stands in its place as its error; the others are untouched by it."""
    failure = ContentRefused("no")
    done = play({REFERENCE_KEY: image("ref"), "variant-001": failure, "variant-002": image("v2")})
    assert done.reference.digest == "ref"
    assert done.variants == (failure, image("v2"))


def test_a_failed_reference_ends_it() -> None:
    """Without its reference no variant is asked for; the cause stands behind the error."""
    failure = ContentRefused("the prompt was blocked")
    with pytest.raises(ChainError, match=r"reference was not made.*the prompt was blocked") as caught:
        play({REFERENCE_KEY: failure})
    assert caught.value.__cause__ is failure


def test_the_callers_references_follow() -> None:
    """References of the caller's own come after the character's, in both stages."""
    own = as_reference(image("own"), role=ReferenceRole.STYLE)
    base = replace(BASE, references=(own,))
    assert reference_item(base).request.references == (own,)
    shown = as_reference(image("ref"), role=ReferenceRole.CHARACTER)
    assert variant_item(base, 1, prompt="p", reference=shown).request.references == (shown, own)


def test_the_reference_is_economical_at_any_size() -> None:
    """Large variants do not make the reference large: it is read at about one megapixel anyway."""
    assert reference_item(replace(BASE, size=Size.K4)).request.size is Size.K1


def test_ten_poses_by_hand() -> None:
    """$0.0387 + 10 x $0.1344 + 10 x 560 x $2/M, and on top the words and the thinking, line by line."""
    shown = as_reference(image("ref"), role=ReferenceRole.CHARACTER)
    items = [reference_item(BASE)]
    items += [variant_item(BASE, i, prompt=p, reference=shown) for i, p in enumerate(POSES, 1)]
    quotes = [decide(item.request, world(ARTICLE)).head.quote for item in items]
    whole = combined(quotes)
    drawn = 38_700_000 + 10 * 134_400_000
    references = 10 * 560 * 2_000
    prompts = 4 * 300 + 10 * 2 * 2_000  # 15 bytes on 2.5 Flash, seven bytes each on Pro, four a token
    words = 20 * 2_500 + 10 * 350 * 12_000
    assert drawn + references == 1_393_900_000
    assert whole.total == drawn + references + prompts + words
    assert whole.list_price == 39_000_000 + 10 * (134_000_000 + 1_100_000) == 1_390_000_000
    assert (whole.images, whole.card) == (11, ARTICLE)


def test_a_combined_quote_adds_equal_lines() -> None:
    """The sum of many quotes has one line for each kind and rate, and adds up to the same money."""
    quotes = [decide(ImageRequest(prompt="a fox", n=n), world(ARTICLE)).head.quote for n in (1, 2, 5)]
    whole = combined(quotes)
    assert (whole.total, whole.ceiling) == (sum(q.total for q in quotes), sum(q.ceiling for q in quotes))
    assert len(whole.lines) == len(quotes[0].lines)
    assert whole.images == 8
