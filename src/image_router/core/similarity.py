"""How alike two prompts are, cheaply: shared words, and equal slots. For suggestions, never for serving.

No measure of words or meaning tells "white fox" from "red fox" or "SALE 20%" from "SALE 30%", so whatever
carries such a difference is a slot that must be equal: numbers and counts, quoted text, colours, negations.
Slot words are English; of other languages numerals and quotes are seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

ALIKE: Final = 60
"""Percent of shared words from which a prompt is worth a mention."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_QUOTED: Final = re.compile('"([^"]+)"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»')
_WORD: Final = re.compile(r"#[0-9a-f]{3,8}\b|\d+(?:[.,:]\d+)*%?|[^\W\d_]+(?:['’][^\W\d_]+)*")
_COUNTS: Final = {
    word: str(number)
    for number, words in {
        0: "zero",
        1: "one single lone",
        2: "two pair couple both twin twins",
        3: "three trio",
        4: "four quartet",
        5: "five",
        6: "six half-dozen",
        7: "seven",
        8: "eight",
        9: "nine",
        10: "ten",
        11: "eleven",
        12: "twelve dozen",
        20: "twenty",
        100: "hundred",
        1000: "thousand",
    }.items()
    for word in words.split()
}
_COLOURS: Final = _set(
    "amber aqua azure beige black blonde blue bronze brown burgundy cherry coral crimson cyan emerald gold "
    "golden gray green indigo ivory jade lavender lilac lime magenta maroon mauve mint mustard navy ochre "
    "olive orange peach pink plum purple red rose ruby rust salmon sapphire scarlet sepia silver tan teal "
    "turquoise vermilion violet white yellow pastel monochrome colourful dark bright light"
)
_SPELLINGS: Final = {"grey": "gray", "blond": "blonde", "colorful": "colourful", "gilded": "golden"}
_NEGATIONS: Final = _set("no not without never except neither nor none minus excluding avoid")
_EMPTY: Final = _set(
    "a an the of in on at to for with and or is are be by from as it its this that these those into over "
    "some very please image picture photo photograph illustration drawing make create generate draw show "
    "any all me showing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What is compared of a prompt."""

    words: frozenset[str]
    slots: tuple[str, ...]
    """Sorted; equal for prompts that may be called alike."""


def sketch(prompt: str, text: str | None = None) -> Sketch:
    """A prompt as words and slots; `text` is what the picture shall render."""
    plain = unicodedata.normalize("NFKC", prompt)
    quotes = [next(filter(None, match.groups())) for match in _QUOTED.finditer(plain)]
    if text is not None:
        quotes.append(unicodedata.normalize("NFKC", text))
    words = [_stem(word) for word in _WORD.findall(_QUOTED.sub(" ", plain).casefold())]
    slots = [f"text {' '.join(quote.split())}" for quote in quotes]
    slots += _slots(words)
    return Sketch(words=frozenset(words) - _EMPTY - _COUNTS.keys(), slots=tuple(sorted(slots)))


def likeness(one: Sketch, other: Sketch) -> int:
    """Percent of the words of both that they share; 0 when any slot differs."""
    if one.slots != other.slots:
        return 0
    together = one.words | other.words
    return 100 * len(one.words & other.words) // len(together) if together else 100


def _slots(words: list[str]) -> Iterator[str]:
    for place, word in enumerate(words):
        if word[0].isdigit():
            yield f"number {word}"
        elif word in _COUNTS:
            yield f"number {_COUNTS[word]}"
        elif word in _COLOURS or word[0] == "#":
            yield f"colour {word}"
        elif word in _NEGATIONS or word.endswith("n't"):
            denied = next((w for w in words[place + 1 :] if w not in _EMPTY), "")
            yield f"not {denied}"


def _stem(word: str) -> str:
    """One spelling, without the s of most plurals; where that fails, only a hint is missed."""
    word = _SPELLINGS.get(word.replace("’", "'"), word.replace("’", "'"))
    keep = len(word) < 4 or word.endswith(("ss", "us", "is")) or word in _COUNTS
    return word.removesuffix("'s") if keep else word.removesuffix("'s").removesuffix("s")
