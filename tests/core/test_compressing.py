"""When a prompt is shortened before it is sent, and what becomes of the decision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk import ARTICLE, TODAY, world
from image_router.core.brevity import Compress
from image_router.core.briefly import decide_briefly
from image_router.core.decision import Compression, Decision, DropReason, Snapshot
from image_router.core.errors import NoEligibleTier, RequestRejected
from image_router.core.rates import LineKind
from image_router.core.routing import World, decide
from image_router.core.text_calls import (
    call_of,
    objection,
    price_of_words,
    with_answer,
    without_answer,
)
from image_router.core.types import Adaptation, ImageRequest, Purpose, Size, Usage

SENTENCE = "a quiet harbour at dawn with wooden jetties and drifting mist over calm water, "
LITE = "gemini-3.1-flash-lite"


def long(tokens: int, start: str = "") -> str:
    """A prompt of about so many tokens."""
    return (start + SENTENCE * tokens)[: tokens * 4]


def asked(tokens: int = 700, **more: Any) -> ImageRequest:
    given: dict[str, Any] = {"prompt": long(tokens), "compress": Compress(), **more}
    return ImageRequest(**given)


def step_of(decision: Decision) -> Compression:
    assert decision.compression is not None
    return decision.compression


def skip(request: ImageRequest, known: World | None = None, **more: Any) -> str:
    """Why a step was skipped; the decision is the one without it."""
    known = known or world()
    decision = decide_briefly(request, known, **more)
    assert replace(decision, compression=None) == decide(request, known, **more)
    assert step_of(decision).skipped
    return step_of(decision).skipped


def test_nothing_happens_where_nobody_wants_it() -> None:
    """Off by default, and where it is switched off: the decision is the same, without a word."""
    for said in (None, Compress(off=True)):
        request = asked(compress=said, purpose=Purpose.CHARACTER_LOCK)
        assert decide_briefly(request, world()) == decide(request, world())


def test_a_policy_or_the_request_may_allow_it() -> None:
    """`compress_prompt` among the adaptations means auto; the request's own word counts for more."""
    known = world()
    allowing = replace(known, policy=replace(known.policy, adapt=frozenset({Adaptation.COMPRESS_PROMPT})))
    request = asked(5_000, compress=None, purpose=Purpose.CHARACTER_LOCK)
    assert not step_of(decide_briefly(request, allowing)).skipped
    allowed = replace(request, allow=frozenset({Adaptation.COMPRESS_PROMPT}))
    assert not step_of(decide_briefly(allowed, known)).skipped
    assert decide_briefly(replace(request, compress=Compress(off=True)), allowing).compression is None


def test_a_model_with_a_small_limit_becomes_eligible() -> None:
    """Imagen reads 480 tokens: a hero of 700 goes to it, shortened, and not to its fallback."""
    request, known = asked(purpose=Purpose.HERO), world(ARTICLE)
    assert decide(request, known).head.model.id == "gemini-3.1-flash-image-preview"
    decision = decide_briefly(request, known)
    step = step_of(decision)
    assert decision.head.model.id == "imagen-4.0-generate-001"
    assert decision.head.model.id in step.needed_by
    assert step.otherwise[0].model.id == "gemini-3.1-flash-image-preview"
    assert step.model
    assert (step.model.id, step.tokens, step.target) == (f"{LITE}-preview", 700, 384)
    assert {change.kind for change in decision.head.adapted} == {Adaptation.COMPRESS_PROMPT}
    assert decision.request == request


def test_the_text_call_has_lines_of_its_own_in_quote_and_hold() -> None:
    """Expected and at most, added to the first choice's and to the dearest candidate's, exactly."""
    decision = decide_briefly(asked(purpose=Purpose.HERO), world(ARTICLE))
    step = step_of(decision)
    assert step.quote
    call = call_of(step, decision.request.prompt)
    sent = len(call.instruction.encode()) + 2_800
    read, written = step.quote.lines
    assert (read.kind, read.rate, read.units, read.ceiling_units) == (
        LineKind.COMPRESSION_INPUT, 250, -(-sent // 4), sent,
    )  # fmt: skip
    assert (written.kind, written.rate, written.units, written.ceiling_units) == (
        LineKind.COMPRESSION_OUTPUT, 1_500, 384, 2 * 384 + 512,
    )  # fmt: skip
    assert decision.quote.lines[-2:] == step.quote.lines
    assert decision.quote.total == decision.head.quote.total + step.quote.total
    dearest = max(one.quote.ceiling for one in (*decision.candidates, *step.otherwise))
    assert decision.ceiling == dearest + step.quote.ceiling


def test_a_dear_input_pays_for_its_shortening() -> None:
    """5,000 tokens at $2.00 per million save more than the text call costs, once for all images."""
    decision = decide_briefly(asked(5_000, purpose=Purpose.CHARACTER_LOCK), world())
    step = step_of(decision)
    assert step.quote
    assert decision.head.model.id == "gemini-3-pro-image"
    assert step.saving == (5_000 - 384 * 5 // 4) * 2_000 > step.quote.total
    assert step.needed_by == ()


def test_a_single_cheap_image_cannot_pay_and_many_can() -> None:
    """The saving counts over n images; the reason of the skip has both sums."""
    request = asked(3_000, model="gemini-3.1-flash-lite-image")
    why = skip(request)
    assert "cannot pay" in why
    assert "for 1 image on gemini-3.1-flash-lite-image" in why
    assert not step_of(decide_briefly(replace(request, n=10), world())).skipped


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (asked(300), "about 300 tokens, the target is 384"),
        (asked(700, compress=Compress(to=800)), "about 700 tokens, the target is 800"),
        (asked(9_000, language="de"), "the prompt is de"),
        (asked(prompt=long(9_000, "一只狐狸 ")), "the prompt is Cjk"),
        (asked(prompt='"' + long(5_000) + '"'), "must stay word for word"),
    ],
)
def test_what_cannot_be_shortened_is_sent_as_it_is(request_: ImageRequest, words: str) -> None:
    """Short already, not English, or all facts: the reason has the numbers."""
    assert words in skip(request_)


@pytest.mark.parametrize("limit", ["max_cost", "max_total"])
def test_the_limits_of_the_request_hold_for_the_text_call_too(limit: str) -> None:
    """A shortened prompt on Imagen at $0.04 is not bought where $0.04 is all there is."""
    request = asked(model="imagen-4.0-generate-001", **{limit: 40_000_000})
    with pytest.raises(NoEligibleTier, match=f"above {limit} \\$0.04"):
        decide_briefly(request, world(ARTICLE))
    enough = decide_briefly(replace(request, **{limit: 41_000_000}), world(ARTICLE))
    assert 40_000_000 < enough.quote.total <= 41_000_000


def test_no_text_model_or_no_price_is_said() -> None:
    """A catalog without a living text model, or a card without its price, skips the step."""
    known, request = world(), asked(5_000, purpose=Purpose.CHARACTER_LOCK)
    assert "no text model" in skip(request, replace(known, catalog=replace(known.catalog, texts={})))
    assert "has no price" in skip(request, replace(known, card=replace(known.card, texts={})))


def test_the_guard_lets_no_request_become_dearer() -> None:
    """Near the end of a budget a text call is not bought for a first choice that has a fallback."""
    request, full = asked(purpose=Purpose.FINAL_HERO), Snapshot(pressure={"assumed": 95})
    free = decide_briefly(request, world(ARTICLE))
    assert not step_of(free).skipped
    known = world(ARTICLE)
    fallback = decide(request, known, snapshot=full).head.quote.total
    decision = decide_briefly(request, known, snapshot=full)
    assert decision.quote.total <= fallback


def test_a_pinned_model_that_cannot_be_reached_says_why_it_is_not_shortened() -> None:
    """The refusal of the prompt as it was asked carries the reason of the skip."""
    request = asked(model="imagen-4.0-generate-001", prompt='"' + long(700) + '"')
    with pytest.raises(NoEligibleTier, match="must stay word for word"):
        decide_briefly(request, world(ARTICLE))


def test_words_beside_the_prompt_take_their_part_of_the_limit() -> None:
    """Text to render counts against 480 tokens too, so the prompt must become shorter."""
    request = asked(purpose=Purpose.HERO, text="SALE " * 100)
    step = step_of(decide_briefly(request, world(ARTICLE)))
    assert step.target < 384 - 100


def test_the_instruction_names_the_length_and_what_must_stay() -> None:
    """Three words for four tokens, and every fact once, on a line of its own."""
    request = asked(
        prompt=long(700, 'Paint 12 red boats and "OPEN DAILY", no people, '), purpose=Purpose.HERO
    )
    call = call_of(step_of(decide_briefly(request, world(ARTICLE))), request.prompt)
    assert "at most 288 words" in call.instruction
    assert call.instruction.splitlines()[-4:] == ["12", "red", '"OPEN DAILY"', "no people"]
    assert call.prompt == request.prompt
    assert call.max_output_tokens == 2 * 384 + 512


def test_an_answer_is_measured() -> None:
    """Empty, too long, not shorter, or unfaithful: each objection says what is wrong."""
    step = Compression(model=world().catalog.texts[LITE], tokens=700, target=100)
    prompt = long(700, "12 boats, ")
    assert objection(prompt, "12 boats at dawn", step=step) == ""
    assert objection(prompt, "", step=step) == "it is empty"
    assert "500 were allowed" in objection(prompt, "12 boats, " + "x" * 500, step=step)
    assert objection(prompt, "boats at dawn", step=step) == "it lost or changed number '12'"
    assert "15 were allowed" in objection("a harbour at sea", "a harbour at seas", step=step)


def test_a_good_answer_is_sent_and_both_prompts_are_kept() -> None:
    """Every candidate gets the shortened prompt, reported as an adaptation; the request keeps its own."""
    decision = decide_briefly(asked(purpose=Purpose.HERO), world(ARTICLE))
    done = with_answer(decision, "a harbour", step=step_of(decision))
    assert {one.prompt for one in done.candidates} == {"a harbour"}
    assert done.request.prompt == long(700)
    assert step_of(done).prompt == "a harbour"
    (change,) = done.head.adapted
    assert change.detail == f"the prompt was shortened from about 700 to 3 tokens by {LITE}-preview"


def test_a_bad_answer_leaves_it_to_those_who_read_the_original() -> None:
    """The fallback serves, the model with the limit is dropped, and a warning says why."""
    decision = decide_briefly(asked(purpose=Purpose.HERO), world(ARTICLE))
    back = without_answer(decision, "it lost or changed number '12'", step=step_of(decision))
    plain = decide(asked(purpose=Purpose.HERO), world(ARTICLE))
    assert back.candidates == plain.candidates
    assert "it lost or changed number '12'" in back.warnings[-1]
    assert step_of(back).refused
    gone = [drop for drop in back.dropped if drop.model == "imagen-4.0-generate-001"]
    assert [drop.reason for drop in gone] == [DropReason.PROMPT_LENGTH]
    assert "480" in gone[0].detail
    assert "700" in gone[0].detail


def test_a_bad_answer_without_any_reader_is_an_error_with_the_numbers() -> None:
    """A pinned Imagen cannot fall back: 700 tokens, 480 allowed."""
    decision = decide_briefly(asked(model="imagen-4.0-generate-001"), world(ARTICLE))
    with pytest.raises(RequestRejected, match=r"about 700 tokens, and imagen-4\.0-generate-001 reads 480"):
        without_answer(decision, "it is empty", step=step_of(decision))


def test_a_text_call_is_priced_from_its_usage() -> None:
    """900 tokens read and 300 written with 20 thought: 900 × 250 + 320 × 1,500 nano-dollars."""
    usage = Usage(prompt_tokens=900, candidates_tokens=300, thoughts_tokens=20)
    cost = price_of_words(usage, world().catalog.texts[LITE], card=world().card)
    assert cost.total == 900 * 250 + 320 * 1_500
    assert [line.kind for line in cost.lines] == [LineKind.COMPRESSION_INPUT, LineKind.COMPRESSION_OUTPUT]


@settings(deadline=None)
@given(st.integers(1, 6_000), st.integers(1, 20), st.sampled_from(list(Size)), st.integers(16, 2_000))
def test_a_step_is_needed_or_saves(tokens: int, n: int, size: Size, to: int) -> None:
    """Whatever is asked: a step that is done makes the first choice possible, or the whole cheaper."""
    request = asked(tokens, n=n, size=size, compress=Compress(to=to), purpose=Purpose.HERO)
    for day in (ARTICLE, TODAY):
        try:
            decision = decide_briefly(request, world(day))
        except NoEligibleTier:
            continue
        step = step_of(decision)
        if step.skipped:
            assert decision.quote == decision.head.quote
        else:
            assert step.quote
            needed = decision.head.model.id in step.needed_by
            assert needed or step.saving > step.quote.total
            assert step.target <= to
