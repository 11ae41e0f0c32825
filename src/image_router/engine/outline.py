"""What a picture's structure says: format, pixels, and that nothing of it is missing. No pixel is decoded.

A PNG carries checksums of all its bytes (https://www.w3.org/TR/png-3/#5Chunk-layout, 2026-11-22). A JPEG has
none, and decoding one forgives damage inside its scans too: what shows is where it begins and ends. Decoding
either would cost more than all the rest of a request.
"""

from __future__ import annotations

import struct
from typing import Final

from isal.isal_zlib import crc32

from image_router.core.types import Pixels

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_DEPTHS: Final = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
"""Colour type → bits (https://www.w3.org/TR/png-3/#11IHDR, 2026-11-22)."""
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive: the JPEG frames that everybody decodes, with 8 bits."""
_SCAN, _END = 0xDA, b"\xff\xd9"
_WEBP_PICTURES: Final = frozenset({b"VP8 ", b"VP8L", b"ANMF"})


def outline(data: bytes) -> tuple[str, Pixels] | None:
    """Media type and pixels of a whole PNG or JPEG; None for all that must be looked at more closely."""
    if data.startswith(_PNG):
        pixels = _png_pixels(data)
        return ("image/png", pixels) if pixels else None
    if data.startswith(b"\xff\xd8\xff") and data.endswith(_END):
        pixels = _jpeg_pixels(data)
        return ("image/jpeg", pixels) if pixels else None
    return None


def _png_pixels(data: bytes) -> Pixels | None:
    view, at, drawn = memoryview(data), len(_PNG), False
    pixels: Pixels | None = None
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data) or crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return None
        if name == b"IHDR" and at == len(_PNG) and length == 13:
            width, height, depth, colour = struct.unpack_from(">IIBB", data, at + 8)
            pixels = _pixels(width, height) if depth in _DEPTHS.get(colour, ()) else None
        elif name == b"IDAT":
            drawn = drawn or length > 0
        elif name == b"IEND":
            return pixels if drawn and end + 4 == len(data) else None
        at = end + 4
    return None


def _jpeg_pixels(data: bytes) -> Pixels | None:
    at, pixels = 2, None
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            return pixels
        if marker in _FRAMES and at + 9 <= len(data):
            depth, height, width = struct.unpack_from(">BHH", data, at + 4)
            pixels = _pixels(width, height) if depth == 8 else None
        at += 2 + length
    return None


def whole_webp(data: bytes) -> bool:
    """Whether the pieces of a WebP follow each other to its end, and one of them is a picture.

    Format: https://developers.google.com/speed/webp/docs/riff_container, read 2026-11-22.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return False
    end, at, drawn = 8 + int.from_bytes(data[4:8], "little"), 12, False
    while at + 8 <= min(end, len(data)):
        name, length = struct.unpack_from("<4sI", data, at)
        drawn = drawn or (name in _WEBP_PICTURES and length > 0)
        at += 8 + length + length % 2
    return drawn and at == end + end % 2 and end <= len(data)


def _pixels(width: int, height: int) -> Pixels | None:
    return Pixels(width, height) if width and height else None
