"""Things worn or carried."""

from __future__ import annotations

import math

from gemini_emulator.pictures.colour import WHITE, darker, lighter
from gemini_emulator.pictures.easel import Pen, Point, Ramp, Veil
from gemini_emulator.pictures.wares import STEEL, Maker, Wares, motif, round_body, sheen


def sneaker(pen: Pen, wares: Wares) -> None:
    body, trim = wares.body, wares.print_colour
    pen.blob(_UPPER, Ramp((lighter(body, 0.22), body, darker(body, 0.26))))
    pen.blob([(-0.42, -0.47), (-0.3, -0.53), (-0.14, -0.52), (-0.2, -0.42), (-0.33, -0.4)], darker(body, 0.6))
    tongue = [(-0.21, -0.44), (-0.11, -0.61), (-0.03, -0.55), (0.14, -0.33), (0.05, -0.27)]
    pen.blob(tongue, lighter(body, 0.38))
    pen.blob([(0.25, -0.26), (0.37, -0.22), (0.47, -0.15), (0.47, -0.08), (0.22, -0.08)], darker(body, 0.14))
    pen.blob([(-0.5, -0.08), (-0.5, -0.26), (-0.46, -0.4), (-0.36, -0.3), (-0.34, -0.08)], trim)
    if wares.pattern % 2:
        for x in (-0.26, -0.16, -0.06):
            pen.poly([(x, -0.08), (x + 0.06, -0.08), (x + 0.14, -0.3), (x + 0.09, -0.33)], trim)
    else:
        pen.blob([(-0.31, -0.15), (-0.06, -0.12), (0.24, -0.25), (-0.02, -0.07), (-0.24, -0.06)], trim)
    for number in range(4):
        x, y = -0.12 + number * 0.055, -0.45 + number * 0.054
        pen.ribbon([(x - 0.055, y + 0.05), (x + 0.04, y - 0.012)], WHITE, width=0.024)
    pen.slab((-0.53, -0.105, 0.55, 0.01), Ramp(((255, 255, 253), (216, 217, 222))), radius=0.055)
    pen.slab((-0.5, -0.022, 0.5, 0.014), trim, radius=0.018)
    pen.ribbon([(-0.5, -0.068), (0.0, -0.064), (0.52, -0.068)], (226, 227, 232), width=0.008)
    sheen(pen, [(-0.3, -0.35), (-0.14, -0.36), (0.0, -0.29)], width=0.024, alpha=0.28)


_UPPER: list[Point] = [
    (-0.5, -0.06), (-0.515, -0.28), (-0.47, -0.5), (-0.4, -0.53), (-0.33, -0.43), (-0.2, -0.43),
    (-0.1, -0.52), (0.03, -0.41), (0.16, -0.31), (0.34, -0.25), (0.46, -0.18), (0.49, -0.06),
]  # fmt: skip


def bag(pen: Pen, wares: Wares) -> None:
    body, trim = wares.body, darker(wares.body, 0.42)
    tall = 0.56 + 0.02 * wares.style
    pen.arc((0, -tall + 0.02, 0.2, 0.27), darker(trim, 0.2), span=(180, 360), width=0.05)
    pen.arc((0, -tall + 0.02, 0.2, 0.27), trim, span=(180, 360), width=0.034)
    pen.poly(
        [(-0.36, -tall), (0.36, -tall), (0.44, -0.03), (0.4, 0.01), (-0.4, 0.01), (-0.44, -0.03)],
        Ramp((lighter(body, 0.22), body, darker(body, 0.26))),
    )
    pen.poly(
        [(0.26, -tall), (0.36, -tall), (0.44, -0.03), (0.4, 0.01), (0.32, 0.01)],
        Veil(darker(body, 0.8), 0.22),
    )
    flap = [
        (-0.37, -tall - 0.01),
        (0.37, -tall - 0.01),
        (0.39, -tall * 0.55),
        (0.2, -tall * 0.36),
        (0, -tall * 0.32),
        (-0.2, -tall * 0.36),
        (-0.39, -tall * 0.55),
    ]
    if wares.style % 2:
        pen.poly(flap, Ramp((lighter(body, 0.3), body)))
        pen.ribbon(flap[2:], darker(body, 0.25), width=0.012)
        pen.slab((-0.045, -tall * 0.42, 0.045, -tall * 0.26), (236, 200, 106), radius=0.018)
    else:
        motif(pen.at(0, -tall * 0.48), wares, reach=0.15)
        for side in (-1, 1):
            pen.dot((side * 0.2, -tall + 0.05, 0.028), (236, 200, 106))
    pen.ribbon([(-0.4, -0.045), (0, -0.035), (0.4, -0.045)], lighter(body, 0.35), width=0.007)


def watch(pen: Pen, wares: Wares) -> None:
    strap, face = wares.body, wares.print_colour
    for top, foot, tip in ((-0.98, -0.7, 0.1), (-0.02, -0.3, 0.09)):
        pen.poly([(-tip, top), (tip, top), (0.15, foot), (-0.15, foot)], round_body(strap))
    for y in (-0.9, -0.84, -0.78, -0.24, -0.18, -0.12):
        pen.box((-0.11, y, 0.11, y + 0.006), darker(strap, 0.35))
    pen.slab((0.24, -0.535, 0.29, -0.465), darker(STEEL, 0.2), radius=0.014)
    pen.dot((0, -0.5, 0.26), Ramp((lighter(STEEL, 0.6), STEEL, darker(STEEL, 0.35))))
    pen.dot((0, -0.5, 0.22), Ramp((lighter(face, 0.12), darker(face, 0.2))))
    mark = lighter(face, 0.85) if sum(face) < 420 else darker(face, 0.75)
    for number in range(12):
        turn = number * math.tau / 12
        size = 0.03 if number % 3 == 0 else 0.016
        pen.at(0, -0.5, turn=turn).slab((-0.007, -0.2, 0.007, -0.2 + size), mark, radius=0.003)
    for length, width, turn in ((0.11, 0.02, -0.95), (0.16, 0.014, 1.05)):
        pen.at(0, -0.5, turn=turn).slab((-width / 2, -length, width / 2, 0.02), mark, radius=0.006)
    pen.dot((0, -0.5, 0.015), wares.accent)
    pen.blob(
        [(-0.16, -0.62), (-0.06, -0.69), (0.06, -0.7), (-0.12, -0.5), (-0.19, -0.48)],
        Veil((255, 255, 255), 0.2),
    )


def shirt(pen: Pen, wares: Wares) -> None:
    body = wares.body
    for side in (-1, 1):
        pen.blob(
            [
                (side * 0.2, -0.92),
                (side * 0.3, -0.88),
                (side * 0.5, -0.6),
                (side * 0.36, -0.5),
                (side * 0.24, -0.66),
            ],
            darker(body, 0.1),
        )
        pen.ribbon([(side * 0.495, -0.6), (side * 0.36, -0.505)], wares.print_colour, width=0.022)
    pen.poly(
        [
            (-0.22, -0.93),
            (-0.1, -0.96),
            (0.1, -0.96),
            (0.22, -0.93),
            (0.28, -0.74),
            (0.27, -0.02),
            (0.0, 0.0),
            (-0.27, -0.02),
            (-0.28, -0.74),
        ],
        Ramp((lighter(body, 0.16), body, darker(body, 0.16))),
    )
    pen.blob([(-0.11, -0.965), (0.11, -0.965), (0.07, -0.87), (0, -0.845), (-0.07, -0.87)], darker(body, 0.5))
    pen.arc((0, -0.955, 0.115, 0.1), lighter(body, 0.2), span=(0, 180), width=0.024)
    motif(pen.at(0, -0.54), wares, reach=0.14)
    for x, lean in ((-0.2, 0.03), (0.21, -0.04), (0.08, 0.02)):
        pen.ribbon(
            [(x, -0.04), (x + lean, -0.2), (x + lean * 0.5, -0.34)],
            Veil(darker(body, 0.7), 0.16),
            width=0.02,
            end=0.004,
        )


def headphones(pen: Pen, wares: Wares) -> None:
    body, pad = wares.body, darker(wares.body, 0.5)
    pen.arc((0, -0.42, 0.34, 0.5), darker(body, 0.3), span=(180, 360), width=0.085)
    pen.arc((0, -0.42, 0.345, 0.505), body, span=(185, 355), width=0.055)
    pen.arc((0, -0.42, 0.36, 0.515), Veil((255, 255, 255), 0.4), span=(205, 262), width=0.014)
    for side in (-1, 1):
        pen.slab((side * 0.345 - 0.018, -0.5, side * 0.345 + 0.018, -0.36), STEEL, radius=0.012)
        pen.oval((side * 0.285, -0.24, 0.075, 0.19), pad)
        pen.oval((side * 0.355, -0.24, 0.115, 0.215), round_body(body))
        pen.oval((side * 0.375, -0.24, 0.07, 0.14), wares.print_colour)
        pen.oval(
            (side * 0.38, -0.24, 0.046, 0.1), Ramp((lighter(wares.accent, 0.3), darker(wares.accent, 0.2)))
        )


MAKERS: dict[str, Maker] = {
    "sneaker": sneaker, "bag": bag, "watch": watch, "shirt": shirt, "headphones": headphones,
}  # fmt: skip
