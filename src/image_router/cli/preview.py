"""A small picture in the terminal, two pixels to a character."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

_UPPER_HALF = "▀"


def can_preview() -> bool:
    """Only where colours are seen: a terminal that nobody asked to do without."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def half_blocks(data: bytes, *, width: int = 48) -> str:
    """The picture as lines of half blocks in 24-bit colour."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        picture.draft("RGB", (width * 2, width * 2))
        height = max(2, round(picture.height * width / picture.width / 2) * 2)
        small = picture.convert("RGB").resize((width, min(height, width * 2)), Image.Resampling.BOX)
    pixels: Any = small.load()
    lines = (
        "".join(
            f"\x1b[38;2;{_rgb(pixels[x, y])};48;2;{_rgb(pixels[x, y + 1])}m{_UPPER_HALF}"
            for x in range(width)
        )
        for y in range(0, small.height - 1, 2)
    )
    return "\x1b[0m\n".join(lines) + "\x1b[0m"


def _rgb(pixel: tuple[int, int, int]) -> str:
    return ";".join(map(str, pixel))
