"""What of a prompt must survive word for word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.verbatim import Fact, FactKind, facts_of, kept_words, lost

PROMPT = (
    'Paint a harbour with 12 boats, three gulls and a sign that says "OPEN  DAILY" in navy blue, without any '
    "people or text. Anna Karenina stands beside the second reference; the price is $4.50, at 16:9."
)


@pytest.mark.parametrize(
    ("prompt", "kind", "words"),
    [
        ('a sign "OPEN  DAILY" above', FactKind.QUOTE, '"OPEN  DAILY"'),
        ("a sign “SOLDES D'ÉTÉ” above", FactKind.QUOTE, "“SOLDES D'ÉTÉ”"),
        ("ein Schild „Offen“ oben", FactKind.QUOTE, "„Offen“"),
        ("une enseigne «Ouvert»", FactKind.QUOTE, "«Ouvert»"),
        ("with 12 boats", FactKind.NUMBER, "12"),
        ("about 1,200.50 of them.", FactKind.NUMBER, "1,200.50"),
        ("a 50mm lens", FactKind.NUMBER, "50mm"),
        ("paint it #FF8800 all over", FactKind.NUMBER, "#FF8800"),
        ("in 16:9, please", FactKind.NUMBER, "16:9"),
        ("three gulls", FactKind.NUMBER, "three"),
        ("a dozen eggs", FactKind.NUMBER, "dozen"),
        ("in navy blue", FactKind.COLOUR, "navy blue"),
        ("a Dark Green coat", FactKind.COLOUR, "Dark Green"),
        ("black-white photo", FactKind.COLOUR, "black-white"),
        ("no text", FactKind.NEGATION, "no text"),
        ("no text, borders or logos", FactKind.NEGATION, "no text, borders or logos"),
        ("without any people", FactKind.NEGATION, "without any people"),
        ("don’t show the moon", FactKind.NEGATION, "don’t show the moon"),
        ("beside Anna Karenina", FactKind.NAME, "Karenina"),
        ("an iPhone on a table", FactKind.NAME, "iPhone"),
        ("the NASA logo", FactKind.NAME, "NASA"),
        ("Zorro rides", FactKind.NAME, "Zorro"),
        ("as in the second reference image", FactKind.REFERENCE, "second reference"),
        ("the coat of image 2", FactKind.REFERENCE, "image 2"),
        ("the attached photo", FactKind.REFERENCE, "attached photo"),
        ("use the style reference", FactKind.REFERENCE, "style reference"),
    ],
)
def test_facts_are_found(prompt: str, kind: FactKind, words: str) -> None:
    """Each kind in its usual shapes."""
    assert Fact(kind, words) in facts_of(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "soft light falls on an old wooden table",
        "Soft light. The table stands by a window. Create depth",
        "a tired traveller rests. Traveller and dog are friends",
        "note the knots of northern noble woods",
    ],
)
def test_plain_prose_holds_no_facts(prompt: str) -> None:
    """Words that begin a sentence, and words that merely look like a negation, are free to go."""
    assert facts_of(prompt) == ()


def test_inside_a_quote_nothing_else_is_a_fact() -> None:
    """The quote is kept as a whole, so its numbers and colours need no care of their own."""
    assert [fact.kind for fact in facts_of('"12 red boats, no fish"')] == [FactKind.QUOTE]


def test_a_faithful_shortening_has_lost_nothing() -> None:
    """Order, case and white space outside quotes may change."""
    short = (
        'harbour, 12 boats, Three gulls, sign "OPEN  DAILY" navy\nblue, Without any people or text, Anna '
        "Karenina beside second reference, price $4.50, 16:9"
    )
    assert lost(PROMPT, short) == ()


@pytest.mark.parametrize(
    ("removed", "told"),
    [
        ("12 ", "number '12'"),
        ("three ", "number 'three'"),
        ('"OPEN  DAILY" ', 'quoted text "OPEN  DAILY"'),
        ("navy ", "colour 'navy blue'"),
        ("without any ", "negation 'without any people or text'"),
        ("Anna ", "name 'Anna'"),
        ("second ", "reference 'second reference'"),
        ("$4.50", "number '4.50'"),
    ],
)
def test_a_lost_fact_is_named(removed: str, told: str) -> None:
    """One thing less is one complaint at least, which says what."""
    assert told in lost(PROMPT, PROMPT.replace(removed, ""))


@pytest.mark.parametrize(
    ("original", "short", "told"),
    [
        ('the words "OPEN  DAILY"', 'the words "OPEN DAILY"', 'quoted text "OPEN  DAILY"'),
        ("2 cats and 2 dogs", "2 cats and dogs", "number '2', said 2 times"),
        ("12 boats", "112 boats", "number '12'"),
        ("a cat", "3 cats", "number '3', made up"),
        ("a cat", 'a cat, "MEOW"', 'quoted text "MEOW", made up'),
        ("a cat with dogs", "a cat without dogs", "negation 'without dogs', made up"),
        ("a credit card, red", "a credit card", "colour 'red'"),
    ],
)
def test_what_is_changed_or_made_up_is_told(original: str, short: str, told: str) -> None:
    """A fact inside a longer word is not that fact, and nothing may be added."""
    assert told in lost(original, short)


def test_facts_to_keep_are_named_once() -> None:
    """The list for the text model has no repetition."""
    assert kept_words("a red fox, a red hen, 2 eggs and 2 nests") == ("red", "2")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_a_text_never_loses_anything_against_itself(text: str) -> None:
    """Whatever is written, its own copy is faithful."""
    assert lost(text, text) == ()


@given(st.integers(10, 99), st.integers(10, 99))
def test_a_changed_number_never_passes(one: int, other: int) -> None:
    """Only the same number will do."""
    assert (lost(f"{one} foxes", f"{other} foxes") == ()) == (one == other)
