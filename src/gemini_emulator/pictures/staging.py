"""Where the subject stands, how large, in what shadow, and where the writing may go."""

from __future__ import annotations

from dataclasses import dataclass

from gemini_emulator.pictures.backdrop import GROUND
from gemini_emulator.pictures.character import draw_character
from gemini_emulator.pictures.colour import darker, lighter, mix
from gemini_emulator.pictures.easel import Easel, Pen, Ramp, Veil
from gemini_emulator.pictures.genome import Genome
from gemini_emulator.pictures.looks import looks_of
from gemini_emulator.pictures.product import draw_product
from gemini_emulator.pictures.scene import Scene

WIDE_FROM = 1.45

_GROUNDED = frozenset({"car", "chair"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Foot of the subject and its height in canvas pixels; the text's box as shares of the canvas."""

    x: float
    y: float
    size: float
    text: tuple[float, float, float, float]


def stage_for(easel: Easel, scene: Scene, *, lettered: bool) -> Stage:
    wide, high = easel.width, easel.height
    beside = wide / high > WIDE_FROM
    x = wide * (0.72 if beside and lettered else 0.5)
    y = high * (GROUND + (0.06 if scene.theme == "character" else 0.02))
    room = 0.56 if lettered and not beside else 0.68
    size = (
        min(high * room, wide * 1.12) if scene.theme == "character" else min(high * room * 0.92, wide * 0.8)
    )
    if scene.close_up and scene.theme == "character":
        size = min(high * (1.0 if lettered else 1.2), wide * 1.7)
        y = high * (0.6 if lettered and not beside else 0.52) + size * 0.66
    if scene.setting.ridge == "cove" and high > 1.8 * wide:
        y = (high * (1.16 if lettered else 1.0) + size) / 2
    text = (0.05, 0.05, 0.95, 0.27)
    if scene.theme == "poster":
        text = (0.14, 0.26, 0.86, 0.74)
    elif beside:
        text = (0.05, 0.16, 0.48, 0.8)
    return Stage(x=x, y=y, size=size, text=text)


def place_subject(easel: Easel, scene: Scene, *, stage: Stage, companions: tuple[Genome, ...]) -> None:
    if scene.setting.ridge == "cove":
        _spotlight(easel, stage)
    for place, companion in enumerate(companions):
        side = (-1, 1, -1)[place]
        spot = Pen(
            easel, stage.x + side * stage.size * (0.52 + 0.2 * (place > 1)), stage.y, stage.size * 0.74
        )
        _stand(spot, scene, companion, main=False)
    _stand(Pen(easel, stage.x, stage.y, stage.size), scene, scene.genome, main=True)


def _spotlight(easel: Easel, stage: Stage) -> None:
    """A lit disc on the wall behind the subject, and the floor a shade darker before it."""
    x, y = round(stage.x), round(max(0.0, stage.y - stage.size * 0.55))
    red, green, blue = easel.image.crop((x, y, x + 1, y + 1)).resize((1, 1)).tobytes()
    pen = Pen(easel, stage.x, stage.y, stage.size)
    if easel.detail > 1:
        pen.dot((0, -0.52, 0.64), lighter((red, green, blue), 0.32))
    pen.glow((0, 0.05, 0.95, 0.24), Veil(darker((red, green, blue), 0.6), 0.25))


def _stand(pen: Pen, scene: Scene, genome: Genome, *, main: bool) -> None:
    theme = genome.kind.theme
    if theme == "product":
        if genome.kind.name not in _GROUNDED and (scene.setting.ridge == "cove" or not scene.setting.indoors):
            _podium(pen, scene)
        _shadow(pen, 0.5)
        draw_product(pen, genome)
    elif theme == "character":
        _shadow(pen, 0.3)
        dice = scene.dice("pose")
        draw_character(
            pen,
            looks_of(genome),
            mood=scene.mood,
            held=scene.props if main else (),
            waving=dice.random() < 0.45,
        )


def _shadow(pen: Pen, reach: float) -> None:
    if pen.easel.detail > 1:
        pen.glow((0.06, 0.0, reach * 1.5, reach * 0.3), Veil((24, 18, 44), 0.6))
        pen.glow((0, 0.0, reach * 0.95, reach * 0.14), Veil((18, 14, 34), 0.7))
    else:
        pen.oval((0, 0.0, reach * 0.8, reach * 0.12), Veil((24, 18, 44), 0.35))


def _podium(pen: Pen, scene: Scene) -> None:
    """A round plinth in the place's own tone."""
    tone = mix(scene.setting.land[3], (255, 250, 242), share=0.4)
    tone = mix(tone, scene.light.tint, share=scene.light.share * 0.7)
    pen.glow((0.08, 0.13, 0.95, 0.16), Veil((24, 18, 44), 0.45))
    side = Ramp((darker(tone, 0.3), tone, lighter(tone, 0.3), tone, darker(tone, 0.35)), sideways=True)
    pen.slab((-0.62, 0.02, 0.62, 0.16), side, radius=0.03)
    pen.oval((0, 0.15, 0.62, 0.07), side)
    pen.oval((0, 0.02, 0.62, 0.075), lighter(tone, 0.34))
    pen.oval((0, 0.024, 0.58, 0.064), lighter(tone, 0.22))
