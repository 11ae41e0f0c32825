"""Whom a prompt speaks of when it names no subject of the vocabulary."""

from __future__ import annotations

import pytest

from gemini_emulator.pictures.people import person_in
from gemini_emulator.pictures.scene import plan

from .briefs import brief


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("Mira, a courier", "woman"),
        ("Mira, a young courier with a bag", "girl"),
        ("Otto the gardener", "man"),
        ("Mira rides a bicycle in the rain", "woman"),
        ("portrait of Otto by the sea", "man"),
        ("a storybook hero and her lantern", "woman"),
        ("an inventor in his workshop", "man"),
        ("her favourite place", "woman"),
    ],
)
def test_people_by_role_name_and_pronoun(prompt: str, subject: str) -> None:
    """A role, a name or a pronoun is drawn as a person, and outranks the things they carry."""
    assert plan(brief(prompt), None).genome.kind.name == subject


@pytest.mark.parametrize(
    ("prompt", "theme"),
    [
        ("hero shot of a perfume bottle", "product"),
        ("a mug in portrait format", "product"),
        ("a gift for her: a perfume bottle", "product"),
        ("Tokyo is quiet", "landscape"),
        ("a view of Tokyo", "landscape"),
        ("Paint a red mug", "product"),
        ("Summer Sale poster", "poster"),
    ],
)
def test_words_that_only_look_like_people(prompt: str, theme: str) -> None:
    """Formats, known places and orders make nobody appear."""
    assert plan(brief(prompt), None).theme == theme


def test_the_same_name_is_the_same_person() -> None:
    """Who a name stands for does not depend on the rest of the prompt."""
    first, second = "Robin, a courier", "a portrait of Robin at night"
    assert person_in(first, alone=True) == person_in(second, alone=True) != []
