"""Writing: fit, wrap and misspell."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_emulator.pictures import paint
from gemini_emulator.pictures.lettering import fitted, garbled

from .briefs import brief, opened

LONG = "The quick brown fox jumps over the lazy dog and opens a café in Zürich for 9 € " * 3


def swapped_share(grade: int) -> float:
    text = "abcdefghij KLMNOPQRST 0123456789 " * 200
    wrong = garbled(text, grade, dice=random.Random(grade))
    letters = [(a, b) for a, b in zip(text, wrong, strict=True) if a.isalnum()]
    return sum(a != b for a, b in letters) / len(letters)


@pytest.mark.parametrize(("grade", "share"), [(5, 0.0), (4, 0.0), (3, 0.04), (2, 0.22), (1, 0.45)])
def test_grade_sets_the_share_of_wrong_letters(grade: int, share: float) -> None:
    """Grades 5 and 4 spell exactly; 3, 2 and 1 swap about 4, 22 and 45 letters in a hundred."""
    assert swapped_share(grade) == pytest.approx(share, abs=0.02)


@given(
    st.lists(st.text(min_size=1, max_size=120).filter(str.strip), min_size=1, max_size=4),
    st.integers(120, 1200),
    st.integers(60, 900),
)
@settings(max_examples=60, deadline=None)
def test_lines_stay_within_the_width(texts: list[str], width: int, height: int) -> None:
    """No line is wider than the box and no word is lost, whatever the text."""
    lines = fitted(tuple(texts), width=width, height=height)
    assert all(line.face.getlength(line.text) <= width for line in lines)
    written = "".join("".join(line.text.split()) for line in lines)
    assert written == "".join("".join(text.split()) for text in texts)


@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (384, 3072), (3072, 384)])
@pytest.mark.parametrize("text", ["SALE", LONG], ids=["short", "long"])
def test_letters_stay_on_the_canvas(width: int, height: int, text: str) -> None:
    """Writing changes pixels, but none in the outermost rim."""
    plain, lettered = (
        np.asarray(opened(paint(brief("poster", width=width, height=height, letters=(asked,)))), dtype=int)
        for asked in ("I", text)
    )
    changed = np.abs(plain - lettered).max(axis=2) > 40
    assert changed.any()
    rim = max(2, min(width, height) // 100)
    changed[rim:-rim, rim:-rim] = False
    assert not changed.any()


def test_long_text_is_wrapped() -> None:
    """A long text becomes several lines of a size that fits the height."""
    lines = fitted((LONG,), width=600, height=300)
    assert len(lines) > 3
    assert sum(line.size for line in lines) <= 300


def test_the_letters_of_a_line_fit_its_face() -> None:
    """Chinese without spaces is broken between characters; Latin beside it stays whole."""
    lines = fitted(("新品上市 SUMMER 大減価の秋",), width=300, height=900)
    assert [line.text for line in lines if "SUMMER" in line.text]
    assert "".join("".join(line.text.split()) for line in lines) == "新品上市SUMMER大減価の秋"


def test_bad_grades_look_different() -> None:
    """The same words by a weak and a strong model are different pictures."""
    weak, strong = (paint(brief("poster", letters=("SUMMER SALE",), text_grade=grade)) for grade in (1, 5))
    assert weak != strong
