"""Where a picture plays, as a few small numbers that travel in it beside the subject's genome.

An edit names only what changes. The rest it takes from here: place and its layout, light, weather,
mood, what is held, and the colours that were asked for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from gemini_emulator.pictures.colour import RGB
from gemini_emulator.pictures.genome import Genome
from gemini_emulator.pictures.packing import packed, unpacked
from gemini_emulator.pictures.vocabulary import Setting, removed_in, vocabulary, words_of

_BITS = {
    "setting": 4, "light": 3, "weather": 3, "mood": 3, "props": 13, "close_up": 1,
    "first": 6, "second": 6, "layout": 17,
}  # fmt: skip
PLACE_BITS = sum(_BITS.values())

_CLOSE_UP = {"portrait", "close-up", "closeup", "headshot", "avatar", "face", "bust", "selfie"}
_PRODUCT_PLACES = ("studio", "studio", "studio", "table")
_CHARACTER_PLACES = ("meadow", "forest", "city", "beach", "studio", "room", "mountains", "meadow")
_OPEN_PLACES = ("mountains", "meadow", "forest", "beach", "desert", "city", "snow")
_USUAL_LIGHTS = ("day", "day", "golden", "dawn", "dusk")
_EDITS = re.compile(
    r"^\W*(?:now|please|and|then|but|only|just|the same|same|keep|make|add|remove|change|put|give|turn|"
    r"replace|set|swap|edit|colou?r|recolou?r|paint|take|move|let|erase|delete|zoom)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`setting`, `light`, `weather`, `mood` index the vocabulary; `props` has a bit for each of its props.

    `first` and `second` are the colours asked for, counted from 1, 0 for none; `layout` is the die by
    which everything in the place falls.
    """

    setting: int
    light: int
    weather: int
    mood: int
    props: int
    close_up: int
    first: int
    second: int
    layout: int

    def pack(self) -> int:
        return packed(asdict(self), _BITS)

    @classmethod
    def unpack(cls, number: int) -> Place:
        axes, words = unpacked(number, _BITS), vocabulary()
        axes["setting"] %= len(words.settings)
        axes["light"] %= len(words.lights)
        for table in ("weather", "mood"):
            axes[table] %= len(words.names[table])
        for colour in ("first", "second"):
            axes[colour] %= len(words.colours) + 1
        return cls(**axes)

    @property
    def held(self) -> tuple[str, ...]:
        names = vocabulary().names["prop"]
        return tuple(name for number, name in enumerate(names) if self.props >> number & 1)

    @property
    def colours(self) -> tuple[RGB, ...]:
        return tuple(vocabulary().colours[number - 1] for number in (self.first, self.second) if number)


def found_in(prompt: str, genome: Genome, *, salt: int) -> Place:
    """The place that a prompt names, and dice for what it leaves open."""
    words, spoken, dice = vocabulary(), words_of(prompt), random.Random(salt)
    setting = _setting(spoken, genome, dice)
    blank = Place(
        setting=setting,
        light=_light(spoken, words.settings[setting], dice),
        weather=words.names["weather"].index("clear"),
        mood=0, props=0, close_up=0, first=0, second=0,
        layout=salt % (1 << _BITS["layout"]),
    )  # fmt: skip
    return _named(blank, spoken)


def edited(place: Place, prompt: str) -> Place:
    """The same place with what the prompt changes."""
    words, gone = vocabulary(), removed_in(prompt)
    for prop in words.find("prop", gone):
        place = replace(place, props=place.props & ~(1 << prop))
    if words.find("weather", gone):
        place = replace(place, weather=words.names["weather"].index("clear"))
    return _named(place, words_of(prompt))


def stays(place: Place, prompt: str, *, theme: str) -> bool:
    """Whether a prompt with a reference keeps the reference's place.

    It does unless it names another; a figure on a plain backdrop is a model sheet, which only an order
    such as "make", "add" or "now" keeps.
    """
    words = vocabulary()
    if words.find("setting", words_of(prompt)):
        return False
    plain = words.settings[place.setting].ridge == "cove"
    return not (plain and theme == "character") or _EDITS.match(prompt) is not None


def _named(place: Place, spoken: Sequence[str]) -> Place:
    words = vocabulary()
    named = {
        table: found[0] for table in ("light", "weather", "mood") if (found := words.find(table, spoken))
    }
    if props := words.find("prop", spoken):
        named["props"] = sum(1 << prop for prop in props)
    if colours := words.find("colour", spoken):
        named["first"], named["second"] = (colour + 1 for colour in [*colours, -1][:2])
    if not _CLOSE_UP.isdisjoint(spoken):
        named["close_up"] = 1
    return replace(place, **named)


def _setting(spoken: Sequence[str], genome: Genome, dice: random.Random) -> int:
    words = vocabulary()
    found = words.find("setting", spoken)
    if found:
        return found[0]
    usual = {"character": _CHARACTER_PLACES, "product": _PRODUCT_PLACES}
    name = dice.choice(usual.get(genome.kind.theme, _OPEN_PLACES))
    return [setting.name for setting in words.settings].index(name)


def _light(spoken: Sequence[str], setting: Setting, dice: random.Random) -> int:
    words = vocabulary()
    found = words.find("light", spoken)
    if found:
        return found[0]
    name = "day" if setting.indoors or setting.name == "space" else dice.choice(_USUAL_LIGHTS)
    return [light.name for light in words.lights].index(name)
