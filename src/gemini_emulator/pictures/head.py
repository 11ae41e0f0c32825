"""Puts a head together around a pen at its middle: what hangs behind, the face, what is worn."""

from __future__ import annotations

import math

from gemini_emulator.pictures.animal import animal_face, ears, robot_face
from gemini_emulator.pictures.colour import darker, lighter, mix
from gemini_emulator.pictures.easel import Pen, Ramp
from gemini_emulator.pictures.face import cheeks, eyes, mouth
from gemini_emulator.pictures.hair import beard, hair_behind, hair_front
from gemini_emulator.pictures.headgear import BEHIND, HATS_DRAWN, draw_glasses
from gemini_emulator.pictures.looks import Looks

WIDE, HIGH = 0.182, 0.178


def draw_behind_head(pen: Pen, looks: Looks) -> None:
    """What hangs behind body and head: long hair, ears, a mane, a helmet's back."""
    if looks.hat in BEHIND:
        BEHIND[looks.hat](pen, looks.accent)
    if looks.animal:
        if looks.kind.name == "lion":
            mane = darker(mix(looks.skin, (150, 74, 30), share=0.6), 0.1)
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
        return ears(pen, looks)
    pen.ribbon([(0, 0.1), (0, 0.24)], darker(looks.skin, 0.14), width=0.1)
    return hair_behind(pen, looks)


def draw_head(pen: Pen, looks: Looks, *, mood: str) -> None:
    if not looks.animal:
        return _human(pen, looks, mood)
    if looks.kind.name == "robot":
        robot_face(pen, looks, mood=mood)
    else:
        animal_face(pen, looks, mood=mood)
    return _dress_head(pen, looks)


def _dress_head(pen: Pen, looks: Looks) -> None:
    if looks.glasses != "none" and looks.hat not in {"dome", "helm"}:
        draw_glasses(pen, looks.glasses, colour=looks.accent)
    if looks.hat in HATS_DRAWN:
        HATS_DRAWN[looks.hat](pen, looks.accent)


def _human(pen: Pen, looks: Looks, mood: str) -> None:
    skin, chin = looks.skin, 0.15 + 0.012 * (looks.face % 3)
    for side in (-1, 1):
        pen.oval((side * WIDE * 0.97, 0.02, 0.032, 0.04), darker(skin, 0.08))
        pen.oval((side * WIDE * 0.97, 0.022, 0.016, 0.022), darker(skin, 0.2))
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
    cheeks(pen, looks)
    eyes(pen, looks, mood=mood, spread=0.073, y=0.012, size=0.031)
    nose = darker(skin, 0.2)
    pen.ribbon([(0.004, 0.04), (0.014, 0.062), (0.0, 0.068)], nose, width=0.013)
    mouth(pen, mood, y=0.105, wide=0.048)
    if looks.kind.name in {"man", "pirate", "wizard", "knight"} and looks.marking > 1:
        beard(pen, looks, long=looks.kind.name == "wizard")
    hair_front(pen, looks)
    _dress_head(pen, looks)
