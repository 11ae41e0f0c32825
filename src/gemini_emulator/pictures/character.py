"""A person, animal or robot from its genome: body, clothes, pose and what it holds.

The figure stands at the pen's origin, one unit high, towards negative y. Heads are in head.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from gemini_emulator.pictures import props
from gemini_emulator.pictures.colour import RGB, WHITE, darker, lighter, mix
from gemini_emulator.pictures.easel import Pen, Point, Ramp, Veil
from gemini_emulator.pictures.head import draw_behind_head, draw_head
from gemini_emulator.pictures.looks import Looks
from gemini_emulator.pictures.outfits import draw_trim


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Where the hands are, in figure units, the mirror image counted from the middle."""

    left: tuple[Point, Point]
    right: tuple[Point, Point]


_DOWN: tuple[Point, Point] = ((0.19, -0.33), (0.185, -0.23))
_WAVE: tuple[Point, Point] = ((0.235, -0.4), (0.265, -0.55))
_HOLD: tuple[Point, Point] = ((0.2, -0.33), (0.245, -0.4))
_RIDE: tuple[Point, Point] = ((0.18, -0.36), (0.2, -0.26))


def draw_character(pen: Pen, looks: Looks, *, mood: str, held: tuple[str, ...], waving: bool) -> None:
    """The whole figure; `held` names the props of the picture, the first few of which it takes."""
    riding = "bicycle" in held
    carried = next((prop for prop in held if prop in props.HELD), None)
    if riding:
        props.bicycle(pen, looks.accent)
        pen = pen.at(0, -0.2, scale=0.95)
    elif "skateboard" in held:
        props.skateboard(pen, looks.accent)
        pen = pen.at(0, -0.075)
    _tail(pen, looks)
    draw_behind_head(pen.at(0, -0.7), looks)
    _legs(pen, looks, riding=riding)
    pose = Pose(left=_RIDE if riding else _DOWN, right=_pose(riding, carried, waving))
    _arm(pen, pose.left, looks, side=-1)
    if pose.right is not _WAVE:
        _arm(pen, pose.right, looks, side=1)
    _torso(pen, looks)
    _neckwear(pen, looks)
    draw_head(pen.at(0, -0.7), looks, mood=mood)
    if pose.right is _WAVE:
        _arm(pen, pose.right, looks, side=1)
    if carried:
        hand = pose.right[1]
        props.HELD[carried](pen.at(*hand), looks.accent)
        _hand(pen, hand, looks, side=1)


def _pose(riding: bool, carried: str | None, waving: bool) -> tuple[Point, Point]:
    if carried:
        return _HOLD
    if riding:
        return _RIDE
    return _WAVE if waving else _DOWN


def _tail(pen: Pen, looks: Looks) -> None:
    kind = looks.kind.anatomy[2] if looks.kind.anatomy else "none"
    coat = looks.skin
    if kind == "bushy":
        pen.blob(
            [
                (0.06, -0.2),
                (0.22, -0.12),
                (0.34, -0.22),
                (0.36, -0.42),
                (0.28, -0.52),
                (0.25, -0.36),
                (0.16, -0.28),
            ],
            Ramp((lighter(coat, 0.12), coat, darker(coat, 0.2))),
        )
        pen.blob(
            [(0.28, -0.52), (0.355, -0.43), (0.35, -0.34), (0.31, -0.38), (0.28, -0.36), (0.255, -0.4)], WHITE
        )
    elif kind == "thin":
        pen.ribbon(
            [(0.08, -0.2), (0.22, -0.14), (0.3, -0.26), (0.27, -0.4), (0.31, -0.46)],
            darker(coat, 0.08),
            width=0.045,
            end=0.03,
        )
    elif kind == "puff":
        pen.dot((0.15, -0.22, 0.06), lighter(coat, 0.3))
    elif kind == "spike":
        pen.ribbon([(0.06, -0.2), (0.26, -0.1), (0.36, -0.2), (0.42, -0.34)], coat, width=0.12, end=0.015)
        pen.poly([(0.38, -0.31), (0.47, -0.36), (0.42, -0.44)], looks.accent)


def _legs(pen: Pen, looks: Looks, *, riding: bool) -> None:
    trousers = darker(mix(looks.accent, (52, 58, 84), share=0.62), 0.12)
    bare = looks.outfit in {"dress", "tee"}
    cloth = looks.skin if bare else trousers
    shoe = darker(looks.accent, 0.35)
    width = 0.088 + 0.008 * looks.build
    for side in (-1, 1):
        x = 0.068 * side
        knee, foot = (
            ((0.13 * side, -0.12), (0.05 * side, 0.06 - 0.09 * (side > 0)))
            if riding
            else ((x, -0.12), (x, -0.025))
        )
        shade = cloth if side > 0 else darker(cloth, 0.1)
        pen.ribbon([(x, -0.24), knee, foot], shade, width=width, end=width * 0.88)
        pen.oval((foot[0] + 0.018 * side, foot[1] + 0.002, 0.064, 0.034), shoe)
        pen.slab(
            (
                foot[0] + 0.018 * side - 0.062,
                foot[1] + 0.014,
                foot[0] + 0.018 * side + 0.062,
                foot[1] + 0.032,
            ),
            lighter(shoe, 0.65),
            radius=0.01,
        )


def _torso(pen: Pen, looks: Looks) -> None:
    wide = 0.135 + 0.014 * looks.build
    hem = wide + (0.095 if looks.outfit == "dress" else 0.03 if looks.outfit in {"jacket", "coat"} else 0.0)
    low = -0.13 if looks.outfit == "dress" else -0.15 if looks.outfit == "coat" else -0.19
    body = [
        (-wide * 0.62, -0.52),
        (wide * 0.62, -0.52),
        (wide, -0.44),
        (wide * 1.02, -0.3),
        (hem, low),
        (0, low + 0.025),
        (-hem, low),
        (-wide * 1.02, -0.3),
        (-wide, -0.44),
    ]
    top = looks.top
    pen.blob(body, Ramp((lighter(top, 0.14), top, darker(top, 0.24))))
    draw_trim(pen, looks, half=wide, hem=low)
    if pen.easel.detail > 2:
        pen.blob(
            [
                (wide * 0.6, -0.5),
                (wide, -0.44),
                (wide * 1.02, -0.3),
                (hem, low),
                (hem * 0.6, low + 0.01),
                (wide * 0.62, -0.32),
            ],
            Veil(darker(top, 0.7), 0.16),
        )


def _neckwear(pen: Pen, looks: Looks) -> None:
    accent = lighter(looks.accent, 0.1)
    if looks.neck == "scarf":
        pen.ribbon([(0.07, -0.5), (0.1, -0.42), (0.09, -0.33)], darker(accent, 0.12), width=0.065, end=0.075)
        pen.ribbon([(-0.11, -0.52), (0, -0.495), (0.11, -0.52)], accent, width=0.075)
    elif looks.neck == "bowtie":
        for side in (-1, 1):
            pen.poly([(0, -0.5), (side * 0.07, -0.535), (side * 0.07, -0.465)], accent)
        pen.dot((0, -0.5, 0.017), darker(accent, 0.25))
    elif looks.neck == "pendant":
        pen.arc((0, -0.52, 0.075, 0.09), (232, 196, 96), span=(0, 180), width=0.011)
        pen.dot((0, -0.425, 0.024), accent)


def _arm(pen: Pen, path: tuple[Point, Point], looks: Looks, *, side: int) -> None:
    shoulder = (0.118 + 0.014 * looks.build, -0.47)
    sleeve = darker(looks.top, 0.1 if side > 0 else 0.18)
    elbow, hand = path
    points = [(x * side, y) for x, y in (shoulder, elbow, hand)]
    bare = looks.outfit == "tee" and looks.kind.name not in {"robot", "knight", "astronaut"}
    if bare:
        pen.ribbon(points, darker(looks.skin, 0.06), width=0.064, end=0.055)
        middle = ((points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2)
        pen.ribbon([points[0], middle], sleeve, width=0.09, end=0.084)
    else:
        pen.ribbon(points, sleeve, width=0.086, end=0.07)
        pen.ribbon(
            [
                ((points[1][0] * 0.14 + points[2][0] * 0.86), (points[1][1] * 0.14 + points[2][1] * 0.86)),
                points[2],
            ],
            lighter(looks.accent, 0.2),
            width=0.074,
        )
    _hand(pen, hand, looks, side=side)


def _hand(pen: Pen, hand: Point, looks: Looks, *, side: int) -> None:
    skin: RGB = looks.skin if looks.kind.name not in {"astronaut", "knight"} else (226, 228, 234)
    x, y = hand[0] * side, hand[1]
    pen.dot((x, y, 0.038), skin)
    pen.oval((x - 0.024 * side, y - 0.02, 0.014, 0.022), skin)
