"""Whether a prompt speaks of a person without one of the subject's own words: "Mira, a courier"."""

from __future__ import annotations

import random
import re

from gemini_emulator.pictures.vocabulary import vocabulary, words_of

_NAMED = re.compile(
    r"\b(?:named|called|of|with|meet)\s+([A-Z][a-zà-ÿ]{2,})\b(?!\s+[A-Z])"
    r"|(?:^|[.!?:]\s+)([A-Z][a-zà-ÿ]{2,}),? (?:an? |the |is |was |has |wears |rides |reads |holds |carries |"
    r"stands |sits |walks |runs |jumps |dances |sleeps |smiles |waves |looks |plays |eats |drinks |climbs )"
)
_NO_NAMES = frozenset({
    "the", "this", "that", "there", "these", "what", "here", "draw", "paint", "make", "create", "show",
    "give", "add", "put", "generate", "design", "imagine", "picture", "image", "photo", "product", "sketch",
})  # fmt: skip
_NO_PEOPLE = re.compile(
    r"\b(?:hero (?:shot|image|banner|picture|photo|section)|portrait (?:orientation|format|mode))\b",
    re.IGNORECASE,
)


def person_in(prompt: str, *, alone: bool) -> list[int]:
    """The subject for a person that a role or a name tells of; a pronoun suffices where it is `alone`.

    Roles and names are men's or women's by the pronouns beside them, else by a last a or o, else by a die.
    """
    words = vocabulary()
    kinds = {words.people[found] for found in words.find("person", words_of(_NO_PEOPLE.sub(" ", prompt)))}
    name = next((match[1] or match[2] for match in _NAMED.finditer(prompt) if _may_name(match)), None)
    if not name and "role" not in kinds and not (alone and kinds & {"she", "he"}):
        return []
    if "she" in kinds or "he" in kinds:
        woman = "she" in kinds
    elif name and name[-1] in "ao":
        woman = name[-1] == "a"
    else:
        woman = random.Random(f"person/{name or prompt}").random() < 0.5
    grown, young = ("woman", "girl") if woman else ("man", "boy")
    names = [subject.name for subject in words.subjects]
    return [names.index(young if "young" in kinds else grown)]


def _may_name(match: re.Match[str]) -> bool:
    """A capital also begins sentences, places and things: what the vocabulary knows is no name."""
    word = (match[1] or match[2]).lower()
    known = any(word in table for table in vocabulary().words.values())
    return not known and word not in _NO_NAMES
