"""The built places: a studio cove, a table, a kitchen, a room."""

from __future__ import annotations

import numpy as np

from gemini_emulator.pictures.backdrop import soft_field
from gemini_emulator.pictures.colour import RGB, brightness, darker, lighter, mix
from gemini_emulator.pictures.easel import Easel, Pen, Ramp, Veil
from gemini_emulator.pictures.scene import Scene, lit

FLOOR = 0.7

_WALLS: tuple[RGB, ...] = (
    (126, 168, 172), (226, 160, 132), (150, 176, 140), (176, 160, 204), (236, 200, 130), (238, 226, 208),
    (120, 146, 180), (214, 150, 160),
)  # fmt: skip


def paint_indoors(easel: Easel, scene: Scene) -> None:
    """Wall, floor or table top, and what hangs on the wall."""
    if scene.setting.ridge == "cove":
        return _studio(easel, scene)
    dice = scene.lay("room")
    wall = tuple(lit(colour, scene.light, share=0.8) for colour in _wall(scene))
    side = dice.choice((0.2, 0.8))
    easel.wash(
        soft_field(easel, wall, until=FLOOR, sun=(side, 0.1), shine=Veil((255, 246, 224), 0.5), vignette=0.3)
    )
    pen = Pen(easel, 0, 0, easel.unit)
    if scene.setting.ridge == "tiles":
        _tiles(pen, scene)
    if scene.setting.ridge == "window":
        _window(pen, scene, side)
        _frames(pen, scene, 1 - side)
    return _boards(pen, scene)


def _wall(scene: Scene) -> tuple[RGB, ...]:
    """A painted wall in one of a few decorators' tones."""
    hint = scene.lay("wall").choice(_WALLS)
    return tuple(mix(colour, hint, share=0.62) for colour in scene.setting.sky)


def _studio(easel: Easel, scene: Scene) -> None:
    """A seamless sweep in a tone that flatters the subject, with one big soft light."""
    dice = scene.lay("studio")
    spoken = [colour for colour in scene.colours if colour != scene.genome.main_colour]
    tone = spoken[0] if spoken else dice.choice(
        [(236, 226, 214), (214, 226, 230), (232, 214, 214), (221, 228, 214), (224, 218, 234), (240, 226, 190)]
    )  # fmt: skip
    if abs(brightness(tone) - brightness(scene.genome.main_colour)) < 26:
        tone = darker(tone, 0.3) if brightness(tone) > 128 else lighter(tone, 0.45)
    tone = lit(tone, scene.light, share=0.9)
    stops = (darker(tone, 0.06), lighter(tone, 0.12), darker(tone, 0.05), darker(tone, 0.16))
    light = (dice.choice((0.3, 0.7)), 0.3)
    easel.wash(
        soft_field(easel, stops, until=1.0, sun=light, shine=Veil((255, 253, 246), 0.5), vignette=0.26)
    )


def _boards(pen: Pen, scene: Scene) -> None:
    """A floor or table top: boards with grain that run towards the viewer."""
    dice = scene.lay("boards")
    wide, high = pen.easel.width / pen.scale, pen.easel.height / pen.scale
    top = high * FLOOR
    wood = lit(scene.setting.land[3], scene.light, share=0.7)
    pen.box((0, top, wide, high), wood)
    count = max(6, round(7 * wide))
    for number in range(count):
        left, right = number / count, (number + 1) / count
        shade = darker(wood, dice.uniform(0.0, 0.15))
        x0, x1 = (wide * (0.5 + (edge - 0.5) * 1.0) for edge in (left, right))
        y0, y1 = (wide * (0.5 + (edge - 0.5) * 2.1) for edge in (left, right))
        pen.poly([(x0, top), (x1, top), (y1, high), (y0, high)], shade)
        for _ in range(scene.detail):
            along = dice.uniform(0.1, 0.9)
            a, b = x0 + (x1 - x0) * along, y0 + (y1 - y0) * along
            start = dice.uniform(0, 0.5)
            ys = [start, start + 0.2, start + 0.4]
            pen.ribbon(
                [(a + (b - a) * y, top + (high - top) * y) for y in ys], darker(shade, 0.12), width=0.003
            )
    pen.box((0, top, wide, top + 0.012), lighter(wood, 0.3))
    pen.box((0, top + 0.012, wide, top + 0.03), Veil(darker(wood, 0.7), 0.16))


def _tiles(pen: Pen, scene: Scene) -> None:
    wide, high = pen.easel.width / pen.scale, pen.easel.height / pen.scale
    grout = Veil((255, 252, 244), 0.34)
    for row, y in enumerate(np.arange(0.0, high * FLOOR, 0.09)):
        pen.box((0, y, wide, y + 0.004), grout)
        for x in np.arange(-0.18 + (row % 2) * 0.09, wide, 0.18):
            pen.box((x, y, x + 0.004, y + 0.09), grout)
    shelf = high * 0.24
    dice = scene.lay("shelf")
    pen.box((0, shelf, wide, shelf + 0.022), lit(scene.setting.land[1], scene.light, share=0.6))
    pen.box((0, shelf + 0.022, wide, shelf + 0.05), Veil((60, 40, 30), 0.18))
    x = dice.uniform(0.02, 0.1)
    while x < wide - 0.05:
        size = dice.uniform(0.06, 0.12)
        colour = lit(
            dice.choice([(222, 140, 96), (120, 158, 150), (238, 226, 204), (88, 108, 132), (206, 96, 88)]),
            scene.light,
            share=0.7,
        )
        pen.slab(
            (x, shelf - size, x + 0.07, shelf),
            Ramp((lighter(colour, 0.2), colour, darker(colour, 0.2)), sideways=True),
        )
        pen.box((x + 0.012, shelf - size - 0.016, x + 0.058, shelf - size), darker(colour, 0.3))
        x += dice.uniform(0.1, 0.24)


def _window(pen: Pen, scene: Scene, side: float) -> None:
    wide, high = pen.easel.width / pen.scale, pen.easel.height / pen.scale
    x, top, bottom = wide * side, high * 0.1, high * (FLOOR - 0.16)
    frame = lit((250, 246, 238), scene.light, share=0.4)
    sky = tuple(lit(colour, scene.light) for colour in ((110, 180, 230), (206, 232, 244)))
    pen.slab((x - 0.19, top - 0.02, x + 0.19, bottom + 0.02), frame)
    pen.box((x - 0.17, top, x + 0.17, bottom), Ramp(sky))
    pen.blob(
        [
            (x - 0.17, bottom),
            (x - 0.12, bottom - 0.09),
            (x, bottom - 0.05),
            (x + 0.17, bottom - 0.12),
            (x + 0.17, bottom),
        ],
        lit((104, 160, 106), scene.light),
    )
    pen.box((x - 0.006, top, x + 0.006, bottom), frame)
    pen.box((x - 0.17, (top + bottom) / 2 - 0.006, x + 0.17, (top + bottom) / 2 + 0.006), frame)
    pen.box((x - 0.22, bottom + 0.015, x + 0.22, bottom + 0.045), frame)
    cloth = lit(scene.genome.accent_colour, scene.light, share=0.6)
    for edge in (-1, 1):
        hem = x + edge * 0.21
        pen.blob(
            [
                (hem - 0.06, top - 0.04),
                (hem + 0.06, top - 0.04),
                (hem + 0.05, bottom),
                (hem, bottom + 0.1),
                (hem - 0.05, bottom),
            ],
            Ramp((lighter(cloth, 0.2), cloth, darker(cloth, 0.2)), sideways=True),
        )


def _frames(pen: Pen, scene: Scene, side: float) -> None:
    dice = scene.lay("frames")
    wide, high = pen.easel.width / pen.scale, pen.easel.height / pen.scale
    for number in range(2):
        x, y = wide * side + (number - 0.5) * 0.24, high * (0.2 + 0.06 * number)
        half = dice.uniform(0.06, 0.09)
        pen.box((x - half, y, x + half, y + half * 2.5), lit((84, 62, 50), scene.light, share=0.5))
        pen.box(
            (x - half + 0.012, y + 0.012, x + half - 0.012, y + half * 2.5 - 0.012),
            lit((246, 240, 226), scene.light, share=0.5),
        )
        paint = scene.genome.main_colour if number else scene.genome.accent_colour
        pen.dot((x, y + half * 1.3, half * 0.5), lit(paint, scene.light, share=0.6))
