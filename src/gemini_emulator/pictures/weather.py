"""What falls from the sky, over everything else."""

from __future__ import annotations

import numpy as np

from gemini_emulator.pictures.colour import RGB
from gemini_emulator.pictures.easel import Easel, Pen, Point, Veil
from gemini_emulator.pictures.scene import Scene, lit

_CONFETTI: tuple[RGB, ...] = ((240, 120, 90), (248, 196, 92), (236, 140, 160), (150, 190, 120), (226, 92, 70))


def paint_weather(easel: Easel, scene: Scene) -> None:
    if scene.setting.indoors and scene.weather not in {"petals"}:
        return
    pen = Pen(easel, 0, 0, easel.unit)
    if scene.weather == "rain":
        _rain(pen, scene)
    elif scene.weather == "snowfall":
        _snowfall(pen, scene)
    elif scene.weather == "petals":
        _petals(pen, scene)


def paint_motes(easel: Easel, scene: Scene) -> None:
    """Out-of-focus specks of light near the lens: the mark of the richest finish."""
    dice = scene.dice("motes")
    pen = Pen(easel, 0, 0, easel.unit)
    wide, high = easel.width / easel.unit, easel.height / easel.unit
    for _ in range(round(9 * min(wide * high, 3))):
        x = dice.choice((dice.uniform(0, 0.3), dice.uniform(0.7, 1.0))) * wide
        radius = dice.uniform(0.012, 0.045)
        pen.glow((x, dice.uniform(0.1, 0.95) * high, radius, radius), Veil(scene.light.sun, 0.5))


def _rain(pen: Pen, scene: Scene) -> None:
    dice = scene.dice("rain")
    wide, high = pen.easel.width / pen.scale, pen.easel.height / pen.scale
    streaks: list[tuple[Point, Point, Point, Point]] = []
    shades: list[RGB] = []
    for _ in range(round(150 * wide * high)):
        x, y, length = dice.uniform(0, wide), dice.uniform(-0.05, high), dice.uniform(0.03, 0.09)
        thick, foot = dice.uniform(0.0018, 0.0034), (x - length * 0.22, y + length)
        streaks.append(((x, y), (x + thick, y), (foot[0] + thick, foot[1]), foot))
        shades.append(lit((236, 244, 252), scene.light, share=dice.uniform(0.2, 0.9)))
    pen.polys(np.array(streaks), shades)
    splash = lit((236, 244, 252), scene.light, share=0.7)
    for _ in range(round(16 * wide)):
        x, y, reach = dice.uniform(0, wide), high * dice.uniform(0.86, 0.99), dice.uniform(0.014, 0.034)
        pen.ring((x, y, reach, reach * 0.3), splash, width=0.003)


def _snowfall(pen: Pen, scene: Scene) -> None:
    dice = scene.dice("snowfall")
    wide, high = pen.easel.width / pen.scale, pen.easel.height / pen.scale
    for _ in range(round(120 * wide * high)):
        size = dice.choice((0.003, 0.004, 0.006, 0.009))
        pen.dot((dice.uniform(0, wide), dice.uniform(0, high), size), (252, 253, 255))


def _petals(pen: Pen, scene: Scene) -> None:
    dice = scene.dice("petals")
    wide, high = pen.easel.width / pen.scale, pen.easel.height / pen.scale
    for _ in range(round(55 * wide * high)):
        spot = pen.at(dice.uniform(0, wide), dice.uniform(0, high), turn=dice.uniform(0, 6.28))
        size = dice.uniform(0.008, 0.017)
        spot.blob([(-size, 0), (0, -size * 0.55), (size, 0), (0, size * 0.5)], dice.choice(_CONFETTI))
