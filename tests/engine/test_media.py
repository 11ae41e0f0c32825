"""Bytes in and out: what a picture is, what a reference may be, and that no file is ever harmed."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.reply import Reply, ReplyImage, ReplyText
from image_router.core.types import Pixels, Reference, ReferenceRole
from image_router.engine import media
from pictures import as_base64, picture

PNG, JPEG, WEBP = picture("PNG"), picture("JPEG"), picture("WEBP")


def _png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size its bytes do not hold."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return PNG[:8] + chunk + PNG[33:]


def _heic(width: int, height: int) -> bytes:
    sizes = b"".join(b"ispe" + struct.pack(">III", 0, w, h) for w, h in ((160, 120), (width, height)))
    return struct.pack(">I", 24) + b"ftypheic" + bytes(12) + sizes


@pytest.mark.parametrize(
    ("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_picture_is_recognised_by_its_bytes(kind: str, media_type: str) -> None:
    """Type, pixels and digest come from the bytes."""
    data = picture(kind, 96, 40)
    facts = media.inspect(data)
    assert (facts.media_type, facts.pixels) == (media_type, Pixels(96, 40))
    assert facts.digest == media.digest_of(data)


@given(st.sampled_from([PNG, JPEG, WEBP]), st.data())
def test_cut_picture_is_found(data: bytes, draw: st.DataObject) -> None:
    """A picture cut anywhere is a defect, never a crash and never a picture."""
    length = draw.draw(st.integers(0, len(data) - 1))
    with pytest.raises(media.Defect):
        media.inspect(data[:length])


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(data: bytes) -> None:
    """Bytes that are no picture are a defect that says so."""
    with pytest.raises(media.Defect, match=r"bytes|damaged"):
        media.inspect(data)


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_decompression_bomb_is_refused(side: int) -> None:
    """A header that claims too many pixels is refused before anything is decoded."""
    with pytest.raises(media.Defect, match="64,000,000"):
        media.inspect(_png_claiming(side, side))


def test_inspection_fills_finals_and_leaves_drafts() -> None:
    """Each final picture gets facts or a defect; drafts are looked at only when they are all there is."""
    draft = ReplyImage(data=JPEG, declared_type="image/jpeg", thought=True)
    final = ReplyImage(data=PNG, declared_type="image/png")
    broken = ReplyImage(data=PNG[:99], declared_type="image/png")
    reply = media.inspected(Reply(parts=(ReplyText(text="hi"), draft, final, broken)))
    seen_draft, seen_final, seen_broken = reply.images
    assert (seen_draft, reply.text) == (draft, "hi")
    assert seen_final.facts is not None
    assert seen_broken.defect is not None
    assert media.inspected(Reply(parts=(draft,))).images[0].facts is not None


def test_picture_encoded_twice_is_unwrapped() -> None:
    """A proxy's second base64 is taken off, and said."""
    image = ReplyImage(data=as_base64(JPEG).encode(), declared_type="image/jpeg")
    seen = media.inspected(Reply(parts=(image,))).images[0]
    assert (seen.data, seen.notes) == (JPEG, ("the picture was base64-encoded twice",))
    assert seen.facts is not None


def _sources(folder: Path) -> list[object]:
    file = folder / "ref.png"
    file.write_bytes(PNG)
    return [
        PNG,
        bytearray(PNG),
        memoryview(PNG),
        file,
        str(file),
        f"data:image/png;base64,{as_base64(PNG)}",
        SimpleNamespace(inline_data=SimpleNamespace(data=PNG, mime_type="image/jpeg")),
        SimpleNamespace(image_bytes=PNG),
        SimpleNamespace(data=PNG),
    ]


@pytest.mark.parametrize("index", range(9))
def test_reference_comes_from_many_sources(tmp_path: Path, index: int) -> None:
    """Bytes, paths, data URIs and SDK parts all become the same reference; the bytes name the type."""
    reference = media.load_reference(_sources(tmp_path)[index], ReferenceRole.STYLE)
    assert (reference.data, reference.media_type) == (PNG, "image/png")
    assert (reference.width, reference.height, reference.role) == (64, 64, ReferenceRole.STYLE)


def test_reference_passes_through() -> None:
    """A ready reference stays itself; a role given beside it wins."""
    ready = media.load_reference(PNG)
    assert media.load_reference(ready) is ready
    assert media.load_reference(ready, ReferenceRole.CHARACTER).role is ReferenceRole.CHARACTER


def test_heic_is_accepted_with_its_size() -> None:
    """HEIC cannot be opened here, but the models read it: its largest stated size counts."""
    reference = media.load_reference(_heic(4032, 3024))
    assert (reference.media_type, reference.width, reference.height) == ("image/heic", 4032, 3024)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"BM" + bytes(60), "a BMP picture"),
        (b"%PDF-1.7", "a PDF"),
        (b"GIF89a" + bytes(20), "a GIF picture"),
        (b"<!DOCTYPE html><title>404</title>", "an HTML page"),
        (PNG[:-20], "cut off"),
        (_png_claiming(60_000, 60_000), "64,000,000"),
        (_heic(20_000, 20_000), "64,000,000"),
        (_heic(0, 0)[:24], "states no size"),
        ("/no/such/file.png", "No such file"),
        ("a\0b", "null"),
        ("gs://bucket/a.png", "URL"),
        ("data:image/png,abc", "data URI"),
        ("data:image/png;base64,???", "data URI"),
        (42, "int"),
        (SimpleNamespace(inline_data=SimpleNamespace(data="text")), "SimpleNamespace"),
    ],
)
def test_unusable_reference_is_refused(source: object, words: str) -> None:
    """What no model could read is refused before anything is spent, with the reason."""
    with pytest.raises(InvalidRequest, match=words):
        media.load_reference(source)


def test_huge_file_is_never_read(tmp_path: Path) -> None:
    """A file of 200 MB is refused by its size, with the limit and the way out."""
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(InvalidRequest, match=r"200,000,000 bytes, the limit is 50,000,000; scale it down"):
        media.load_reference(huge)


def test_references_together_have_a_limit() -> None:
    """All references of a request must fit one body, counted as base64."""
    one = media.load_reference(PNG)
    large = Reference(data=bytes(40_000_000), media_type="image/png", digest=one.digest, width=64, height=64)
    media.check_total([large])
    with pytest.raises(InvalidRequest, match="106,666,672"):
        media.check_total([large, large])


@pytest.mark.parametrize(
    ("asked", "data", "written"),
    [
        ("a.png", PNG, "a.png"),
        ("a.PNG", PNG, "a.PNG"),
        ("a.png", JPEG, "a.jpg"),
        ("a.jpeg", JPEG, "a.jpeg"),
        ("a", WEBP, "a.webp"),
        ("fox v1.2", PNG, "fox v1.2.png"),
        ("deep/er/a.webp", JPEG, "deep/er/a.jpg"),
    ],
)
def test_suffix_follows_the_real_format(tmp_path: Path, asked: str, data: bytes, written: str) -> None:
    """The file's name tells the truth about its bytes, which are written untouched."""
    path = media.save(data, tmp_path / asked)
    assert path == tmp_path / written
    assert path.read_bytes() == data
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_existing_file_stays(tmp_path: Path) -> None:
    """Nothing is overwritten unless asked; the error names the file and the option."""
    media.save(PNG, tmp_path / "a.png")
    other = picture("PNG", 32, 32)
    with pytest.raises(AssetError, match=r"a\.png exists; .*--overwrite"):
        media.save(other, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == PNG
    assert media.save(other, tmp_path / "a.png", overwrite=True).read_bytes() == other
    assert len(list(tmp_path.iterdir())) == 1


def test_existing_file_stays_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without links the name is claimed first, so nothing is overwritten either."""

    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert media.save(PNG, tmp_path / "a.png").read_bytes() == PNG
    with pytest.raises(AssetError, match="exists"):
        media.save(PNG, tmp_path / "a.png")


@pytest.mark.parametrize("overwrite", [False, True])
def test_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    """When writing fails, the error says so, the old file is whole and no half file remains."""
    media.save(PNG, tmp_path / "old.png")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AssetError, match="No space left"):
        media.save(JPEG, tmp_path / "old.jpg", overwrite=overwrite)
    assert [file.name for file in tmp_path.iterdir()] == ["old.png"]


def test_no_picture_is_not_saved(tmp_path: Path) -> None:
    """Bytes that are no picture are not written under a picture's name."""
    with pytest.raises(AssetError, match="an HTML page"):
        media.save(b"<html>", tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
