"""The preview and coloured words: only where someone looks and wants them."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from image_router.cli.ink import ink
from image_router.cli.preview import can_preview, half_blocks


def test_two_pixels_make_one_character() -> None:
    """The upper pixel is the block's colour, the lower one its background."""
    picture = Image.new("RGB", (2, 2), (255, 0, 0))
    picture.putpixel((0, 1), (0, 0, 255))
    picture.putpixel((1, 1), (0, 0, 255))
    out = io.BytesIO()
    picture.save(out, "PNG")
    assert half_blocks(out.getvalue(), width=2) == "\x1b[38;2;255;0;0;48;2;0;0;255m▀" * 2 + "\x1b[0m"


@pytest.mark.parametrize(("size", "lines"), [((1024, 1024), 24), ((1376, 768), 13), ((384, 3072), 48)])
def test_the_shape_is_kept_within_bounds(size: tuple[int, int], lines: int) -> None:
    """48 characters wide, and never taller than as many lines."""
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "JPEG")
    drawn = half_blocks(out.getvalue()).split("\n")
    assert len(drawn) == lines
    assert {line.count("▀") for line in drawn} == {48}


def test_no_preview_without_a_terminal() -> None:
    """A pipe or file gets no blocks."""
    assert not can_preview()


def test_colour_is_left_out_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes style and colour away; without it both are there."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert ink("error", colour="red", bold=True).startswith("\x1b[")
    monkeypatch.setenv("NO_COLOR", "1")
    assert ink("error", colour="red", bold=True) == "error"
