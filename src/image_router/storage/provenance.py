"""What a picture's bytes carry about where they came from. Looked at, never changed.

Places: C2PA 2.1 §A (PNG chunk caBX, JPEG APP11, WebP chunk C2PA) and XMP part 3 (PNG iTXt, JPEG APP1, WebP
chunk "XMP ").
Whether a manifest is valid is for a C2PA tool to say; SynthID cannot be seen locally.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# Whole terms of https://cv.iptc.org/newscodes/digitalsourcetype/: in CBOR the next field's first byte may be
# a letter and follows without a gap.
_SOURCE_TYPE: Final = re.compile(
    rb"digitalsourcetype/(trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|algorithmicMedia|"
    rb"algorithmicallyEnhanced|compositeSynthetic|compositeCapture|composite|digitalCapture|digitalCreation|"
    rb"digitalArt|humanEdits|minorHumanEdits|dataDrivenMedia|virtualRecording|screenCapture)"
)
_XMP_HEADERS: Final = (b"XML:com.adobe.xmp\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    c2pa: bool = False
    """A manifest store is in the file; its signature is not checked."""
    xmp: bool = False
    source_type: str | None = None
    """IPTC digital source type, such as trainedAlgorithmicMedia, wherever the metadata names one."""


def provenance_of(data: bytes) -> Provenance:
    """What is found in PNG, JPEG and WebP bytes. Never raises: a torn file simply says less."""
    try:
        blocks = list(_blocks(data))
    except struct.error:
        blocks = []
    c2pa = [
        body for kind, body in blocks if kind in (b"caBX", b"C2PA") or (kind == b"\xeb" and b"c2pa" in body)
    ]
    xmp = [body for kind, body in blocks if kind == b"XMP " or body.startswith(_XMP_HEADERS)]
    found = (_SOURCE_TYPE.search(body) for body in (*c2pa, *xmp))
    named = next((match[1].decode() for match in found if match), None)
    return Provenance(c2pa=bool(c2pa), xmp=bool(xmp), source_type=named)


def _blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each metadata block; pixel data is skipped."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from _png_chunks(data)
    elif data.startswith(b"\xff\xd8"):
        yield from _jpeg_segments(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        yield from _riff_chunks(data)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind != b"IDAT":
            yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _jpeg_segments(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield data[at + 1 : at + 2], data[at + 4 : at + 2 + length]
        at += 2 + length


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
