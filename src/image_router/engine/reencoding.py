"""Reference pictures in a plain encoding, for a provider that cannot read the original one.

Blocking: callers on an event loop run it in a thread.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

from image_router.core.types import ImageRequest, Reference
from image_router.engine.media import digest_of

_OPENED = ("PNG", "JPEG", "WEBP")


def reencoded(request: ImageRequest) -> ImageRequest:
    """The request with every reference it can open as a plain PNG, or JPEG where nothing is transparent.

    Turned upright as its EXIF data says, without metadata. HEIC stays: nothing here can open it.
    """
    references = tuple(
        _plain(reference) if reference.media_type.removeprefix("image/").upper() in _OPENED else reference
        for reference in request.references
    )
    return replace(request, references=references)


def _plain(reference: Reference) -> Reference:
    from PIL import Image, ImageOps  # heavy: loaded with the first picture

    with Image.open(BytesIO(reference.data), formats=_OPENED) as opened:
        picture = ImageOps.exif_transpose(opened)
        clear = picture.has_transparency_data
        plain = picture.convert("RGBA" if clear else "RGB")
    file = BytesIO()
    if clear:
        plain.save(file, "PNG")
    else:
        plain.save(file, "JPEG", quality=95, subsampling=0)
    data = file.getvalue()
    return replace(
        reference,
        data=data,
        media_type="image/png" if clear else "image/jpeg",
        digest=digest_of(data),
        width=plain.width,
        height=plain.height,
    )
