"""The emulated text model's one skill."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_emulator.shortening import limit_of, shortened

PROMPT = (
    'Please paint a really beautiful harbour with 12 boats and a sign that says "OPEN  DAILY" in navy blue, '
    "without any people or text, and let Anna Karenina stand beside the second reference image while soft "
    "waves roll gently towards the quiet sandy shore under drifting clouds"
)


@pytest.mark.parametrize(
    ("instruction", "limit"),
    [
        ("Use at most 120 words.", 120),
        ("AT MOST 1,200 WORDS", 1200),
        ("Make it short.", None),
        ("at most 300 tokens", None),
    ],
)
def test_limit_is_read_from_the_instruction(instruction: str, limit: int | None) -> None:
    """Only a number of words is a limit."""
    assert limit_of(instruction) == limit


def test_facts_outlive_everything_else() -> None:
    """Numbers, quotes with their spaces, colours, names, negations and references stay in any case."""
    short = shortened(PROMPT, 1)
    for fact in (
        "12",
        '"OPEN  DAILY"',
        "navy blue",
        "without any people",
        "Anna Karenina",
        "second reference",
    ):
        assert fact in short
    assert "gently" not in short
    assert "beautiful" not in short


def test_filler_goes_first() -> None:
    """What says little is dropped before what says something."""
    there = len(PROMPT.replace("OPEN  DAILY", "OPEN-DAILY").split())
    short = shortened(PROMPT, there - 4)
    assert "beautiful" not in short
    assert short.endswith("drifting clouds")


@given(st.text(max_size=200), st.integers(0, 60))
def test_nothing_is_added_and_the_same_text_gives_the_same_answer(text: str, words: int) -> None:
    """The answer's words are words of the text, in its order, and never more than there were."""
    short = shortened(text, words)
    assert short == shortened(text, words)
    assert len(short) <= len(text)
    rest = iter(text)
    assert all(letter in rest for letter in short.replace(" ", ""))
