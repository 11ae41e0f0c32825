"""A brief with everything ordinary, for tests to change one thing of."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

from PIL import Image

from gemini_emulator.pictures import Brief

ORDINARY = Brief(
    prompt="a fox in the forest",
    model="gemini-2.5-flash-image",
    seed=1,
    width=384,
    height=384,
    references=(),
    letters=(),
    text_grade=5,
    media_type="image/png",
)


def brief(prompt: str = ORDINARY.prompt, **changes: Any) -> Brief:
    return replace(ORDINARY, prompt=prompt, **changes)


def opened(data: bytes) -> Image.Image:
    """The fully decoded picture."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.convert("RGB").save(out, kind, **options)
    return out.getvalue()
