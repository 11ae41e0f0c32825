"""Heads of animals and robots, in head units around the head's middle."""

from __future__ import annotations

from collections.abc import Callable

from gemini_emulator.pictures.colour import RGB, brightness, darker, lighter, mix
from gemini_emulator.pictures.easel import Pen, Ramp, Veil
from gemini_emulator.pictures.face import cheeks, eyes, mouth
from gemini_emulator.pictures.looks import Looks


def ears(pen: Pen, looks: Looks) -> None:
    """Both ears of the kind, drawn on the right and mirrored; they belong behind the head."""
    draw = _EARS.get(looks.kind.anatomy[0])
    if draw:
        draw(pen, looks)
        draw(pen.at(0, 0, flip=True), looks)


def _pointed(pen: Pen, looks: Looks) -> None:
    coat = looks.skin
    pen.blob([(0.19, -0.07), (0.195, -0.2), (0.185, -0.32), (0.1, -0.23), (0.03, -0.14)], coat)
    inner = [(0.165, -0.11), (0.172, -0.2), (0.17, -0.27), (0.11, -0.2), (0.075, -0.14)]
    pen.blob(inner, _inner(coat))
    pen.poly([(0.185, -0.325), (0.135, -0.262), (0.193, -0.25)], darker(coat, 0.55))


def _long(pen: Pen, looks: Looks) -> None:
    pen.blob([(0.03, -0.13), (0.04, -0.36), (0.1, -0.46), (0.145, -0.36), (0.13, -0.14)], looks.skin)
    inner = [(0.06, -0.16), (0.068, -0.35), (0.1, -0.41), (0.12, -0.34), (0.11, -0.16)]
    pen.blob(inner, _inner(looks.skin))


def _round(pen: Pen, looks: Looks) -> None:
    dark = _PATCH if looks.kind.name == "panda" else darker(looks.skin, 0.05)
    pen.dot((0.165, -0.15, 0.078), dark)
    pen.dot((0.165, -0.145, 0.047), darker(dark, 0.2) if dark == _PATCH else _inner(looks.skin))


def _saucer(pen: Pen, looks: Looks) -> None:
    pen.dot((0.174, -0.15, 0.115), darker(looks.skin, 0.05))
    pen.dot((0.174, -0.145, 0.07), _inner(looks.skin))


def _tuft(pen: Pen, looks: Looks) -> None:
    pen.poly([(0.19, -0.06), (0.2, -0.27), (0.05, -0.15)], darker(looks.skin, 0.15))


def _horn(pen: Pen, looks: Looks) -> None:
    pen.blob([(0.06, -0.15), (0.13, -0.27), (0.2, -0.31), (0.17, -0.2), (0.14, -0.12)], (240, 226, 190))


def _bulge(pen: Pen, looks: Looks) -> None:
    pen.dot((0.1, -0.145, 0.075), looks.skin)


def _antenna(pen: Pen, looks: Looks) -> None:
    pen.ribbon([(0, -0.15), (0, -0.26)], darker(looks.skin, 0.4), width=0.018)
    pen.dot((0, -0.275, 0.034), looks.accent)
    pen.slab((0.18, -0.06, 0.23, 0.07), darker(looks.skin, 0.3), radius=0.015)


def _inner(coat: RGB) -> RGB:
    return mix(lighter(coat, 0.45), (240, 160, 150), share=0.45)


_PATCH: RGB = (46, 42, 48)
_EARS: dict[str, Callable[[Pen, Looks], None]] = {
    "pointed": _pointed, "long": _long, "round": _round, "saucer": _saucer, "tuft": _tuft,
    "horn": _horn, "bulge": _bulge, "antenna": _antenna,
}  # fmt: skip


def animal_face(pen: Pen, looks: Looks, *, mood: str) -> None:
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
    pale = mix(lighter(coat, 0.72), (255, 248, 236), share=0.4)
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
    cheeks(pen, looks)
    bulging = looks.kind.anatomy[0] == "bulge"
    eyes(
        pen,
        looks,
        mood=mood,
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
            pen.at(side * 0.085, 0.0, turn=side * 0.5).oval((0, 0, 0.056, 0.068), (46, 42, 48))
    elif name == "penguin":
        for side in (-1, 1):
            pen.oval((side * 0.075, 0.03, 0.088, 0.11), pale)
    elif name == "owl":
        for side in (-1, 1):
            pen.dot((side * 0.083, -0.01, 0.085), pale)
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
        pen.dot((0.085, -0.015, 0.066), darker(coat, 0.25) if brightness(coat) > 120 else lighter(coat, 0.35))


def _muzzle(pen: Pen, looks: Looks, muzzle: str, pale: RGB, mood: str) -> None:
    nose = (44, 34, 40)
    if muzzle == "beak":
        pen.poly([(-0.045, 0.035), (0.045, 0.035), (0, 0.115)], (246, 168, 58))
        return pen.poly([(-0.045, 0.035), (0.045, 0.035), (0.03, 0.06), (-0.03, 0.06)], (255, 194, 92))
    if muzzle == "wide":
        pen.oval((0, 0.095, 0.12, 0.062), lighter(looks.skin, 0.4))
        for side in (-1, 1):
            pen.dot((side * 0.032, 0.062, 0.0085), darker(looks.skin, 0.5))
        return mouth(pen, mood, y=0.1, wide=0.08)
    long = muzzle == "long"
    pen.oval((0, 0.085, 0.086 if long else 0.074, 0.066 if long else 0.052), pale)
    pen.blob([(-0.034, 0.037), (0, 0.03), (0.034, 0.037), (0.018, 0.064), (0, 0.07), (-0.018, 0.064)], nose)
    pen.oval((-0.01, 0.04, 0.011, 0.006), Veil((255, 255, 255), 0.6))
    mouth(pen, mood, y=0.104, wide=0.042)
    if looks.kind.name in {"cat", "mouse", "rabbit", "lion"}:
        for side in (-1, 1):
            for y, lean in ((0.08, -0.012), (0.1, 0.012)):
                pen.ribbon([(side * 0.085, y), (side * 0.2, y + lean)], Veil((60, 50, 56), 0.5), width=0.006)
    return None


def robot_face(pen: Pen, looks: Looks, *, mood: str) -> None:
    metal = looks.skin
    pen.slab(
        (-0.2, -0.175, 0.2, 0.16),
        Ramp((lighter(metal, 0.35), metal, darker(metal, 0.25))),
        radius=0.05 + 0.02 * (looks.face % 4),
    )
    pen.slab((-0.16, -0.115, 0.16, 0.11), Ramp(((36, 42, 60), (22, 26, 40))), radius=0.05)
    glow = lighter(looks.accent, 0.3) if brightness(looks.accent) > 60 else (120, 220, 250)
    bent = (195, 345) if mood == "happy" else (15, 165)
    for side in (-1, 1):
        x = side * 0.07
        pen.glow((x, -0.02, 0.075, 0.075), Veil(glow, 0.6))
        if mood in {"happy", "sleepy"}:
            pen.arc(
                (x, -0.005, 0.032, 0.034),
                glow,
                span=bent,
                width=0.018,
            )
        elif looks.style % 2:
            pen.slab((x - 0.026, -0.055, x + 0.026, 0.012), glow, radius=0.014)
        else:
            pen.dot((x, -0.02, 0.034), glow)
        pen.dot((side * 0.178, 0.135, 0.009), darker(metal, 0.45))
    lips = (200, 340) if mood in {"sad", "angry"} else (20, 160)
    pen.arc((0, 0.046 + 0.024 * (lips[0] == 200), 0.05, 0.024), glow, span=lips, width=0.013)
    pen.slab((-0.15, -0.165, -0.02, -0.15), Veil((255, 255, 255), 0.5), radius=0.007)
