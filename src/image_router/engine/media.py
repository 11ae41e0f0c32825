"""The truth about bytes: format, pixels and completeness of pictures, coming in and going out.

Blocking: callers on an event loop run it in a thread. URLs are fetched in engine/fetching.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pybase64

from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.reply import ImageFacts, Reply, ReplyImage
from image_router.core.types import Pixels, Reference, ReferenceRole
from image_router.engine.outline import outline, whole_webp
from image_router.providers.spooling import Spooled

MAX_PIXELS = 64_000_000
"""More is refused before it is decoded. The largest picture a model makes has 19 million (12288x1536)."""
_DECODED = 4_000_000
"""Pixels up to which a WebP is decoded: one of 3 KB can have MAX_PIXELS, a gigabyte and seconds of work."""
_UNDECODED = frozenset({b"\x89PNG", *(b"\xff\xd8\xff%c" % marker for marker in range(256))})
"""How pictures begin that are judged without decoding them."""
_VERY_MANY = 1 << 40
_MAPPED = threading.Lock()
"""Pictures that rest in files, each of some megabytes, are in memory one at a time."""
MAX_REFERENCE_BYTES = 50_000_000
"""One reference file."""
MAX_INLINE_BYTES = 100_000_000
"""One request with all its references as base64: the API's cap since 2026-01-08
(https://ai.google.dev/gemini-api/docs/changelog, read 2026-10-08)."""

_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp"}
_SUFFIXES = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/webp": (".webp",),
}
_PICTURE_SUFFIXES = frozenset(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
_HEIF_BRANDS: Mapping[bytes, str] = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
}
_OTHER_KINDS = (
    (b"%PDF", "a PDF"),
    (b"BM", "a BMP picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "XML, perhaps an SVG drawing"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<!doctype", "an HTML page"),
    (b"<html", "an HTML page"),
)
_END_MARKS: Mapping[str, bytes] = {"image/png": b"IEND\xaeB`\x82", "image/jpeg": b"\xff\xd9"}
"""JPEG's cannot stand in the picture's own data, where every 0xFF is followed by 0x00 or a restart mark."""
_TAIL = 4096
"""Bytes at the end in which the end mark is looked for: some writers append a few of their own."""
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES})


class Defect(Exception):
    """The bytes are no complete picture; the text says why."""


def inspect(data: bytes) -> ImageFacts:
    """Read format and pixels from the bytes, and see that they are whole. Raises Defect.

    A PNG is whole when the checksums of all its pieces hold, a JPEG when it reaches its end mark, a small
    WebP when it decodes, a large one when its pieces reach its end. Decoding a PNG as well would take thirty
    times as long and find nothing more. Whatever its `outline` leaves in doubt Pillow judges.
    """
    if (known := outline(data)) and known[1].width * known[1].height <= MAX_PIXELS:
        media_type, pixels = known
    else:
        media_type, pixels = _by_pillow(data)
    return ImageFacts(media_type=media_type, pixels=pixels, digest=digest_of(data))


def _by_pillow(data: bytes) -> tuple[str, Pixels]:
    from PIL import Image, UnidentifiedImageError  # heavy: loaded with the first picture

    try:
        with Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise Defect(f"{width}x{height} pixels are more than the {MAX_PIXELS:,} that are decoded")
            media_type = _MEDIA_TYPES[picture.format or ""]
            if media_type == "image/png":
                picture.verify()
            elif media_type == "image/webp" and width * height <= _DECODED:
                picture.load()
            elif media_type == "image/webp" and not whole_webp(data):
                raise Defect("the picture is damaged or cut off: its pieces do not reach its end")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Defect(f"more than the {MAX_PIXELS:,} pixels that are decoded: {error}") from None
    except UnidentifiedImageError:
        raise Defect(f"{len(data):,} bytes are {_kind_of(data)}, not a PNG, JPEG or WebP picture") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise Defect(f"the picture is damaged or cut off: {error}") from None
    if (mark := _END_MARKS.get(media_type)) and data.rfind(mark, -_TAIL) < 0:
        raise Defect("the picture is cut off: its end mark is missing")
    return media_type, Pixels(width, height)


def digest_of(data: bytes) -> str:
    """sha256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def weight_of(reply: Reply) -> int:
    """Bytes to go through when a reply is inspected; a picture that must be decoded counts as very many."""
    return sum(len(one.data) if one.data[:4] in _UNDECODED else _VERY_MANY for one in reply.images)


def inspected(reply: Reply) -> Reply:
    """Fill facts or defect of each picture that may become the result; drafts only if there is no other."""
    finals = [image for image in reply.images if not image.thought]
    wanted = {id(image) for image in finals or reply.images}
    if not wanted:
        return reply
    parts = (
        _inspected(part) if isinstance(part, ReplyImage) and id(part) in wanted else part
        for part in reply.parts
    )
    return replace(reply, parts=tuple(parts))


def _inspected(image: ReplyImage) -> ReplyImage:
    if image.defect is not None or image.facts is not None:
        return image
    with _mapped(image.data):
        try:
            return replace(image, facts=inspect(image.data))
        except Defect as defect:
            return _unwrapped(image) or replace(image, defect=str(defect))


@contextmanager
def _mapped(data: bytes) -> Iterator[None]:
    """Room in memory for what rests in a file, while all of it is looked at."""
    if not isinstance(data, Spooled):
        yield
        return
    with _MAPPED:
        yield
        data.rest()


def _unwrapped(image: ReplyImage) -> ReplyImage | None:
    """The picture, when its bytes are base64 text of one: some proxies encode twice."""
    if not image.data.startswith((b"iVBORw0KGgo", b"/9j/", b"UklGR")):
        return None
    try:
        data = pybase64.b64decode(image.data, validate=True)
        facts = inspect(data)
    except (ValueError, Defect):
        return None
    return replace(
        image, data=data, facts=facts, notes=(*image.notes, "the picture was base64-encoded twice")
    )


def load_reference(source: object, role: ReferenceRole | None = None) -> Reference:
    """Make a Reference of bytes, a path, a data: URI, a Reference, a generated picture or an SDK part.

    Taken as a picture is whatever has `inline_data.data`, `image_bytes` or `data` as bytes. `role` defaults
    to the source's own, else OBJECT. Raises InvalidRequest with the numbers and the way out.
    """
    if isinstance(source, Reference):
        return source if role is None else replace(source, role=role)
    data, name = _read(source)
    return reference_of(data, name, role=role or ReferenceRole.OBJECT)


def reference_of(data: bytes, name: str, *, role: ReferenceRole) -> Reference:
    """Recognise bytes as a Reference; `name` is for messages. Raises InvalidRequest."""
    if not data:
        raise InvalidRequest(f"reference {name} is empty; give a PNG, JPEG, WebP or HEIC picture")
    if len(data) > MAX_REFERENCE_BYTES:
        raise InvalidRequest(_too_large(name, len(data)))
    media_type = _HEIF_BRANDS.get(data[8:12], "") if data[4:8] == b"ftyp" else ""
    try:
        pixels = _heif_pixels(data) if media_type else None
        facts = None if pixels else inspect(data)
    except Defect as defect:
        raise InvalidRequest(
            f"reference {name}: {defect}; give a PNG, JPEG, WebP or HEIC picture of at most "
            f"{MAX_PIXELS:,} pixels"
        ) from None
    size = pixels or (facts.pixels if facts else Pixels(0, 0))
    return Reference(
        data=data,
        media_type=media_type or (facts.media_type if facts else ""),
        digest=digest_of(data),
        width=size.width,
        height=size.height,
        role=role,
        name=name,
    )


def check_total(references: Iterable[Reference]) -> None:
    """Refuse references that together exceed one request. Raises InvalidRequest."""
    encoded = sum((len(reference.data) + 2) // 3 * 4 for reference in references)
    if encoded > MAX_INLINE_BYTES:
        raise InvalidRequest(
            f"the references take {encoded:,} bytes as base64, one request holds {MAX_INLINE_BYTES:,}; "
            "use fewer or smaller pictures"
        )


def _read(source: object) -> tuple[bytes, str]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "(bytes)"
    if isinstance(source, str) and source.startswith("data:"):
        return _data_uri(source), "(data URI)"
    if isinstance(source, str) and "://" in source[:10]:
        raise InvalidRequest(
            f"reference {without_password(source)[:80]!r} is no http or https URL; download the "
            f"file and pass its path"
        )
    if isinstance(source, (str, os.PathLike)):
        return _file(Path(source)), str(Path(source))
    holder = getattr(source, "inline_data", None) or source
    for name in ("data", "image_bytes"):
        data = getattr(holder, name, None)
        if isinstance(data, (bytes, bytearray)):
            return bytes(data), getattr(source, "label", None) or f"({type(source).__name__})"
    raise InvalidRequest(
        f"a reference cannot be made of {type(source).__name__}; "
        "give a path, bytes, or an object with inline_data"
    )


def without_password(url: str) -> str:
    """A URL as messages show it: without user and password, and without all that may be one."""
    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(url)
        _ = parts.port  # a password with a slash leaves a port that is none
    except ValueError:
        return f"{scheme}://…"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_REFERENCE_BYTES:
                raise InvalidRequest(_too_large(str(path), size))
            # A pipe or a growing file has no honest size: never read more than the limit.
            return file.read(MAX_REFERENCE_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"reference {path} cannot be read: {why}") from None


def _data_uri(source: str) -> bytes:
    head, comma, encoded = source.partition(",")
    try:
        if not comma or not head.endswith(";base64"):
            raise ValueError("it must read data:image/png;base64,…")
        return pybase64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise InvalidRequest(f"reference {head[:40]}… is no valid data URI: {error}") from None


def _too_large(name: str, size: int) -> str:
    return (
        f"reference {name} has {size:,} bytes, the limit is {MAX_REFERENCE_BYTES:,}; "
        "scale it down or save it as JPEG (models read references at about one megapixel)"
    )


def _kind_of(data: bytes) -> str:
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    return next((kind for magic, kind in _OTHER_KINDS if start.startswith(magic)), "of no known kind")


def _heif_pixels(data: bytes) -> Pixels:
    """The largest `ispe` box (ISO/IEC 23008-12): Pillow cannot open HEIF, the models can."""
    sizes = []
    at = data.find(b"ispe")
    while at >= 0:
        if len(data) >= at + 16:
            sizes.append(struct.unpack_from(">II", data, at + 8))
        at = data.find(b"ispe", at + 4)
    if not sizes:
        raise Defect("the HEIC picture is damaged or cut off: it states no size")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    if not 0 < width * height <= MAX_PIXELS:
        raise Defect(f"{width}x{height} pixels, the limit is {MAX_PIXELS:,}")
    return Pixels(width, height)


def save(data: bytes, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a picture, wholly or not at all, and say where: the suffix follows its real format.

    An existing file stays unless `overwrite`; missing folders are made. Raises AssetError.
    """
    target = _with_real_suffix(Path(path), data)
    temporary = target.with_name(f".{target.name[:200]}.{os.urandom(6).hex()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_durably(temporary, data)
            _put(temporary, target, overwrite=overwrite)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except FileExistsError:
        raise AssetError(f"{target} exists; choose another name, or say --overwrite to replace it") from None
    except OSError as error:
        raise AssetError(
            f"{target} was not written ({len(data):,} bytes): {error.strerror or error}"
        ) from None
    return target


def _with_real_suffix(path: Path, data: bytes) -> Path:
    try:
        suffixes = _SUFFIXES[inspect(data).media_type]
    except Defect as defect:
        raise AssetError(f"{path} was not written: {defect}") from None
    suffix = path.suffix.lower()
    if suffix in suffixes:
        return path
    if suffix in _PICTURE_SUFFIXES:
        return path.with_suffix(suffixes[0])
    return path.with_name(path.name + suffixes[0])


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Give the finished file its name. A link fails where a rename would silently replace."""
    if overwrite:
        temporary.replace(target)
        return
    try:
        target.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links on this file system: claim the name first, then replace the claim.
        target.open("xb").close()
        temporary.replace(target)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
