"""What an edit keeps of the picture it edits."""

from __future__ import annotations

import numpy as np
import pytest

from gemini_emulator.pictures import paint
from gemini_emulator.pictures.scene import Scene, plan
from gemini_emulator.pictures.watermark import Mark, recognise

from .briefs import brief, opened

CYCLIST = "a girl on a bicycle in the city at sunset"


def after(first: str, *prompts: str) -> Scene:
    """The plan of the last of some edits, each of the picture before it."""
    scene = plan(brief(first), None)
    for prompt in prompts:
        scene = plan(brief(prompt), Mark(genome=scene.genome, place=scene.place))
    return scene


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        ("give her a red beret", {}),
        ("make it night", {"light": "night"}),
        (
            "now with an umbrella in the rain",
            {"light": "overcast", "weather": "rain", "props": ("umbrella",)},
        ),
        ("remove the bicycle", {"props": ()}),
        ("she is sad", {"mood": "sad"}),
    ],
)
def test_an_edit_changes_what_it_names(edit: str, changed: dict[str, object]) -> None:
    """Place, layout, light, weather, mood and things held stay as they are, but for what the edit names."""
    before, scene = after(CYCLIST), after(CYCLIST, edit)
    usual = {"light": "golden", "weather": "clear", "mood": "happy", "props": ("bicycle",)}
    seen = {"light": scene.light.name, "weather": scene.weather, "mood": scene.mood, "props": scene.props}
    assert seen == usual | changed
    assert (scene.setting, scene.place.layout) == (before.setting, before.place.layout)
    assert scene.genome.kind == before.genome.kind


def test_an_edit_of_an_edit() -> None:
    """Changes add up: what the first edit put on is still worn after the second."""
    scene = after(CYCLIST, "give her a red beret", "make it night")
    assert (scene.genome.hat, scene.light.name, scene.setting.name) == (6, "night", "city")


@pytest.mark.parametrize(
    ("first", "edit", "place"),
    [
        (CYCLIST, "the same girl at the beach", "beach"),
        ("a packshot of a red mug in the studio", "make the mug blue", "studio"),
        ("a fox in the studio", "make the fox white", "studio"),
        ("a mountain landscape", "add a fox", "mountains"),
    ],
)
def test_where_an_edit_plays(first: str, edit: str, place: str) -> None:
    """A place that is named is gone to; otherwise the picture stays where it is."""
    assert after(first, edit).setting.name == place


def test_a_model_sheet_lends_no_place() -> None:
    """A figure on a plain backdrop is a reference for other pictures: a variant gets a place of its own."""
    assert after("a fox, plain backdrop", "the fox rides a bicycle in the rain").setting.name != "studio"


def test_a_view_takes_in_what_an_edit_adds() -> None:
    """A subject added to a landscape stands in that landscape."""
    view, scene = after("a mountain landscape"), after("a mountain landscape", "add a fox")
    assert scene.genome.kind.name == "fox"
    assert scene.place == view.place


def test_colours_of_an_edit() -> None:
    """A colour beside the subject is the subject's, beside clothes the clothes'; the palette stays."""
    red = after("a red mug on a table")
    blue = after("a red mug on a table", "make the mug blue")
    assert (red.genome.hue, blue.genome.hue) == (0, 7)
    poster = after("abstract poster in teal and coral")
    assert after("abstract poster in teal and coral", "bigger circles").colours == poster.colours
    assert after(CYCLIST, "a green coat").genome.hue == 4


def test_taking_off() -> None:
    """What an edit removes is no longer worn."""
    assert after("a fox with a beret").genome.hat == 6
    assert after("a fox with a beret", "take off the beret").genome.hat == 0


def test_the_background_stays_in_the_pixels() -> None:
    """An edit of a painted file leaves most of the picture as it was."""
    first = paint(brief(CYCLIST))
    second = paint(brief("give her glasses", references=(first,), seed=5))
    moved = np.abs(np.asarray(opened(first), dtype=int) - np.asarray(opened(second), dtype=int)).max(axis=2)
    assert 0.001 < (moved > 12).mean() < 0.2


def test_places_travel_with_the_picture() -> None:
    """A painted file tells where it plays."""
    asked = brief("a fox reading at night")
    mark = recognise(paint(asked))
    assert mark is not None
    assert mark.place == plan(asked, None).place
    assert mark.place.held == ("book",)
