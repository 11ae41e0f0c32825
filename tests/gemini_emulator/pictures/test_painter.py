"""The painter as its callers see it: briefs in, files out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from gemini_emulator.pictures import Brief, is_emulated, paint
from gemini_emulator.pictures.vocabulary import vocabulary

from .briefs import brief, opened, saved

SIZES = [
    (1024, 1024), (1536, 12288), (12288, 1536), (384, 3072), (3072, 384), (192, 1536), (1536, 192),
    (352, 2928), (2064, 512), (4096, 4096), (1408, 768), (733, 991), (512, 512), (16, 16),
]  # fmt: skip


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_size_is_met_exactly(width: int, height: int) -> None:
    """A picture has the pixels asked for, at every ratio, with writing in it."""
    picture = opened(paint(brief(width=width, height=height, letters=("Grand Opening",))))
    assert picture.size == (width, height)
    assert picture.mode == "RGB"


@pytest.mark.parametrize(("media_type", "kind"), [("image/png", "PNG"), ("image/jpeg", "JPEG")])
def test_format_and_metadata(media_type: str, kind: str) -> None:
    """The file is of the type asked for and its XMP names the emulator and the digital source type."""
    data = paint(brief(media_type=media_type))
    picture = opened(data)
    assert picture.format == kind
    xmp = picture.info["xmp"].decode()
    assert "gemini_emulator (no real model)" in xmp
    assert "trainedAlgorithmicMedia" in xmp


def test_jpeg_is_300_dpi() -> None:
    """A JPEG states 300 dpi, as the real ones do."""
    assert opened(paint(brief(media_type="image/jpeg"))).info["dpi"] == (300, 300)


@pytest.mark.parametrize("subject", [subject.name for subject in vocabulary().subjects])
def test_every_subject_is_painted(subject: str) -> None:
    """Every subject of the vocabulary can be painted, and not as a flat field."""
    picture = opened(paint(brief(f"a {subject}", model="imagen-4.0-ultra-generate-001")))
    assert np.asarray(picture.convert("L")).std() > 10


@pytest.mark.parametrize("setting", [setting.name for setting in vocabulary().settings])
@pytest.mark.parametrize("light", ["night", "sunset", "rain"])
def test_every_setting_is_painted_in_every_light(setting: str, light: str) -> None:
    """Every place takes every light and weather."""
    prompt = f"a robot in the {setting}, {light}"
    by_day = paint(brief(f"a robot in the {setting}, noon", width=128, height=128))
    assert paint(brief(prompt, width=128, height=128)) != by_day


def test_same_brief_same_bytes_from_any_thread() -> None:
    """The same brief gives the same bytes, also when threads paint side by side."""
    asked = brief("a girl with an umbrella in the rain", letters=("Rainy days",), text_grade=1)
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(paint, [asked] * 8))
    assert len(set(files)) == 1


@pytest.mark.parametrize(
    "other",
    [
        brief("a fox on the beach"),
        brief(model="gemini-3-pro-image"),
        brief(seed=2),
        brief(seed=None),
        brief(draft=True),
        brief(letters=("Fox",)),
        brief(references=(paint(brief("a penguin")),)),
        brief(references=(saved(Image.new("RGB", (80, 60), (200, 30, 90))),)),
    ],
    ids=["prompt", "model", "seed", "no seed", "draft", "letters", "own reference", "foreign reference"],
)
def test_every_part_of_the_brief_is_visible(other: Brief) -> None:
    """Prompt, model, seed, letters and references each change many pixels."""
    first, second = (np.asarray(opened(paint(asked)), dtype=int) for asked in (brief(), other))
    changed = np.abs(first - second).max(axis=2) > 12
    assert changed.mean() > 0.02


def test_red_mug_is_red() -> None:
    """A colour named before a product is the colour of the product."""
    picture = opened(paint(brief("a red ceramic mug on a wooden table")))
    red, green, blue = np.asarray(picture, dtype=int)[190:230, 170:200].reshape(-1, 3).mean(axis=0)
    assert red > 1.8 * green
    assert red > 1.8 * blue


@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (192, 1536), (1536, 192)])
def test_badge_sits_in_the_lower_right_corner(width: int, height: int) -> None:
    """Every picture shows yellow on near-black badge pixels in its corner."""
    pixels = np.asarray(opened(paint(brief(width=width, height=height))), dtype=int)
    corner = pixels[-height // 8 if height < width else -60 :, -width // 2 :].reshape(-1, 3)
    yellow = (corner[:, 0] > 230) & (corner[:, 1] > 190) & (corner[:, 2] < 130)
    black = corner.max(axis=1) < 45
    assert yellow.sum() > 40
    assert black.sum() > 200


def test_is_emulated_reads_metadata_or_pixels() -> None:
    """A painted file is known by its metadata, and by its pixels once the metadata is gone."""
    data = paint(brief())
    assert is_emulated(data)
    assert is_emulated(saved(opened(data)))
    assert not is_emulated(saved(Image.effect_mandelbrot((256, 256), (-2, -1.5, 1, 1.5), 20)))
    assert not is_emulated(b"no picture at all")


@pytest.mark.parametrize("wrong", [{"width": 8}, {"height": 20_000}, {"text_grade": 0}, {"text_grade": 6}])
def test_impossible_briefs_are_refused(wrong: dict[str, int]) -> None:
    """Sizes and grades out of range are named in the error."""
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        brief(**wrong)
