"""What references give to a picture."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from gemini_emulator.pictures import paint
from gemini_emulator.pictures.references import MOST_COMPANIONS, MOST_INSETS, given_by

from .briefs import brief, opened, saved

RED = saved(Image.new("RGB", (120, 80), (230, 20, 30)))


def animal(name: str) -> bytes:
    return paint(brief(f"a {name}"))


def test_marked_references_become_subject_and_companions() -> None:
    """The first is the subject, the next ones stand beside it, once each."""
    fox, owl = animal("fox"), animal("owl")
    given = given_by((fox, owl, fox))
    assert given.known is not None
    assert given.known.genome.kind.name == "fox"
    assert [companion.kind.name for companion in given.companions] == ["owl"]
    assert given.photos == ()


def test_crowds_are_limited() -> None:
    """However many references come, companions and insets stay few."""
    many = tuple(map(animal, ("fox", "owl", "cat", "dog", "lion", "frog"))) + (RED,) * 9
    given = given_by(many)
    assert len(given.companions) == MOST_COMPANIONS
    assert len(given.photos) == MOST_INSETS


def test_foreign_photo_gives_palette_and_a_framed_print() -> None:
    """A red photo hangs in the picture as red pixels, and its red heads the palette."""
    assert given_by((RED,)).palette[0] == pytest.approx((230, 20, 30), abs=3)
    painted = np.asarray(opened(paint(brief("a penguin in the snow", references=(RED,)))), dtype=int)
    red = (painted[..., 0] > 215) & (painted[..., 1] < 40)
    assert red.mean() > 0.02


@pytest.mark.parametrize("junk", [b"", b"junk", RED[:60], b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_unreadable_references_count_as_absent(junk: bytes) -> None:
    """Bytes that are no picture leave the painting as it would be without them."""
    assert paint(brief(references=(junk,))) == paint(brief())


def test_transparent_references_are_read() -> None:
    """A palette picture with transparency is taken without a warning."""
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.paste((20, 90, 200, 255), (16, 16, 48, 48))
    data = _kept(clear.quantize(8))
    assert len(given_by((data,)).photos) == 1


def _kept(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
