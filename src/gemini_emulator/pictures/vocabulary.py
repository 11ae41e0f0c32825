"""The words the painter understands, read once from vocabulary.toml. Holds no drawing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from gemini_emulator.pictures.colour import RGB, from_hex

_WORD = re.compile(r"[\w-]+")
_REMOVED = re.compile(
    r"\b(?:remove|without|delete|erase|drop|no|take off|get rid of)\s+"
    r"(?:(?:the|an?|any|her|his|its|their)\s+)?([\w-]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something to draw. `anatomy` is (ears, muzzle, tail) and empty for people and products."""

    name: str
    theme: str
    anatomy: tuple[str, ...] = ()
    coats: tuple[RGB, ...] = ()
    hat: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A place: sky from top to horizon, land from far to near, the ridge's shape, what grows."""

    name: str
    sky: tuple[RGB, ...]
    land: tuple[RGB, ...]
    ridge: str
    growth: tuple[str, ...]

    @property
    def indoors(self) -> bool:
        return self.ridge in {"tiles", "plain", "window", "cove"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """`share` of the tint falls on the land; `sky`, where given, outshines the place's own."""

    name: str
    tint: RGB
    share: float
    sun: RGB
    sky: tuple[RGB, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Every table by its own order, and for each table the words that lead to an entry."""

    colours: tuple[RGB, ...]
    subjects: tuple[Subject, ...]
    settings: tuple[Setting, ...]
    lights: tuple[Light, ...]
    people: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    words: Mapping[str, Mapping[str, int]]
    finishes: tuple[tuple[tuple[str, ...], int], ...]

    def find(self, table: str, spoken: Iterable[str]) -> list[int]:
        """Positions in the table that the words lead to, in spoken order, each once."""
        known = self.words[table]
        return list(dict.fromkeys(known[word] for word in spoken if word in known))

    def detail(self, model: str) -> int:
        """How richly a model paints, 1 to 4: the first finish with a part of the model's name."""
        return next(detail for parts, detail in self.finishes if any(part in model.lower() for part in parts))


def words_of(prompt: str) -> list[str]:
    """Lower-case words in order, plurals also without their s, neighbours also joined by a hyphen.

    What the prompt wants removed is not among them.
    """
    plain = _WORD.findall(_REMOVED.sub(" ", prompt).lower())
    spoken: list[str] = []
    for position, word in enumerate(plain):
        if position:
            spoken.append(f"{plain[position - 1]}-{word}")
        spoken.append(word)
        if word.endswith("s"):
            spoken.append(word.removesuffix("s"))
    return spoken


def removed_in(prompt: str) -> list[str]:
    """The words of what a prompt wants removed, as in "take off the hat"."""
    return words_of(" ".join(_REMOVED.findall(prompt)))


@cache
def vocabulary() -> Vocabulary:
    raw = tomllib.loads(files(__package__).joinpath("vocabulary.toml").read_text("utf-8"))
    tables = ("colour", "subject", "setting", "light", "weather", "mood", "prop", "person")
    return Vocabulary(
        colours=tuple(from_hex(entry["rgb"]) for entry in raw["colour"]),
        subjects=tuple(_subject(entry) for entry in raw["subject"]),
        settings=tuple(_setting(entry) for entry in raw["setting"]),
        lights=tuple(_light(entry) for entry in raw["light"]),
        people=tuple(entry["name"] for entry in raw["person"]),
        names={table: tuple(entry["name"] for entry in raw[table]) for table in ("weather", "mood", "prop")},
        words={table: _index(raw[table]) for table in tables},
        finishes=tuple((tuple(entry["words"]), entry["detail"]) for entry in raw["finish"]),
    )


def _index(entries: list[dict[str, Any]]) -> dict[str, int]:
    index: dict[str, int] = {}
    for position, entry in enumerate(entries):
        for word in entry["words"]:
            index.setdefault(word, position)
    return index


def _subject(entry: dict[str, Any]) -> Subject:
    return Subject(
        name=entry["name"],
        theme=entry["theme"],
        anatomy=tuple(entry.get("anatomy", ())),
        coats=tuple(map(from_hex, entry.get("coats", ()))),
        hat=entry.get("hat"),
    )


def _setting(entry: dict[str, Any]) -> Setting:
    return Setting(
        name=entry["name"],
        sky=tuple(map(from_hex, entry["sky"])),
        land=tuple(map(from_hex, entry["land"])),
        ridge=entry["ridge"],
        growth=tuple(entry["growth"]),
    )


def _light(entry: dict[str, Any]) -> Light:
    return Light(
        name=entry["name"],
        tint=from_hex(entry["tint"]),
        share=entry["share"],
        sun=from_hex(entry["sun"]),
        sky=tuple(map(from_hex, entry.get("sky", ()))),
    )
