"""Structure instead of pixels: what is taken on its word, and what is not."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_router.core.types import Pixels
from image_router.engine import media
from image_router.engine.outline import outline


def _picture(kind: str, **options: object) -> bytes:
    file = BytesIO()
    Image.effect_noise((96, 40), 90).convert("RGB").save(file, kind, **options)
    return file.getvalue()


PNG, JPEG, WEBP = _picture("PNG"), _picture("JPEG"), _picture("WEBP")
PROGRESSIVE = _picture("JPEG", progressive=True)


@pytest.mark.parametrize(
    ("data", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (PROGRESSIVE, "image/jpeg")]
)
def test_whole_picture_is_known_by_its_structure(data: bytes, kind: str) -> None:
    """What the structure says is what decoding says."""
    assert outline(data) == (kind, Pixels(96, 40))
    assert media.inspect(data).media_type == kind
    with Image.open(BytesIO(data)) as picture:
        assert picture.size == (96, 40)


@given(st.integers(0, len(PNG) - 1), st.integers(1, 255))
def test_png_with_one_wrong_byte_is_not_believed(at: int, change: int) -> None:
    """Every byte of a PNG is under a checksum, so no damage passes."""
    damaged = bytearray(PNG)
    damaged[at] ^= change
    assert outline(bytes(damaged)) is None


@given(st.sampled_from([PNG, JPEG, PROGRESSIVE]), st.data())
def test_cut_picture_is_not_believed(data: bytes, draw: st.DataObject) -> None:
    """A picture cut anywhere is left to the decoder, which refuses it."""
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]
    assert outline(cut) is None
    with pytest.raises(media.Defect):
        media.inspect(cut)


@given(st.sampled_from([b"", PNG[:8], PNG[:33], b"\xff\xd8\xff"]), st.binary(max_size=200))
def test_any_bytes_are_judged(head: bytes, rest: bytes) -> None:
    """Whatever comes is answered, never raised."""
    assert outline(head + rest) is None or head + rest == PNG


def _with_bits(depth: int, colour: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", 96, 40, depth, colour, 0, 0, 0)
    return PNG[:12] + head + zlib.crc32(head).to_bytes(4, "big") + PNG[33:]


@pytest.mark.parametrize("kind", [(8, 5), (3, 0), (1, 2), (16, 3)])
def test_a_png_of_no_known_kind_is_no_picture(kind: tuple[int, int]) -> None:
    """Bits and colours that no PNG has are refused though the checksum over them holds."""
    assert outline(_with_bits(8, 2)) is not None
    assert outline(_with_bits(*kind)) is None
    with pytest.raises(media.Defect):
        media.inspect(_with_bits(*kind))


def test_a_jpeg_of_twelve_bits_is_no_picture() -> None:
    """Hardly anybody decodes one."""
    at = JPEG.index(b"\xff\xc0") + 4
    twelve = JPEG[:at] + b"\x0c" + JPEG[at + 1 :]
    assert outline(twelve) is None
    with pytest.raises(media.Defect):
        media.inspect(twelve)


def test_other_formats_are_looked_at_more_closely() -> None:
    """A WebP and a picture with bytes behind its end are the decoder's to judge."""
    assert outline(WEBP) is None
    assert outline(PNG + b"more") is None
    assert media.inspect(WEBP).media_type == "image/webp"
