"""What the painter understands of a prompt."""

from __future__ import annotations

import pytest

from gemini_emulator.pictures.genome import _BITS, GENOME_BITS
from gemini_emulator.pictures.scene import Scene, plan
from gemini_emulator.pictures.vocabulary import vocabulary

from .briefs import brief


def planned(prompt: str, **changes: object) -> Scene:
    return plan(brief(prompt, **changes), None)


@pytest.mark.parametrize(
    ("prompt", "subject", "setting"),
    [
        ("a red ceramic mug on a wooden table", "mug", "table"),
        ("a girl with a blue bag in the city", "girl", "city"),
        ("studio packshot of a green wine bottle", "bottle", "studio"),
        ("two foxes in the snow", "fox", "snow"),
        ("mountain panorama at dawn", "landscape", "mountains"),
        ("a dragon over Tokyo", "dragon", "city"),
    ],
)
def test_subject_and_setting(prompt: str, subject: str, setting: str) -> None:
    """People and animals outrank products, which outrank places; the place is the first one named."""
    scene = planned(prompt)
    assert (scene.genome.kind.name, scene.setting.name) == (subject, setting)


@pytest.mark.parametrize(
    ("prompt", "light", "weather"),
    [
        ("a boy in the rain", "overcast", "rain"),
        ("a boy at night", "night", "clear"),
        ("a boy at sunset", "golden", "clear"),
        ("a foggy forest", "overcast", "fog"),
        ("a snowy village at night", "night", "snowfall"),
    ],
)
def test_light_and_weather(prompt: str, light: str, weather: str) -> None:
    """Words of time and weather set light and weather."""
    scene = planned(prompt)
    assert (scene.light.name, scene.weather) == (light, weather)


@pytest.mark.parametrize(
    ("model", "detail"),
    [
        ("imagen-4.0-fast-generate-001", 1),
        ("gemini-3.1-flash-lite-image", 1),
        ("gemini-2.5-flash-image", 2),
        ("gemini-3.1-flash-image-preview", 3),
        ("imagen-4.0-generate-001", 3),
        ("gemini-3-pro-image", 4),
        ("imagen-4.0-ultra-generate-001", 4),
        ("some-model-of-tomorrow", 2),
    ],
)
def test_finish_by_model(model: str, detail: int) -> None:
    """A model's name sets how richly it paints; unknown models paint plainly."""
    assert planned("a cat", model=model).detail == detail


def test_letters_without_a_subject_make_a_poster() -> None:
    """Words to write and nothing to draw is a poster."""
    assert planned("something nice", letters=("Hello",)).theme == "poster"


def test_genome_tables_fit_their_bits() -> None:
    """The genome has room for every colour and subject."""
    words = vocabulary()
    assert len(words.colours) == 32
    assert len(words.subjects) <= 64
    assert sum(_BITS.values()) == GENOME_BITS


def test_colour_of_the_surroundings_is_not_the_subjects() -> None:
    """'White background' leaves the colour of the shoe to the other words."""
    words = vocabulary()
    shoe = planned("studio shot on a white background of a sneaker in cobalt").genome
    assert shoe.hue == words.words["colour"]["cobalt"]
