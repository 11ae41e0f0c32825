"""Eyes, mouth and cheeks, shared by people and animals."""

from __future__ import annotations

from gemini_emulator.pictures.colour import INK, WHITE, darker
from gemini_emulator.pictures.easel import Pen, Veil
from gemini_emulator.pictures.looks import Looks


def cheeks(pen: Pen, looks: Looks) -> None:
    for side in (-1, 1):
        pen.oval((side * 0.115, 0.07, 0.034, 0.022), Veil((236, 96, 96), 0.26))
        if looks.marking == 1 and not looks.animal:
            for x, y in ((0.09, 0.05), (0.108, 0.062), (0.125, 0.048)):
                pen.dot((side * x, y, 0.0055), darker(looks.skin, 0.34))


def eyes(pen: Pen, looks: Looks, *, mood: str, spread: float, y: float, size: float) -> None:
    brow = darker(looks.skin if looks.animal else looks.hair, 0.3)
    tilt = {"angry": 0.022, "sad": -0.018}.get(mood, -0.004)
    for side in (-1, 1):
        x = side * spread
        if mood == "sleepy":
            pen.arc((x, y - 0.004, size, size * 0.6), INK, span=(15, 165), width=0.011)
        else:
            open_ = 1.3 if mood == "surprised" else 1.12
            pen.oval((x, y, size, size * open_), WHITE)
            pen.oval((x + 0.003 * side * -1, y + 0.003, size * 0.72, size * 0.86), looks.iris)
            pen.oval((x - 0.003 * side, y + 0.004, size * 0.42, size * 0.52), (20, 18, 26))
            pen.dot((x + size * 0.24, y - size * 0.34, size * 0.24), (255, 255, 255))
            pen.arc((x, y, size * 1.04, size * open_), (40, 32, 40), span=(200, 340), width=0.011)
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


def mouth(pen: Pen, mood: str, *, y: float, wide: float) -> None:
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
        pen.oval((0, y + 0.031, wide * 0.45, 0.01), (232, 110, 116))
        pen.slab((-wide * 0.66, y - 0.002, wide * 0.66, y + 0.009), (255, 252, 248), radius=0.004)
    elif mood == "surprised":
        pen.oval((0, y + 0.014, wide * 0.42, 0.028), lip)
    elif mood in {"sad", "angry"}:
        pen.arc((0, y + 0.032, wide * 0.8, 0.026), lip, span=(200, 340), width=0.013)
    else:
        pen.arc((0, y - 0.012, wide * 0.75, 0.022), lip, span=(20, 160), width=0.013)
