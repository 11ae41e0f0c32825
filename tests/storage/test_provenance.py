"""What the bytes carry is seen, in all three formats, and never touched."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import made
from image_router.storage.provenance import Provenance, provenance_of
from image_router.storage.thumbnails import thumbnail_of

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = f"<x:xmpmeta><rdf:Description Iptc4xmpExt:DigitalSourceType='{TRAINED}'/></x:xmpmeta>".encode()
# The term ends where the next CBOR field begins, with a letter: 0x6b opens a text of eleven characters.
JUMBF = b"\0\0\0\x40jumb\0\0\0\x20jumdc2pa\0" + TRAINED.encode() + b"kdescription"


def picture(kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def png_with(chunk: bytes, body: bytes) -> bytes:
    whole = picture("PNG")
    piece = chunk + body
    framed = struct.pack(">I", len(body)) + piece + struct.pack(">I", zlib.crc32(piece))
    return whole[:33] + framed + whole[33:]


def jpeg_with(marker: int, body: bytes) -> bytes:
    whole = picture("JPEG")
    return whole[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + whole[2:]


def webp_with(chunk: bytes, body: bytes) -> bytes:
    whole = picture("WEBP")
    inner = whole[12:] + chunk + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(inner)) + b"WEBP" + inner


def png_xmp() -> bytes:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return picture("PNG", pnginfo=info)


WITH_C2PA = Provenance(c2pa=True, source_type="trainedAlgorithmicMedia")
WITH_XMP = Provenance(xmp=True, source_type="trainedAlgorithmicMedia")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (picture("PNG"), Provenance()),
        (picture("JPEG"), Provenance()),
        (picture("WEBP"), Provenance()),
        (png_with(b"caBX", JUMBF), WITH_C2PA),
        (jpeg_with(0xEB, b"JP\0\1\0\0\0\1" + JUMBF), WITH_C2PA),
        (jpeg_with(0xEB, b"JP\0\1\0\0\0\1 something else"), Provenance()),
        (webp_with(b"C2PA", JUMBF), WITH_C2PA),
        (png_xmp(), WITH_XMP),
        (picture("JPEG", xmp=XMP), WITH_XMP),
        (picture("WEBP", xmp=XMP), WITH_XMP),
        (b"", Provenance()),
        (b"GIF89a", Provenance()),
    ],
)
def test_manifests_and_xmp_are_found_where_each_format_keeps_them(data: bytes, found: Provenance) -> None:
    """PNG chunk, JPEG segment, WebP chunk."""
    assert provenance_of(data) == found


@given(
    st.sampled_from([png_with(b"caBX", JUMBF), jpeg_with(0xEB, JUMBF), webp_with(b"C2PA", JUMBF)]), st.data()
)
def test_torn_bytes_say_less_and_raise_nothing(data: bytes, draw: st.DataObject) -> None:
    """A cut or a flipped byte anywhere is no reason to fail."""
    cut = draw.draw(st.integers(0, len(data)))
    provenance_of(data[:cut])
    if cut < len(data):
        provenance_of(data[:cut] + bytes([data[cut] ^ 0xFF]) + data[cut + 1 :])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16"])
def test_every_kind_of_picture_has_a_thumbnail(mode: str) -> None:
    """Marked as made by a model, and as derived from which picture."""
    buffer = BytesIO()
    Image.new(mode, (900, 100)).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    small = thumbnail_of(buffer.getvalue(), "ab" * 32)
    with Image.open(BytesIO(small)) as image:
        assert (image.format, max(image.size)) == ("WEBP", 320)
    assert provenance_of(small) == WITH_XMP


def test_a_small_picture_is_not_blown_up() -> None:
    """A thumbnail is at most as large as its picture."""
    with Image.open(BytesIO(thumbnail_of(made.png(width=90, height=60), "ab" * 32))) as image:
        assert image.size == (90, 60)
