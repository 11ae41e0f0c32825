"""From lines to rows that are decided and quoted: nothing is spent, lost or counted twice."""

from __future__ import annotations

import runpy
import tracemalloc
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router import facts
from image_router.aio import ImageRouter
from image_router.bulk.planning import BLOCK, Planner, RowProblem
from image_router.bulk.tables import Line, open_table
from image_router.config import Settings
from image_router.core.run_plan import Sums
from image_router.core.runs import PlannedRow, Stage
from image_router.core.template import Pattern, PictureTemplate, Template
from image_router.core.types import Lane
from made import png

DAY = date(2026, 11, 22)
TEMPLATES = facts.load_templates(None)


@pytest.fixture
async def planner(tmp_path: Path) -> AsyncIterator[Planner]:
    async with ImageRouter(Settings(home=tmp_path / "home", offline=True, as_of=DAY)) as router:
        yield Planner(decider=router, template=TEMPLATES["plain"], scope="acme", folder=tmp_path)


def table(*cells: dict[str, str]) -> list[Line]:
    return [Line(number=number, cells=each) for number, each in enumerate(cells, 1)]


async def planned(
    planner: Planner, lines: list[Line], sums: Sums | None = None
) -> tuple[list[PlannedRow], list[RowProblem]]:
    found = [each async for each in planner.plan(lines, sums)]
    return (
        [each for each in found if isinstance(each, PlannedRow)],
        [each for each in found if isinstance(each, RowProblem)],
    )


async def test_each_row_is_decided_and_quoted_as_the_router_would(planner: Planner) -> None:
    (row,), _ = await planned(planner, table({"prompt": "a mug", "purpose": "hero", "size": "2K"}))
    decision = await planner.decider.decide("a mug", purpose="hero", size="2K")  # type: ignore[attr-defined]
    assert (row.model, row.tier) == (decision.head.model.id, decision.head.tier)
    assert (row.quote, row.ceiling) == (decision.quote.total, decision.ceiling)
    assert row.quote > 0


async def test_a_bad_line_is_left_out_with_its_number_and_reason(planner: Planner) -> None:
    lines = [
        *table({"prompt": "a mug"}, {"prompt": ""}, {"prompt": "a jug", "size": "9K"}),
        Line(number=4, cells={}, broken="is no CSV: x"),
        Line(number=5, cells={"prompt": "a cup", "references": "gone.png"}),
        Line(number=6, cells={"prompt": "a cup", "model": "painter-9"}),
        Line(number=7, cells={"prompt": "a cup"}),
    ]
    sums = Sums()
    rows, problems = await planned(planner, lines, sums)
    assert [(row.number, row.line) for row in rows] == [(1, 1), (2, 7)]
    assert [(problem.line, problem.column) for problem in problems] == [
        (2, "prompt"),
        (3, "size"),
        (4, None),
        (5, None),
        (6, None),
    ]
    assert str(problems[0]) == "line 2, column 'prompt': is empty"
    assert "gone.png" in problems[3].reason
    assert "painter-9" in problems[4].reason
    assert (sums.rows, sums.lines_left_out) == (2, 5)


async def test_equal_rows_are_found_and_priced_at_zero(planner: Planner) -> None:
    sums = Sums()
    same = {"prompt": "a mug", "size": "2K"}
    rows, _ = await planned(planner, table(same, {"prompt": "a jug"}, same, same), sums)
    assert [row.duplicate_of for row in rows] == [None, None, 1, 1]
    assert rows[0].key == rows[2].key == rows[3].key != rows[1].key
    assert [bool(row.quote) for row in rows] == [True, True, False, False]
    assert sums.quote == rows[0].quote + rows[1].quote
    assert sums.duplicates == 2


async def test_equal_rows_far_apart_are_found_too(planner: Planner) -> None:
    count = 2 * BLOCK + 10
    lines = table(*({"prompt": f"mug {number % (count - 3)}"} for number in range(count)))
    rows, _ = await planned(planner, lines)
    assert [(row.number, row.duplicate_of) for row in rows if row.duplicate_of] == [
        (count - 2, 1),
        (count - 1, 2),
        (count, 3),
    ]


async def test_variants_of_another_reference_are_no_duplicates(planner: Planner) -> None:
    lines = table(
        {"prompt": "a fox", "variants": "asleep"},
        {"prompt": "a hare", "variants": "asleep"},
        {"prompt": "a fox", "variants": "asleep|awake"},
    )
    rows, _ = await planned(planner, lines)
    assert [row.duplicate_of for row in rows] == [None, None, None, None, 1, 2, None]
    assert [row.stage for row in rows[:2]] == [Stage.FIRST, Stage.SECOND]


async def test_pictures_that_wait_for_nothing_are_equal_wherever_they_stand(planner: Planner) -> None:
    alone = PictureTemplate(name="alone", asked={"prompt": Pattern.of("{one}")})
    other = PictureTemplate(name="other", asked={"prompt": Pattern.of("{two}")})
    two = Template(name="two", description="", pictures=(alone, other), subject=Pattern.of("s"))
    lines = table({"one": "a mug", "two": "a jug"}, {"one": "a cup", "two": "a jug"})
    rows, _ = await planned(replace(planner, template=two), lines)
    assert [row.duplicate_of for row in rows] == [None, None, None, 2]


async def test_what_was_made_before_is_priced_at_zero(planner: Planner) -> None:
    (first, _), _ = await planned(planner, table({"prompt": "a mug"}, {"prompt": "a jug"}))
    asked: list[Sequence[str]] = []

    async def finished(keys: Sequence[str]) -> Collection[str]:
        asked.append(keys)
        return {first.key}

    sums = Sums()
    again = replace(planner, finished=finished)
    rows, _ = await planned(again, table({"prompt": "a mug"}, {"prompt": "a jug"}), sums)
    assert [(row.finished, bool(row.quote)) for row in rows] == [(True, False), (False, True)]
    assert asked == [[row.key for row in rows]]
    assert (sums.finished, sums.quote) == (1, rows[1].quote)
    assert rows[0].ceiling > 0, "should it have to be made after all, money for it can be held"


async def test_a_line_of_very_many_pictures_is_looked_up_in_parts(planner: Planner) -> None:
    """SQLite takes 32,766 values in one statement."""
    asked: list[int] = []

    async def finished(keys: Sequence[str]) -> Collection[str]:
        asked.append(len(keys))
        return keys[:1]

    many = {"prompt": "a mug", "variants": "|".join(f"view {number}" for number in range(12_000))}
    rows, _ = await planned(replace(planner, finished=finished), table(many))
    assert asked == [10_000, 2_001]
    assert [row.number for row in rows if row.finished] == [1, 10_001]


async def test_a_key_that_names_two_things_leaves_out_the_whole_line_once(planner: Planner) -> None:
    shop = replace(planner, template=TEMPLATES["ecommerce"])
    lines = table(
        {"sku": "1", "name": "mug"},
        {"sku": "1", "name": "jug"},
        {"sku": "2", "name": "cup"},
        {"sku": "1", "name": "mug"},
    )
    sums = Sums()
    rows, problems = await planned(shop, lines, sums)
    assert [(problem.line, problem.reason) for problem in problems] == [
        (2, "key '1/reference' already names row 1, which asks for something else")
    ]
    assert {row.line for row in rows} == {1, 3, 4}
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert {row.duplicate_of is None for row in rows if row.line == 4} == {False}
    assert sums.lines_left_out == 1


async def test_a_key_that_names_two_pictures_of_its_line_is_told(planner: Planner) -> None:
    scene = PictureTemplate(
        name="scene",
        each=Pattern.of("{scenes}"),
        key=Pattern.of("{sku}/scene"),
        asked={"prompt": Pattern.of("{each}")},
    )
    own = Template(name="own", description="", pictures=(scene,), subject=Pattern.of("{sku}"))
    lines = table({"sku": "1", "scenes": "a|b"}, {"sku": "2", "scenes": "a|a"})
    rows, problems = await planned(replace(planner, template=own), lines)
    assert [problem.line for problem in problems] == [1]
    assert "names two of its pictures" in problems[0].reason
    assert [(row.line, row.duplicate_of) for row in rows] == [(2, None), (2, 1)]


async def test_a_contradiction_is_found_across_blocks(planner: Planner) -> None:
    shop = replace(planner, template=TEMPLATES["ecommerce"])
    many = [{"sku": f"s{number}", "name": "mug"} for number in range(BLOCK + 1)]
    _, problems = await planned(shop, table(*many, {"sku": "s0", "name": "jug"}))
    assert [problem.line for problem in problems] == [BLOCK + 2]


async def test_the_batch_lane_is_half_of_the_interactive_one(planner: Planner) -> None:
    """By token rates; to the nano-dollar."""
    lines = table({"prompt": "a mug"}, {"prompt": "a hero", "purpose": "hero", "size": "4K"})
    interactive, batch = Sums(), Sums()
    await planned(planner, lines, interactive)
    rows, _ = await planned(replace(planner, lane=Lane.BATCH), lines, batch)
    assert {row.ask.lane for row in rows} == {Lane.BATCH}
    assert 2 * batch.quote == interactive.quote
    assert 2 * batch.ceiling == interactive.ceiling


@pytest.mark.parametrize(
    ("profile", "lane", "note"),
    [
        ("default", Lane.BATCH, "made by gemini-3.1-flash-image-preview instead"),
        ("print_desk", Lane.INTERACTIVE, "made on the interactive lane"),
    ],
)
async def test_what_has_no_batch_is_told_and_follows_the_policy(
    tmp_path: Path, profile: str, lane: Lane, note: str
) -> None:
    april = Settings(home=tmp_path / "home", offline=True, as_of=date(2026, 4, 9))
    lines = table(
        {"prompt": "a mug", "tier": "imagen_4_standard", "lane": "batch"},
        {"prompt": "a mug", "tier": "nano_banana", "lane": "batch"},
    )
    sums = Sums()
    async with ImageRouter(april) as router:
        planner = Planner(
            decider=router, template=TEMPLATES["plain"], scope="acme", folder=tmp_path, profile=profile
        )
        (lacking, fine), _ = await planned(planner, lines, sums)
    assert (lacking.ask.lane, fine.ask.lane) == (lane, Lane.BATCH)
    assert dict(sums.notes) == {f"imagen-4.0-generate-001 has no batch: {note}": 1}
    assert {share.way.lane for share in sums.shares} == {lane, Lane.BATCH}


async def test_a_rows_key_does_not_depend_on_its_lane(planner: Planner) -> None:
    """A picture made on one lane is not paid again on the other."""
    (slow,), _ = await planned(planner, table({"prompt": "a mug", "lane": "batch"}))
    (fast,), _ = await planned(planner, table({"prompt": "a mug", "lane": "interactive"}))
    assert slow.key == fast.key


async def test_references_count_by_their_bytes_and_are_found_from_any_folder(
    planner: Planner, tmp_path: Path
) -> None:
    for name, seed in (("one", 1), ("copy", 1), ("two", 2)):
        (tmp_path / f"{name}.png").write_bytes(png(seed))
    lines = table(*({"prompt": "this", "references": f"{name}.png"} for name in ("one", "copy", "two")))
    rows, _ = await planned(planner, lines)
    assert [row.duplicate_of for row in rows] == [None, 1, None]
    assert rows[2].ask.references == (str(tmp_path / "two.png"),)


async def test_a_reference_by_url_is_not_fetched(planner: Planner) -> None:
    url = "https://example.invalid/mug.png"
    (row,), problems = await planned(planner, table({"prompt": "this", "references": url}))
    assert not problems
    assert row.ask.references == (url,)


cells = st.fixed_dictionaries(
    {
        "prompt": st.sampled_from(["a mug", "a jug", "", "ein Krug \u00fc", "\u676f"]),
        "size": st.sampled_from(["", "1K", "4K", "7K"]),
        "variants": st.sampled_from(["", "red", "red|blue"]),
        "lane": st.sampled_from(["", "batch", "x"]),
    }
)


@hypothesis.settings(deadline=None, max_examples=50)
@given(lines=st.lists(cells, max_size=12))
async def test_every_line_is_rows_or_one_problem(tmp_path_factory: Any, lines: list[dict[str, str]]) -> None:
    home = tmp_path_factory.getbasetemp() / "planning"
    async with ImageRouter(Settings(home=home, offline=True, as_of=DAY)) as router:
        sums = Sums()
        found = Planner(decider=router, template=TEMPLATES["plain"], scope="acme", folder=home)
        rows, problems = await planned(found, table(*lines), sums)
    with_rows = {row.line for row in rows}
    left_out = [problem.line for problem in problems]
    assert sorted([*with_rows, *left_out]) == list(range(1, len(lines) + 1))
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    originals = [row.key for row in rows if row.duplicate_of is None]
    assert len(originals) == len(set(originals)) == sums.priced
    by_number = {row.number: row for row in rows}
    assert all(by_number[row.duplicate_of].key == row.key for row in rows if row.duplicate_of)
    assert sum(line.amount for line in sums.lines) == sums.quote == sum(row.quote for row in rows)


BENCH: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "bench_plan.py"))


async def test_a_hundredth_of_broken_lines_is_told_and_memory_does_not_grow(
    planner: Planner, tmp_path: Path
) -> None:
    """A plan that is three times as long keeps as much: its keys are in a file."""
    path, most = tmp_path / "t.csv", []
    for lines in (1_000, 1_000, 3_000):
        BENCH["write"](path, lines)
        tracemalloc.start()
        with open_table(path) as table:
            found = planner.plan(table.lines)
            told = [each.line async for each in found if isinstance(each, RowProblem)]
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert told == list(range(100, lines + 1, 100))
    assert most[2] < 1.2 * most[1]


@pytest.mark.long
@pytest.mark.parametrize("template", ["plain", "ecommerce"])
async def test_a_million_rows_with_a_hundredth_broken_are_planned(tmp_path: Path, template: str) -> None:
    path = tmp_path / "table.csv"
    lines = 1_000_000 // BENCH["pictures"](template)
    BENCH["write"](path, lines)
    done = await BENCH["planned"](path, template)
    assert done.left_out == lines // 100
    assert done.rows == (lines - done.left_out) * BENCH["pictures"](template)
