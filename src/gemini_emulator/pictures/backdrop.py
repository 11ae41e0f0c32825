"""The open places: sky, sun, ridges and what grows on them. Rooms are in indoors.py."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gemini_emulator.pictures.colour import RGB, darker, lighter, mix
from gemini_emulator.pictures.easel import Easel, Pen, Point, Veil
from gemini_emulator.pictures.growth import GROWERS, bird, cabin, cloud, sailboat, tower
from gemini_emulator.pictures.scene import Scene, lit, sky_of

HORIZON = 0.58
GROUND = 0.84


def soft_field(
    easel: Easel, stops: tuple[RGB, ...], *, until: float, sun: Point, shine: Veil, vignette: float
) -> NDArray[np.float64]:
    """A small colour field: stops downwards until a share of the height, a glow, darker corners."""
    ratio = easel.width / easel.height
    rows = round(min(220, max(24, 96 / math.sqrt(ratio))))
    columns = round(min(220, max(24, 96 * math.sqrt(ratio))))
    down = np.linspace(0, 1, rows)
    places = np.linspace(0, until, len(stops))
    line = np.stack([np.interp(down, places, [stop[band] for stop in stops]) for band in range(3)], axis=-1)
    field = np.repeat(line[:, None, :], columns, axis=1)
    x = np.linspace(0, 1, columns)[None, :] * easel.width / easel.unit
    y = down[:, None] * easel.height / easel.unit
    far = np.hypot(x - sun[0] * easel.width / easel.unit, y - sun[1] * easel.height / easel.unit)
    halo = (shine.alpha * np.exp(-3.2 * far))[:, :, None]
    field = field * (1 - halo) + np.array(shine.colour) * halo
    edge = np.clip(np.hypot(np.linspace(-1, 1, columns)[None, :], 2 * down[:, None] - 1) - 0.55, 0, 1)
    darkened: NDArray[np.float64] = field * (1 - vignette * edge**1.5)[:, :, None]
    return darkened


def paint_open_air(easel: Easel, scene: Scene) -> None:
    """Sky to foreground; the subject stands at GROUND of the height afterwards."""
    dice = scene.lay("sky")
    sun = (dice.choice((dice.uniform(0.14, 0.34), dice.uniform(0.66, 0.86))), dice.uniform(0.14, 0.34))
    sky = sky_of(scene)
    strength = 0.35 if scene.weather in {"rain", "fog"} else 0.8
    easel.wash(
        soft_field(easel, sky, until=HORIZON, sun=sun, shine=Veil(scene.light.sun, strength), vignette=0.22)
    )
    pen = Pen(easel, 0, 0, easel.unit)
    wide, high = easel.width / easel.unit, easel.height / easel.unit
    _heaven(pen, scene, (sun[0] * wide, sun[1] * high), dice)
    _ridges(pen, scene, wide, high)
    if scene.theme == "landscape":
        _eye_catcher(pen, scene, wide, high)
    _foreground(pen, scene, wide, high)


def _eye_catcher(pen: Pen, scene: Scene, wide: float, high: float) -> None:
    """A view without a subject gets a cabin, or a boat on the sea, to lead the eye."""
    dice = scene.lay("eye-catcher")
    x = wide * dice.choice((dice.uniform(0.28, 0.4), dice.uniform(0.6, 0.72)))
    land = lit(scene.setting.land[2], scene.light)
    if scene.setting.ridge == "sea":
        sailboat(pen.at(x, high * (HORIZON + 0.07), scale=0.2), land, dice=dice)
    elif scene.setting.name in {"mountains", "meadow", "forest", "snow"}:
        cabin(pen.at(x, high * (GROUND - 0.07), scale=0.17), land, dice=dice)


def _heaven(pen: Pen, scene: Scene, sun: Point, dice: random.Random) -> None:
    wide, high = pen.easel.width / pen.scale, pen.easel.height / pen.scale
    dark = scene.light.name == "night" or scene.setting.name == "space"
    if scene.setting.name == "underwater":
        return _sunbeams(pen, wide, high, dice)
    if dark:
        for _ in range(round(110 * wide * high)):
            size = dice.choice((0.0012, 0.0018, 0.0018, 0.0032))
            pen.dot((dice.uniform(0, wide), dice.uniform(0, high * HORIZON), size), (238, 236, 250))
    if scene.setting.name == "space":
        _planet(pen.at(*sun, scale=0.17), scene, dice)
    elif scene.weather not in {"rain", "fog"}:
        _sun(pen, sun, scene)
    if not dark and scene.setting.name != "space":
        _clouds(pen, scene, wide, high, dice)
    return None


def _sun(pen: Pen, sun: Point, scene: Scene) -> None:
    disc = scene.light.sun
    if scene.light.name == "night":
        pen.glow((*sun, 0.3, 0.3), Veil(disc, 0.35))
        pen.dot((*sun, 0.065), disc)
        for x, y, radius in ((-0.02, -0.015, 0.013), (0.022, 0.018, 0.017), (0.015, -0.03, 0.008)):
            pen.dot((sun[0] + x, sun[1] + y, radius), darker(disc, 0.14))
        return
    pen.glow((*sun, 0.2, 0.2), Veil(lighter(disc, 0.3), 0.75))
    pen.dot((*sun, 0.058), lighter(disc, 0.4))


def _planet(pen: Pen, scene: Scene, dice: random.Random) -> None:
    base = dice.choice([(228, 150, 96), (126, 170, 220), (216, 112, 130), (150, 196, 160)])
    pen.glow((0, 0, 1.8, 1.8), Veil(base, 0.4))
    pen.arc((0, 0, 1.75, 0.42), lighter(base, 0.5), span=(180, 360), width=0.07)
    pen.dot((0, 0, 1), base)
    for y, height, tone in ((-0.35, 0.09, 0.18), (0.05, 0.14, 0.12), (0.45, 0.08, 0.2)):
        reach = math.sqrt(1 - y * y) * 0.97
        pen.oval((0, y, reach, height), lighter(base, tone))
    pen.blob(
        [(0.2, -0.98), (0.98, -0.2), (0.72, 0.7), (0, 1.0), (0.5, 0.4), (0.55, -0.4)],
        Veil(darker(base, 0.8), 0.32),
    )
    pen.arc((0, 0, 1.75, 0.42), lighter(base, 0.5), span=(0, 180), width=0.07)


def _sunbeams(pen: Pen, wide: float, high: float, dice: random.Random) -> None:
    for _ in range(5):
        x, lean = dice.uniform(0, wide), dice.uniform(-0.2, 0.2)
        foot = [(x + lean - 0.1, high * 0.75), (x + lean + 0.14, high * 0.75)]
        pen.poly([(x - 0.03, 0), (x + 0.04, 0), foot[1], foot[0]], Veil((230, 255, 250), 0.1))
    for _ in range(26):
        radius = dice.uniform(0.004, 0.014)
        pen.dot((dice.uniform(0, wide), dice.uniform(0, high * 0.8), radius), Veil((235, 252, 255), 0.5))


def _clouds(pen: Pen, scene: Scene, wide: float, high: float, dice: random.Random) -> None:
    heavy = scene.weather in {"rain", "snowfall", "fog"}
    colour = mix(lit((255, 252, 248), scene.light, share=0.9 if heavy else 0.4), sky_of(scene)[1], share=0.1)
    for _ in range(round((7 if heavy else 3.4) * max(1, wide * 0.8))):
        spot = pen.at(
            dice.uniform(0, wide), dice.uniform(0.06, HORIZON - 0.2) * high, scale=dice.uniform(0.14, 0.36)
        )
        cloud(spot, colour, dice=dice)
    if not heavy and scene.setting.name not in {"snow", "desert"}:
        flock = (dice.uniform(0.2, 0.8) * wide, dice.uniform(0.18, 0.4) * high)
        for _ in range(4):
            spot = pen.at(
                flock[0] + dice.uniform(-0.1, 0.1), flock[1] + dice.uniform(-0.05, 0.05), scale=0.024
            )
            bird(spot, darker(scene.setting.land[0], 0.5), dice=dice)


def _ridges(pen: Pen, scene: Scene, wide: float, high: float) -> None:
    dice = scene.lay("ridges")
    land = [lit(colour, scene.light, share=0.92) for colour in scene.setting.land]
    haze = sky_of(scene)[-1]
    for depth in range(3):
        base = high * (HORIZON - 0.05 + depth * 0.075)
        colour = mix(land[depth], haze, share=0.34 - 0.15 * depth)
        if scene.setting.ridge == "skyline":
            _skyline(pen, scene, colour, base, depth, dice)
        elif scene.setting.ridge == "sea":
            _sea(pen, colour, high, depth, dice)
        else:
            _ridge(pen, scene, colour, base, depth, dice)
        if scene.setting.growth and scene.setting.ridge not in {"sea", "skyline"} and depth:
            _plant(pen, scene, colour, (base + 0.03, 0.07 + 0.07 * depth), round(4 * wide) + 2 * depth, dice)
        if scene.weather == "fog":
            fog = Veil(lighter(haze, 0.3), 0.45)
            pen.box((0, base - 0.02, wide, base + 0.14), fog)


def _outline(kind: str, wide: float, swing: float, dice: random.Random) -> list[Point]:
    """Points of a ridge over the whole width, y around 0."""
    if kind == "peaks":
        x, points = -0.2, []
        while x < wide + 0.3:
            points.append((x, -swing * dice.uniform(1.2, 2.6)))
            x += dice.uniform(0.1, 0.2)
            points.append((x, -swing * dice.uniform(0.0, 0.9)))
            x += dice.uniform(0.08, 0.18)
        return points
    waves = [
        (dice.uniform(0.5, 1.0) / (n + 1), dice.uniform(1.6, 3.2) * (n + 1), dice.uniform(0, 6))
        for n in range(3)
    ]
    if kind == "dunes":
        waves = waves[:1]
    steps = round(wide * 24) + 6
    return [
        (x, -swing * sum(size * math.sin(pace * x + start) for size, pace, start in waves))
        for x in np.linspace(-0.05, wide + 0.05, steps)
    ]


def _ridge(pen: Pen, scene: Scene, colour: RGB, base: float, depth: int, dice: random.Random) -> None:
    """A ridge with the same line repeated further down a shade deeper, like cut paper."""
    high, wide = pen.easel.height / pen.scale, pen.easel.width / pen.scale
    kind = scene.setting.ridge if depth < 2 or scene.setting.ridge == "dunes" else "hills"
    line = _outline(kind, wide, 0.05 + 0.02 * (kind == "peaks"), dice)
    lines = [
        [(x, base + y * (1 - layer * 0.09) + layer * 0.028) for x, y in line]
        for layer in range(1 + scene.detail)
    ]
    foot = min(high * GROUND, base + 0.075 * high + 0.3)
    for layer, points in enumerate(_layered(lines, foot, wide)):
        pen.poly(points, darker(colour, 0.045 * layer))
        if kind == "peaks" and layer == 0:
            _snowcaps(pen, lines[0], lighter(colour, 0.72))


def _layered(lines: list[list[Point]], foot: float, wide: float) -> Iterator[list[Point]]:
    """The land under each line, down to where the next one hides it; the last reaches the foot."""
    ends = [max(y for _, y in line) for line in lines[1:]]
    for line, end in zip(lines, [*ends, foot], strict=True):
        yield [*line, (wide + 0.3, end), (-0.3, end)]


def _snowcaps(pen: Pen, line: list[Point], snow: RGB) -> None:
    for left, top, right in zip(line[1::2], line[2::2], line[3::2], strict=False):
        if top[1] > (left[1] + right[1]) / 2 - 0.06:
            continue
        down = 0.4
        a = (top[0] + (left[0] - top[0]) * down, top[1] + (left[1] - top[1]) * down)
        b = (top[0] + (right[0] - top[0]) * down, top[1] + (right[1] - top[1]) * down)
        middle = ((a[0] + b[0]) / 2, max(a[1], b[1]) - 0.015)
        pen.poly([top, b, ((b[0] + middle[0]) / 2, middle[1] - 0.012), middle, a], snow)


def _skyline(pen: Pen, scene: Scene, colour: RGB, base: float, depth: int, dice: random.Random) -> None:
    high, wide = pen.easel.height / pen.scale, pen.easel.width / pen.scale
    glowing = {"night": 0.6, "dusk": 0.4, "golden": 0.15}.get(scene.light.name, 0.04)
    if depth == 0 and glowing < 0.3:
        glowing = -1.0  # by day the farthest row is too hazy to show windows
    x = -0.05
    while x < wide + 0.1:
        size = dice.uniform(0.16, 0.42) * (1.15 - depth * 0.22)
        breadth = dice.uniform(0.09, 0.17)
        shade = mix(colour, dice.choice(sky_of(scene)), share=0.14)
        tower(pen.at(x, base + 0.16, scale=size), shade, dice=dice, wide=breadth / size, glowing=glowing)
        x += breadth * dice.uniform(0.85, 1.2)
    pen.box((-0.1, base + 0.15, wide + 0.1, max(base + 0.16, high * GROUND)), darker(colour, 0.08))


def _sea(pen: Pen, colour: RGB, high: float, depth: int, dice: random.Random) -> None:
    wide = pen.easel.width / pen.scale
    top = high * (HORIZON + depth * 0.055)
    line = [
        (x, top + 0.006 * math.sin(x * 22 + depth * 2) * depth)
        for x in np.linspace(0, wide, round(wide * 40) + 4)
    ]
    pen.poly([*line, (wide, high * GROUND), (0, high * GROUND)], colour)
    for _ in range(round(14 * wide)):
        x, y, size = dice.uniform(0, wide), top + dice.uniform(0.01, 0.05) * high, dice.uniform(0.012, 0.05)
        pen.ribbon([(x - size, y), (x, y - 0.003), (x + size, y)], lighter(colour, 0.32), width=0.004)


def _plant(
    pen: Pen, scene: Scene, colour: RGB, place: tuple[float, float], count: int, dice: random.Random
) -> None:
    wide = pen.easel.width / pen.scale
    spots = sorted((dice.uniform(-0.03, 0.07), dice.uniform(0, wide)) for _ in range(count))
    for y, x in spots:
        kind = dice.choice(scene.setting.growth)
        size = place[1] * dice.uniform(0.75, 1.35) * {"flower": 0.2, "rock": 0.3, "coral": 0.5}.get(kind, 1)
        shade = mix(darker(colour, 0.16), lighter(colour, 0.1), share=dice.random())
        GROWERS[kind](pen.at(x, place[0] + y, scale=size), shade, dice=dice)


def _foreground(pen: Pen, scene: Scene, wide: float, high: float) -> None:
    dice = scene.lay("foreground")
    colour = lit(scene.setting.land[3], scene.light, share=0.85)
    line = _outline("dunes", wide, 0.012, dice)
    tops = [high * (GROUND - 0.08) + layer * 0.05 for layer in range(3)]
    edges = [[(x, top + y) for x, y in line] for top in tops]
    for layer, points in enumerate(_layered(edges, high, wide)):
        pen.poly(points, darker(colour, 0.05 * layer))
    _plant_edges(pen, scene, colour, wide, high, dice)
    for _ in range(round(30 * wide) if scene.setting.name in {"meadow", "forest", "mountains"} else 0):
        x, y = dice.uniform(0, wide), high * dice.uniform(GROUND, 0.99)
        tips = [(x + lean, y - dice.uniform(0.015, 0.03)) for lean in (-0.014, 0.0, 0.014)]
        clump = [(x - 0.006, y), tips[0], (x - 0.002, y - 0.006), tips[1], (x + 0.002, y - 0.006), tips[2]]
        pen.poly([*clump, (x + 0.006, y)], darker(colour, dice.uniform(0.1, 0.24)))


def _plant_edges(pen: Pen, scene: Scene, colour: RGB, wide: float, high: float, dice: random.Random) -> None:
    """Big growth at the sides frames the subject and leaves the middle free."""
    for side in (0.0, wide):
        for _ in range(1 + (scene.detail > 2)):
            kind = dice.choice(scene.setting.growth)
            size = dice.uniform(0.36, 0.62) * {"flower": 0.16, "rock": 0.26, "coral": 0.45}.get(kind, 1)
            x = side + dice.uniform(-0.02, 0.14) * (1 if side == 0 else -1)
            shade = darker(mix(colour, scene.setting.land[2], share=0.5), dice.uniform(0.05, 0.3))
            GROWERS[kind](
                pen.at(x, high * dice.uniform(GROUND - 0.05, GROUND + 0.06), scale=size), shade, dice=dice
            )
