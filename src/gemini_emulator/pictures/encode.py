"""Pixels to PNG or JPEG files with the XMP that says: emulated.

The PNG writer is our own: the "Up" filter in numpy and isal's fastest deflate take a tenth of the time
of Pillow's encoder at 4096x4096 and give files no larger (https://www.w3.org/TR/png-3/).
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from gemini_emulator.pictures.brief import MediaType

SYSTEM = "gemini_emulator (no real model)"
DPI = 300
JPEG_QUALITY = 92

# https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia, read 2026-11
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    Iptc4xmpExt:DigitalSourceType="{_SOURCE_TYPE}"
    Iptc4xmpExt:AISystemUsed="{SYSTEM}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()


def encode(pixels: NDArray[np.uint8], media_type: MediaType) -> bytes:
    """Encode an (height, width, 3) array."""
    return _jpeg(pixels) if media_type == "image/jpeg" else _png(pixels)


def marked_in_metadata(data: bytes) -> bool:
    """Whether a file's XMP names this emulator as its maker."""
    return SYSTEM.encode() in data


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    out = BytesIO()
    image = Image.fromarray(pixels)
    image.save(out, "JPEG", quality=JPEG_QUALITY, dpi=(DPI, DPI), xmp=_XMP)
    return out.getvalue()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, width * 3)
    filtered = np.empty((height, width * 3 + 1), dtype=np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _XMP),
            _chunk(b"IDAT", isal_zlib.compress(filtered, 1)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(kind + body))])
