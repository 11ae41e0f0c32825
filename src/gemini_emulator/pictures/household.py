"""Things that furnish a home, and what comes in a box."""

from __future__ import annotations

from gemini_emulator.pictures.colour import WHITE, darker, lighter, mix
from gemini_emulator.pictures.easel import Pen, Ramp, Veil
from gemini_emulator.pictures.wares import OAK, STEEL, Maker, Wares, motif, round_body, sheen


def perfume(pen: Pen, wares: Wares) -> None:
    tint, gold = lighter(wares.body, 0.22), (230, 196, 118)
    pen.slab((-0.09, -0.98, 0.09, -0.74), round_body(gold if wares.style % 2 else (60, 58, 66)), radius=0.016)
    pen.slab((-0.06, -0.75, 0.06, -0.68), round_body(STEEL), radius=0.006)
    pen.slab(
        (-0.3, -0.69, 0.3, 0.0),
        Ramp((lighter(tint, 0.5), tint, lighter(tint, 0.3), darker(tint, 0.2)), sideways=True),
        radius=0.06,
    )
    pen.slab((-0.245, -0.5, 0.245, -0.055), Ramp((wares.body, darker(wares.body, 0.22))), radius=0.035)
    pen.box((-0.245, -0.5, 0.245, -0.485), Veil((255, 255, 255), 0.5))
    pen.slab((-0.13, -0.4, 0.13, -0.16), (250, 247, 240), radius=0.008)
    pen.slab((-0.115, -0.385, 0.115, -0.175), wares.accent, radius=0.004)
    pen.slab((-0.107, -0.377, 0.107, -0.183), (250, 247, 240), radius=0.003)
    motif(
        pen.at(0, -0.28),
        Wares(body=(250, 247, 240), accent=wares.accent, style=0, pattern=wares.pattern),
        reach=0.055,
    )
    sheen(pen, [(-0.265, -0.62), (-0.265, -0.08)], width=0.026, alpha=0.65)
    sheen(pen, [(0.262, -0.58), (0.262, -0.3)], width=0.016, alpha=0.5)


def chair(pen: Pen, wares: Wares) -> None:
    seat, wood = wares.body, darker(OAK, 0.06 * (wares.style % 4))
    for foot, top in (((0.23, -0.05), (0.18, -0.4)), ((-0.23, -0.05), (-0.18, -0.4))):
        pen.ribbon([top, foot], darker(wood, 0.35), width=0.05, end=0.034)
    pen.blob(
        [
            (-0.3, -0.46),
            (-0.33, -0.72),
            (-0.27, -0.97),
            (0, -1.02),
            (0.27, -0.97),
            (0.33, -0.72),
            (0.3, -0.46),
        ],
        Ramp((lighter(seat, 0.22), seat, darker(seat, 0.22))),
    )
    for x in (-0.15, 0.0, 0.15):
        pen.ribbon([(x, -0.93), (x * 1.1, -0.7), (x * 1.05, -0.52)], darker(seat, 0.15), width=0.011)
    if wares.style > 3:
        for side in (-1, 1):
            pen.ribbon(
                [(side * 0.3, -0.64), (side * 0.38, -0.62), (side * 0.39, -0.4)],
                darker(seat, 0.12),
                width=0.1,
            )
    pen.blob(
        [
            (-0.36, -0.44),
            (-0.28, -0.5),
            (0.28, -0.5),
            (0.36, -0.44),
            (0.34, -0.34),
            (0, -0.32),
            (-0.34, -0.34),
        ],
        Ramp((lighter(seat, 0.34), darker(seat, 0.12))),
    )
    pen.ribbon([(-0.33, -0.4), (0, -0.375), (0.33, -0.4)], darker(seat, 0.25), width=0.01)
    for side in (-1, 1):
        pen.ribbon([(side * 0.29, -0.35), (side * 0.34, 0.0)], wood, width=0.058, end=0.036)
    pen.ribbon([(-0.3, -0.16), (0.3, -0.16)], darker(wood, 0.15), width=0.022)


def lamp(pen: Pen, wares: Wares) -> None:
    shade, stand = wares.body, round_body((214, 178, 108) if wares.style % 2 else (70, 68, 76))
    pen.glow((0, -0.62, 1.0, 0.95), Veil((255, 224, 150), 0.8))
    pen.oval((0, -0.015, 0.2, 0.035), stand)
    pen.slab((-0.02, -0.52, 0.02, -0.02), stand, radius=0.01)
    if wares.style > 3:
        pen.oval((0, -0.22, 0.12, 0.15), round_body(wares.accent))
    pen.oval((0, -0.5, 0.33, 0.05), (255, 240, 196))
    narrow = 0.14 + 0.025 * (wares.style % 4)
    pen.poly(
        [
            (-narrow, -0.97),
            (narrow, -0.97),
            (0.34, -0.5),
            (0.2, -0.465),
            (0, -0.452),
            (-0.2, -0.465),
            (-0.34, -0.5),
        ],
        Ramp(
            (
                darker(shade, 0.12),
                lighter(shade, 0.15),
                lighter(shade, 0.62),
                lighter(shade, 0.15),
                darker(shade, 0.2),
            ),
            sideways=True,
        ),
    )
    pen.oval((0, -0.97, narrow, 0.022), (255, 244, 210))
    pen.ribbon([(-0.33, -0.512), (0, -0.466), (0.33, -0.512)], wares.accent, width=0.014)


def vase(pen: Pen, wares: Wares) -> None:
    leaf = (92, 146, 96)
    for number, (x, y) in enumerate(((-0.3, -0.84), (-0.14, -0.98), (0.04, -0.9), (0.2, -1.0), (0.33, -0.8))):
        pen.ribbon([(0, -0.42), (x * 0.4, -0.62), (x, y)], darker(leaf, 0.2), width=0.018)
        if wares.pattern % 2:
            for petal in range(6):
                pen.at(x, y, turn=petal * 1.047).oval(
                    (0, -0.062, 0.034, 0.055), lighter(wares.accent, 0.12 * (number % 3))
                )
            pen.dot((x, y, 0.03), (250, 206, 92))
        else:
            for step in range(4):
                for side in (-1, 1):
                    share = 0.4 + step * 0.18
                    pen.at(x * share, -0.42 + (y + 0.42) * share, turn=side * 1.0 + x).oval(
                        (0, -0.07, 0.03, 0.08), darker(leaf, 0.08 * step)
                    )
    half = [(0.09, -0.5), (0.075, -0.44), (0.2, -0.32), (0.235, -0.2), (0.2, -0.06), (0.12, 0.0)]
    if wares.style % 3 == 1:
        half = [(0.2, -0.46), (0.2, -0.4), (0.185, -0.2), (0.16, -0.03), (0.12, 0.0)]
    pen.poly(half + [(-x, y) for x, y in half[::-1]], round_body(wares.body))
    motif(pen.at(0, -0.2), wares, reach=0.1)
    pen.oval((0, half[0][1], half[0][0], 0.018), darker(wares.body, 0.5))
    sheen(pen, [(-0.14, -0.3), (-0.16, -0.16), (-0.13, -0.06)], width=0.026)


def candle(pen: Pen, wares: Wares) -> None:
    glass = wares.body
    pen.glow((0, -0.86, 0.6, 0.5), Veil((255, 214, 130), 0.5))
    pen.slab((-0.29, -0.7, 0.29, 0.0), round_body(glass), radius=0.05)
    pen.oval((0, -0.69, 0.29, 0.06), lighter(glass, 0.4))
    pen.oval((0, -0.68, 0.262, 0.047), (252, 240, 214))
    pen.slab((-0.2, -0.52, 0.2, -0.16), (250, 247, 240), radius=0.012)
    motif(
        pen.at(0, -0.38),
        Wares(body=(250, 247, 240), accent=wares.accent, style=0, pattern=wares.pattern),
        reach=0.085,
    )
    for y, reach in ((-0.25, 0.12), (-0.215, 0.08)):
        pen.slab((-reach, y, reach, y + 0.016), darker(wares.accent, 0.4), radius=0.005)
    pen.ribbon([(0, -0.68), (0.004, -0.75)], (60, 50, 46), width=0.014)
    pen.blob(
        [(0, -0.93), (0.04, -0.82), (0.026, -0.755), (-0.026, -0.755), (-0.04, -0.82)],
        Ramp(((255, 232, 150), (255, 170, 60))),
    )
    sheen(pen, [(-0.245, -0.58), (-0.245, -0.1)], width=0.026)


def car(pen: Pen, wares: Wares) -> None:
    pen = pen.at(0, 0, scale=1.15)
    body = wares.body
    pen.blob([(-0.3, -0.36), (-0.2, -0.54), (-0.02, -0.6), (0.14, -0.56), (0.3, -0.36)], darker(body, 0.15))
    for left, peak, right in ((-0.255, -0.165, -0.01), (0.02, 0.11, 0.24)):
        pen.poly(
            [
                (left, -0.37),
                (peak if left < 0 else left, -0.53),
                (right if left < 0 else peak, -0.54),
                (right, -0.37),
            ],
            Ramp(((206, 232, 246), (128, 168, 194))),
        )
    pen.blob(
        [
            (-0.55, -0.12),
            (-0.555, -0.28),
            (-0.44, -0.35),
            (-0.2, -0.38),
            (0.28, -0.38),
            (0.48, -0.31),
            (0.56, -0.22),
            (0.56, -0.11),
            (0.3, -0.07),
            (-0.3, -0.07),
        ],
        Ramp((lighter(body, 0.34), body, darker(body, 0.28))),
    )
    pen.ribbon([(-0.5, -0.24), (0, -0.26), (0.5, -0.235)], wares.print_colour, width=0.02)
    pen.slab((-0.06, -0.32, 0.0, -0.305), WHITE, radius=0.007)
    pen.oval((0.53, -0.235, 0.03, 0.035), (255, 244, 196))
    pen.slab((-0.565, -0.27, -0.535, -0.2), (226, 70, 62), radius=0.01)
    for x in (-0.32, 0.33):
        pen.dot((x, -0.1, 0.13), darker(body, 0.6))
        pen.dot((x, -0.095, 0.11), (38, 38, 46))
        pen.dot((x, -0.095, 0.06), STEEL)
        pen.dot((x, -0.095, 0.022), (96, 100, 112))


def phone(pen: Pen, wares: Wares) -> None:
    pen = pen.at(0, -0.5, turn=0.1)
    pen.slab(
        (-0.26, -0.5, 0.26, 0.5), Ramp((lighter(STEEL, 0.4), darker(STEEL, 0.4)), sideways=True), radius=0.07
    )
    pen.slab((-0.25, -0.49, 0.25, 0.49), (24, 24, 30), radius=0.062)
    pen.slab(
        (-0.232, -0.47, 0.232, 0.47), Ramp((lighter(wares.body, 0.35), wares.body, wares.accent)), radius=0.05
    )
    pen.slab((-0.07, -0.455, 0.07, -0.42), (24, 24, 30), radius=0.02)
    pen.dot((0.1, -0.16, 0.19), Veil(lighter(wares.accent, 0.5), 0.5))
    pen.dot((-0.08, 0.06, 0.15), Veil(WHITE, 0.3))
    for column in range(4):
        pen.slab((-0.19 + column * 0.1, 0.35, -0.11 + column * 0.1, 0.43), Veil(WHITE, 0.75), radius=0.022)
    pen.poly([(-0.232, -0.1), (0.0, -0.47), (0.1, -0.47), (-0.232, 0.08)], Veil((255, 255, 255), 0.16))


def parcel(pen: Pen, wares: Wares) -> None:
    body, band = wares.body, wares.print_colour
    pen.poly(
        [(-0.42, -0.6), (0.08, -0.54), (0.08, 0.04), (-0.42, -0.05)],
        Ramp((lighter(body, 0.14), darker(body, 0.06))),
    )
    pen.poly(
        [(0.08, -0.54), (0.44, -0.64), (0.44, -0.09), (0.08, 0.04)],
        Ramp((darker(body, 0.18), darker(body, 0.36))),
    )
    pen.poly([(-0.42, -0.6), (-0.06, -0.69), (0.44, -0.64), (0.08, -0.54)], lighter(body, 0.34))
    pen.poly([(-0.22, -0.576), (-0.12, -0.564), (-0.12, 0.004), (-0.22, -0.014)], band)
    pen.poly([(0.23, -0.582), (0.3, -0.6), (0.3, -0.04), (0.23, -0.014)], darker(band, 0.2))
    pen.poly([(-0.22, -0.576), (-0.12, -0.564), (0.25, -0.66), (0.14, -0.67)], lighter(band, 0.14))
    pen.poly([(-0.29, -0.633), (-0.2, -0.655), (0.3, -0.6), (0.23, -0.582)], lighter(band, 0.08))
    for side in (-1, 1):
        pen.blob(
            [(0, -0.61), (side * 0.1, -0.82), (side * 0.22, -0.8), (side * 0.22, -0.68)],
            Ramp((lighter(band, 0.25), darker(band, 0.12))),
        )
        pen.blob(
            [(side * 0.04, -0.64), (side * 0.11, -0.75), (side * 0.17, -0.74), (side * 0.17, -0.68)],
            darker(band, 0.4),
        )
    pen.dot((0, -0.64, 0.045), mix(band, WHITE, share=0.2))


MAKERS: dict[str, Maker] = {
    "perfume": perfume, "chair": chair, "lamp": lamp, "vase": vase, "candle": candle, "car": car,
    "phone": phone, "parcel": parcel,
}  # fmt: skip
