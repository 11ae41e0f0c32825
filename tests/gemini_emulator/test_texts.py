"""The text models over HTTP: answers in words, usage, faults and bill."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gemini_emulator.fault_texts import DESCRIPTIONS

MODEL = "gemini-3.1-flash-lite"
TEXT = 'a very beautiful harbour with 12 boats, no people, and the words "OPEN DAILY" above soft grey waves'
INSTRUCTION = "Shorten the text to at most 12 words."


def _ask(caller: Any, *, model: str = MODEL, fault: str | None = None, **config: Any) -> httpx2.Response:
    body = {
        "systemInstruction": {"parts": [{"text": INSTRUCTION}]},
        "contents": [{"role": "user", "parts": [{"text": TEXT}]}],
        "generationConfig": config,
    }
    answer: httpx2.Response = caller.post(f"/v1beta/models/{model}:generateContent", body, fault)
    return answer


def _said(answer: httpx2.Response) -> str:
    text: str = answer.json()["candidates"][0]["content"]["parts"][0]["text"]
    return text


def test_a_text_comes_back_shorter_with_its_usage_and_its_price(now: Any) -> None:
    """$0.25 and $1.50 per million tokens in and out, whole nano-dollars on the bill."""
    answer = _ask(now, thinkingConfig={"thinkingLevel": "MINIMAL"})
    assert answer.status_code == 200
    assert "12 boats" in _said(answer)
    assert len(_said(answer)) < len(TEXT)
    usage = answer.json()["usageMetadata"]
    (entry,) = now.emulator.bill().entries
    assert entry.total == usage["promptTokenCount"] * 250 + usage["candidatesTokenCount"] * 1_500
    assert (entry.id, entry.model, entry.outcome) == (answer.json()["responseId"], MODEL, "text")
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]
    assert "candidatesTokensDetails" not in usage


def test_the_same_text_gets_the_same_answer(now: Any) -> None:
    """The emulated model has no moods."""
    assert _said(_ask(now)) == _said(_ask(now))


def test_without_a_limit_the_text_is_repeated(now: Any) -> None:
    """The emulated model shortens when it is told to, and knows nothing else."""
    assert _said(now.generate(MODEL, TEXT)) == TEXT


def test_room_for_the_answer_is_a_limit(now: Any) -> None:
    """maxOutputTokens cuts the answer off: MAX_TOKENS, counted and charged."""
    answer = _ask(now, maxOutputTokens=5)
    assert answer.json()["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert answer.json()["usageMetadata"]["candidatesTokenCount"] <= 5
    assert now.emulator.bill().total > 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "contents is not specified"),
        ({"contents": [{"parts": [{"text": "a"}]}], "tool": 1}, "Unknown name"),
        (
            {"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"responseModalities": ["IMAGE"]}},
            "response modalities (IMAGE)",
        ),
        (
            {
                "contents": [{"parts": [{"text": "a"}]}],
                "generationConfig": {"thinkingConfig": {"thinkingLevel": "EXTREME"}},
            },
            "thinking_level",
        ),
    ],
)
def test_a_wrong_body_is_refused(now: Any, body: dict[str, Any], words: str) -> None:
    """As an image model refuses it: a 400 in the provider's words, free."""
    answer = now.post(f"/v1beta/models/{MODEL}:generateContent", body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert now.emulator.bill().total == 0


def test_the_preview_lives_in_april_and_the_release_in_november(now: Any, then: Any) -> None:
    """One of the two answers on either day; the other is a 404."""
    assert _ask(then, model=f"{MODEL}-preview").status_code == 200
    assert _ask(then).status_code == 404
    assert _ask(now, model=f"{MODEL}-preview").status_code == 404


def test_tokens_are_counted(now: Any) -> None:
    """countTokens counts what generateContent charges for the same contents."""
    body = {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]}
    counted = now.post(f"/v1beta/models/{MODEL}:countTokens", body).json()["totalTokens"]
    used = now.generate(MODEL, TEXT).json()["usageMetadata"]["promptTokenCount"]
    assert counted == used


def test_a_stream_ends_with_the_same_words(now: Any) -> None:
    """streamGenerateContent of a text model: the words, then STOP."""
    body = {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]}
    answer = now.post(f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", body)
    assert TEXT.replace('"', '\\"') in answer.text
    assert '"finishReason":"STOP"' in answer.text


@pytest.mark.parametrize(
    ("fault", "gone", "left"),
    [
        ("text_loses_number", "12", '"OPEN DAILY"'),
        ("text_loses_negation", "no people", "12 boats"),
        ("text_loses_quote", '"OPEN DAILY"', "12 boats"),
    ],
)
def test_a_fault_loses_one_fact(now: Any, fault: str, gone: str, left: str) -> None:
    """The answer lacks what the fault names, and nothing else that mattered."""
    said = _said(_ask(now, fault=fault))
    assert gone not in said
    assert left in said


def test_other_faults_of_a_text(now: Any) -> None:
    """Not shorter, cut off, empty and blocked: each with its shape, all of them charged."""
    assert _said(_ask(now, fault="text_not_shorter")) == TEXT
    assert _ask(now, fault="text_cut_off").json()["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert _ask(now, fault="text_empty").json()["candidates"][0]["content"] == {"role": "model"}
    assert _ask(now, fault="text_blocked").json()["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert [entry.fault for entry in now.emulator.bill().entries] == [
        "text_not_shorter",
        "text_cut_off",
        "text_empty",
        "text_blocked",
    ]
    assert all(entry.total for entry in now.emulator.bill().entries)
    assert len(DESCRIPTIONS) == 7


def test_faults_of_pictures_do_not_happen_to_texts(now: Any) -> None:
    """A rule for pictures passes a text model by; an overload hits it like any other."""
    now.emulator.faults.add("no_image", times=1)
    assert _ask(now).status_code == 200
    now.emulator.faults.add("overloaded", model=MODEL, times=1)
    assert _ask(now).status_code == 503
    assert _ask(now, fault="no_image").status_code == 400
