"""Reads reference files. Judging whether a request may carry them is the server's business."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

# What Pillow raises, by its own documentation and sources, for bytes that are no picture or a broken one.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def decoded(data: bytes, *, about: int) -> Image.Image | None:
    """The picture in RGB, transparent parts white, or None when the bytes cannot be read as one.

    JPEGs are decoded at a fraction of their size, as long as both sides stay above `about` pixels.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            image.draft("RGB", (about, about))
            if not image.has_transparency_data:
                return image.convert("RGB")
            clear = image.convert("RGBA")
    except _UNREADABLE:
        return None
    opaque = Image.new("RGB", clear.size, (255, 255, 255))
    opaque.paste(clear, mask=clear)
    return opaque
