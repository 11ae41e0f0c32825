"""Heads: face, muzzle, ears, hair, hats and glasses, drawn around a pen at the head's middle."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gemini_emulator.pictures.colour import INK, RGB, WHITE, brightness, darker, lighter, mix
from gemini_emulator.pictures.easel import Pen, Ramp, Veil
from gemini_emulator.pictures.headgear import BEHIND, HATS_DRAWN, draw_glasses
from gemini_emulator.pictures.vocabulary import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """A genome in colours and named shapes."""

    kind: Subject
    skin: RGB
    hair: RGB
    iris: RGB
    top: RGB
    accent: RGB
    style: int
    hat: str
    glasses: str
    neck: str
    marking: int
    build: int
    pattern: int
    face: int
    outfit: int

    @property
    def animal(self) -> bool:
        return bool(self.kind.anatomy)

    @property
    def girlish(self) -> bool:
        return self.kind.name in {"girl", "woman", "princess"}


WIDE, HIGH = 0.182, 0.178


def draw_behind_head(pen: Pen, looks: Looks) -> None:
    """What hangs behind body and head: long hair, ears, a mane, a helmet's back."""
    if looks.hat in BEHIND:
        BEHIND[looks.hat](pen, looks.accent)
    if looks.animal:
        if looks.kind.name == "lion":
            mane = darker(mix(looks.skin, (150, 74, 30), 0.6), 0.1)
            pen.blob(
                [
                    (
                        (0.285 if n % 2 else 0.245) * math.cos(n * math.tau / 22),
                        (0.275 if n % 2 else 0.24) * math.sin(n * math.tau / 22),
                    )
                    for n in range(22)
                ],
                mane,
            )
        return _ears(pen, looks)
    pen.ribbon([(0, 0.1), (0, 0.24)], darker(looks.skin, 0.14), width=0.1)
    return _hair_behind(pen, looks)


def draw_head(pen: Pen, looks: Looks, mood: str) -> None:
    if not looks.animal:
        return _human(pen, looks, mood)
    if looks.kind.name == "robot":
        _robot_face(pen, looks, mood)
    else:
        _animal_face(pen, looks, mood)
    return _dress_head(pen, looks)


def _dress_head(pen: Pen, looks: Looks) -> None:
    if looks.glasses != "none" and looks.hat not in {"dome", "helm"}:
        draw_glasses(pen, looks.glasses, looks.accent)
    if looks.hat in HATS_DRAWN:
        HATS_DRAWN[looks.hat](pen, looks.accent)


def _human(pen: Pen, looks: Looks, mood: str) -> None:
    skin, chin = looks.skin, 0.15 + 0.012 * (looks.face % 3)
    for side in (-1, 1):
        pen.oval(side * WIDE * 0.97, 0.02, 0.032, 0.04, darker(skin, 0.08))
        pen.oval(side * WIDE * 0.97, 0.022, 0.016, 0.022, darker(skin, 0.2))
    wide = WIDE * (0.96 + 0.02 * (looks.face % 4))
    pen.blob(
        [
            (0, -0.175),
            (wide * 0.75, -0.135),
            (wide, -0.01),
            (wide * 0.82, 0.105),
            (0.06, chin + 0.02),
            (-0.06, chin + 0.02),
            (-wide * 0.82, 0.105),
            (-wide, -0.01),
            (-wide * 0.75, -0.135),
        ],
        Ramp((lighter(skin, 0.1), skin, darker(skin, 0.1))),
    )
    _cheeks(pen, looks)
    _eyes(pen, looks, mood, spread=0.073, y=0.012, size=0.031)
    nose = darker(skin, 0.2)
    pen.ribbon([(0.004, 0.04), (0.014, 0.062), (0.0, 0.068)], nose, width=0.013)
    _mouth(pen, mood, y=0.105, wide=0.048)
    if looks.kind.name in {"man", "pirate", "wizard", "knight"} and looks.marking > 1:
        _beard(pen, looks, long=looks.kind.name == "wizard")
    _hair_front(pen, looks)
    _dress_head(pen, looks)


def _cheeks(pen: Pen, looks: Looks) -> None:
    for side in (-1, 1):
        pen.oval(side * 0.115, 0.07, 0.034, 0.022, Veil((236, 96, 96), 0.26))
        if looks.marking == 1 and not looks.animal:
            for x, y in ((0.09, 0.05), (0.108, 0.062), (0.125, 0.048)):
                pen.dot(side * x, y, 0.0055, darker(looks.skin, 0.34))


def _eyes(pen: Pen, looks: Looks, mood: str, *, spread: float, y: float, size: float) -> None:
    brow = darker(looks.skin if looks.animal else looks.hair, 0.3)
    tilt = {"angry": 0.022, "sad": -0.018}.get(mood, -0.004)
    for side in (-1, 1):
        x = side * spread
        if mood == "sleepy":
            pen.arc((x, y - 0.004), (size, size * 0.6), (15, 165), INK, width=0.011)
        else:
            open_ = 1.3 if mood == "surprised" else 1.12
            pen.oval(x, y, size, size * open_, WHITE)
            pen.oval(x + 0.003 * side * -1, y + 0.003, size * 0.72, size * 0.86, looks.iris)
            pen.oval(x - 0.003 * side, y + 0.004, size * 0.42, size * 0.52, (20, 18, 26))
            pen.dot(x + size * 0.24, y - size * 0.34, size * 0.24, (255, 255, 255))
            pen.arc((x, y), (size * 1.04, size * open_), (200, 340), (40, 32, 40), width=0.011)
        if looks.girlish and mood != "sleepy":
            pen.ribbon(
                [(x + side * size * 0.9, y - size * 0.5), (x + side * size * 1.5, y - size * 0.95)],
                (40, 32, 40),
                width=0.011,
                end=0.004,
            )
        lift = y - size * (2.3 if mood == "surprised" else 1.85)
        pen.ribbon(
            [
                (x - side * size * 0.9, lift + tilt),
                (x, lift - 0.008),
                (x + side * size * 1.05, lift - tilt * 0.4 + 0.004),
            ],
            brow,
            width=0.015,
            end=0.009,
        )


def _mouth(pen: Pen, mood: str, *, y: float, wide: float) -> None:
    lip = (146, 52, 56)
    if mood == "happy":
        pen.blob(
            [
                (-wide, y - 0.006),
                (0, y + 0.004),
                (wide, y - 0.006),
                (wide * 0.62, y + 0.032),
                (0, y + 0.042),
                (-wide * 0.62, y + 0.032),
            ],
            lip,
        )
        pen.oval(0, y + 0.031, wide * 0.45, 0.01, (232, 110, 116))
        pen.slab((-wide * 0.66, y - 0.002, wide * 0.66, y + 0.009), (255, 252, 248), radius=0.004)
    elif mood == "surprised":
        pen.oval(0, y + 0.014, wide * 0.42, 0.028, lip)
    elif mood in {"sad", "angry"}:
        pen.arc((0, y + 0.032), (wide * 0.8, 0.026), (200, 340), lip, width=0.013)
    else:
        pen.arc((0, y - 0.012), (wide * 0.75, 0.022), (20, 160), lip, width=0.013)


def _beard(pen: Pen, looks: Looks, *, long: bool) -> None:
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
    pen.arc((0, 0.1), (0.036, 0.016), (20, 160), (146, 52, 56), width=0.013)


def _hair_behind(pen: Pen, looks: Looks) -> None:
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
        pen.dot(0, -0.235, 0.085, ramp)
    elif style == 4:
        for number in range(13):
            angle = math.pi * 0.86 + number * math.pi * 1.28 / 12
            pen.dot(
                0.17 * math.cos(angle),
                -0.04 + 0.17 * math.sin(angle),
                0.088,
                darker(hair, 0.1 if number % 2 else 0.0),
            )
    elif style == 5:
        pen.blob([(0.1, -0.17), (0.25, -0.16), (0.31, 0.0), (0.27, 0.2), (0.22, 0.04), (0.14, -0.04)], ramp)
    elif style == 7:
        for side in (-1, 1):
            for number in range(4):
                pen.oval(
                    side * (0.2 + 0.006 * number),
                    0.06 + number * 0.066,
                    0.044,
                    0.042,
                    darker(hair, 0.08 * (number % 2)),
                )
            pen.dot(side * 0.222, 0.31, 0.022, looks.accent)


def _style(looks: Looks) -> int:
    """Boys and men wear the shorter half of the styles, women and girls the longer one."""
    if looks.kind.name in {"boy", "man", "knight", "pirate", "chef"}:
        return (0, 0, 6, 4, 6, 0, 6, 1)[looks.style]
    if looks.girlish:
        return (1, 1, 2, 3, 4, 5, 2, 7)[looks.style]
    return looks.style


def _hair_front(pen: Pen, looks: Looks) -> None:
    hair = looks.hair
    ramp = Ramp((lighter(hair, 0.16), hair, darker(hair, 0.12)))
    style = _style(looks)
    if style == 6:
        spikes = [
            (-0.195, 0.0),
            (-0.235, -0.12),
            (-0.16, -0.12),
            (-0.15, -0.25),
            (-0.07, -0.18),
            (0.0, -0.28),
            (0.06, -0.19),
            (0.16, -0.25),
            (0.15, -0.13),
            (0.24, -0.1),
            (0.19, 0.0),
            (0.14, -0.07),
            (0.07, -0.1),
            (0.02, -0.075),
            (-0.05, -0.11),
            (-0.13, -0.07),
        ]
        return pen.poly(spikes, ramp)
    if style == 4:
        for number in range(7):
            pen.dot(
                -0.15 + number * 0.05,
                -0.135 - 0.035 * math.sin(number * math.pi / 6),
                0.056,
                darker(hair, 0.06 * (number % 2)),
            )
        return None
    part = (-0.06, 0.07, 0.0, -0.1)[looks.face % 4]
    side = 0.03 if style in {0, 3} else 0.06
    pen.blob(
        [
            (-0.192, side),
            (-0.205, -0.08),
            (-0.14, -0.185),
            (0, -0.218),
            (0.14, -0.185),
            (0.205, -0.08),
            (0.192, side),
            (0.165, -0.045),
            (part + 0.09, -0.095),
            (part, -0.125),
            (part - 0.09, -0.085),
            (-0.168, -0.03),
        ],
        ramp,
    )
    pen.ribbon(
        [(-0.11, -0.155), (-0.03, -0.185), (0.06, -0.18)],
        Veil(lighter(hair, 0.6), 0.4),
        width=0.02,
        end=0.008,
    )
    return None


def _ears(pen: Pen, looks: Looks) -> None:
    kind = looks.kind.anatomy[0]
    coat, inner = looks.skin, mix(lighter(looks.skin, 0.45), (240, 160, 150), 0.45)
    dark = (46, 42, 48) if looks.kind.name == "panda" else darker(coat, 0.05)
    for side in (-1, 1):
        if kind == "pointed":
            pen.blob(
                [
                    (side * 0.19, -0.07),
                    (side * 0.195, -0.2),
                    (side * 0.185, -0.32),
                    (side * 0.1, -0.23),
                    (side * 0.03, -0.14),
                ],
                coat,
            )
            pen.blob(
                [
                    (side * 0.165, -0.11),
                    (side * 0.172, -0.2),
                    (side * 0.17, -0.27),
                    (side * 0.11, -0.2),
                    (side * 0.075, -0.14),
                ],
                inner,
            )
            pen.poly(
                [(side * 0.185, -0.325), (side * 0.135, -0.262), (side * 0.193, -0.25)], darker(coat, 0.55)
            )
        elif kind == "long":
            pen.blob(
                [
                    (side * 0.03, -0.13),
                    (side * 0.04, -0.36),
                    (side * 0.1, -0.46),
                    (side * 0.145, -0.36),
                    (side * 0.13, -0.14),
                ],
                coat,
            )
            pen.blob(
                [
                    (side * 0.06, -0.16),
                    (side * 0.068, -0.35),
                    (side * 0.1, -0.41),
                    (side * 0.12, -0.34),
                    (side * 0.11, -0.16),
                ],
                inner,
            )
        elif kind in {"round", "saucer"}:
            radius = 0.078 if kind == "round" else 0.115
            pen.dot(side * (0.145 + radius * 0.25), -0.15, radius, dark)
            pen.dot(
                side * (0.145 + radius * 0.25),
                -0.145,
                radius * 0.6,
                darker(dark, 0.2) if looks.kind.name == "panda" else inner,
            )
        elif kind == "tuft":
            pen.poly([(side * 0.19, -0.06), (side * 0.2, -0.27), (side * 0.05, -0.15)], darker(coat, 0.15))
        elif kind == "horn":
            pen.blob(
                [
                    (side * 0.06, -0.15),
                    (side * 0.13, -0.27),
                    (side * 0.2, -0.31),
                    (side * 0.17, -0.2),
                    (side * 0.14, -0.12),
                ],
                (240, 226, 190),
            )
        elif kind == "bulge":
            pen.dot(side * 0.1, -0.145, 0.075, coat)
        elif kind == "antenna" and side == 1:
            pen.ribbon([(0, -0.15), (0, -0.26)], darker(coat, 0.4), width=0.018)
            pen.dot(0, -0.275, 0.034, looks.accent)
    if kind == "antenna":
        for side in (-1, 1):
            pen.slab(
                (side * 0.205 - 0.025, -0.06, side * 0.205 + 0.025, 0.07), darker(coat, 0.3), radius=0.015
            )


def _animal_face(pen: Pen, looks: Looks, mood: str) -> None:
    coat, muzzle = looks.skin, looks.kind.anatomy[1]
    pen.blob(
        [
            (0, -0.185),
            (0.14, -0.145),
            (0.2, -0.01),
            (0.17, 0.11),
            (0.075, 0.165),
            (-0.075, 0.165),
            (-0.17, 0.11),
            (-0.2, -0.01),
            (-0.14, -0.145),
        ],
        Ramp((lighter(coat, 0.12), coat, darker(coat, 0.12))),
    )
    pale = mix(lighter(coat, 0.72), (255, 248, 236), 0.4)
    _markings(pen, looks, pale)
    if looks.kind.anatomy[0] == "floppy":
        for side in (-1, 1):
            pen.blob(
                [
                    (side * 0.1, -0.165),
                    (side * 0.2, -0.15),
                    (side * 0.26, 0.02),
                    (side * 0.22, 0.12),
                    (side * 0.165, 0.04),
                ],
                darker(coat, 0.28),
            )
    _cheeks(pen, looks)
    bulging = looks.kind.anatomy[0] == "bulge"
    _eyes(
        pen,
        looks,
        mood,
        spread=0.1 if bulging else 0.082,
        y=-0.15 if bulging else -0.012,
        size=0.046 if bulging else 0.037,
    )
    _muzzle(pen, looks, muzzle, pale, mood)


def _markings(pen: Pen, looks: Looks, pale: RGB) -> None:
    name, coat = looks.kind.name, looks.skin
    if name in {"fox", "wolf"}:
        for side in (-1, 1):
            pen.blob(
                [
                    (side * 0.012, 0.06),
                    (side * 0.07, 0.02),
                    (side * 0.15, 0.03),
                    (side * 0.185, 0.07),
                    (side * 0.12, 0.14),
                    (side * 0.02, 0.163),
                ],
                pale,
            )
    elif name == "panda":
        for side in (-1, 1):
            pen.at(side * 0.085, 0.0, turn=side * 0.5).oval(0, 0, 0.056, 0.068, (46, 42, 48))
    elif name == "penguin":
        for side in (-1, 1):
            pen.oval(side * 0.075, 0.03, 0.088, 0.11, pale)
    elif name == "owl":
        for side in (-1, 1):
            pen.dot(side * 0.083, -0.01, 0.085, pale)
    elif looks.marking == 1:
        pen.blob([(-0.035, -0.18), (0.035, -0.18), (0.025, 0.03), (-0.025, 0.03)], pale)
    elif looks.marking == 2:
        for side in (-1, 1):
            for y in (-0.03, 0.02):
                pen.poly(
                    [(side * 0.197, y), (side * 0.14, y + 0.02), (side * 0.192, y + 0.028)],
                    darker(coat, 0.35),
                )
        for x in (-0.04, 0.0, 0.04):
            pen.poly([(x - 0.012, -0.178), (x + 0.012, -0.178), (x, -0.11)], darker(coat, 0.35))
    elif looks.marking == 3:
        pen.dot(0.085, -0.015, 0.066, darker(coat, 0.25) if brightness(coat) > 120 else lighter(coat, 0.35))


def _muzzle(pen: Pen, looks: Looks, muzzle: str, pale: RGB, mood: str) -> None:
    nose = (44, 34, 40)
    if muzzle == "beak":
        pen.poly([(-0.045, 0.035), (0.045, 0.035), (0, 0.115)], (246, 168, 58))
        return pen.poly([(-0.045, 0.035), (0.045, 0.035), (0.03, 0.06), (-0.03, 0.06)], (255, 194, 92))
    if muzzle == "wide":
        pen.oval(0, 0.095, 0.12, 0.062, lighter(looks.skin, 0.4))
        for side in (-1, 1):
            pen.dot(side * 0.032, 0.062, 0.0085, darker(looks.skin, 0.5))
        return _mouth(pen, mood, y=0.1, wide=0.08)
    long = muzzle == "long"
    pen.oval(0, 0.085, 0.086 if long else 0.074, 0.066 if long else 0.052, pale)
    pen.blob([(-0.034, 0.037), (0, 0.03), (0.034, 0.037), (0.018, 0.064), (0, 0.07), (-0.018, 0.064)], nose)
    pen.oval(-0.01, 0.04, 0.011, 0.006, Veil((255, 255, 255), 0.6))
    _mouth(pen, mood, y=0.104, wide=0.042)
    if looks.kind.name in {"cat", "mouse", "rabbit", "lion"}:
        for side in (-1, 1):
            for y, lean in ((0.08, -0.012), (0.1, 0.012)):
                pen.ribbon([(side * 0.085, y), (side * 0.2, y + lean)], Veil((60, 50, 56), 0.5), width=0.006)
    return None


def _robot_face(pen: Pen, looks: Looks, mood: str) -> None:
    metal = looks.skin
    pen.slab(
        (-0.2, -0.175, 0.2, 0.16),
        Ramp((lighter(metal, 0.35), metal, darker(metal, 0.25))),
        radius=0.05 + 0.02 * (looks.face % 4),
    )
    pen.slab((-0.16, -0.115, 0.16, 0.11), Ramp(((36, 42, 60), (22, 26, 40))), radius=0.05)
    glow = lighter(looks.accent, 0.3) if brightness(looks.accent) > 60 else (120, 220, 250)
    for side in (-1, 1):
        x = side * 0.07
        pen.glow(x, -0.02, 0.075, 0.075, Veil(glow, 0.6))
        if mood in {"happy", "sleepy"}:
            pen.arc(
                (x, -0.005), (0.032, 0.034), (195, 345) if mood == "happy" else (15, 165), glow, width=0.018
            )
        elif looks.style % 2:
            pen.slab((x - 0.026, -0.055, x + 0.026, 0.012), glow, radius=0.014)
        else:
            pen.dot(x, -0.02, 0.034, glow)
        pen.dot(side * 0.178, 0.135, 0.009, darker(metal, 0.45))
    bent = (200, 340) if mood in {"sad", "angry"} else (20, 160)
    pen.arc((0, 0.046 + 0.024 * (bent[0] == 200)), (0.05, 0.024), bent, glow, width=0.013)
    pen.slab((-0.15, -0.165, -0.02, -0.15), Veil((255, 255, 255), 0.5), radius=0.007)
