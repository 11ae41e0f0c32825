"""Hats, crowns, helmets and glasses, in head units around the head's middle."""

from __future__ import annotations

from collections.abc import Callable

from gemini_emulator.pictures.colour import INK, RGB, darker, lighter
from gemini_emulator.pictures.easel import Pen, Ramp, Veil

GOLD: RGB = (238, 194, 84)
Wear = Callable[[Pen, RGB], None]


def draw_glasses(pen: Pen, shape: str, *, colour: RGB) -> None:
    frame = INK
    for side in (-1, 1):
        x = side * 0.078
        if shape == "round":
            pen.dot((x, 0.008, 0.056), Veil((226, 240, 250), 0.28))
            pen.arc((x, 0.008, 0.058, 0.058), frame, span=(0, 360), width=0.012)
        else:
            pen.slab((x - 0.062, -0.036, x + 0.062, 0.052), Veil((30, 34, 52), 0.72), radius=0.026)
            pen.ribbon([(x - 0.062, -0.034), (x + 0.062, -0.034)], frame, width=0.016)
            pen.poly(
                [(x - 0.035, -0.025), (x - 0.015, -0.025), (x - 0.038, 0.035), (x - 0.05, 0.02)],
                Veil((255, 255, 255), 0.3),
            )
    pen.arc((0, 0.008, 0.024, 0.016), frame, span=(180, 360), width=0.012)


def beanie(pen: Pen, colour: RGB) -> None:
    pen.dot((0, -0.27, 0.045), lighter(colour, 0.5))
    pen.blob(
        [(-0.2, -0.08), (-0.18, -0.18), (-0.08, -0.255), (0.08, -0.255), (0.18, -0.18), (0.2, -0.08)],
        Ramp((lighter(colour, 0.15), colour)),
    )
    pen.slab((-0.212, -0.12, 0.212, -0.06), darker(colour, 0.2), radius=0.026)
    for number in range(9):
        pen.slab(
            (-0.188 + number * 0.045, -0.112, -0.18 + number * 0.045, -0.068),
            darker(colour, 0.34),
            radius=0.003,
        )


def cap(pen: Pen, colour: RGB) -> None:
    pen.blob(
        [(-0.2, -0.09), (-0.17, -0.19), (-0.06, -0.245), (0.07, -0.243), (0.17, -0.19), (0.2, -0.09)],
        Ramp((lighter(colour, 0.15), colour)),
    )
    pen.blob(
        [(-0.17, -0.105), (0.0, -0.125), (0.2, -0.115), (0.33, -0.07), (0.2, -0.07), (0.0, -0.08)],
        darker(colour, 0.28),
    )
    pen.dot((0, -0.246, 0.014), darker(colour, 0.28))


def straw(pen: Pen, colour: RGB) -> None:
    hay = (232, 202, 134)
    pen.oval((0, -0.1, 0.31, 0.05), darker(hay, 0.16))
    pen.oval((0, -0.108, 0.31, 0.045), hay)
    pen.blob(
        [
            (-0.165, -0.11),
            (-0.15, -0.22),
            (-0.06, -0.27),
            (0.06, -0.27),
            (0.15, -0.22),
            (0.165, -0.11),
            (0, -0.09),
        ],
        Ramp((lighter(hay, 0.25), hay)),
    )
    pen.ribbon([(-0.158, -0.135), (0, -0.112), (0.158, -0.135)], colour, width=0.036)


def beret(pen: Pen, colour: RGB) -> None:
    pen.blob(
        [
            (-0.2, -0.11),
            (-0.26, -0.18),
            (-0.15, -0.255),
            (0.05, -0.25),
            (0.19, -0.18),
            (0.19, -0.11),
            (0, -0.13),
        ],
        Ramp((lighter(colour, 0.16), colour, darker(colour, 0.15))),
    )
    pen.ribbon([(-0.03, -0.25), (-0.02, -0.28)], darker(colour, 0.2), width=0.018)


def bow(pen: Pen, colour: RGB) -> None:
    pen = pen.at(0.1, -0.185, turn=0.25)
    for side in (-1, 1):
        pen.blob(
            [(0, 0), (side * 0.06, -0.06), (side * 0.1, -0.03), (side * 0.1, 0.035), (side * 0.05, 0.045)],
            Ramp((lighter(colour, 0.2), darker(colour, 0.12))),
        )
    pen.dot((0, 0, 0.025), darker(colour, 0.2))


def wizard(pen: Pen, colour: RGB) -> None:
    pen.blob(
        [
            (-0.17, -0.11),
            (-0.1, -0.3),
            (-0.03, -0.44),
            (0.07, -0.52),
            (0.04, -0.42),
            (0.11, -0.28),
            (0.17, -0.11),
        ],
        Ramp((lighter(colour, 0.12), colour, darker(colour, 0.2))),
    )
    pen.oval((0, -0.11, 0.28, 0.045), darker(colour, 0.15))
    pen.ribbon([(-0.15, -0.15), (0, -0.13), (0.15, -0.15)], GOLD, width=0.03)
    for x, y in ((-0.04, -0.27), (0.05, -0.23), (0.02, -0.38)):
        pen.poly(
            [
                (x, y - 0.026),
                (x + 0.008, y - 0.008),
                (x + 0.026, y),
                (x + 0.008, y + 0.008),
                (x, y + 0.026),
                (x - 0.008, y + 0.008),
                (x - 0.026, y),
                (x - 0.008, y - 0.008),
            ],
            (255, 232, 150),
        )


def crown(pen: Pen, colour: RGB) -> None:
    pen.poly(
        [
            (-0.12, -0.14),
            (-0.15, -0.27),
            (-0.07, -0.21),
            (0, -0.3),
            (0.07, -0.21),
            (0.15, -0.27),
            (0.12, -0.14),
        ],
        Ramp((lighter(GOLD, 0.35), darker(GOLD, 0.12))),
    )
    for x, y, radius in (
        (-0.15, -0.275, 0.017),
        (0, -0.305, 0.02),
        (0.15, -0.275, 0.017),
        (0, -0.18, 0.02),
        (-0.065, -0.172, 0.013),
        (0.065, -0.172, 0.013),
    ):
        pen.dot((x, y, radius), colour)


def helm(pen: Pen, colour: RGB) -> None:
    steel = (186, 194, 208)
    pen.blob([(0.0, -0.22), (0.05, -0.38), (0.2, -0.36), (0.27, -0.22), (0.16, -0.28), (0.05, -0.22)], colour)
    pen.blob(
        [
            (-0.205, 0.06),
            (-0.21, -0.08),
            (-0.14, -0.19),
            (0, -0.235),
            (0.14, -0.19),
            (0.21, -0.08),
            (0.205, 0.06),
            (0.15, 0.02),
            (0.14, -0.055),
            (0.0, -0.075),
            (-0.14, -0.055),
            (-0.15, 0.02),
        ],
        Ramp((lighter(steel, 0.5), steel, darker(steel, 0.25))),
    )
    pen.slab((-0.014, -0.22, 0.014, 0.04), darker(steel, 0.12), radius=0.01)
    pen.ribbon([(-0.15, -0.062), (0, -0.082), (0.15, -0.062)], GOLD, width=0.02)


def tricorne(pen: Pen, colour: RGB) -> None:
    felt = darker(colour, 0.55)
    pen.blob([(-0.15, -0.12), (-0.1, -0.26), (0.1, -0.26), (0.15, -0.12)], felt)
    pen.blob(
        [
            (-0.29, -0.16),
            (-0.16, -0.24),
            (0, -0.19),
            (0.16, -0.24),
            (0.29, -0.16),
            (0.15, -0.09),
            (0, -0.11),
            (-0.15, -0.09),
        ],
        darker(felt, 0.15),
    )
    pen.ribbon([(-0.28, -0.155), (-0.15, -0.1), (0, -0.118), (0.15, -0.1), (0.28, -0.155)], GOLD, width=0.014)
    pen.dot((0, -0.165, 0.028), (246, 242, 234))
    pen.slab((-0.018, -0.15, 0.018, -0.128), (246, 242, 234), radius=0.006)


def toque(pen: Pen, colour: RGB) -> None:
    white, fold = (250, 250, 248), (222, 224, 230)
    for x, y, radius in ((-0.12, -0.27, 0.085), (0.12, -0.27, 0.085), (0, -0.31, 0.11)):
        pen.dot((x, y, radius), fold)
        pen.dot((x - 0.012, y - 0.012, radius * 0.92), white)
    pen.slab((-0.155, -0.25, 0.155, -0.1), Ramp((white, fold)), radius=0.02)
    pen.slab((-0.16, -0.135, 0.16, -0.09), lighter(colour, 0.25), radius=0.012)


def dome(pen: Pen, colour: RGB) -> None:
    pen.dot((0, -0.01, 0.262), Veil((196, 228, 250), 0.24))
    pen.arc((0, -0.01, 0.262, 0.262), (240, 242, 246), span=(0, 360), width=0.022)
    pen.arc((0, -0.01, 0.215, 0.215), Veil((255, 255, 255), 0.8), span=(200, 250), width=0.026)
    pen.slab((-0.15, 0.2, 0.15, 0.245), (214, 218, 228), radius=0.02)
    for side in (-1, 1):
        pen.slab((side * 0.262 - 0.026, -0.06, side * 0.262 + 0.026, 0.06), colour, radius=0.018)


def _dome_back(pen: Pen, colour: RGB) -> None:
    pen.dot((0, -0.01, 0.27), (70, 82, 112))
    pen.slab((-0.17, 0.2, 0.17, 0.47), darker((214, 218, 228), 0.2), radius=0.04)


def _straw_back(pen: Pen, colour: RGB) -> None:
    pen.oval((0, -0.115, 0.31, 0.06), darker((232, 202, 134), 0.3))


HATS_DRAWN: dict[str, Wear] = {
    "beanie": beanie, "cap": cap, "straw": straw, "beret": beret, "bow": bow, "wizard": wizard,
    "crown": crown, "helm": helm, "tricorne": tricorne, "toque": toque, "dome": dome,
}  # fmt: skip
BEHIND: dict[str, Wear] = {"dome": _dome_back, "straw": _straw_back}
