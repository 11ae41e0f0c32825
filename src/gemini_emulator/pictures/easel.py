"""The drawing surface: polygons, curves and ribbons in colours, ramps and soft glows.

Small pictures are drawn at twice their size and reduced, which smooths every edge at once; above
`SMOOTHED_UP_TO` pixels edges are drawn as they are. Knows nothing of what is drawn.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gemini_emulator.pictures.colour import RGB, mix

SMOOTHED_UP_TO = 4_800_000
PAPER: RGB = (244, 240, 230)
PENCIL: RGB = (74, 72, 84)
_SHARES = np.linspace(0, 1, 48)

Point = tuple[float, float]
Points = NDArray[np.float64]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Ramp:
    """A gradient over the bounding box of a shape: downwards, or `sideways` from left to right."""

    stops: tuple[RGB, ...]
    sideways: bool = False

    @property
    def middle(self) -> RGB:
        return self.stops[len(self.stops) // 2]


@dataclass(frozen=True, slots=True)
class Veil:
    """A see-through colour; `alpha` 0 to 1."""

    colour: RGB
    alpha: float


Paint = RGB | Ramp | Veil


class Easel:
    """A canvas with a finish: `detail` 1 (flat) to 4 (rich), or a pencil `draft`."""

    def __init__(self, width: int, height: int, *, detail: int, draft: bool) -> None:
        self.smoothing = 2 if width * height <= SMOOTHED_UP_TO else 1
        self.width = width * self.smoothing
        self.height = height * self.smoothing
        self.unit = min(self.width, self.height)
        self.detail = detail
        self.draft = draft
        self.tint: Veil | None = None
        self.image = Image.new("RGB", (1, 1))
        self._draw = ImageDraw.Draw(self.image)
        self._hand = random.Random(width * 31 + height)

    def finished(self) -> Image.Image:
        return self.image.reduce(2) if self.smoothing == 2 else self.image

    def wash(self, field: NDArray[np.float64]) -> None:
        """Begin the canvas with a small colour field (rows, columns, RGB 0 to 255), blown up softly."""
        small = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))
        if self.draft:
            small = Image.blend(small, Image.new("RGB", small.size, PAPER), 0.8)
        self.image = enlarged(small, (self.width, self.height))
        self._draw = ImageDraw.Draw(self.image)

    def fill(self, points: Points, paint: Paint) -> None:
        """Fill one polygon given in canvas pixels."""
        if self.draft:
            return self._sketch(points, paint)
        if isinstance(paint, Ramp) and self.detail > 1:
            return self._fill_ramp(points, paint)
        if isinstance(paint, Veil):
            return self._fill_veil(points, paint)
        colour = paint.middle if isinstance(paint, Ramp) else paint
        self._draw.polygon(points.ravel().tolist(), fill=self._lit(colour))
        return None

    def block(self, corners: Box, colour: RGB) -> None:
        """Fill an upright rectangle (left, top, right, bottom); the fast way for windows and tiles."""
        if corners[0] < self.width and corners[1] < self.height and corners[2] > 0 and corners[3] > 0:
            self._draw.rectangle(corners, fill=self._lit(colour))

    def glow(self, shape: Box, veil: Veil) -> None:
        """A soft oval of light or shadow: its centre and half axes in canvas pixels."""
        if self.draft:
            return
        x, y, wide, high = shape
        box = self._clipped(x - wide, y - high, x + wide, y + high)
        if box is None:
            return
        size = (box[2] - box[0], box[3] - box[1])
        across = (box[0] - x + _SHARES * size[0]) / wide
        down = (box[1] - y + _SHARES * size[1]) / high
        falloff = np.clip(1 - np.hypot(across[None, :], down[:, None]), 0, 1) ** 1.6
        mask = Image.fromarray((falloff * veil.alpha * 255).astype(np.uint8))
        self.image.paste(veil.colour, box, enlarged(mask, size))

    def _lit(self, colour: RGB) -> RGB:
        return mix(colour, self.tint.colour, share=self.tint.alpha) if self.tint else colour

    def _fill_ramp(self, points: Points, ramp: Ramp) -> None:
        masked = self._mask(points, 255)
        if masked is None:
            return
        box, mask = masked
        full = points[:, 0] if ramp.sideways else points[:, 1]
        start, end = (box[0], box[2]) if ramp.sideways else (box[1], box[3])
        places = np.linspace(0, 1, len(ramp.stops))
        at = (np.arange(start, end) - full.min()) / max(1.0, np.ptp(full))
        stops = np.array([self._lit(stop) for stop in ramp.stops])
        line = np.stack([np.interp(at, places, stops[:, band]) for band in range(3)], axis=-1)
        strip = line[None, :, :] if ramp.sideways else line[:, None, :]
        gradient = Image.fromarray(strip.astype(np.uint8)).resize(mask.size, Image.Resampling.NEAREST)
        self.image.paste(gradient, box, mask)

    def _fill_veil(self, points: Points, veil: Veil) -> None:
        masked = self._mask(points, round(veil.alpha * 255))
        if masked is not None:
            self.image.paste(self._lit(veil.colour), *masked)

    def _mask(self, points: Points, value: int) -> tuple[tuple[int, int, int, int], Image.Image] | None:
        low, high = points.min(axis=0), points.max(axis=0)
        box = self._clipped(low[0], low[1], high[0] + 1, high[1] + 1)
        if box is None:
            return None
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        ImageDraw.Draw(mask).polygon((points - box[:2]).ravel().tolist(), fill=value)
        return box, mask

    def _clipped(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[int, int, int, int] | None:
        box = (
            max(0, math.floor(left)),
            max(0, math.floor(top)),
            min(self.width, math.ceil(right)),
            min(self.height, math.ceil(bottom)),
        )
        return box if box[0] < box[2] and box[1] < box[3] else None

    def _sketch(self, points: Points, paint: Paint) -> None:
        """A pale wash that misses its outline a little, and the outline drawn twice by hand."""
        if isinstance(paint, Veil):
            return
        colour = paint.middle if isinstance(paint, Ramp) else paint
        reach = self.unit / 260
        slip = np.array([self._hand.uniform(-reach, reach), self._hand.uniform(-reach, reach)]) * 2
        self._draw.polygon((points + slip).ravel().tolist(), fill=mix(PAPER, colour, share=0.34))
        if np.ptp(points, axis=0).max() < self.unit / 60:
            return
        for _ in range(2):
            drift = np.array(
                [[self._hand.uniform(-reach, reach), self._hand.uniform(-reach, reach)] for _ in points]
            )
            line = points + drift * 0.5
            trace = np.concatenate([line, line[:1]]).ravel().tolist()
            self._draw.line(trace, fill=PENCIL, width=max(1, self.unit // 500))


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws in its own units: an origin on the canvas, a scale in pixels a unit, a turn in radians."""

    easel: Easel
    x: float
    y: float
    scale: float
    turn: float = 0.0
    flip: bool = False

    def at(self, x: float, y: float, *, scale: float = 1.0, turn: float = 0.0, flip: bool = False) -> Pen:
        """A pen whose origin lies at (x, y) of this one."""
        spot = self.placed(np.array([[x, y]], dtype=float))[0]
        side = -1 if self.flip else 1
        return Pen(
            self.easel,
            float(spot[0]),
            float(spot[1]),
            self.scale * scale,
            self.turn + side * turn,
            self.flip != flip,
        )

    def placed(self, points: Points) -> Points:
        across = -self.scale if self.flip else self.scale
        if self.turn:
            cos, sin = math.cos(self.turn), math.sin(self.turn)
            spots: Points = points @ ((across * cos, across * sin), (-self.scale * sin, self.scale * cos))
        else:
            spots = points * (across, self.scale)
        spots += (self.x, self.y)
        return spots

    def poly(self, points: Sequence[Point], paint: Paint) -> None:
        self.easel.fill(self.placed(np.array(points, dtype=float)), paint)

    def polys(self, shapes: Points, paints: Iterable[Paint]) -> None:
        """Many polygons of as many corners each (shapes, corners, 2), placed at one go."""
        for points, paint in zip(self.placed(shapes), paints, strict=True):
            self.easel.fill(points, paint)

    def blob(self, points: Sequence[Point], paint: Paint) -> None:
        """A closed smooth curve through the points."""
        self.easel.fill(self.placed(smooth(np.array(points, dtype=float), closed=True)), paint)

    def oval(self, shape: Box, paint: Paint) -> None:
        """An ellipse by its centre and half axes."""
        x, y, wide, high = shape
        corners = math.ceil(4 + math.pi * math.sqrt(max(wide, high) * self.scale / 0.4))
        self.easel.fill(self.placed(_circle(min(corners, 200)) * (wide, high) + (x, y)), paint)

    def dot(self, shape: tuple[float, float, float], paint: Paint) -> None:
        """A disc by its centre and radius."""
        self.oval((shape[0], shape[1], shape[2], shape[2]), paint)

    def box(self, corners: Box, paint: Paint) -> None:
        """A rectangle (left, top, right, bottom)."""
        left, top, right, bottom = corners
        if self.turn == 0 and not self.flip and isinstance(paint, tuple) and not self.easel.draft:
            x, y, scale = self.x, self.y, self.scale
            return self.easel.block(
                (x + left * scale, y + top * scale, x + right * scale, y + bottom * scale), paint
            )
        return self.poly([(left, top), (right, top), (right, bottom), (left, bottom)], paint)

    def slab(self, corners: tuple[float, float, float, float], paint: Paint, *, radius: float = 0.02) -> None:
        """A rectangle (left, top, right, bottom) with round corners."""
        left, top, right, bottom = corners
        radius = min(radius, (right - left) / 2, (bottom - top) / 2)
        corner = np.repeat([[right, bottom], [left, bottom], [left, top], [right, top]], 10, axis=0)
        inward = np.repeat([[-1, -1], [1, -1], [1, 1], [-1, 1]], 10, axis=0)
        self.easel.fill(self.placed(corner + radius * (inward + _CORNERS)), paint)

    def ribbon(
        self, points: Iterable[Point], paint: Paint, *, width: float, end: float | None = None
    ) -> None:
        """A smooth band along the points with round ends, from `width` to `end` (default: the same)."""
        spine = smooth(np.array(list(points), dtype=float), closed=False)
        along = np.empty_like(spine)
        along[:-1] = spine[1:] - spine[:-1]
        along[-1] = along[-2]
        halves = width / 2 if end is None else np.linspace(width / 2, end / 2, len(spine))
        normal = along[:, ::-1] * (-1, 1)
        normal *= (halves / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9))[:, None]
        caps = [_cap(spine[-1], normal[-1]), _cap(spine[0], -normal[0])]
        outline = np.concatenate([spine + normal, caps[0], (spine - normal)[::-1], caps[1]])
        self.easel.fill(self.placed(outline), paint)

    def arc(self, shape: Box, paint: Paint, *, span: Point, width: float) -> None:
        """A ribbon along a part of an ellipse; `span` in degrees, 0 to the right, clockwise."""
        x, y, wide, high = shape
        angles = [math.radians(span[0] + (span[1] - span[0]) * step / 13) for step in range(14)]
        self.ribbon([(x + wide * math.cos(a), y + high * math.sin(a)) for a in angles], paint, width=width)

    def ring(self, shape: Box, paint: Paint, *, width: float) -> None:
        """The outline of an ellipse by its centre and half axes."""
        x, y, wide, high = shape
        around, half = _circle(28), width / 2
        closed = np.concatenate([around, around[:1]])
        outline = np.concatenate(
            [closed * (wide + half, high + half), closed[::-1] * (wide - half, high - half)]
        )
        outline += (x, y)
        self.easel.fill(self.placed(outline), paint)

    def glow(self, shape: Box, veil: Veil) -> None:
        """A soft oval by its centre and half axes."""
        spot = self.placed(np.array([shape[:2]], dtype=float))[0]
        wide, high = shape[2] * self.scale, shape[3] * self.scale
        self.easel.glow((float(spot[0]), float(spot[1]), wide, high), veil)


@cache
def _circle(corners: int) -> Points:
    angles = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


_QUARTERS = np.arange(4).repeat(10) * math.pi / 2 + np.tile(np.linspace(0, math.pi / 2, 10), 4)
_CORNERS = np.stack([np.cos(_QUARTERS), np.sin(_QUARTERS)], axis=-1)

_STEP = np.linspace(0, 1, 9)[:-1, None]
_CATMULL_ROM = 0.5 * np.hstack(
    [
        -_STEP + 2 * _STEP**2 - _STEP**3,
        2 - 5 * _STEP**2 + 3 * _STEP**3,
        _STEP + 4 * _STEP**2 - 3 * _STEP**3,
        -(_STEP**2) + _STEP**3,
    ]
)


def smooth(points: Points, *, closed: bool) -> Points:
    """A Catmull-Rom curve through the points."""
    count = len(points)
    if count < 3:
        return points
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    spans = np.stack([padded[shift : len(padded) - 3 + shift] for shift in range(4)], axis=1)
    curve: Points = (_CATMULL_ROM @ spans).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


_HALF_TURN = np.linspace(0, math.pi, 8)[1:-1]
_CAP = np.stack([np.cos(_HALF_TURN), np.sin(_HALF_TURN)], axis=-1)


def _cap(centre: Points, normal: Points) -> Points:
    forward = (normal[1], -normal[0])
    half: Points = centre + _CAP @ (normal, forward)
    return half


def enlarged(small: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Blow a soft picture up: smoothly to a quarter of the size, then by repeating pixels.

    Four times cheaper than smoothing all the way, and invisible where neighbours differ by a step.
    """
    quarter = (max(1, size[0] // 4), max(1, size[1] // 4))
    soft = small.resize(quarter, Image.Resampling.BICUBIC)
    return soft.resize(size, Image.Resampling.NEAREST)
