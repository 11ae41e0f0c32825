"""How a product is made, and the light that all products share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gemini_emulator.pictures.colour import RGB, brightness, darker, lighter
from gemini_emulator.pictures.easel import Pen, Point, Ramp, Veil

STEEL: RGB = (196, 202, 212)
OAK: RGB = (186, 140, 92)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wares:
    """`style` and `pattern` (0 to 7) give each kind of product a few cuts and labels."""

    body: RGB
    accent: RGB
    style: int
    pattern: int

    @property
    def print_colour(self) -> RGB:
        """The accent, moved away from the body where the two would blur together."""
        if abs(brightness(self.accent) - brightness(self.body)) > 40:
            return self.accent
        return lighter(self.accent, 0.65) if brightness(self.body) < 140 else darker(self.accent, 0.55)


Maker = Callable[[Pen, Wares], None]


def round_body(colour: RGB) -> Ramp:
    """A cylinder in studio light: dark edge, highlight, core shadow, reflected light."""
    stops = (
        darker(colour, 0.28),
        colour,
        lighter(colour, 0.45),
        lighter(colour, 0.1),
        colour,
        darker(colour, 0.34),
        darker(colour, 0.16),
    )
    return Ramp(stops, sideways=True)


def sheen(pen: Pen, points: list[Point], *, width: float, alpha: float = 0.5) -> None:
    """A long reflection of a soft box."""
    if pen.easel.detail > 2:
        pen.ribbon(points, Veil((255, 255, 255), alpha), width=width, end=width * 0.5)


def motif(pen: Pen, wares: Wares, *, reach: float) -> None:
    """The print on a product, about `reach` half wide around the pen."""
    paint = wares.print_colour
    if wares.pattern in {0, 1}:
        for row in (-0.5, 0.0, 0.5):
            pen.slab(
                (-reach, row * reach - 0.1 * reach, reach, row * reach + 0.1 * reach), paint, radius=0.01
            )
    elif wares.pattern == 2:
        pen.dot((0, 0, reach * 0.72), paint)
        pen.dot((0, 0, reach * 0.44), wares.body)
    elif wares.pattern in {3, 4}:
        for x in (-0.66, 0.0, 0.66):
            for y in (-0.66, 0.0, 0.66):
                pen.dot((x * reach, y * reach, reach * 0.17), paint)
    elif wares.pattern == 5:
        pen.poly(
            [
                (-reach, reach * 0.6),
                (-reach * 0.3, -reach * 0.6),
                (reach * 0.1, 0),
                (reach * 0.4, -reach * 0.35),
                (reach, reach * 0.6),
            ],
            paint,
        )
        pen.dot((reach * 0.55, -reach * 0.65, reach * 0.18), paint)
    elif wares.pattern == 6:
        for side in (-1, 1):
            pen.blob(
                [
                    (0, reach * 0.6),
                    (side * reach * 0.7, reach * 0.1),
                    (side * reach * 0.62, -reach * 0.5),
                    (0, -reach * 0.1),
                ],
                paint,
            )
            pen.ribbon([(0, reach * 0.9), (0, 0)], paint, width=reach * 0.07)
