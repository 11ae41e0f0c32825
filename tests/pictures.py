"""Small true pictures and bodies around them, for tests of what reads pictures."""

from __future__ import annotations

import base64
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image


@cache
def picture(kind: str = "PNG", width: int = 64, height: int = 64) -> bytes:
    """A complete picture with some detail in it; `kind` as Pillow names formats."""
    gradient = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", (gradient, gradient.transpose(Image.Transpose.ROTATE_180), gradient))
    buffer = BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def with_pictures(value: Any) -> Any:
    """A recorded body with a true picture wherever its author took the picture data out."""
    if isinstance(value, list):
        return [with_pictures(item) for item in value]
    if not isinstance(value, dict):
        return value
    filled = {key: with_pictures(item) for key, item in value.items()}
    for key in ("data", "bytesBase64Encoded"):
        data = value.get(key)
        if isinstance(data, str) and len(data) < 60:
            kind = "JPEG" if value.get("mimeType") == "image/jpeg" else "PNG"
            filled[key] = as_base64(picture(kind))
    return filled
