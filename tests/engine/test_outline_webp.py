"""Large WebP pictures, which are believed by their structure: decoding a small file can cost a gigabyte."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image

from image_router.core.types import Pixels
from image_router.engine import media
from image_router.engine.outline import whole_webp
from pictures import picture


def webp(width: int, height: int, **options: object) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "WEBP", **options)
    return buffer.getvalue()


def animated() -> bytes:
    buffer = BytesIO()
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [picture("WEBP"), webp(33, 17), webp(33, 17, lossless=True), webp(9, 9, exif=b"Exif\0\0x"), animated()],
    ids=["lossy", "odd", "lossless", "with exif", "animated"],
)
def test_whole_pictures_are_whole_and_their_beginnings_are_not(data: bytes) -> None:
    """Every writer's pieces are followed to the end; not one byte may be missing."""
    assert whole_webp(data)
    assert not any(whole_webp(data[:end]) for end in range(len(data)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"RIFF\x04\0\0\0WEBP",
        b"RIFF\x0c\0\0\0WEBPVP8L\0\0\0\0",
        struct.pack("<4sI4s4sI", b"RIFF", 12, b"WEBP", b"VP8 ", 2**32 - 1),
    ],
    ids=["empty", "a mark", "no picture", "an empty one", "a length beyond all"],
)
def test_what_is_no_picture(data: bytes) -> None:
    """Nothing is read beyond the end, whatever is claimed."""
    assert not whole_webp(data)


def test_a_large_one_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its structure is enough; a small one is decoded to its end."""
    from PIL.WebPImagePlugin import WebPImageFile

    def refuse(self: object) -> None:
        raise AssertionError("decoded")

    large, small = webp(2400, 1800), webp(240, 180)
    monkeypatch.setattr(WebPImageFile, "load", refuse)
    assert media.inspect(large).pixels == Pixels(2400, 1800)
    with pytest.raises(media.Defect, match="cut off"):
        media.inspect(large[:-3])
    with pytest.raises(AssertionError, match="decoded"):
        media.inspect(small)
