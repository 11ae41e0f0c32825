"""quote() before, price() after: hand arithmetic in nano-dollars, and recorded calls."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.catalog import Model
from image_router.core.decision import Parameters
from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.money import usd_text
from image_router.core.rates import LineKind, Quote, card_on, max_output_tokens, price, quote
from image_router.core.types import (
    Conversation,
    Grounding,
    ImageRequest,
    Lane,
    Reference,
    Size,
    ThinkingLevel,
    Turn,
    TurnPart,
    Usage,
)
from image_router.facts import load_cards, load_catalog
from recordings import ROOT, exchange, needs_recordings

MODELS = load_catalog(None).models
CARDS = load_cards(None)
FIRST, LAST = CARDS[0], CARDS[-1]
PRO, NANO_21, NANO_25 = "gemini-3-pro-image", "gemini-nano-banana-2.1", "gemini-2.5-flash-image"
LITE, FAST = "gemini-3.1-flash-lite-image", "imagen-4.0-fast-generate-001"
PICTURE = Reference(data=b"picture", media_type="image/png", digest="0" * 64, width=64, height=64)


def parameters(size: Size = Size.K1, thinking: ThinkingLevel | None = None) -> Parameters:
    return Parameters(thinking=thinking, size=size, aspect=None)


def lines(offer: Quote) -> dict[LineKind, tuple[int, int, int]]:
    return {line.kind: (line.rate, line.units, line.ceiling_units) for line in offer.lines}


@pytest.mark.parametrize(
    ("day", "card"),
    [
        ("2026-04-09", "2026-04-09"),
        ("2026-05-27", "2026-04-09"),
        ("2026-05-28", "2026-05-28"),
        ("2026-10-07", "2026-10-06"),
        ("2026-10-08", "2026-10-08"),
        ("2027-01-31", "2026-10-08"),
    ],
)
def test_card_on(day: str, card: str) -> None:
    """The newest card that is not after the day counts."""
    assert card_on(date.fromisoformat(day), CARDS).day == date.fromisoformat(card)


def test_no_card_before_the_first() -> None:
    """A day before the first card is refused with that day and the way out."""
    with pytest.raises(InvalidRequest, match=r"2026-04-08.*2026-04-09; ask for that day or a later one"):
        card_on(date(2026, 4, 8), CARDS)
    with pytest.raises(InvalidRequest, match="nowhere"):
        card_on(date(2026, 4, 8), ())


def test_quote_of_a_plain_image() -> None:
    """One 1K picture on Pro: 1120 tokens at $120/M, 40 bytes of prompt, words as recorded calls had them."""
    offer = quote(ImageRequest(prompt="x" * 41), MODELS[PRO], parameters=parameters(), card=LAST)
    assert lines(offer) == {
        LineKind.IMAGE_OUTPUT: (120_000, 1120, 1120),
        LineKind.TEXT_INPUT: (2_000, 11, 41),
        LineKind.TEXT_OUTPUT: (12_000, 350, 2400),
    }
    assert offer.total == 134_400_000 + 22_000 + 4_200_000
    assert offer.ceiling == 134_400_000 + 82_000 + 28_800_000
    assert offer.list_price == 134_000_000
    assert offer.card == date(2026, 10, 8)


@pytest.mark.parametrize(
    ("model", "size", "lane", "image", "listed"),
    [
        (PRO, Size.K2, Lane.INTERACTIVE, 1120 * 120_000, 134_000_000),
        (PRO, Size.K4, Lane.INTERACTIVE, 2000 * 120_000, 240_000_000),
        (PRO, Size.K4, Lane.BATCH, 2000 * 60_000, 120_000_000),
        ("gemini-3.1-flash-image", Size.S512, Lane.INTERACTIVE, 747 * 60_000, 45_000_000),
        ("gemini-3.1-flash-image", Size.K1, Lane.BATCH, 1120 * 30_000, 34_000_000),
        (NANO_21, Size.K4, Lane.INTERACTIVE, 3780 * 30_000, 113_000_000),
        (NANO_25, Size.K1, Lane.INTERACTIVE, 1290 * 30_000, 39_000_000),
        (NANO_25, Size.K1, Lane.BATCH, 1290 * 15_000, 19_500_000),
        (LITE, Size.K1, Lane.BATCH, 1120 * 15_000, 16_800_000),
        (FAST, Size.K1, Lane.INTERACTIVE, 20_000_000, 20_000_000),
    ],
)
def test_picture_line_by_size_and_lane(model: str, size: Size, lane: Lane, image: int, listed: int) -> None:
    """The picture's line is tokens × rate of its size and lane; the list price is the published figure."""
    offer = quote(ImageRequest(prompt="p", lane=lane), MODELS[model], parameters=parameters(size), card=LAST)
    assert offer.lines[0].kind is LineKind.IMAGE_OUTPUT
    assert offer.lines[0].amount == offer.lines[0].ceiling == image
    assert offer.list_price == listed


def test_the_lane_may_be_given() -> None:
    """A stated lane outranks the request's, so that both can be compared."""
    request = ImageRequest(prompt="p", lane=Lane.BATCH)
    assert (
        quote(request, MODELS[PRO], parameters=parameters(), card=LAST, lane=Lane.INTERACTIVE).lines[0].rate
        == 120_000
    )


def test_all_lines_times_n() -> None:
    """n pictures cost n times one, line by line, and the list price too."""
    request = ImageRequest(prompt="a fox", references=(PICTURE,), grounding=(Grounding.WEB,))
    one = quote(request, MODELS[PRO], parameters=parameters(), card=LAST)
    seven = quote(replace(request, n=7), MODELS[PRO], parameters=parameters(), card=LAST)
    assert (seven.total, seven.ceiling, seven.list_price) == (
        one.total * 7,
        one.ceiling * 7,
        one.list_price * 7,
    )
    assert seven.per_image == one.total
    assert len(one.lines) == 5


def test_per_image_models_have_one_line() -> None:
    """Imagen charges pictures only: no prompt, no thinking."""
    offer = quote(ImageRequest(prompt="p" * 400, n=3), MODELS[FAST], parameters=parameters(), card=FIRST)
    assert lines(offer) == {LineKind.IMAGE_OUTPUT: (20_000_000, 3, 3)}
    assert offer.total == offer.ceiling == offer.list_price == 60_000_000


def test_thinking_is_quoted_by_level() -> None:
    """More thinking is quoted dearer; without a level the model's default counts."""
    amounts = [
        lines(
            quote(ImageRequest(prompt="p"), MODELS[NANO_21], parameters=parameters(thinking=level), card=LAST)
        )
        for level in (ThinkingLevel.MINIMAL, None, ThinkingLevel.MEDIUM, ThinkingLevel.HIGH)
    ]
    assert [each[LineKind.TEXT_OUTPUT] for each in amounts] == [
        (7_500, 400, 1000),
        (7_500, 800, 2000),
        (7_500, 800, 2000),
        (7_500, 1600, 4000),
    ]


def test_all_words_are_counted() -> None:
    """Prompt, system instruction, text to render and earlier words are input, in UTF-8 bytes."""
    turn = Turn(role="user", parts=(TurnPart(text="äöü"),))
    plain = quote(ImageRequest(prompt="猫"), MODELS[PRO], parameters=parameters(), card=LAST)
    assert lines(plain)[LineKind.TEXT_INPUT] == (2_000, 1, 3)
    more = ImageRequest(
        prompt="猫",
        system_instruction="s" * 10,
        conversation=Conversation(model=PRO, family=PRO, turns=(turn,)),
    )
    assert lines(quote(more, MODELS[PRO], parameters=parameters(), card=LAST))[LineKind.TEXT_INPUT] == (
        2_000,
        5,
        19,
    )


def test_pictures_of_the_history_are_references() -> None:
    """A picture of an earlier turn is paid again as input, like a reference."""
    turn = Turn(role="model", parts=(TurnPart(data=b"old", media_type="image/png"),))
    request = ImageRequest(
        prompt="p",
        references=(PICTURE, PICTURE),
        conversation=Conversation(model=PRO, family=PRO, turns=(turn, turn)),
    )
    offer = quote(request, MODELS[PRO], parameters=parameters(), card=LAST)
    assert lines(offer)[LineKind.REFERENCE_INPUT] == (2_000, 4 * 560, 4 * 1120)
    assert offer.list_price == 134_000_000 + 4 * 1_100_000


def test_unpublished_references_are_listed_at_their_tokens() -> None:
    """Where no price of a reference is published, the list price takes its expected tokens × rate."""
    request = ImageRequest(prompt="p", references=(PICTURE,))
    assert (
        quote(request, MODELS[NANO_25], parameters=parameters(), card=LAST).list_price
        == 39_000_000 + 258 * 300
    )
    batch = replace(request, lane=Lane.BATCH)
    assert (
        quote(batch, MODELS[PRO], parameters=parameters(), card=LAST).list_price == 67_000_000 + 560 * 1_000
    )


def test_grounding_is_quoted() -> None:
    """One search is expected, the catalog's ceiling is held."""
    offer = quote(
        ImageRequest(prompt="p", grounding=(Grounding.WEB,)), MODELS[PRO], parameters=parameters(), card=LAST
    )
    assert lines(offer)[LineKind.GROUNDING] == (14_000_000, 1, 10)


@given(
    st.sampled_from(sorted(MODELS)),
    st.text(min_size=1).filter(str.strip),
    st.integers(1, 100),
    st.integers(0, 3),
)
def test_expected_never_exceeds_the_ceiling(name: str, prompt: str, n: int, references: int) -> None:
    """No line and no sum is expected above its ceiling, and n divides the total exactly."""
    request = ImageRequest(prompt=prompt, n=n, references=(PICTURE,) * references)
    offer = quote(request, MODELS[name], parameters=parameters(), card=LAST)
    assert all(line.units <= line.ceiling_units for line in offer.lines)
    assert offer.per_image * n == offer.total <= offer.ceiling


@pytest.mark.parametrize(
    ("model", "lane", "day"),
    [
        (FAST, Lane.BATCH, "2026-10-08"),
        (NANO_21, Lane.INTERACTIVE, "2026-04-09"),
        (PRO, Lane.BATCH, "2026-04-09"),
    ],
)
def test_what_is_not_sold_has_no_price(model: str, lane: Lane, day: str) -> None:
    """A model without a price in the lane is refused by quote and price, and has_price says so before."""
    card = card_on(date.fromisoformat(day), CARDS)
    assert not card.has_price(model, lane)
    with pytest.raises(ConfigError, match=f"{day} has no {lane} price for {model}"):
        quote(ImageRequest(prompt="p", lane=lane), MODELS[model], parameters=parameters(), card=card)
    with pytest.raises(ConfigError, match=model):
        price(Usage(image_tokens=1, images=1), MODELS[model], size=Size.K1, card=card, lane=lane)


def test_sizes_a_model_lacks() -> None:
    """A size the model does not make is refused with those it makes."""
    with pytest.raises(InvalidRequest, match=f"{LITE} has no 4K; ask for 1K"):
        quote(ImageRequest(prompt="p"), MODELS[LITE], parameters=parameters(Size.K4), card=LAST)
    with pytest.raises(InvalidRequest, match=f"{FAST} has no 2K"):
        quote(ImageRequest(prompt="p"), MODELS[FAST], parameters=parameters(Size.K2), card=LAST)


@pytest.mark.parametrize(
    ("model", "size", "thinking", "limit"),
    [
        (PRO, Size.K1, None, 1120 + 8192),
        (PRO, Size.K4, None, 2000 + 8192),
        (NANO_21, Size.K4, ThinkingLevel.HIGH, 3780 + 8192),
        (NANO_25, Size.K1, None, 1290 + 8192),
        (FAST, Size.K1, None, None),
    ],
)
def test_output_limit(model: str, size: Size, thinking: ThinkingLevel | None, limit: int | None) -> None:
    """A call may put out its picture and 8192 tokens more; Imagen has no such limit."""
    assert max_output_tokens(MODELS[model], parameters(size, thinking)) == limit


def test_output_limit_grows_with_the_allowance_and_stops_at_the_models() -> None:
    """An allowance above 8192 widens the limit, the model's own limit ends it."""
    thinker = replace(
        MODELS[PRO], overheads={"default": replace(MODELS[PRO].overhead(None), allowance=20_000)}
    )
    assert max_output_tokens(thinker, parameters()) == 21_120
    assert max_output_tokens(replace(thinker, output_tokens=9_000), parameters()) == 9_000


def test_ten_poses_with_a_reference() -> None:
    """A chain of ten: 0.039 + 10×0.134 + 10×0.0011 = $1.390 at list; charged 0.0387 + 10×0.1344 + 10×0.00112
    = $1.3939, and on top the words: 20 + 10×350 tokens of text, 2 + 10×2 tokens of prompt."""
    reference = quote(ImageRequest(prompt="a red fox"), MODELS[NANO_25], parameters=parameters(), card=FIRST)
    pose = ImageRequest(prompt="sits, 1", references=(PICTURE,), n=10)
    poses = quote(pose, MODELS["gemini-3-pro-image-preview"], parameters=parameters(), card=FIRST)
    assert reference.list_price + poses.list_price == 1_390_000_000
    words = {LineKind.TEXT_INPUT, LineKind.TEXT_OUTPUT}
    drawn = sum(line.amount for offer in (reference, poses) for line in offer.lines if line.kind not in words)
    said = sum(line.amount for offer in (reference, poses) for line in offer.lines if line.kind in words)
    assert drawn == 1_393_900_000
    assert said == 3 * 300 + 20 * 2_500 + 10 * 2 * 2_000 + 10 * 350 * 12_000


def test_price_splits_output_by_kind() -> None:
    """IMAGE tokens go at the image rate, the rest of the output and thinking at the text rate."""
    usage = Usage(prompt_tokens=2076, candidates_tokens=1332, image_tokens=1120, thoughts_tokens=137,
                  total_tokens=3545, searches=2)  # fmt: skip
    cost = price(usage, MODELS[PRO], size=Size.K1, card=LAST, lane=Lane.INTERACTIVE)
    assert {line.kind: line.amount for line in cost.lines} == {
        LineKind.IMAGE_OUTPUT: 1120 * 120_000,
        LineKind.INPUT: 2076 * 2_000,
        LineKind.TEXT_OUTPUT: (1332 - 1120 + 137) * 12_000,
        LineKind.GROUNDING: 2 * 14_000_000,
    }
    assert cost.total == 134_400_000 + 4_152_000 + 4_188_000 + 28_000_000
    assert cost.card == LAST.day


def test_price_of_several_pictures() -> None:
    """Extra pictures of a call are billed by their tokens: two are 2240."""
    usage = Usage(candidates_tokens=2240, image_tokens=2240)
    assert price(usage, MODELS[PRO], size=Size.K1, card=LAST, lane=Lane.BATCH).total == 2240 * 60_000


def test_price_of_a_refusal() -> None:
    """A reply without a picture costs what its usage says: thinking and prompt."""
    usage = Usage(prompt_tokens=464, thoughts_tokens=291)
    assert (
        price(usage, MODELS[PRO], size=Size.K1, card=LAST, lane=Lane.INTERACTIVE).total
        == 464 * 2_000 + 291 * 12_000
    )
    assert price(Usage(), MODELS[PRO], size=Size.K1, card=LAST, lane=Lane.INTERACTIVE).lines == ()


@pytest.mark.parametrize(("images", "total"), [(0, 0), (1, 40_000_000), (3, 120_000_000)])
def test_price_per_image(images: int, total: int) -> None:
    """Imagen charges the pictures that came, whatever the prompt."""
    usage = Usage(images=images, prompt_tokens=99)
    model = MODELS["imagen-4.0-generate-001"]
    assert price(usage, model, size=Size.K2, card=FIRST, lane=Lane.INTERACTIVE).total == total


def test_the_one_call_with_a_known_charge() -> None:
    """1120 × $30/M + 417 × $1.50/M + 5 × $0.25/M = $0.03422675, to the last digit."""
    usage = Usage(prompt_tokens=5, candidates_tokens=1537, image_tokens=1120)
    assert price(usage, MODELS[LITE], size=Size.K1, card=LAST, lane=Lane.INTERACTIVE).total == 34_226_750


@needs_recordings
def test_the_recorded_charge() -> None:
    """The recorded charge of that call is what price() makes of its recorded usage."""
    rows = json.loads((ROOT / "GROUND_TRUTH.json").read_text(), parse_float=str)["observations"]
    (row,) = (row for row in rows if row.get("cost_usd"))
    usage = Usage(
        prompt_tokens=5,
        candidates_tokens=row["candidates_tokens"],
        image_tokens=row["image_tokens"],
        thoughts_tokens=row["thoughts_tokens"],
    )
    cost = price(usage, MODELS[row["model"]], size=Size.K1, card=LAST, lane=Lane.INTERACTIVE)
    assert usd_text(cost.total) == row["cost_usd"]


def _usage(body: dict[str, Any]) -> Usage:
    counted = body["usageMetadata"]
    (image,) = counted["candidatesTokensDetails"]
    return Usage(
        prompt_tokens=counted["promptTokenCount"],
        candidates_tokens=counted["candidatesTokenCount"],
        image_tokens=image["tokenCount"],
        thoughts_tokens=counted.get("thoughtsTokenCount", 0),
    )


@needs_recordings
@pytest.mark.parametrize(
    ("file", "model", "total"),
    [
        # 1290 × $30/M + 46 × $2.50/M + 17 × $0.30/M
        ("pydantic__pydantic-ai/image_and_text_output.yaml", NANO_25, 38_700_000 + 115_000 + 5_100),
        # 1120 × $120/M + (660 + 529) × $12/M + 33 × $2/M
        (
            "pydantic__pydantic-ai/image_generation_with_web_search.yaml",
            "gemini-3-pro-image-preview",
            134_400_000 + 14_268_000 + 66_000,
        ),
        # 1120 × $60/M + 272 × $3/M + 10 × $0.50/M
        (
            "vercel__ai/gemini_3_1_flash_image_success.json",
            "gemini-3.1-flash-image",
            67_200_000 + 816_000 + 5_000,
        ),
        # 747 × $60/M + 388 × $3/M + 11 × $0.50/M
        (
            "issue_bodies/200_512_success.json",
            "gemini-3.1-flash-image-preview",
            44_820_000 + 1_164_000 + 5_500,
        ),
        # 1120 × $30/M + 398 × $1.50/M + 5 × $0.25/M
        ("crmne__ruby_llm/gemini_3_1_flash_lite_image_paint.yaml", LITE, 33_600_000 + 597_000 + 1_250),
    ],
)
def test_recorded_usages(file: str, model: str, total: int) -> None:
    """Recorded usages priced by hand; each lies under the ceiling of its quote."""
    usage, known = _usage(exchange(file).body), MODELS[model]
    assert price(usage, known, size=Size.K1, card=LAST, lane=Lane.INTERACTIVE).total == total
    assert total <= _ceiling(usage, known)


def _ceiling(usage: Usage, model: Model) -> int:
    request = ImageRequest(prompt="p" * max(1, usage.prompt_tokens))
    size = next(size for size, tokens in model.tokens_per_image.items() if tokens == usage.image_tokens)
    return quote(request, model, parameters=parameters(size), card=LAST).ceiling
