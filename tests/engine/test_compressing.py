"""The text call before the pictures: what is sent, paid, kept and told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desk import ARTICLE, router
from image_router.core.causes import Billed, Cause, Kind
from image_router.core.errors import ProviderError, RequestRejected
from image_router.core.events import Event, PromptShortened
from image_router.core.reply import FaultKind, Reply
from image_router.core.types import Adaptation, Purpose, Usage
from image_router.testing import failed, lost, overloaded, words_only

PROMPT = "12 boats in a quiet harbour at dawn with wooden jetties, " + "drifting mist over calm water, " * 90
SHORT = "12 boats, quiet harbour, dawn, jetties, mist"
IMAGEN = "imagen-4.0-generate-001"
FLASH = "gemini-3.1-flash-image-preview"
TEXT = "gemini-3.1-flash-lite-preview"


def said(text: str) -> Reply:
    usage = Usage(prompt_tokens=900, candidates_tokens=20, total_tokens=920)
    return replace(words_only(text), usage=usage, response_id="text-1")


def hero(*words: Reply, **parts: Any) -> Any:
    """A router of April, its provider, and a hero whose prompt Imagen cannot read; the text replies given."""
    made, provider, clock = router(day=ARTICLE, **parts)
    provider._words.extend(words)
    return made, provider, clock


async def test_a_shortened_prompt_reaches_the_model_and_both_are_kept() -> None:
    """The image call carries the answer, the result says so, and the request keeps its own words."""
    desk, provider, _ = hero(said(SHORT))
    result = await desk.generate(PROMPT, purpose="hero", compress="auto")
    assert [call.model.id for call in provider.texts] == [TEXT]
    assert provider.texts[0].prompt == PROMPT
    assert [(call.model.id, call.request.prompt) for call in provider.calls] == [(IMAGEN, SHORT)]
    assert result.decision.request.prompt == PROMPT
    assert result.decision.compression.prompt == SHORT
    assert any("shortened" in warning for warning in result.image.warnings)


async def test_the_text_call_is_an_attempt_with_its_cost() -> None:
    """900 tokens at 250 and 20 at 1,500 nano-dollars, before the picture's own attempt, in the total."""
    desk, _, _ = hero(said(SHORT))
    result = await desk.generate(PROMPT, purpose="hero", compress="auto")
    text, picture = result.attempts
    assert (text.kind, text.cause, text.model, text.response_id) == (Kind.WORDS, Cause.OK, TEXT, "text-1")
    assert text.cost.total == 900 * 250 + 20 * 1_500
    assert result.cost == text.cost.total + picture.cost.total
    assert picture.cost.total == 40_000_000


async def test_one_text_call_serves_all_images() -> None:
    """Three pictures, one shortened prompt."""
    desk, provider, _ = hero(said(SHORT))
    await desk.generate(PROMPT, purpose="hero", compress="auto", n=3)
    assert len(provider.texts) == 1
    assert {call.request.prompt for call in provider.calls} == {SHORT}


async def test_without_the_wish_nothing_is_asked_of_the_text_model() -> None:
    """Off by default: the fallback that reads the prompt serves."""
    desk, provider, _ = hero()
    result = await desk.generate(PROMPT, purpose="hero")
    assert (provider.texts, result.image.model) == ([], FLASH)


async def test_a_router_may_be_set_to_it_and_a_request_may_refuse_it() -> None:
    """The setting stands for every request that does not say otherwise."""
    from image_router.core.brevity import Compress

    desk, provider, _ = hero(compress=Compress())
    await desk.generate(PROMPT, purpose="hero", compress="off")
    assert provider.texts == []
    await desk.generate(PROMPT, purpose="hero")
    assert len(provider.texts) == 1


@pytest.mark.parametrize(
    ("reply", "cause", "told"),
    [
        (said(SHORT.replace("12 ", "")), Cause.COMPRESSION_REJECTED, "number '12'"),
        (said(PROMPT), Cause.COMPRESSION_REJECTED, "were allowed"),
        (replace(said("12 bo"), finish_reason="MAX_TOKENS"), Cause.OUT_OF_TOKENS, "out_of_tokens"),
        (replace(said(""), parts=()), Cause.EMPTY, "empty"),
        (failed(400, "INVALID_ARGUMENT", message="no"), Cause.BAD_PARAMETER, "bad_parameter"),
        (lost(FaultKind.DROPPED), Cause.CONNECTION_LOST, "connection_lost"),
    ],
)
async def test_an_answer_that_cannot_be_used_leaves_the_prompt_as_it_was(
    reply: Reply, cause: Cause, told: str
) -> None:
    """The model that reads it serves, with a warning that says why; what the call cost is in the result."""
    desk, provider, _ = hero(reply)
    result = await desk.generate(PROMPT, purpose="hero", compress="auto")
    assert [(call.model.id, call.request.prompt) for call in provider.calls] == [(FLASH, PROMPT)]
    assert result.attempts[0].cause is cause
    (warning,) = [warning for warning in result.warnings if "not shortened" in warning]
    assert told in warning
    assert result.decision.compression.refused
    assert not any(change.kind is Adaptation.COMPRESS_PROMPT for change in result.decision.head.adapted)


async def test_a_lost_text_call_is_at_risk_and_not_sent_again() -> None:
    """Its ceiling counts as at risk; the pictures are made all the same."""
    desk, provider, _ = hero(lost(FaultKind.DROPPED))
    result = await desk.generate(PROMPT, purpose="hero", compress="auto")
    (text, _) = result.attempts
    assert text.billed is Billed.UNKNOWN
    assert result.at_risk == text.at_risk > 0
    assert len(provider.texts) == 1


async def test_a_pinned_model_that_cannot_read_the_prompt_is_an_error_with_the_numbers() -> None:
    """Imagen reads 480 tokens; the error has the attempt and its cost."""
    desk, provider, _ = hero(said("boats"))
    with pytest.raises(RequestRejected, match="reads 480") as caught:
        await desk.generate(PROMPT, model=IMAGEN, compress="auto")
    assert caught.value.cost == 900 * 250 + 20 * 1_500
    assert provider.calls == []


async def test_an_overloaded_text_model_is_tried_again() -> None:
    """Twice busy, then the words: three tries, two waits, one payment."""
    desk, provider, clock = hero(overloaded(), overloaded(), said(SHORT))
    result = await desk.generate(PROMPT, purpose="hero", compress="auto")
    assert (len(provider.texts), len(clock.slept)) == (3, 2)
    assert [attempt.number for attempt in result.attempts] == [1, 2, 3, 1]
    assert result.image.model == IMAGEN


async def test_a_skip_is_told_and_costs_nothing() -> None:
    """A short prompt is sent as it is; the decision says why."""
    desk, provider, _ = hero()
    result = await desk.generate("a fox", purpose="hero", compress=300)
    assert provider.texts == []
    assert result.decision.compression.skipped == "the prompt has about 2 tokens, the target is 300"


async def test_what_came_of_it_is_announced() -> None:
    """One event with the decision to go on with and the attempts it took."""
    heard: list[Event] = []
    desk, _, _ = hero(said(SHORT))
    await desk.generate(PROMPT, purpose="hero", compress="auto", on_event=heard.append)
    (event,) = [one for one in heard if isinstance(one, PromptShortened)]
    assert event.decision.compression
    assert event.decision.compression.prompt == SHORT
    assert len(event.attempts) == 1


async def test_explaining_and_quoting_ask_no_model() -> None:
    """The step is shown and quoted; nothing is sent."""
    desk, provider, _ = hero()
    explanation = await desk.explain(PROMPT, purpose=Purpose.HERO, compress="auto")
    quote = await desk.quote(PROMPT, purpose=Purpose.HERO, compress="auto")
    assert provider.texts == provider.calls == []
    assert quote == explanation.decision.quote
    assert quote.total > explanation.decision.head.quote.total


async def test_a_request_that_costs_the_provider_nothing_may_still_fail_afterwards() -> None:
    """When no picture comes, the error's cost holds the text call too."""
    desk, _, _ = hero(said(SHORT))
    desk_provider = desk.provider
    desk_provider._script.fail(failed(400, "INVALID_ARGUMENT", message="no"), times=9)
    with pytest.raises(ProviderError) as caught:
        await desk.generate(PROMPT, model=IMAGEN, compress="auto")
    assert caught.value.cost == 900 * 250 + 20 * 1_500
