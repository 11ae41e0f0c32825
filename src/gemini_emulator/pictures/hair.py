"""Hair and beards, in head units around the head's middle."""

from __future__ import annotations

import math

from gemini_emulator.pictures.colour import darker, lighter
from gemini_emulator.pictures.easel import Pen, Point, Ramp, Veil
from gemini_emulator.pictures.looks import Looks


def beard(pen: Pen, looks: Looks, *, long: bool) -> None:
    hair = (224, 222, 226) if long else looks.hair
    low = 0.36 if long else 0.205
    pen.blob(
        [
            (-0.165, 0.05),
            (-0.12, 0.085),
            (-0.06, 0.078),
            (0, 0.088),
            (0.06, 0.078),
            (0.12, 0.085),
            (0.165, 0.05),
            (0.14, 0.14),
            (0, low),
            (-0.14, 0.14),
        ],
        Ramp((hair, darker(hair, 0.15))),
    )
    pen.arc((0, 0.1, 0.036, 0.016), (146, 52, 56), span=(20, 160), width=0.013)


def hair_behind(pen: Pen, looks: Looks) -> None:
    hair = looks.hair
    ramp = Ramp((lighter(hair, 0.08), darker(hair, 0.12), darker(hair, 0.28)))
    style = _style(looks)
    if style in {1, 2}:
        low = 0.14 if style == 1 else 0.34
        pen.blob(
            [
                (0, -0.215),
                (0.17, -0.15),
                (0.225, 0.0),
                (0.23, low),
                (0.12, low + 0.03),
                (-0.12, low + 0.03),
                (-0.23, low),
                (-0.225, 0.0),
                (-0.17, -0.15),
            ],
            ramp,
        )
    elif style == 3:
        pen.dot((0, -0.235, 0.085), ramp)
    elif style == 4:
        for number in range(13):
            angle = math.pi * 0.86 + number * math.pi * 1.28 / 12
            pen.dot(
                (0.17 * math.cos(angle), -0.04 + 0.17 * math.sin(angle), 0.088),
                darker(hair, 0.1 if number % 2 else 0.0),
            )
    elif style == 5:
        pen.blob([(0.1, -0.17), (0.25, -0.16), (0.31, 0.0), (0.27, 0.2), (0.22, 0.04), (0.14, -0.04)], ramp)
    elif style == 7:
        for side in (-1, 1):
            for number in range(4):
                pen.oval(
                    (side * (0.2 + 0.006 * number), 0.06 + number * 0.066, 0.044, 0.042),
                    darker(hair, 0.08 * (number % 2)),
                )
            pen.dot((side * 0.222, 0.31, 0.022), looks.accent)


def _style(looks: Looks) -> int:
    """Boys and men wear the shorter half of the styles, women and girls the longer one."""
    if looks.hat in {"helm", "toque", "beanie", "cap", "wizard", "tricorne", "straw", "beret"}:
        return (0, 1, 2, 0, 0, 5, 0, 7)[looks.style] if looks.girlish else 0
    if looks.kind.name in {"boy", "man", "knight", "pirate", "chef"}:
        return (0, 0, 6, 4, 6, 0, 6, 1)[looks.style]
    if looks.girlish:
        return (1, 1, 2, 3, 4, 5, 2, 7)[looks.style]
    return looks.style


def hair_front(pen: Pen, looks: Looks) -> None:
    hair = looks.hair
    ramp = Ramp((lighter(hair, 0.16), hair, darker(hair, 0.12)))
    style = _style(looks)
    if style == 6:
        return pen.poly(_SPIKES, ramp)
    if style == 4:
        for number in range(7):
            y = -0.135 - 0.035 * math.sin(number * math.pi / 6)
            pen.dot((-0.15 + number * 0.05, y, 0.056), darker(hair, 0.06 * (number % 2)))
        return None
    part = (-0.06, 0.07, 0.0, -0.1)[looks.face % 4]
    side = 0.03 if style in {0, 3} else 0.06
    fringe = [(0.165, -0.045), (part + 0.09, -0.095), (part, -0.125), (part - 0.09, -0.085), (-0.168, -0.03)]
    pen.blob([(-0.192, side), *_CROWN, (0.192, side), *fringe], ramp)
    shine = [(-0.11, -0.155), (-0.03, -0.185), (0.06, -0.18)]
    return pen.ribbon(shine, Veil(lighter(hair, 0.6), 0.4), width=0.02, end=0.008)


_CROWN: list[Point] = [(-0.205, -0.08), (-0.14, -0.185), (0, -0.218), (0.14, -0.185), (0.205, -0.08)]
_SPIKES: list[Point] = [
    (-0.195, 0.0), (-0.235, -0.12), (-0.16, -0.12), (-0.15, -0.25), (-0.07, -0.18), (0.0, -0.28),
    (0.06, -0.19), (0.16, -0.25), (0.15, -0.13), (0.24, -0.1), (0.19, 0.0), (0.14, -0.07),
    (0.07, -0.1), (0.02, -0.075), (-0.05, -0.11), (-0.13, -0.07),
]  # fmt: skip
