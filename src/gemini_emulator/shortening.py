"""What the emulated text model can do: cut a text down to so many words, the same way every time. Pure.

It does as it is told in plain English ("at most 120 words"): words that carry a fact stay, filler goes first,
then whatever else stands last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from gemini_emulator.world import load

_LIMIT = re.compile(r"at most (\d[\d,]*) words", re.IGNORECASE)
_WORD = re.compile(r'[^\s"“”„«»]*(?:"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»)\S*|\S+')
_FACT = re.compile(r"[0-9A-Z#\"“„«]|[^\x00-\x7f]")
_NEGATION = re.compile(
    r"^(no|not|never|none|nothing|nobody|neither|nor|without|avoid|\w+n['’]t)$", re.IGNORECASE
)
_KEPT_AFTER_NEGATION = 5


def limit_of(instruction: str) -> int | None:
    """How many words an instruction allows, where it says so."""
    said = _LIMIT.search(instruction)
    return int(said[1].replace(",", "")) if said else None


def shortened(text: str, words: int) -> str:
    """The text in at most so many words, or in as many as carry a fact."""
    there = _WORD.findall(text)
    dropped = set[int]()
    for place in _droppable(there):
        if len(there) - len(dropped) <= words:
            break
        dropped.add(place)
    return " ".join(word for place, word in enumerate(there) if place not in dropped)


def _droppable(words: list[str]) -> Iterator[int]:
    """Places in the order in which they may go."""
    facts, chatter = _facts(words), _known("filler")
    free = [place for place in range(len(words)) if place not in facts]
    yield from (place for place in free if _bare(words[place]) in chatter)
    yield from (place for place in reversed(free) if _bare(words[place]) not in chatter)


def _facts(words: list[str]) -> frozenset[int]:
    facts, telling = set[int](), _known("telling")
    for place, word in enumerate(words):
        if _FACT.search(word) or not telling.isdisjoint(_bare(word).split("-")):
            facts.add(place)
        if _NEGATION.match(_bare(word)):
            facts.update(range(place, min(place + _KEPT_AFTER_NEGATION, len(words))))
    return frozenset(facts)


def _bare(word: str) -> str:
    return word.strip(".,;:!?()[]").lower()


@cache
def _known(table: str) -> frozenset[str]:
    words: str = load("texts.toml")["words"][table]
    return frozenset(words.split())
