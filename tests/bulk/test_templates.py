"""The shipped templates: every persona has one, and a line of it costs what its pictures are worth."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from image_router import facts
from image_router.aio import ImageRouter
from image_router.bulk.planning import Planner, RowProblem
from image_router.bulk.tables import Line
from image_router.config import Settings
from image_router.core.run_plan import Sums
from image_router.core.runs import PlannedRow
from image_router.core.types import Lane, Purpose

DAY = date(2026, 11, 22)
TEMPLATES = facts.load_templates(None)
DOLLAR = 1_000_000_000
LINES = {
    "plain": [{"prompt": "a mug", "variants": "red|blue"}],
    "ecommerce": [{"sku": "m-1", "name": "stoneware mug", "scenes": "on a desk|in a sink"}],
    "content_studio": [{"id": "7", "topic": "rye bread", "headline": "Bake on Sunday"}],
    "solo_founder": [{"page": "pricing", "about": "fair prices", "purpose": "draft"}],
    "print_desk": [{"job": "P-9", "motif": "a lighthouse", "aspect": "3:4"}],
    "storybook": [
        {"hero": "Finn", "looks": "a small fox", "page": str(page), "scene": "he runs"} for page in (1, 2, 3)
    ],
    "character": [{"character": "Finn", "looks": "a small fox", "moods": "happy|sad"}],
}
PROFILES = {"storybook": "character_product", "character": "character_product", "plain": "default"}


async def planned(name: str, home: Path) -> tuple[list[PlannedRow], Sums]:
    sums, lines = Sums(), [Line(number=n, cells=cells) for n, cells in enumerate(LINES[name], 1)]
    async with ImageRouter(Settings(home=home, offline=True, as_of=DAY)) as router:
        planner = Planner(
            decider=router,
            template=TEMPLATES[name],
            scope="acme",
            folder=home,
            profile=PROFILES.get(name, name),
        )
        found = [each async for each in planner.plan(lines, sums)]
    assert not [each for each in found if isinstance(each, RowProblem)]
    return [each for each in found if isinstance(each, PlannedRow)], sums


def test_each_profile_has_a_template() -> None:
    assert set(LINES) == set(TEMPLATES)
    assert set(facts.load_policies(None, None)) == {PROFILES.get(name, name) for name in TEMPLATES}


@pytest.mark.parametrize("name", sorted(LINES))
async def test_the_columns_that_it_names_are_enough(name: str, tmp_path: Path) -> None:
    columns = {column for cells in LINES[name] for column in cells}
    assert TEMPLATES[name].missing(columns) == ()
    assert all(column in TEMPLATES[name].description for column in columns)
    rows, _ = await planned(name, tmp_path)
    assert len({row.key for row in rows if row.duplicate_of is None}) == len(rows) - sum(
        row.duplicate_of is not None for row in rows
    )


@pytest.mark.parametrize(
    ("name", "pictures", "dollars"),
    [
        ("plain", 3, 0.36),
        ("ecommerce", 9, 1.3),
        ("content_studio", 3, 0.06),
        ("solo_founder", 2, 0.1),
        ("print_desk", 2, 0.35),
        ("storybook", 4, 0.52),
        ("character", 5, 0.7),
    ],
)
async def test_a_line_costs_what_its_pictures_are_worth(
    name: str, pictures: int, dollars: float, tmp_path: Path
) -> None:
    _, sums = await planned(name, tmp_path)
    assert sums.priced == pictures
    assert 0.5 * dollars * DOLLAR < sums.quote <= dollars * DOLLAR


async def test_a_studio_works_overnight(tmp_path: Path) -> None:
    rows, _ = await planned("content_studio", tmp_path)
    assert {row.ask.lane for row in rows} == {Lane.BATCH}


async def test_pages_of_a_story_share_one_hero(tmp_path: Path) -> None:
    rows, sums = await planned("storybook", tmp_path)
    heroes = [row for row in rows if row.ask.purpose is not Purpose.CHARACTER_LOCK]
    assert [row.duplicate_of for row in heroes] == [None, 1, 1]
    assert sums.duplicates == 2


async def test_a_print_job_is_previewed_cheaply(tmp_path: Path) -> None:
    (preview, final), _ = await planned("print_desk", tmp_path)
    assert (preview.ask.purpose, final.ask.purpose) == (Purpose.PREVIEW, Purpose.FINAL_HERO)
    assert 4 * preview.quote < final.quote
