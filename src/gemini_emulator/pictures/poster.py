"""Abstract posters: a few big shapes on a grid, in a palette of four."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from gemini_emulator.pictures.colour import RGB, brightness, darker, from_hex, lighter, mix
from gemini_emulator.pictures.easel import Easel, Pen, Ramp, Veil
from gemini_emulator.pictures.scene import Scene, lit

_PALETTES = tuple(
    tuple(map(from_hex, row.split()))
    for row in (
        "#f3ead7 #d8402f #1f3a5f #f0b541",
        "#12233d #f2c14e #e4572e #76b5a0",
        "#fbeee0 #2a6f6b #ef8a62 #33204a",
        "#f6d6c9 #c8324c #3b2a5a #f4a548",
        "#e9efe6 #2f5d50 #e07a3f #f2cf63",
        "#23183c #ff6f61 #5ec8c4 #f7d774",
        "#efe9f4 #5b3fa0 #f26d9b #2c2a3f",
        "#f9f4ea #0f4c81 #e9b44c #d1495b",
    )
)
Cell = Callable[[Pen, RGB, RGB], None]


def palette_of(scene: Scene) -> tuple[RGB, ...]:
    """Ground first; the prompt's colours replace the palette's own."""
    own = list(scene.lay("palette").choice(_PALETTES))
    for place, colour in enumerate(scene.colours[:3]):
        own[1 + place] = colour
    return tuple(lit(colour, scene.light, share=0.5) for colour in own)


def paint_poster(easel: Easel, scene: Scene, *, lettered: bool) -> None:
    """Fill the canvas; `lettered` keeps a calm field in the middle for the writing."""
    ground, *inks = palette_of(scene)
    easel.wash(np.broadcast_to(np.array(ground, dtype=float), (8, 8, 3)))
    dice = scene.lay("poster")
    drawn = dice.choice((_mosaic, _orbits, _waves)) if not lettered else dice.choice((_orbits, _waves))
    drawn(easel, (ground, *inks), dice, scene.detail)


def _mosaic(easel: Easel, palette: tuple[RGB, ...], dice: random.Random, detail: int) -> None:
    wide, high = easel.width / easel.unit, easel.height / easel.unit
    count = 4 + detail // 3
    size = 1 / count
    for row in range(math.ceil(high / size)):
        for column in range(math.ceil(wide / size)):
            back, front = dice.sample(palette, 2)
            cell = Pen(easel, 0, 0, easel.unit).at((column + 0.5) * size, (row + 0.5) * size, scale=size)
            cell = cell.at(0, 0, turn=dice.randrange(4) * math.pi / 2)
            cell.box((-0.501, -0.501, 0.501, 0.501), back)
            dice.choice(_CELLS)(cell, front, dice.choice(palette))


def _quarter(pen: Pen, colour: RGB, other: RGB) -> None:
    pen.poly(
        [(-0.5, -0.5), *[(-0.5 + math.cos(a), -0.5 + math.sin(a)) for a in np.linspace(0, math.pi / 2, 30)]],
        colour,
    )
    pen.poly(
        [
            (-0.5, -0.5),
            *[(-0.5 + 0.5 * math.cos(a), -0.5 + 0.5 * math.sin(a)) for a in np.linspace(0, math.pi / 2, 24)],
        ],
        other,
    )


def _half(pen: Pen, colour: RGB, other: RGB) -> None:
    pen.poly([(-0.5 + 0.5 * math.sin(a), -0.5 * math.cos(a)) for a in np.linspace(0, math.pi, 30)], colour)
    pen.poly([(0.5 * math.sin(a), -0.5 * math.cos(a)) for a in np.linspace(0, math.pi, 30)], other)


def _rings(pen: Pen, colour: RGB, other: RGB) -> None:
    for radius, paint in ((0.46, colour), (0.3, other), (0.14, colour)):
        pen.dot((0, 0, radius), paint)


def _stripes(pen: Pen, colour: RGB, other: RGB) -> None:
    for number in range(4):
        pen.box((-0.5, -0.5 + number * 0.25, 0.5, -0.375 + number * 0.25), colour)


def _triangles(pen: Pen, colour: RGB, other: RGB) -> None:
    pen.poly([(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5)], colour)
    pen.poly([(-0.5, -0.5), (0, -0.5), (-0.5, 0)], other)


def _leaf(pen: Pen, colour: RGB, other: RGB) -> None:
    arc = np.linspace(0, math.pi / 2, 24)
    pen.poly(
        [
            *[(-0.5 + math.cos(a), 0.5 - math.sin(a)) for a in arc],
            *[(0.5 - math.cos(a), -0.5 + math.sin(a)) for a in arc],
        ],
        colour,
    )
    pen.dot((0, 0, 0.1), other)


_CELLS: tuple[Cell, ...] = (_quarter, _half, _rings, _stripes, _triangles, _leaf, _quarter)


def _orbits(easel: Easel, palette: tuple[RGB, ...], dice: random.Random, detail: int) -> None:
    """One great disc, satellites, and lines through them."""
    ground, *inks = palette
    pen = Pen(easel, easel.width / 2, easel.height / 2, easel.unit)
    wide, high = easel.width / easel.unit, easel.height / easel.unit
    corner = (dice.choice((-0.3, 0.3)) * wide, dice.choice((-0.26, 0.26)) * high)
    for number in range(7 + detail):
        pen.arc(
            (*corner, 0.44 + number * 0.09, 0.44 + number * 0.09),
            mix(ground, inks[1], share=0.28),
            span=(0, 360),
            width=0.012,
        )
    pen.dot((*corner, 0.38), Ramp((inks[0], mix(inks[0], inks[2], share=0.55))))
    pen.dot(
        (-corner[0] * 1.1, -corner[1] * 1.15, 0.24),
        Ramp((inks[2], mix(inks[2], inks[0], share=0.4)), sideways=True),
    )
    bar = pen.at(0, 0, turn=dice.choice((-0.7, 0.7, 0.5)))
    bar.slab((-0.9 * wide, 0.3, 0.9 * wide, 0.37), inks[1], radius=0.035)
    bar.slab((-0.5 * wide, 0.41, 0.7 * wide, 0.43), inks[2], radius=0.01)
    for _ in range(round(5 * wide * high) + detail):
        x, y = dice.uniform(-0.5, 0.5) * wide, dice.uniform(-0.5, 0.5) * high
        pen.dot((x, y, dice.choice((0.014, 0.02, 0.034))), dice.choice(inks))
    for row in range(5):
        for column in range(5):
            pen.dot(
                (-corner[0] * 1.1 + (column - 2) * 0.05, corner[1] * 1.1 + (row - 2) * 0.05, 0.009), inks[1]
            )


def _waves(easel: Easel, palette: tuple[RGB, ...], dice: random.Random, detail: int) -> None:
    """Bands that swing across the canvas under a disc."""
    ground, *inks = palette
    pen = Pen(easel, 0, 0, easel.unit)
    wide, high = easel.width / easel.unit, easel.height / easel.unit
    sun = (dice.uniform(0.25, 0.75) * wide, high * 0.3)
    pen.dot((*sun, 0.25), Ramp((lighter(inks[0], 0.1), inks[0], inks[2])))
    bands = 5 + detail
    pace, start = dice.uniform(1.6, 3.2), dice.uniform(0, 6)
    for band in range(bands):
        share = band / (bands - 1)
        paint = mix(inks[band % len(inks)], ground, share=0.12 if band % 2 else 0.0)
        base = high * (0.46 + 0.52 * share)
        line = [
            (
                x,
                base
                + 0.07 * math.sin(pace * x + start + band * 0.55)
                + 0.03 * math.sin(2.3 * pace * x + band),
            )
            for x in np.linspace(-0.02, wide + 0.02, round(wide * 36) + 8)
        ]
        pen.poly([*line, (wide + 0.02, high + 0.02), (-0.02, high + 0.02)], paint)
        if detail > 2:
            pen.ribbon(
                [(x, y + 0.016) for x, y in line[::2]],
                Veil(lighter(paint, 0.5) if brightness(paint) < 150 else darker(paint, 0.3), 0.5),
                width=0.006,
            )
