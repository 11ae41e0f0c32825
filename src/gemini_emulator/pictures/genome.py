"""The looks of a subject as a few small numbers, packed into 48 bits that travel in the picture.

A genome comes from the prompt and seed, or is read back from a reference: then the subject keeps its
looks, except for what the new prompt names outright (a colour before the subject, a hat, glasses).
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import asdict, dataclass, replace

from gemini_emulator.pictures.colour import RGB
from gemini_emulator.pictures.packing import packed, unpacked
from gemini_emulator.pictures.vocabulary import Subject, removed_in, vocabulary, words_of

GENOME_BITS = 48

HATS = ("none", "none", "none", "beanie", "cap", "straw", "beret", "bow")
GLASSES = ("none", "none", "none", "none", "none", "round", "round", "square")
OUTFITS = ("striped", "dungarees", "jacket", "dress", "apron", "coat", "tee", "hoodie")
NECKS = ("none", "scarf", "bowtie", "pendant")

_BITS = {
    "subject": 6, "hue": 5, "accent": 5, "skin": 3, "hair": 3, "style": 3, "eyes": 3, "outfit": 3,
    "hat": 3, "glasses": 3, "neck": 2, "marking": 2, "build": 2, "pattern": 3, "face": 2,
}  # fmt: skip

_SURROUNDINGS = ("background", "backdrop", "wall", "table", "sky", "light", "room", "studio", "floor")

_WORN = {
    "beanie": ("hat", 3), "cap": ("hat", 4), "hat": ("hat", 5), "beret": ("hat", 6), "bow": ("hat", 7),
    "glasses": ("glasses", 5), "spectacles": ("glasses", 5), "sunglasses": ("glasses", 7),
    "scarf": ("neck", 1), "bowtie": ("neck", 2), "necklace": ("neck", 3), "pendant": ("neck", 3),
    "striped": ("outfit", 0), "stripes": ("outfit", 0), "dungarees": ("outfit", 1), "overalls": ("outfit", 1),
    "jacket": ("outfit", 2), "blazer": ("outfit", 2), "dress": ("outfit", 3), "gown": ("outfit", 3),
    "apron": ("outfit", 4), "coat": ("outfit", 5), "raincoat": ("outfit", 5), "tee": ("outfit", 6),
    "t-shirt": ("outfit", 6), "shirt": ("outfit", 6), "hoodie": ("outfit", 7), "sweater": ("outfit", 7),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Genome:
    """One number an axis; what a number means is the painter's business (`hue` and `accent` index
    the vocabulary's colours, `subject` its subjects).
    """

    subject: int
    hue: int
    accent: int
    skin: int
    hair: int
    style: int
    eyes: int
    outfit: int
    hat: int
    glasses: int
    neck: int
    marking: int
    build: int
    pattern: int
    face: int

    def pack(self) -> int:
        return packed(asdict(self), _BITS)

    @classmethod
    def unpack(cls, number: int) -> Genome:
        axes = unpacked(number, _BITS)
        axes["subject"] %= len(vocabulary().subjects)
        return cls(**axes)

    @property
    def kind(self) -> Subject:
        return vocabulary().subjects[self.subject]

    @property
    def main_colour(self) -> RGB:
        return vocabulary().colours[self.hue]

    @property
    def accent_colour(self) -> RGB:
        return vocabulary().colours[self.accent]


def conceive(prompt: str, seed: int | None, *, subject: int) -> Genome:
    """A new subject: the dice fall by prompt and seed, and the prompt's own words overrule them."""
    digest = hashlib.sha256(f"genome\0{' '.join(prompt.lower().split())}\0{seed}".encode()).digest()
    dice = random.Random(digest)
    axes = {name: dice.randrange(1 << bits) for name, bits in _BITS.items()}
    axes["subject"] = subject
    if axes["accent"] == axes["hue"]:
        axes["accent"] = (axes["hue"] + 11) % 32
    spoken = vocabulary().find("colour", _own_words(prompt))
    if spoken:
        axes["hue"] = spoken[0]
    if len(spoken) > 1:
        axes["accent"] = spoken[1]
    return dressed(Genome(**axes), prompt)


def _own_words(prompt: str) -> list[str]:
    """The prompt's words without those that belong to the surroundings, as in 'on a white background'."""
    spoken = words_of(prompt)
    return [word for word in spoken if not any(f"{word}-{place}" in spoken for place in _SURROUNDINGS)]


def dressed(genome: Genome, prompt: str) -> Genome:
    """The genome with what the prompt names outright: things worn or taken off, and a colour beside the
    subject, its clothes, or what it wears besides."""
    spoken = words_of(prompt)
    gone = [_WORN[word][0] for word in removed_in(prompt) if word in _WORN]
    worn = {axis: 0 for axis in gone if axis != "outfit"}
    worn |= dict(_WORN[word] for word in spoken if word in _WORN)
    return replace(genome, **worn, **_coloured(genome, spoken))


def _coloured(genome: Genome, spoken: list[str]) -> dict[str, int]:
    words = vocabulary()
    plain = [word for word in spoken if word.count("-") == 0]
    colours: dict[str, int] = {}
    for position, word in enumerate(plain):
        axis = _WORN.get(word, ("", 0))[0]
        own = words.words["subject"].get(word) == genome.subject or axis == "outfit"
        near = [*plain[max(0, position - 2) : position], *plain[position + 1 : position + 2]]
        named = words.find("colour", near)
        if named and (own or axis):
            colours["hue" if own else "accent"] = named[-1]
    return colours
