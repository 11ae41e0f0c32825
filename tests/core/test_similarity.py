"""Alike is what says the same in other words; a number, colour, quote or negation makes it another thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.similarity import ALIKE, likeness, sketch


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a red fox in the snow at dawn", "a red fox at dawn, in the snow"),
        ("Please draw a picture of a red fox in snow", "red fox, snow"),
        ("two cats on a sofa", "A pair of cats on the sofa"),
        ("a grey cat asleep on a chair", "gray cat, asleep on chair"),
        ('shop window with a sign "SALE 20%"', "Shop window, with the sign “SALE 20%”"),
        ("a street without cars at night", "night street, without any cars"),
        ("die Katze auf dem Sofa", "Die Katze auf dem Sofa!"),
    ],
)
def test_the_same_in_other_words_is_alike(one: str, other: str) -> None:
    """Order, articles, politeness and spelling do not hide that something was paid before."""
    assert likeness(sketch(one), sketch(other)) >= ALIKE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a white fox in the snow", "a red fox in the snow"),
        ("two cats on a sofa", "three cats on a sofa"),
        ("2 cats on a sofa", "3 cats on a sofa"),
        ('a banner "SALE 20%"', 'a banner "SALE 30%"'),
        ('a banner "Sale"', 'a banner "SALE"'),
        ("a street with cars", "a street without cars"),
        ("a street without cars and people", "a street without people and cars"),
        ("a man who isn't smiling", "a man who is smiling"),
        ("a cup in #ff0000", "a cup in #00ff00"),
        ("a bottle of 0.5 l", "a bottle of 1.5 l"),
        ("a clock at 10:10", "a clock at 10:15"),
        ("a lighthouse in a storm", "a bowl of noodles"),
    ],
)
def test_a_difference_that_shows_is_never_alike(one: str, other: str) -> None:
    """Counts, numbers, colours, quotes and negations must be equal, however many words are shared."""
    assert likeness(sketch(one), sketch(other)) < ALIKE


def test_text_to_render_is_a_slot() -> None:
    """The same scene with other lettering is another picture."""
    assert likeness(sketch("a mug", "MONDAY"), sketch("a mug", "FRIDAY")) == 0
    assert likeness(sketch("a mug", "MONDAY"), sketch('a mug "MONDAY"')) == 100


@given(st.text(max_size=200), st.text(max_size=200))
def test_likeness_is_the_same_both_ways_and_whole_with_oneself(one: str, other: str) -> None:
    """Any text can be compared; the measure is symmetric and between 0 and 100."""
    a, b = sketch(one), sketch(other)
    assert likeness(a, a) == 100
    assert likeness(a, b) == likeness(b, a)
    assert 0 <= likeness(a, b) <= 100
