"""The pixel mark, and the looks that travel in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gemini_emulator.pictures import paint
from gemini_emulator.pictures.genome import GENOME_BITS, Genome, conceive
from gemini_emulator.pictures.place import PLACE_BITS, Place, found_in
from gemini_emulator.pictures.watermark import Mark, embedded, recognise

from .briefs import brief, opened, saved

PROMPTS = [
    "a fox in the forest",
    "a girl in the city at night in the rain",
    "a mug in the kitchen",
    "mountain landscape",
    "abstract poster",
]
HARM: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg 75": lambda image: saved(image, "JPEG", quality=75),
    "jpeg 50": lambda image: saved(image, "JPEG", quality=50),
    "resize to 512": lambda image: saved(image.resize((512, 512), Image.Resampling.LANCZOS)),
    "512 and jpeg 80": lambda image: saved(image.resize((512, 512)), "JPEG", quality=80),
    "webp": lambda image: saved(image, "WEBP", quality=80),
}


def genome_of(data: bytes) -> Genome:
    mark = recognise(data)
    assert mark is not None
    return mark.genome


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("prompt", PROMPTS)
def test_mark_survives(prompt: str, harm: str) -> None:
    """Genome and place are read back whole after JPEG and resizing."""
    data = paint(brief(prompt, width=1024, height=1024, model="gemini-3-pro-image"))
    mark = recognise(data)
    assert mark is not None
    assert recognise(HARM[harm](opened(data))) == mark


@pytest.mark.parametrize(("width", "height"), [(1536, 1536), (384, 3072), (2928, 352), (1408, 768)])
def test_mark_is_read_at_other_ratios(width: int, height: int) -> None:
    """Long pictures carry the mark too, also as JPEG."""
    asked = brief("a robot", width=width, height=height, media_type="image/jpeg")
    mark = recognise(paint(asked))
    assert mark is not None
    assert mark.genome.kind.name == "robot"


def test_mark_is_invisible() -> None:
    """No pixel within the legal range moves by more than two levels."""
    picture = Image.new("RGB", (256, 256), (120, 90, 60))
    cat = conceive("a cat", 1, subject=3)
    mark = Mark(genome=cat, place=found_in("a cat", cat, salt=7))
    moved = np.abs(embedded(picture, mark).astype(int) - np.asarray(picture, dtype=int))
    assert moved.max() == 2


def test_foreign_pictures_carry_no_genome() -> None:
    """Noise, flat colour and text are not taken for ours."""
    noise = np.random.default_rng(3).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert recognise(saved(Image.fromarray(noise))) is None
    assert recognise(saved(Image.new("RGB", (300, 300), (9, 9, 9)))) is None
    assert recognise(b"not a picture") is None


@given(st.integers(min_value=0, max_value=2**GENOME_BITS - 1))
def test_genome_packs_and_unpacks(packed: int) -> None:
    """Every packed genome names a drawable subject and packs to itself again."""
    genome = Genome.unpack(packed)
    assert Genome.unpack(genome.pack()) == genome


@given(st.integers(min_value=0, max_value=2**PLACE_BITS - 1))
def test_place_packs_and_unpacks(packed: int) -> None:
    """Every packed place names a paintable one and packs to itself again."""
    place = Place.unpack(packed)
    assert Place.unpack(place.pack()) == place


def test_character_keeps_its_looks_across_variants() -> None:
    """Variants made from a reference, and from one another, carry the reference's genome."""
    first = paint(brief("a fox, storybook hero", width=512, height=512))
    second = paint(brief("the same fox riding a bicycle in the rain", references=(first,), seed=8))
    third = paint(
        brief(
            "he reads in the library",
            references=(second,),
            model="gemini-3-pro-image",
            media_type="image/jpeg",
        )
    )
    assert genome_of(first) == genome_of(second) == genome_of(third)


def test_first_marked_reference_gives_the_subject() -> None:
    """A foreign photo before it does not push the known character aside."""
    hero = paint(brief("a dragon"))
    photo = saved(Image.radial_gradient("L"))
    variant = paint(brief("on a picnic", references=(photo, hero, paint(brief("a cat")))))
    assert genome_of(variant) == genome_of(hero)


def test_prompt_may_change_what_is_worn() -> None:
    """A hat named in an edit is put on, and nothing else changes."""
    hero = genome_of(paint(brief("a bear", seed=5)))
    edited = genome_of(paint(brief("now with a beret", references=(paint(brief("a bear", seed=5)),))))
    changed = {
        axis for axis in ("hat", "hue", "skin", "eyes") if getattr(hero, axis) != getattr(edited, axis)
    }
    assert changed <= {"hat"}
    assert edited.hat == 6


def test_subjects_differ_by_seed_and_prompt() -> None:
    """Fifty seeds give fifty different looks."""
    assert len({conceive("a girl", seed, subject=16) for seed in range(50)}) == 50
