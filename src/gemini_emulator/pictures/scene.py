"""From a prompt to the picture's plan: pure keyword work, no drawing."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace

from gemini_emulator.pictures.brief import Brief
from gemini_emulator.pictures.colour import RGB, mix, turned
from gemini_emulator.pictures.genome import Genome, conceive, dressed
from gemini_emulator.pictures.people import person_in
from gemini_emulator.pictures.place import Place, edited, found_in, stays
from gemini_emulator.pictures.vocabulary import Light, Setting, vocabulary, words_of
from gemini_emulator.pictures.watermark import Mark

_THEME_RANK = {"character": 0, "product": 1, "poster": 2, "landscape": 3}
_VIEWS = frozenset({"poster", "landscape"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything the painters need to know: who, where, in what light, doing what."""

    genome: Genome
    place: Place
    setting: Setting
    colours: tuple[RGB, ...]
    detail: int
    draft: bool
    salt: int

    @property
    def theme(self) -> str:
        return self.genome.kind.theme

    @property
    def light(self) -> Light:
        return vocabulary().lights[self.place.light]

    @property
    def weather(self) -> str:
        return vocabulary().names["weather"][self.place.weather]

    @property
    def mood(self) -> str:
        return vocabulary().names["mood"][self.place.mood]

    @property
    def props(self) -> tuple[str, ...]:
        return self.place.held

    @property
    def close_up(self) -> bool:
        return bool(self.place.close_up)

    def dice(self, purpose: str) -> random.Random:
        """A die of its own for each part of the picture, so that parts do not disturb each other."""
        return random.Random(f"{self.salt}/{purpose}")

    def lay(self, purpose: str) -> random.Random:
        """A die for what belongs to the place, and falls the same in every edit of a picture."""
        return random.Random(f"{self.place.layout}/{purpose}")


def plan(brief: Brief, known: Mark | None) -> Scene:
    """Plan the picture; `known` is the mark of the first reference that carries one."""
    words = vocabulary()
    salt = int.from_bytes(
        hashlib.sha256(f"{brief.prompt}\0{brief.model}\0{brief.seed}".encode()).digest()[:8]
    )
    genome = _subject(brief, known, random.Random(salt))
    if known and stays(known.place, brief.prompt, theme=known.genome.kind.theme):
        place = edited(known.place, brief.prompt)
    else:
        place = found_in(brief.prompt, genome, salt=salt)
    setting = words.settings[place.setting]
    hue = random.Random(f"{place.layout}/hue")
    return Scene(
        genome=genome,
        place=place,
        setting=replace(setting, sky=tuple(turned(colour, hue.uniform(-9, 9)) for colour in setting.sky)),
        colours=place.colours,
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


def _subject(brief: Brief, known: Mark | None, dice: random.Random) -> Genome:
    """Who or what is shown. A view or a poster takes in a subject that is named; a subject stays."""
    named = _named(brief.prompt)
    kinds = vocabulary().subjects
    if known and (known.genome.kind.theme not in _VIEWS or named is None or kinds[named].theme in _VIEWS):
        return dressed(known.genome, brief.prompt)
    return conceive(brief.prompt, brief.seed, subject=_unspoken(brief, dice) if named is None else named)


def _named(prompt: str) -> int | None:
    """People and animals outrank products, which outrank places; of equals the first named."""
    words = vocabulary()
    found = words.find("subject", words_of(prompt))
    if all(words.subjects[subject].theme != "character" for subject in found):
        found += person_in(prompt, alone=not found)
    return min(found, key=lambda subject: _THEME_RANK[words.subjects[subject].theme], default=None)


def _unspoken(brief: Brief, dice: random.Random) -> int:
    """No subject named: a poster when there is something to write, a view when a place is named."""
    names = [subject.name for subject in vocabulary().subjects]
    if brief.letters:
        return names.index("abstract")
    places = vocabulary().find("setting", words_of(brief.prompt))
    if places and not vocabulary().settings[places[0]].indoors:
        return names.index("landscape")
    return names.index(dice.choice(("abstract", "landscape")))
