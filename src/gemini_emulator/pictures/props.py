"""Things a figure holds or rides. Held ones are drawn at the hand, in figure units."""

from __future__ import annotations

import math
from collections.abc import Callable

from gemini_emulator.pictures.colour import RGB, darker, lighter
from gemini_emulator.pictures.easel import Pen, Ramp, Veil

IRON: RGB = (44, 46, 58)


def bicycle(pen: Pen, colour: RGB) -> None:
    for x in (-0.27, 0.27):
        for number in range(8):
            angle = number * math.tau / 8
            pen.ribbon(
                [(x, -0.17), (x + 0.155 * math.cos(angle), -0.17 + 0.155 * math.sin(angle))],
                (190, 194, 204),
                width=0.006,
            )
        pen.arc((x, -0.17, 0.16, 0.16), IRON, span=(0, 360), width=0.024)
        pen.dot((x, -0.17, 0.02), IRON)
    crank, saddle, head = (-0.02, -0.17), (-0.1, -0.39), (0.2, -0.38)
    for line in (
        [(-0.27, -0.17), crank],
        [crank, saddle],
        [crank, head],
        [saddle, head],
        [(-0.27, -0.17), saddle],
        [head, (0.27, -0.17)],
    ):
        pen.ribbon(line, colour, width=0.026)
    pen.ribbon([head, (0.19, -0.46), (0.24, -0.48)], IRON, width=0.022)
    pen.slab((-0.17, -0.42, -0.03, -0.385), IRON, radius=0.018)
    pen.dot((*crank, 0.04), darker(colour, 0.4))


def skateboard(pen: Pen, colour: RGB) -> None:
    for x in (-0.16, 0.16):
        pen.dot((x, -0.022, 0.025), IRON)
    pen.ribbon([(-0.29, -0.085), (-0.22, -0.055), (0.22, -0.055), (0.29, -0.085)], colour, width=0.03)


def umbrella(pen: Pen, colour: RGB) -> None:
    pen = pen.at(0, 0, turn=-0.12)
    pen.ribbon([(0, 0.05), (0, -0.62)], IRON, width=0.014)
    rim = -0.5
    dome = [
        (0.36 * math.cos(a), rim + 0.25 * math.sin(a))
        for a in [math.pi + n * math.pi / 16 for n in range(17)]
    ]
    pen.poly(dome, colour)
    for number in (0, 2):
        left, right = -0.36 + number * 0.18, -0.18 + number * 0.18
        pen.poly(
            [
                (left, rim),
                (right, rim),
                (right * 0.72, rim - 0.2),
                (0, rim - 0.25),
                (left * 0.72, rim - 0.16),
            ],
            lighter(colour, 0.35),
        )
    for number in range(4):
        pen.oval((-0.27 + number * 0.18, rim, 0.09, 0.022), darker(colour, 0.24))


def balloon(pen: Pen, colour: RGB) -> None:
    for x, y, paint in (
        (0.06, -0.5, darker(colour, 0.15)),
        (-0.08, -0.42, lighter(colour, 0.4)),
        (0.0, -0.62, colour),
    ):
        pen.ribbon([(0, 0), (x * 0.5, y * 0.5), (x, y + 0.1)], (110, 110, 120), width=0.006)
        pen.oval((x, y, 0.088, 0.105), Ramp((lighter(paint, 0.25), paint, darker(paint, 0.12))))
        pen.oval((x - 0.032, y - 0.045, 0.018, 0.028), Veil((255, 255, 255), 0.6))


def book(pen: Pen, colour: RGB) -> None:
    pen = pen.at(-0.06, -0.01, turn=-0.08)
    pen.poly([(-0.15, -0.1), (0, -0.08), (0.15, -0.1), (0.15, 0.07), (0, 0.09), (-0.15, 0.07)], colour)
    for side in (-1, 1):
        pen.poly([(0, -0.09), (side * 0.135, -0.115), (side * 0.135, 0.05), (0, 0.075)], (250, 245, 232))
        for y in (-0.07, -0.04, -0.01, 0.02):
            pen.ribbon([(side * 0.025, y + 0.01), (side * 0.115, y - 0.007)], (184, 178, 168), width=0.007)


def flower(pen: Pen, colour: RGB) -> None:
    pen.ribbon([(0, 0.06), (0.01, -0.06), (0.0, -0.14)], (84, 142, 82), width=0.018)
    pen.blob([(0.005, -0.03), (0.06, -0.08), (0.03, -0.02)], (84, 142, 82))
    for number in range(7):
        angle = number * math.tau / 7
        pen.dot((0.05 * math.cos(angle), -0.17 + 0.05 * math.sin(angle), 0.034), lighter(colour, 0.2))
    pen.dot((0, -0.17, 0.036), (250, 200, 76))


def sword(pen: Pen, colour: RGB) -> None:
    pen = pen.at(0, 0, turn=0.25)
    pen.poly([(-0.024, -0.07), (0, -0.09), (0, -0.48), (-0.024, -0.43)], (232, 236, 244))
    pen.poly([(0.024, -0.07), (0, -0.09), (0, -0.48), (0.024, -0.43)], (168, 176, 194))
    pen.slab((-0.08, -0.075, 0.08, -0.045), (226, 186, 84), radius=0.014)
    pen.slab((-0.016, -0.05, 0.016, 0.06), darker(colour, 0.3), radius=0.008)
    pen.dot((0, 0.07, 0.022), (226, 186, 84))


def wand(pen: Pen, colour: RGB) -> None:
    pen = pen.at(0, 0, turn=0.35)
    pen.ribbon([(0, 0.06), (0, -0.24)], (96, 64, 46), width=0.02, end=0.014)
    pen.glow((0, -0.28, 0.22, 0.22), Veil((255, 240, 170), 0.75))
    star = [
        (
            (0.062 if n % 2 == 0 else 0.025) * math.sin(n * math.pi / 5),
            -0.28 - (0.062 if n % 2 == 0 else 0.025) * math.cos(n * math.pi / 5),
        )
        for n in range(10)
    ]
    pen.poly(star, (255, 226, 110))
    for x, y in ((0.12, -0.36), (-0.1, -0.38), (0.09, -0.2)):
        pen.poly(
            [
                (x, y - 0.024),
                (x + 0.008, y - 0.008),
                (x + 0.024, y),
                (x + 0.008, y + 0.008),
                (x, y + 0.024),
                (x - 0.008, y + 0.008),
                (x - 0.024, y),
                (x - 0.008, y - 0.008),
            ],
            (255, 246, 200),
        )


def guitar(pen: Pen, colour: RGB) -> None:
    pen = pen.at(-0.2, 0.1, turn=0.62)
    pen.blob(
        [
            (-0.1, 0.0),
            (-0.12, 0.1),
            (0, 0.17),
            (0.12, 0.1),
            (0.1, 0.0),
            (0.07, -0.06),
            (0.08, -0.13),
            (0, -0.17),
            (-0.08, -0.13),
            (-0.07, -0.06),
        ],
        Ramp((lighter(colour, 0.15), colour, darker(colour, 0.2))),
    )
    pen.slab((-0.018, -0.46, 0.018, -0.02), (92, 60, 42), radius=0.006)
    pen.slab((-0.034, -0.54, 0.034, -0.45), (70, 44, 32), radius=0.012)
    pen.dot((0, -0.02, 0.04), (58, 36, 30))
    pen.slab((-0.045, 0.08, 0.045, 0.1), (58, 36, 30), radius=0.006)


def cup(pen: Pen, colour: RGB) -> None:
    pen.arc((0.062, -0.01, 0.034, 0.034), colour, span=(-90, 90), width=0.016)
    pen.slab(
        (-0.055, -0.07, 0.058, 0.055),
        Ramp((lighter(colour, 0.3), colour, darker(colour, 0.25)), sideways=True),
        radius=0.018,
    )
    pen.oval((0.0, -0.068, 0.055, 0.014), (96, 60, 42))
    for x in (-0.02, 0.022):
        pen.ribbon(
            [(x, -0.1), (x + 0.016, -0.13), (x - 0.006, -0.16), (x + 0.01, -0.19)],
            Veil((255, 255, 255), 0.6),
            width=0.011,
        )


def ball(pen: Pen, colour: RGB) -> None:
    pen.dot((0.03, -0.045, 0.085), Ramp(((255, 255, 255), lighter(colour, 0.5), colour)))
    pen.arc((0.03, -0.045, 0.085, 0.03), darker(colour, 0.3), span=(0, 180), width=0.01)
    pen.arc((0.03, -0.045, 0.03, 0.085), darker(colour, 0.3), span=(-90, 90), width=0.01)


def laptop(pen: Pen, colour: RGB) -> None:
    pen.poly([(-0.2, 0.05), (0.1, 0.05), (0.13, 0.075), (-0.23, 0.075)], (188, 194, 204))
    pen.slab((-0.19, -0.14, 0.09, 0.05), (64, 70, 86), radius=0.014)
    pen.slab((-0.178, -0.128, 0.078, 0.036), Ramp((lighter(colour, 0.5), colour)), radius=0.006)


def bag(pen: Pen, colour: RGB) -> None:
    pen.arc((0, 0.04, 0.05, 0.06), darker(colour, 0.35), span=(180, 360), width=0.016)
    pen.slab(
        (-0.09, 0.04, 0.09, 0.19), Ramp((lighter(colour, 0.15), colour, darker(colour, 0.2))), radius=0.026
    )
    pen.slab((-0.09, 0.07, 0.09, 0.088), darker(colour, 0.3), radius=0.004)
    pen.dot((0, 0.08, 0.015), (238, 204, 110))


HELD: dict[str, Callable[[Pen, RGB], None]] = {
    "umbrella": umbrella, "balloon": balloon, "book": book, "flower": flower, "sword": sword, "wand": wand,
    "guitar": guitar, "cup": cup, "ball": ball, "laptop": laptop, "bag": bag,
}  # fmt: skip
