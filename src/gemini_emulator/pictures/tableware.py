"""Cups, bottles and food."""

from __future__ import annotations

import math

from gemini_emulator.pictures.colour import WHITE, darker, lighter, mix
from gemini_emulator.pictures.easel import Pen, Ramp, Veil
from gemini_emulator.pictures.wares import Maker, Wares, motif, round_body, sheen


def mug(pen: Pen, wares: Wares) -> None:
    body, tall = wares.body, 0.74 + 0.03 * (wares.style % 4)
    top = -tall
    pen.arc((0.33, top * 0.5, 0.19, 0.2), darker(body, 0.24), span=(-80, 80), width=0.1)
    pen.arc((0.325, top * 0.5 - 0.008, 0.19, 0.2), body, span=(-80, 80), width=0.075)
    taper = 0.03 if wares.style % 2 else 0.0
    rim = [(0.34 * math.cos(a), 0.065 * math.sin(a)) for a in [n * math.pi / 20 for n in range(21)]]
    side = [(x * (1 - taper), y - 0.062) for x, y in rim]
    pen.poly([(-0.34, top), *[(x, y) for x, y in side[::-1]], (0.34, top)], round_body(body))
    if wares.pattern != 7:
        motif(pen.at(-0.04, top * 0.5), wares, reach=0.17)
    pen.oval((0, top, 0.34, 0.068), lighter(body, 0.34))
    pen.oval((0, top + 0.004, 0.312, 0.056), darker(body, 0.4))
    pen.oval((0, top + 0.014, 0.296, 0.044), Ramp(((66, 36, 24), (122, 74, 46))))
    pen.oval((-0.09, top + 0.014, 0.1, 0.014), Veil((208, 160, 116), 0.6))
    sheen(pen, [(-0.24, top + 0.12), (-0.245, -0.14)], width=0.045)
    for x in (-0.08, 0.07):
        steam = [(x, top - 0.04), (x + 0.05, top - 0.12), (x - 0.03, top - 0.2), (x + 0.03, top - 0.3)]
        pen.ribbon(steam, Veil((255, 255, 255), 0.34), width=0.035, end=0.008)


def bottle(pen: Pen, wares: Wares) -> None:
    body, wide = wares.body, 0.17 + 0.014 * (wares.style % 4)
    neck = 0.065
    half = [
        (neck, -0.84),
        (neck, -0.72),
        (wide * 0.75, -0.63),
        (wide, -0.52),
        (wide, -0.06),
        (wide * 0.92, -0.012),
        (wide * 0.6, 0.012),
    ]
    if wares.style > 3:
        half[1:4] = [(neck, -0.78), (wide, -0.72), (wide, -0.6)]
    outline = half + [(-x, y) for x, y in half[::-1]]
    pen.poly(outline, round_body(body))
    cap = wares.print_colour
    pen.slab((-neck - 0.014, -0.96, neck + 0.014, -0.83), round_body(cap), radius=0.014)
    pen.box((-neck - 0.01, -0.84, neck + 0.01, -0.825), darker(cap, 0.4))
    paper = lighter(mix(wares.accent, WHITE, share=0.7), 0.3)
    pen.box(
        (-wide, -0.45, wide, -0.14),
        Ramp((darker(paper, 0.2), paper, WHITE, paper, darker(paper, 0.25)), sideways=True),
    )
    pen.box((-wide, -0.45, wide, -0.435), wares.accent)
    pen.box((-wide, -0.155, wide, -0.14), wares.accent)
    motif(
        pen.at(0, -0.32),
        Wares(body=paper, accent=darker(wares.accent, 0.2), style=0, pattern=wares.pattern),
        reach=0.065,
    )
    for y, reach in ((-0.215, 0.08), (-0.19, 0.05)):
        pen.slab((-reach, y, reach, y + 0.012), darker(wares.accent, 0.45), radius=0.004)
    sheen(pen, [(-wide * 0.62, -0.56), (-wide * 0.66, -0.06)], width=0.03, alpha=0.42)


def cake(pen: Pen, wares: Wares) -> None:
    cream, sponge = mix(wares.body, (255, 244, 232), share=0.35), (222, 172, 112)
    pen.oval((0, -0.02, 0.52, 0.07), (222, 224, 230))
    pen.oval((0, -0.035, 0.52, 0.065), (246, 247, 249))
    for base, wide, high in ((-0.04, 0.4, 0.3), (-0.32, 0.27, 0.25)):
        pen.slab((-wide, base - high, wide, base), round_body(sponge), radius=0.03)
        pen.box((-wide, base - high * 0.55, wide, base - high * 0.42), lighter(wares.accent, 0.35))
        hems = (0.045, 0.12) * 5
        drips = [(-wide + number * wide / 4, base - high + hems[number]) for number in range(9)]
        pen.blob(
            [
                (-wide - 0.012, base - high - 0.02),
                *drips,
                (wide + 0.012, base - high - 0.02),
                (0, base - high - 0.06),
            ],
            Ramp((lighter(cream, 0.3), cream)),
        )
    for number in range(5):
        x = -0.2 + number * 0.1
        pen.dot((x, -0.635, 0.036), wares.accent)
        pen.dot((x - 0.011, -0.648, 0.011), lighter(wares.accent, 0.7))
    pen.slab((-0.014, -0.84, 0.014, -0.64), (250, 240, 226), radius=0.01)
    pen.glow((0, -0.89, 0.16, 0.16), Veil((255, 220, 130), 0.8))
    pen.blob([(0, -0.95), (0.024, -0.88), (0, -0.845), (-0.024, -0.88)], (255, 190, 70))


def banana(pen: Pen, wares: Wares) -> None:
    ripe = (246, 208, 62)
    for lean, shade in ((0.5, 0.14), (0.22, 0.06), (-0.06, 0.0)):
        one = pen.at(-0.05, -0.56, turn=-lean + 0.1)
        paint = darker(ripe, shade)
        one.blob(
            [
                (-0.04, -0.28),
                (0.05, -0.27),
                (0.0, -0.06),
                (0.08, 0.2),
                (0.3, 0.42),
                (0.42, 0.46),
                (0.4, 0.52),
                (0.2, 0.54),
                (-0.06, 0.36),
                (-0.17, 0.08),
                (-0.12, -0.14),
            ],
            Ramp((paint, lighter(paint, 0.15), darker(paint, 0.15)), sideways=True),
        )
        one.ribbon(
            [(-0.03, -0.12), (-0.06, 0.1), (0.06, 0.34), (0.26, 0.48)], darker(paint, 0.12), width=0.02
        )
        one.poly([(0.4, 0.45), (0.46, 0.47), (0.44, 0.53), (0.38, 0.52)], (92, 66, 40))
    pen.blob([(-0.14, -0.8), (0.03, -0.8), (0.02, -0.95), (-0.1, -0.96)], (122, 104, 44))


def fruit(pen: Pen, wares: Wares) -> None:
    for x, y, size, paint in ((0.27, -0.24, 0.24, wares.accent), (-0.1, -0.36, 0.36, wares.body)):
        one = pen.at(x, y, scale=size)
        one.blob(
            [
                (0, -0.82),
                (0.5, -0.98),
                (0.98, -0.5),
                (0.9, 0.35),
                (0.45, 0.95),
                (0, 0.86),
                (-0.45, 0.95),
                (-0.9, 0.35),
                (-0.98, -0.5),
                (-0.5, -0.98),
            ],
            round_body(paint),
        )
        one.oval((0, -0.8, 0.2, 0.08), darker(paint, 0.4))
        one.ribbon([(0, -0.78), (0.03, -1.0), (0.12, -1.2)], (92, 62, 40), width=0.09)
        one.blob([(0.08, -1.02), (0.3, -1.3), (0.66, -1.26), (0.4, -1.02)], (96, 160, 72))
        one.oval((-0.42, -0.4, 0.14, 0.24), Veil((255, 255, 255), 0.5))


MAKERS: dict[str, Maker] = {"mug": mug, "bottle": bottle, "cake": cake, "banana": banana, "fruit": fruit}
