"""From a prompt to the picture's plan: pure keyword work, no drawing."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace

from gemini_emulator.pictures.brief import Brief
from gemini_emulator.pictures.colour import RGB, mix, turned
from gemini_emulator.pictures.genome import Genome, conceive, dressed
from gemini_emulator.pictures.vocabulary import Light, Setting, vocabulary, words_of

_THEME_RANK = {"character": 0, "product": 1, "poster": 2, "landscape": 3}
_CLOSE_UP = {"portrait", "close-up", "closeup", "headshot", "avatar", "face", "bust", "selfie"}
_PRODUCT_PLACES = ("studio", "studio", "studio", "table")
_CHARACTER_PLACES = ("meadow", "forest", "city", "beach", "studio", "room", "mountains", "meadow")
_OPEN_PLACES = ("mountains", "meadow", "forest", "beach", "desert", "city", "snow")
_USUAL_LIGHTS = ("day", "day", "golden", "dawn", "dusk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything the painters need to know: who, where, in what light, doing what."""

    genome: Genome
    setting: Setting
    light: Light
    weather: str
    mood: str
    props: tuple[str, ...]
    colours: tuple[RGB, ...]
    close_up: bool
    detail: int
    draft: bool
    salt: int

    @property
    def theme(self) -> str:
        return self.genome.kind.theme

    def dice(self, purpose: str) -> random.Random:
        """A die of its own for each part of the picture, so that parts do not disturb each other."""
        return random.Random(f"{self.salt}/{purpose}")


def plan(brief: Brief, known: Genome | None) -> Scene:
    """Plan the picture; `known` is the genome of the first reference that carries one."""
    words = vocabulary()
    spoken = words_of(brief.prompt)
    salt = int.from_bytes(
        hashlib.sha256(f"{brief.prompt}\0{brief.model}\0{brief.seed}".encode()).digest()[:8]
    )
    dice = random.Random(salt)
    genome = dressed(known, brief.prompt) if known else _conceived(brief, spoken, dice)
    setting = _setting(spoken, genome, dice)
    return Scene(
        genome=genome,
        setting=replace(setting, sky=tuple(turned(colour, dice.uniform(-9, 9)) for colour in setting.sky)),
        light=_light(spoken, setting, dice),
        weather=words.names["weather"][next(iter(words.find("weather", spoken)), -1)],
        mood=words.names["mood"][next(iter(words.find("mood", spoken)), 0)],
        props=tuple(words.names["prop"][found] for found in words.find("prop", spoken)),
        colours=tuple(words.colours[found] for found in words.find("colour", spoken)),
        close_up=not _CLOSE_UP.isdisjoint(spoken),
        detail=words.detail(brief.model),
        draft=brief.draft,
        salt=salt,
    )


def lit(colour: RGB, light: Light, *, share: float = 1.0) -> RGB:
    """A colour of the place under the light."""
    return mix(colour, light.tint, share=light.share * share)


def sky_of(scene: Scene) -> tuple[RGB, ...]:
    """The sky from top to horizon: the place's own, or mostly the light's where the light has one."""
    own = scene.setting.sky
    if not scene.light.sky:
        return tuple(lit(colour, scene.light) for colour in own)
    share = 0.35 if scene.setting.name in {"space", "underwater"} else 0.8
    return tuple(mix(mine, theirs, share=share) for mine, theirs in zip(own, scene.light.sky, strict=True))


def _conceived(brief: Brief, spoken: list[str], dice: random.Random) -> Genome:
    words = vocabulary()
    found = words.find("subject", spoken)
    if not found:
        found = [_unspoken(brief, spoken, dice)]
    chosen = min(found, key=lambda subject: _THEME_RANK[words.subjects[subject].theme])
    return conceive(brief.prompt, brief.seed, subject=chosen)


def _unspoken(brief: Brief, spoken: list[str], dice: random.Random) -> int:
    """No subject named: a poster when there is something to write, a view when a place is named."""
    names = [subject.name for subject in vocabulary().subjects]
    if brief.letters:
        return names.index("abstract")
    places = vocabulary().find("setting", spoken)
    if places and not vocabulary().settings[places[0]].indoors:
        return names.index("landscape")
    return names.index(dice.choice(("abstract", "landscape")))


def _setting(spoken: list[str], genome: Genome, dice: random.Random) -> Setting:
    words = vocabulary()
    found = words.find("setting", spoken)
    if found:
        return words.settings[found[0]]
    usual = {"character": _CHARACTER_PLACES, "product": _PRODUCT_PLACES}
    name = dice.choice(usual.get(genome.kind.theme, _OPEN_PLACES))
    return next(setting for setting in words.settings if setting.name == name)


def _light(spoken: list[str], setting: Setting, dice: random.Random) -> Light:
    words = vocabulary()
    found = words.find("light", spoken)
    if found:
        return words.lights[found[0]]
    name = "day" if setting.indoors or setting.name == "space" else dice.choice(_USUAL_LIGHTS)
    return next(light for light in words.lights if light.name == name)
