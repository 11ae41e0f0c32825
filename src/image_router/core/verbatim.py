"""What of a prompt must survive its shortening word for word, and what a shortened one has lost.

Quoted words, numbers, names, colours, negations and references to input pictures. The lists of words are
English; quotes, figures and names are found in any language that writes them like English does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from typing import Final


class FactKind(StrEnum):
    QUOTE = "quoted text"
    REFERENCE = "reference"
    NEGATION = "negation"
    NUMBER = "number"
    COLOUR = "colour"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something said that no shortening may change."""

    kind: FactKind
    words: str

    def __str__(self) -> str:
        return f"{self.kind} {self.words}" if self.kind is FactKind.QUOTE else f"{self.kind} {self.words!r}"


_ONES: Final = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_MORE: Final = "fifteen|twenty|thirty|forty|fifty|hundred|thousand|dozen|half|twice|double|triple|single|pair"
_ORDER: Final = r"first|second|third|fourth|fifth|sixth|last|left|right|\d+(?:st|nd|rd|th)"
_INPUT: Final = r"(?:reference|image|picture|photo|photograph|figure)s?"
_COLOURS: Final = (
    "red|orange|yellow|green|blue|purple|violet|pink|brown|black|white|gr[ae]y|beige|cream|ivory|gold(?:en)?|"
    "silver|bronze|copper|navy|teal|turquoise|cyan|magenta|maroon|crimson|scarlet|burgundy|olive|lime|mint|"
    "emerald|lavender|lilac|indigo|coral|peach|salmon|amber|ochre|tan|khaki|charcoal|rose|monochrome"
)
_SHADES: Final = "dark|light|pale|bright|deep|navy|royal|sky|neon|pastel|matte|warm|cool|off"
_NEGATORS: Final = r"no|not|never|none|neither|nor|without|except|avoid|exclude|cannot|\w+n['’]t"
# Words that stand between a negation and what it denies.
_BETWEEN: Final = r"a|an|any|the|be|is|are|have|has|show|include|add|use|draw|of|to|in|on|with|other|more"
_THING: Final = r"[^\W\d_][\w'’-]*"
_QUOTED: Final = re.compile(r'"[^"]+"|“[^”]+”|„[^“”]+[“”]|«[^»]+»')
# Compiled when a prompt is first read for facts: explaining most prompts never does.
_PATTERNS: Final = (
    (
        FactKind.REFERENCE,
        rf"\b(?:(?:{_ORDER}|object|character|style|attached|provided|uploaded|input)\s+)+{_INPUT}\b"
        rf"|\b{_INPUT}\s+(?:\d+|[A-Z]\b|{_ONES})\b"
        rf"|\breference\s+(?:object|character|style)\b",
    ),
    (
        FactKind.NEGATION,
        rf"\b(?:{_NEGATORS})\b(?:\s+(?:{_BETWEEN})\b)*(?:\s+{_THING}(?:(?:,\s+{_THING})*,?\s+n?or\s+{_THING})?)?",
    ),
    (
        FactKind.NUMBER,
        rf"#[0-9a-f]{{3,8}}\b|\w*\d[\w.,:/×%°-]*|\b(?:{_ONES}|{_MORE})\b",
    ),
    (
        FactKind.COLOUR,
        rf"\b(?:(?:{_SHADES})[\s-]+)?(?:{_COLOURS})(?:[\s-](?:{_COLOURS}))*\b",
    ),
)
_NEGATION: Final = re.compile(_NEGATORS, re.IGNORECASE)
_CAPITAL: Final = re.compile(r"(?<!\w)[^\W\d_]*[^\W\d_a-zß-öø-ÿ][\w'’&-]*")
_SENTENCE_ENDS: Final = ".!?:;\n"
_PUNCTUATION: Final = ".,:;/-"
_NEVER_MADE_UP: Final = (FactKind.QUOTE, FactKind.NUMBER, FactKind.NEGATION)
# What sentences of prompts begin with without being a name.
_OPENING: Final = """
a an the i in on at of to from with by for and but or if as it its this that these those there here he
she they we you his her their our your my make create draw paint show render generate design add keep use
put place let give please imagine depict illustrate photograph picture image photo scene background
foreground behind beside above below around inside under over near one all both each every some many soft
warm cool bright dark high low wide close full shot style lighting light colors colours
"""
_OPENERS: Final = frozenset(_OPENING.split())


@lru_cache(maxsize=16)
def facts_of(prompt: str) -> tuple[Fact, ...]:
    """Every fact in the order it is said, repeated ones too. Words inside quotes count as the quote alone."""
    quotes = [(match.start(), Fact(FactKind.QUOTE, match[0])) for match in _QUOTED.finditer(prompt)]
    outside = _QUOTED.sub(lambda match: " " * len(match[0]), prompt)
    found = sorted((*quotes, *_said(outside), *_names(outside)), key=lambda one: one[0])
    return tuple(fact for _, fact in found)


def kept_words(prompt: str) -> tuple[str, ...]:
    """The facts to keep, each once."""
    return tuple(dict.fromkeys(fact.words for fact in facts_of(prompt)))


def lost(original: str, shortened: str) -> tuple[str, ...]:
    """What the shortened prompt has lost or made up, in words; empty when it is faithful.

    A quote counts letter for letter, white space included; a number as often as it was said; everything else
    once, in any case and spacing. Numbers, quotes and negations that were never said are made up.
    """
    before, after = facts_of(original), facts_of(shortened)
    gone = [str(fact) for fact in _absent(before, shortened)]
    short, was = _figures(after), _figures(before)
    fewer = [f"number {word!r}, said {was[word]} times" for word in was if 0 < short[word] < was[word]]
    added = [f"{fact}, made up" for fact in _absent(after, original) if fact.kind in _NEVER_MADE_UP]
    return tuple(chain(gone, fewer, added))


def _said(text: str) -> Iterator[tuple[int, Fact]]:
    for kind, pattern in _PATTERNS:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            words = match[0].rstrip(_PUNCTUATION)
            if words:
                yield match.start(), Fact(kind, words)


def _names(text: str) -> Iterator[tuple[int, Fact]]:
    """Capitalised words; at the start of a sentence only what is not written small elsewhere."""
    small = frozenset(re.findall(r"\b[^\W\d_A-Z][\w'’-]*", text))
    for match in _CAPITAL.finditer(text):
        word = match[0]
        common = word.lower() in _OPENERS or word.lower() in small or _NEGATION.match(word)
        opens = common and not word.isupper() and _begins(text, match.start())
        if len(word) > 1 and not opens:
            yield match.start(), Fact(FactKind.NAME, word)


def _begins(text: str, place: int) -> bool:
    """Whether a sentence begins here."""
    while place and text[place - 1] in " \t\"'(":
        place -= 1
    return place == 0 or text[place - 1] in _SENTENCE_ENDS


def _absent(facts: tuple[Fact, ...], text: str) -> Iterator[Fact]:
    """The facts, each once, that the text does not hold."""
    plain = _plain(text)
    for fact in dict.fromkeys(facts):
        if fact.kind is FactKind.QUOTE:
            held = fact.words in text
        else:
            held = re.search(rf"(?<!\w){re.escape(_plain(fact.words))}(?!\w)", plain) is not None
        if not held:
            yield fact


def _figures(facts: tuple[Fact, ...]) -> Counter[str]:
    """Numbers in digits, which may stand for different things each time."""
    numbers = (fact.words for fact in facts if fact.kind is FactKind.NUMBER)
    return Counter(_plain(words) for words in numbers if any(letter.isdigit() for letter in words))


def _plain(words: str) -> str:
    return " ".join(words.split()).lower().replace("’", "'")
