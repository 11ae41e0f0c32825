"""Small copies for lists and pages: WebP of at most 320 pixels, marked as derived.

Blocking: run in a thread.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image

from image_router.core.errors import AssetError

LONGEST_SIDE: Final = 320
"""Pixels."""

# Pillow drops what the original carried, so the copy says anew what it is:
# https://cv.iptc.org/newscodes/digitalsourcetype/ and XMP part 2, xmpMM:DerivedFrom.
_XMP: Final = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF \
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" \
xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" \
xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:stRef="http://ns.adobe.com/xap/1.0/sType/ResourceRef#" \
Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia">\
<xmpMM:DerivedFrom stRef:documentID="sha256:{digest}"/></rdf:Description></rdf:RDF></x:xmpmeta>"""


def thumbnail_of(data: bytes, digest: str) -> bytes:
    """WebP bytes. Raises AssetError for a picture that cannot be decoded."""
    try:
        with Image.open(BytesIO(data)) as image:
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            small = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
            buffer = BytesIO()
            small.save(buffer, "WEBP", quality=80, xmp=_XMP.format(digest=digest).encode())
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise AssetError(f"the picture {digest[:12]}… has no thumbnail: {error}") from error
    return buffer.getvalue()
