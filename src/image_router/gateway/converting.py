"""Pictures in the format a caller insists on; untouched where it is theirs already."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from image_router.core.results import GeneratedImage

DEFAULT_QUALITY: Final = 100
"""OpenAI's default of output_compression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture on its way to the caller."""

    data: bytes = field(repr=False)
    format: str
    """jpeg, png or webp."""
    note: str = ""
    """What was done to the provider's bytes, if anything."""


async def delivered(image: GeneratedImage, wanted: str | None, *, compression: int | None) -> Picture:
    """The provider's own bytes, unless another format or a compression is wanted."""
    own = image.media_type.removeprefix("image/")
    if wanted is None or (wanted == own and compression is None):
        return Picture(data=image.data, format=own)
    data = await asyncio.to_thread(_converted, image.data, wanted, compression)
    note = f"converted from {own} to {wanted}, as asked; provenance data stays with the original"
    return Picture(data=data, format=wanted, note=note)


def _converted(data: bytes, wanted: str, compression: int | None) -> bytes:
    from PIL import Image  # heavy: loaded with the first conversion

    quality = DEFAULT_QUALITY if compression is None else compression
    options = {"jpeg": {"quality": max(1, quality)}, "webp": {"quality": quality}, "png": {}}[wanted]
    file = BytesIO()
    with Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
        plain = picture.convert("RGB") if wanted == "jpeg" else picture
        plain.save(file, wanted.upper(), icc_profile=picture.info.get("icc_profile"), **options)
    return file.getvalue()
