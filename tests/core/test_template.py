"""Lines of a table into rows, or the column that is wrong and why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.errors import ConfigError
from image_router.core.runs import Stage
from image_router.core.template import BadLine, Drafted, Expander, Pattern, PictureTemplate, Template
from image_router.core.types import AspectRatio, Lane, Purpose, Size, Tier


def picture(name: str = "picture", **said: Any) -> PictureTemplate:
    texts = {key: Pattern.of(text) for key, text in said.items() if key not in ("reference",)}
    parts = {key: texts.pop(key) for key in ("given", "each", "key") if key in texts}
    return PictureTemplate(name=name, reference=said.get("reference", False), asked=texts, **parts)


def template(*pictures: PictureTemplate, subject: str = "", key: str | None = None) -> Template:
    return Template(
        name="t",
        description="",
        pictures=pictures,
        subject=Pattern.of(subject),
        key=Pattern.of(key) if key else None,
    )


def expand(made: Template, /, line: int = 7, **cells: str) -> list[Drafted]:
    return Expander(made)(cells, line=line)


@pytest.mark.parametrize(
    ("text", "cells", "words"),
    [
        ("a mug", {}, "a mug"),
        ("a {colour} mug", {"colour": " red "}, "a red mug"),
        ("a {colour?} mug", {"colour": ""}, "a mug"),
        ("a  {colour?}\n\nmug {size?} {handle?} big", {}, "a  \n\nmug big"),
        ("a mug, {colour?}", {}, "a mug,"),
        ("{{braces}} stay", {}, "{braces} stay"),
        ("{the colour}", {"the colour": "blue"}, "blue"),
        ("{one}{two}", {"one": "{two}", "two": "{one}"}, "{two}{one}"),
    ],
)
def test_columns_in_braces_are_filled(text: str, cells: dict[str, str], words: str) -> None:
    assert Pattern.of(text).fill(cells) == words


@pytest.mark.parametrize("text", ["a {", "a }", "{}", "{?}", "{colour!r}", "{width:>3}", "{a{b}}"])
def test_braces_that_hold_more_than_a_column_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"between braces|write"):
        Pattern.of(text)


@pytest.mark.parametrize("cells", [{}, {"colour": ""}, {"colour": "  "}])
def test_a_needed_column_that_is_missing_or_empty_is_named(cells: dict[str, str]) -> None:
    with pytest.raises(BadLine) as caught:
        Pattern.of("a {colour} mug").fill(cells)
    assert caught.value.column == "colour"


def test_what_the_template_says_becomes_the_request() -> None:
    made = template(
        picture(
            prompt="{what}",
            purpose="{purpose}",
            size="2K",
            aspect="4:3",
            lane="{lane?}",
            tier="nano_banana",
            seed="{seed?}",
            text="{slogan?}",
        )
    )
    (row,) = expand(made, what="a mug", purpose="draft", lane="batch", seed="7", slogan="")
    ask = row.ask
    assert (ask.prompt, ask.purpose, ask.size, ask.aspect) == (
        "a mug",
        Purpose.DRAFT,
        Size.K2,
        AspectRatio.R4_3,
    )
    assert (ask.lane, ask.tier, ask.seed, ask.text) == (Lane.BATCH, Tier.NANO_BANANA, 7, None)
    assert (row.subject, row.stage, row.key) == ("line 7", Stage.FIRST, None)


@pytest.mark.parametrize(
    ("field", "said", "reason"),
    [
        ("size", "3K", "'3K' is not one of 512, 1K, 2K, 4K"),
        ("purpose", "Hero", "'Hero' is not one of"),
        ("lane", "night", "'night' is not one of interactive, batch"),
        ("seed", "4.5", "'4.5' is no whole number"),
    ],
)
def test_a_cell_that_names_nothing_is_told_with_its_field(field: str, said: str, reason: str) -> None:
    made = template(picture(prompt="a mug", **{field: "{cell}"}))
    with pytest.raises(BadLine, match=reason) as caught:
        expand(made, cell=said)
    assert caught.value.column == field


def test_what_is_wrong_for_every_line_is_refused_before_the_first() -> None:
    with pytest.raises(ConfigError, match="picture front, size: '3K' is not one of"):
        Expander(template(picture("front", prompt="a mug", size="3K")))


def test_variants_follow_their_reference_and_keep_its_looks() -> None:
    made = template(
        picture("reference", reference=True, prompt="a {name}"),
        picture("front", prompt="from the front"),
        picture("scene", prompt="it stands {each}", each="{scenes?}"),
        subject="{sku}",
        key="{sku}",
    )
    rows = expand(made, sku="m-1", name="mug", scenes="on a table | | in a hand|")
    assert [(row.name, row.stage, row.ask.purpose) for row in rows] == [
        ("reference", Stage.FIRST, Purpose.ECONOMY),
        ("front", Stage.SECOND, Purpose.CHARACTER_LOCK),
        ("scene-001", Stage.SECOND, Purpose.CHARACTER_LOCK),
        ("scene-002", Stage.SECOND, Purpose.CHARACTER_LOCK),
    ]
    assert [row.key for row in rows] == ["m-1/reference", "m-1/front", "m-1/scene-001", "m-1/scene-002"]
    assert rows[2].ask.prompt == "it stands on a table"
    assert {row.subject for row in rows} == {"m-1"}


def test_a_given_picture_takes_the_place_of_the_reference() -> None:
    """Nothing is made of it, so its variants wait for nothing."""
    made = template(
        picture("reference", reference=True, given="{photo?}", prompt="a mug"),
        picture("front", prompt="from the front", references="{more?}"),
    )
    rows = expand(made, photo="mug.png", more="lid.png|box.png")
    assert [(row.name, row.stage) for row in rows] == [("front", Stage.FIRST)]
    assert rows[0].ask.references == ("mug.png", "lid.png", "box.png")
    assert rows[0].ask.purpose is Purpose.CHARACTER_LOCK
    made_one = expand(made, photo="")
    assert [(row.name, row.stage, row.ask.references) for row in made_one] == [
        ("reference", Stage.FIRST, ()),
        ("front", Stage.SECOND, ()),
    ]


def test_a_picture_may_have_a_key_of_its_own() -> None:
    """Many lines of one hero share the reference."""
    made = template(
        picture("hero", reference=True, prompt="{looks}", key="{hero}/hero"),
        picture("scene", prompt="{scene}"),
        subject="{hero}",
        key="{hero}/{page}",
    )
    rows = [row for page in "12" for row in expand(made, hero="fox", looks="a fox", page=page, scene="runs")]
    assert [row.key for row in rows] == ["fox/hero", "fox/1/scene", "fox/hero", "fox/2/scene"]
    pages = template(picture("page", prompt="{scene}", key="{hero}/page-{page}"), subject="{hero}")
    (second,) = expand(pages, hero="fox", page="2", scene="runs")
    assert (second.key, second.name, second.ask.fields) == ("fox/page-2", "page-2", {"picture": "page-2"})


@pytest.mark.parametrize(
    ("made", "cells", "reason"),
    [
        (template(picture(each="{scenes?}", prompt="{each}")), {"scenes": " | "}, "asks for no picture"),
        (template(picture(prompt="{words?}")), {}, "has no words for the picture"),
    ],
)
def test_a_line_that_asks_for_nothing_is_told(made: Template, cells: dict[str, str], reason: str) -> None:
    with pytest.raises(BadLine, match=reason):
        expand(made, **cells)


def test_columns_that_a_table_lacks_are_named_in_order() -> None:
    made = template(
        picture("hero", prompt="{name} {colour?}", each="{scenes}", key="{own}"), subject="{sku}", key="{id}"
    )
    assert made.missing(["name", "each"]) == ("sku", "id", "scenes", "own")


cell = st.text("ab|{} é\u00df", max_size=12)


@given(cells=st.fixed_dictionaries(dict.fromkeys(("sku", "name", "photo", "scenes"), cell)))
def test_any_cells_become_sound_rows_or_a_reason(cells: dict[str, str]) -> None:
    """Names and keys differ, the reference comes first, and what waits has somebody to wait for."""
    made = template(
        picture("reference", reference=True, given="{photo?}", prompt="{name?}"),
        picture("scene", prompt="{each}", each="{scenes?}"),
        subject="{sku}",
        key="{sku}",
    )
    try:
        rows = Expander(made)(cells, line=1)
    except BadLine:
        given, scenes = cells["photo"].strip(), cells["scenes"].replace("|", "").strip()
        assert not cells["sku"].strip() or not (scenes if given else cells["name"].strip())
        return
    assert rows
    assert len({row.name for row in rows}) == len({row.key for row in rows}) == len(rows)
    assert all(row.ask.prompt for row in rows)
    waiting = [row for row in rows if row.stage is Stage.SECOND]
    assert bool(waiting) <= (rows[0].stage is Stage.FIRST and rows[0].name == "reference")
    assert all(row.ask.references for row in rows) is bool(cells["photo"].strip())
