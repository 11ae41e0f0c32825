"""Pictures that stand in for a user's own references, so that such a job can be looked at and tried."""

from __future__ import annotations

import colorsys
import io
from functools import cache
from typing import Final

MOST: Final = 16
_SIDE: Final = 256


@cache
def sample(place: int) -> bytes:
    """A small PNG, another one for each place: a figure before a plain ground."""
    from PIL import Image, ImageDraw

    ground, figure = _colour(place, 0.25, 0.95), _colour(place + MOST // 2, 0.6, 0.6)
    picture = Image.new("RGB", (_SIDE, _SIDE), ground)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((88, 40, 168, 120), fill=figure)
    pen.rounded_rectangle((60, 128, 196, 280), radius=56, fill=figure)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _colour(place: int, saturation: float, brightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(place / MOST % 1, saturation, brightness)
    return round(red * 255), round(green * 255), round(blue * 255)
