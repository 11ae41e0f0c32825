"""What stands in a place: trees, houses, rocks, clouds. Each is drawn by a pen at its own foot, one
unit high, towards negative y.
"""

from __future__ import annotations

import math
import random
from typing import Protocol

from gemini_emulator.pictures.colour import RGB, darker, lighter, mix
from gemini_emulator.pictures.easel import Pen, Veil


class Grower(Protocol):
    def __call__(self, pen: Pen, colour: RGB, *, dice: random.Random) -> None: ...


def pine(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    pen.box((-0.03, -0.14, 0.03, 0.0), darker(mix(colour, (110, 74, 50), share=0.7), 0.3))
    for tier in range(4):
        top, wide = -1.0 + tier * 0.19, 0.13 + tier * 0.062
        foot = top + 0.36
        pen.poly(
            [(0, top), (wide, foot), (0, foot - 0.04), (-wide, foot)], lighter(colour, 0.05 * (3 - tier))
        )
        pen.poly([(0, top), (wide, foot), (0, foot - 0.04)], darker(colour, 0.16))


def tree(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    trunk = darker(mix(colour, (110, 74, 50), share=0.8), 0.2)
    pen.ribbon([(0, 0), (0.01, -0.3), (0.0, -0.55)], trunk, width=0.09, end=0.05)
    pen.ribbon([(0, -0.32), (0.08, -0.44), (0.14, -0.52)], trunk, width=0.03)
    spots = [
        (-0.17, -0.52, 0.17),
        (0.17, -0.54, 0.17),
        (0.0, -0.62, 0.22),
        (-0.05, -0.8, 0.17),
        (0.08, -0.74, 0.17),
    ]
    for x, y, radius in spots:
        pen.dot((x + 0.025, y + 0.03, radius), darker(colour, 0.18))
    for x, y, radius in spots:
        pen.dot((x, y, radius * 0.95), colour)
    pen.dot((-0.09, -0.78, 0.09), lighter(colour, 0.16))
    pen.dot((-0.2, -0.57, 0.07), lighter(colour, 0.12))


def palm(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    lean = dice.uniform(-0.25, 0.25)
    pen.ribbon([(0, 0), (lean * 0.3, -0.4), (lean, -0.8)], (140, 98, 66), width=0.07, end=0.035)
    leaf = mix(colour, (58, 140, 82), share=0.75)
    for number in range(7):
        angle = math.pi + number * math.pi / 6
        x, y = math.cos(angle), math.sin(angle)
        paint = leaf if number % 2 else darker(leaf, 0.18)
        pen.ribbon(
            [(lean, -0.8), (lean + x * 0.2, -0.84 + y * 0.16), (lean + x * 0.38, -0.74 + y * 0.12)],
            paint, width=0.09, end=0.012,
        )  # fmt: skip
    pen.dot((lean + 0.03, -0.77, 0.035), (106, 66, 42))


def cactus(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    green = mix(colour, (74, 140, 92), share=0.78)
    pen.ribbon([(0, 0), (0, -0.5), (0, -0.9)], green, width=0.2)
    pen.ribbon([(0, -0.35), (0.24, -0.4), (0.25, -0.66)], green, width=0.12)
    pen.ribbon([(0, -0.25), (-0.22, -0.32), (-0.23, -0.54)], green, width=0.11)
    pen.ribbon([(0.04, -0.05), (0.04, -0.85)], darker(green, 0.15), width=0.02)


def rock(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    pen.poly([(-0.5, 0), (-0.38, -0.42), (-0.05, -0.62), (0.3, -0.48), (0.52, 0)], darker(colour, 0.1))
    pen.poly([(-0.5, 0), (-0.38, -0.42), (-0.05, -0.62), (-0.12, -0.2), (-0.2, 0)], lighter(colour, 0.16))


def flower(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    petal = dice.choice([(245, 120, 140), (250, 210, 80), (250, 248, 240), (190, 140, 230), (245, 150, 90)])
    pen.ribbon([(0, 0), (0.04, -0.3), (0, -0.6)], darker(colour, 0.2), width=0.06)
    for number in range(5):
        angle = number * math.tau / 5 - 0.3
        pen.dot((math.cos(angle) * 0.17, -0.72 + math.sin(angle) * 0.17, 0.14), petal)
    pen.dot((0, -0.72, 0.1), (250, 200, 70))


def coral(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    paint = dice.choice([(240, 112, 110), (245, 160, 90), (220, 110, 170), (120, 190, 130)])
    for lean in (-0.35, -0.12, 0.14, 0.36):
        top = -dice.uniform(0.6, 1.0)
        pen.ribbon([(lean * 0.2, 0), (lean * 0.7, top * 0.5), (lean, top)], paint, width=0.13, end=0.08)


def lamppost(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    iron = (46, 48, 62)
    pen.ribbon([(0, 0), (0, -0.86)], iron, width=0.035)
    pen.box((-0.05, -0.05, 0.05, 0), iron)
    pen.glow((0, -0.92, 0.34, 0.34), Veil((255, 226, 150), 0.55))
    pen.dot((0, -0.92, 0.055), (255, 240, 196))
    pen.box((-0.06, -0.99, 0.06, -0.965), iron)


def cloud(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    puffs = [(-0.42, 0.14), (-0.2, 0.22), (0.06, 0.28), (0.28, 0.2), (0.46, 0.13)]
    outline = [(-0.58, 0.0)]
    outline += [(x, -radius * dice.uniform(1.1, 1.5)) for x, radius in puffs]
    outline += [(0.62, 0.0), (0.3, 0.05), (-0.3, 0.05)]
    pen.blob([(x, y + 0.035) for x, y in outline], darker(colour, 0.1))
    pen.blob(outline, colour)


def bird(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    pen.ribbon([(-0.5, -0.15), (-0.22, -0.25), (0, 0), (0.22, -0.25), (0.5, -0.15)], colour, width=0.09)


def tower(pen: Pen, colour: RGB, *, dice: random.Random, wide: float, glowing: float) -> None:
    """A building one unit high; `glowing` is the share of lit windows, negative for a bare wall."""
    half = wide / 2
    pen.box((-half, -1, half, 0.1), colour)
    pen.box((half * 0.55, -1, half, 0.1), darker(colour, 0.1))
    roof = dice.randrange(4)
    if roof == 1:
        pen.box((-half * 0.5, -1.07, half * 0.4, -1), colour)
    elif roof == 2:
        pen.poly([(-half, -1), (0, -1.12), (half, -1)], darker(colour, 0.08))
    elif roof == 3:
        pen.box((-0.008, -1.18, 0.008, -1), colour)
    if glowing < 0:
        return
    columns = max(2, round(wide / 0.075))
    step = wide / columns
    for row in range(dice.randint(6, 9)):
        for column in range(columns):
            shine = dice.random() < glowing
            if not shine and dice.random() < 0.45:
                continue
            x, y = -half + (column + 0.3) * step, -0.93 + row * 0.1
            pen.box((x, y, x + step * 0.42, y + 0.05), (255, 222, 140) if shine else lighter(colour, 0.2))


def cabin(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    wall = dice.choice([(176, 74, 62), (228, 214, 190), (120, 86, 64), (92, 122, 148)])
    pen.box((0.24, -1.0, 0.36, -0.6), darker(wall, 0.4))
    pen.box((-0.5, -0.5, 0.5, 0.02), wall)
    pen.poly([(-0.62, -0.46), (0, -0.94), (0.62, -0.46)], darker(mix(colour, (70, 52, 60), share=0.7), 0.1))
    pen.poly([(0.0, -0.94), (0.62, -0.46), (0.5, -0.46), (0.0, -0.84)], (60, 46, 56))
    pen.box((-0.1, -0.3, 0.1, 0.02), darker(wall, 0.5))
    for x in (-0.3, 0.3):
        pen.glow((x, -0.25, 0.3, 0.3), Veil((255, 220, 140), 0.35))
        pen.box((x - 0.1, -0.34, x + 0.1, -0.16), (255, 226, 150))
        pen.box((x - 0.01, -0.34, x + 0.01, -0.16), darker(wall, 0.5))


def sailboat(pen: Pen, colour: RGB, *, dice: random.Random) -> None:
    hull = dice.choice([(196, 66, 58), (44, 62, 104), (240, 232, 216)])
    pen.oval((0, 0.02, 0.5, 0.05), lighter(colour, 0.25))
    pen.poly([(-0.42, -0.14), (0.46, -0.14), (0.3, 0.02), (-0.3, 0.02)], hull)
    pen.box((-0.02, -1.0, 0.01, -0.12), (96, 70, 54))
    pen.poly([(-0.04, -0.98), (-0.04, -0.2), (-0.4, -0.2)], (250, 246, 236))
    pen.poly([(0.03, -0.86), (0.03, -0.2), (0.38, -0.2)], (234, 226, 214))


GROWERS: dict[str, Grower] = {
    "pine": pine, "tree": tree, "palm": palm, "cactus": cactus, "rock": rock,
    "flower": flower, "coral": coral, "lamppost": lamppost,
}  # fmt: skip
