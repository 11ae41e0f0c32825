"""What makes an outfit, drawn onto a plain torso: stripes, buttons, an apron, a breastplate.

`half` is half the torso's width and `hem` the height of its lower edge, in figure units.
"""

from __future__ import annotations

import math
from typing import Protocol

from gemini_emulator.pictures.colour import RGB, darker, lighter
from gemini_emulator.pictures.easel import Pen, Ramp
from gemini_emulator.pictures.looks import Looks

BRASS: RGB = (245, 214, 120)


class Trim(Protocol):
    def __call__(self, pen: Pen, looks: Looks, *, half: float, hem: float) -> None: ...


def draw_trim(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    """The trim of the role, or else of the outfit."""
    trim = _BY_ROLE.get(looks.kind.name) or _BY_OUTFIT[looks.outfit]
    trim(pen, looks, half=half, hem=hem)


def _panel(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    pen.slab((-0.075, -0.42, 0.075, -0.28), darker(looks.top, 0.45), radius=0.02)
    for x, lamp in ((-0.04, (240, 90, 80)), (0.0, (250, 205, 80)), (0.04, (90, 210, 140))):
        pen.dot((x, -0.38, 0.014), lamp)
    pen.slab((-0.055, -0.345, 0.055, -0.305), lighter(looks.accent, 0.3), radius=0.008)


def _breastplate(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    low = half * 0.7
    plate = [(-half * 0.8, -0.5), (half * 0.8, -0.5), (low, -0.34), (0, -0.24), (-low, -0.34)]
    pen.poly(plate, Ramp(((226, 230, 238), (150, 158, 174))))
    pen.poly([(0, -0.45), (0.035, -0.4), (0, -0.34), (-0.035, -0.4)], looks.accent)


def _apron(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    pen.slab((-half * 0.62, -0.42, half * 0.62, hem), lighter(looks.accent, 0.72), radius=0.03)
    pen.slab((-0.045, -0.32, 0.045, -0.26), lighter(looks.accent, 0.4), radius=0.012)


def _striped(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    for y in (-0.43, -0.36, -0.29, -0.22):
        stripe = (-half * 0.99, y, half * 0.99, y + 0.028)
        pen.slab(stripe, lighter(looks.accent, 0.35), radius=0.004)


def _dungarees(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    pen.slab((-half * 0.8, -0.36, half * 0.8, -0.17), looks.accent, radius=0.03)
    pen.slab((-half * 0.42, -0.31, half * 0.42, -0.24), darker(looks.accent, 0.14), radius=0.014)
    for side in (-1, 1):
        pen.ribbon([(side * half * 0.6, -0.51), (side * half * 0.62, -0.34)], looks.accent, width=0.034)
        pen.dot((side * half * 0.62, -0.34, 0.014), BRASS)


def _jacket(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    shirt = [(-0.055, -0.52), (0.055, -0.52), (0.022, hem), (-0.022, hem)]
    pen.poly(shirt, lighter(looks.accent, 0.62))
    for side in (-1, 1):
        lapel = [(side * 0.05, -0.525), (side * 0.1, -0.46), (side * 0.03, -0.34)]
        pen.poly(lapel, darker(looks.top, 0.22))
    for y in (-0.3, -0.25):
        pen.dot((0.042, y, 0.009), BRASS)


def _dress(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    pen.slab((-half * 0.98, -0.31, half * 0.98, -0.275), looks.accent, radius=0.01)
    for x in (-0.12, -0.04, 0.04, 0.12):
        pen.dot((x, -0.19, 0.014), lighter(looks.accent, 0.4))


def _tee(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    pen.dot((0, -0.37, 0.062), lighter(looks.accent, 0.3))
    points = [(0.048 if number % 2 == 0 else 0.02, number * math.pi / 5) for number in range(10)]
    star = [(reach * math.sin(turn), -0.37 - reach * math.cos(turn)) for reach, turn in points]
    pen.poly(star, looks.top)


def _hoodie(pen: Pen, looks: Looks, *, half: float, hem: float) -> None:
    pen.slab((-0.08, -0.31, 0.08, -0.22), darker(looks.top, 0.18), radius=0.025)
    for side in (-1, 1):
        cord = [(side * 0.03, -0.51), (side * 0.035, -0.43)]
        pen.ribbon(cord, lighter(looks.accent, 0.5), width=0.011)


_BY_ROLE: dict[str, Trim] = {
    "robot": _panel, "astronaut": _panel, "knight": _breastplate, "chef": _apron, "pirate": _jacket,
}  # fmt: skip
_BY_OUTFIT: dict[str, Trim] = {
    "striped": _striped, "dungarees": _dungarees, "jacket": _jacket, "dress": _dress, "apron": _apron,
    "coat": _jacket, "tee": _tee, "hoodie": _hoodie,
}  # fmt: skip
