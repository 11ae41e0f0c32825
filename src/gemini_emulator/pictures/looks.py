"""A genome translated into colours and named shapes."""

from __future__ import annotations

from dataclasses import dataclass

from gemini_emulator.pictures.colour import RGB, brightness, darker, from_hex, lighter
from gemini_emulator.pictures.genome import GLASSES, HATS, NECKS, OUTFITS, Genome
from gemini_emulator.pictures.vocabulary import Subject

SKINS = tuple(map(from_hex, (
    "#f6d7bf", "#eec19c", "#dda577", "#c48a5a", "#a56c42", "#845232", "#633b26", "#4a2b1d")))  # fmt: skip
HAIRS = tuple(map(from_hex, (
    "#2a2024", "#4d3022", "#7d4d2a", "#b9803f", "#e3bd6d", "#a63d22", "#8d8a90", "#3c4a78")))  # fmt: skip
EYES = tuple(map(from_hex, (
    "#4a2f20", "#7a5230", "#3f7d4e", "#2f6fa8", "#5a4a8c", "#3a3f4a", "#8a7a2a", "#2d7f86")))  # fmt: skip


_MANLY = frozenset({"boy", "man", "knight", "pirate", "chef", "wizard"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """A genome in colours and named shapes."""

    kind: Subject
    skin: RGB
    hair: RGB
    iris: RGB
    top: RGB
    accent: RGB
    style: int
    hat: str
    glasses: str
    neck: str
    marking: int
    build: int
    pattern: int
    face: int
    outfit: str

    @property
    def animal(self) -> bool:
        return bool(self.kind.anatomy)

    @property
    def girlish(self) -> bool:
        return self.kind.name in {"girl", "woman", "princess"}


def looks_of(genome: Genome) -> Looks:
    """Translate the genome's numbers into colours and shapes."""
    kind = genome.kind
    animal = bool(kind.anatomy)
    skin = kind.coats[genome.skin % len(kind.coats)] if animal else SKINS[genome.skin]
    top = genome.main_colour
    if sum(abs(a - b) for a, b in zip(top, skin, strict=True)) < 90:
        top = darker(top, 0.4) if brightness(top) > 110 else lighter(top, 0.5)
    return Looks(
        kind=kind,
        skin=skin,
        hair=HAIRS[genome.hair],
        iris=EYES[genome.eyes],
        top=top,
        accent=genome.accent_colour,
        style=genome.style,
        hat=kind.hat or _hat(genome),
        glasses=GLASSES[genome.glasses],
        neck=NECKS[genome.neck],
        marking=genome.marking,
        build=genome.build,
        pattern=genome.pattern,
        face=genome.face,
        outfit=_outfit(genome),
    )


def _outfit(genome: Genome) -> str:
    """Boys and men wear dungarees where others wear the dress."""
    name = OUTFITS[genome.outfit]
    return "dungarees" if name == "dress" and genome.kind.name in _MANLY else name


def _hat(genome: Genome) -> str:
    name = HATS[genome.hat]
    return "cap" if name == "bow" and genome.kind.name in _MANLY else name
