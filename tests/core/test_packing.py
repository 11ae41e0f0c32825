"""Rows into remote jobs: no limit is ever exceeded, and no row is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.errors import ConfigError
from image_router.core.limits import UsageTier
from image_router.core.packing import (
    JobLimits,
    Load,
    NoRoom,
    Polling,
    ProjectUse,
    Unfit,
    Weight,
    pack,
    place,
)
from image_router.core.packing_toml import parse_batch_limits
from image_router.core.toml_table import TomlFile
from image_router.core.types import Size
from image_router.facts import SHIPPED, load_batch_limits

LIMITS = JobLimits(rows=5, input_bytes=100, result_bytes=1000, tokens=50)
SHIPPED_LIMITS = load_batch_limits(None)

weights = st.builds(
    Weight,
    rows=st.just(1),
    input_bytes=st.integers(0, 120),
    result_bytes=st.integers(0, 1200),
    tokens=st.integers(0, 60),
)


def _packed(rows: list[tuple[str, Weight]]) -> list[Load[tuple[str, Weight]] | Unfit[tuple[str, Weight]]]:
    return list(pack(rows, weigh=lambda row: row[1], group=lambda row: row[0], limits=lambda row: LIMITS))


@given(st.lists(st.tuples(st.sampled_from("abc"), weights)))
def test_every_row_comes_out_once_and_no_load_is_beyond_a_limit(rows: list[tuple[str, Weight]]) -> None:
    out = _packed(rows)
    loads = [one for one in out if isinstance(one, Load)]
    for load in loads:
        assert load.rows
        assert {row[0] for row in load.rows} == {load.group}
        assert load.weight == sum((row[1] for row in load.rows), Weight(rows=0))
        assert LIMITS.exceeded(load.weight) is None
    unfit = [one.row for one in out if isinstance(one, Unfit)]
    came = [row for load in loads for row in load.rows] + unfit
    assert sorted(came, key=repr) == sorted(rows, key=repr)
    assert all(LIMITS.exceeded(row[1]) for row in unfit)


@given(st.lists(st.tuples(st.sampled_from("ab"), weights)))
def test_rows_of_a_group_keep_their_order(rows: list[tuple[str, Weight]]) -> None:
    numbered = [(name, weight, at) for at, (name, weight) in enumerate(rows)]
    loads = pack(numbered, weigh=lambda row: row[1], group=lambda row: row[0], limits=lambda row: LIMITS)
    came: dict[object, list[int]] = {}
    for load in loads:
        if isinstance(load, Load):
            came.setdefault(load.group, []).extend(row[2] for row in load.rows)
    assert all(places == sorted(places) for places in came.values())


def test_rows_are_read_only_as_they_are_needed() -> None:
    read: list[int] = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    loads = pack(endless(), weigh=lambda row: Weight(), group=lambda row: "", limits=lambda row: LIMITS)
    next(loads)
    assert len(read) == LIMITS.rows + 1


def test_a_row_too_heavy_for_any_job_says_which_limit_and_by_how_much() -> None:
    [unfit] = _packed([("a", Weight(result_bytes=2000))])
    assert isinstance(unfit, Unfit)
    assert unfit.reason == "2,000 result bytes, a batch job takes 1,000"


def test_a_job_goes_to_the_project_with_the_fewest_open_jobs() -> None:
    uses = [ProjectUse(project="a", jobs=3), ProjectUse(project="b", jobs=1)]
    assert place(Weight(), "m", uses=uses, limits=SHIPPED_LIMITS) == "b"


@pytest.mark.parametrize(
    ("use", "weight", "words"),
    [
        (ProjectUse(project="a", jobs=100), Weight(), "100 of 100 batch jobs are open"),
        (
            ProjectUse(project="a", stored_bytes=19_999_999_999),
            Weight(input_bytes=2),
            "20,000,000,001 bytes of files",
        ),
        (
            ProjectUse(project="a", tier=UsageTier.T1, tokens={"gemini-3-pro-image": 1_999_000}),
            Weight(tokens=1_001),
            "1,999,000 of 2,000,000 tokens of gemini-3-pro-image are enqueued, the job needs 1,001",
        ),
    ],
)
def test_a_project_that_is_full_takes_no_job_and_says_why(
    use: ProjectUse, weight: Weight, words: str
) -> None:
    refused = place(weight, "gemini-3-pro-image", uses=[use], limits=SHIPPED_LIMITS)
    assert isinstance(refused, NoRoom)
    assert words in refused.reason


def test_tokens_of_another_model_do_not_count() -> None:
    use = ProjectUse(project="a", tier=UsageTier.T1, tokens={"gemini-3-pro-image": 2_000_000})
    assert place(Weight(tokens=9**9), "gemini-3.1-flash-image", uses=[use], limits=SHIPPED_LIMITS) == "a"


def test_a_job_may_be_as_large_as_the_roomiest_project_takes() -> None:
    model = "gemini-3-pro-image"
    assert SHIPPED_LIMITS.job_of(model, [UsageTier.T1, UsageTier.T2]).tokens == 270_000_000
    assert SHIPPED_LIMITS.job_of(model, [UsageTier.T1, None]).tokens is None
    assert SHIPPED_LIMITS.job_of("another", [UsageTier.T1]).tokens is None


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_looks_grow_rarer_up_to_the_longest_wait_and_are_spread(looks: int, dice: float) -> None:
    polling = Polling(first=30, longest=600, growth_percent=50)
    assert 0.75 * 30 <= polling.pause(looks, dice) <= 1.25 * 600
    assert polling.pause(looks, dice) <= polling.pause(looks + 1, dice)


def test_waits_that_do_not_grow_stay_the_first() -> None:
    assert Polling(first=1, longest=5, growth_percent=0).pause(10**4, 0.5) == 1.0


def test_a_full_job_of_one_kilopixel_pictures_has_a_result_that_can_be_fetched() -> None:
    limits = SHIPPED_LIMITS
    rows = limits.job.result_bytes // limits.reply_bytes[Size.K1]
    assert limits.job.exceeded(Weight(rows=rows, result_bytes=rows * limits.reply_bytes[Size.K1])) is None
    assert limits.job.result_bytes <= 2_000_000_000


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rows = 1_000", "rows = 0", "job.rows: must be above 0"),
        ("2K = 11_000_000\n", "", "reply_bytes: has no size 2K"),
        ("open_jobs = 100", "open_jobs = 100\nmore = 1", "project.more: is not a known key"),
        ("lists = 2", 'lists = "two"', "adopt.lists: must be a whole number"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(old: str, new: str, words: str) -> None:
    text = (SHIPPED / "limits" / "batch.toml").read_text()
    assert old in text
    with pytest.raises(ConfigError, match=r"batch\.toml, line \d+: ") as refused:
        parse_batch_limits(TomlFile("batch.toml", text.replace(old, new)))
    assert words in str(refused.value)


def test_weights_add_up() -> None:
    one = Weight(input_bytes=1, result_bytes=2, tokens=3)
    assert one + one == replace(one, rows=2, input_bytes=2, result_bytes=4, tokens=6)
