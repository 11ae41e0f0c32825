"""Rows into chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from image_router.core.chunking import Chunking
from image_router.core.runs import PlannedRow, RowAsk, Stage
from image_router.core.types import Lane


def row(number: int, subject: str, *, lane: Lane = Lane.INTERACTIVE, model: str = "m") -> PlannedRow:
    return PlannedRow(
        number=number,
        line=number,
        key=f"key {number}",
        subject=subject,
        stage=Stage.FIRST,
        ask=RowAsk(prompt="a fox", lane=lane),
        model=model,
        tier=None,
        quote=1,
        ceiling=1,
    )


def placed(rows: list[PlannedRow], /, **limits: int) -> tuple[list[int], Chunking]:
    chunking = Chunking(run_id="run_1", **limits)  # type: ignore[arg-type]
    return [chunking.place(each) for each in rows], chunking


def test_rows_of_a_subject_stay_together() -> None:
    rows = [row(n, f"subject {n // 3}") for n in range(9)]
    assert placed(rows, subjects=2)[0] == [1] * 6 + [2] * 3


def test_a_subject_that_is_too_long_goes_on_in_the_next_chunk() -> None:
    assert placed([row(n, "hero") for n in range(5)], rows=2)[0] == [1, 1, 2, 2, 3]


def test_a_batch_chunk_is_of_one_model() -> None:
    rows = [row(n, "hero", lane=Lane.BATCH, model="ab"[n % 2]) for n in range(4)]
    numbers, chunking = placed(rows)
    assert numbers == [1, 2, 1, 2]
    assert {chunk.lane for chunk in chunking.chunks} == {Lane.BATCH}


def test_lanes_are_apart() -> None:
    rows = [row(1, "a"), row(2, "b", lane=Lane.BATCH), row(3, "c")]
    assert placed(rows)[0] == [1, 2, 1]


def test_equal_tables_have_equal_fingerprints() -> None:
    one, other = [row(1, "a"), row(2, "b")], [row(2, "b"), row(1, "a")]
    assert placed(one)[1].fingerprint == placed(one)[1].fingerprint != placed(other)[1].fingerprint


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 7), st.integers(1, 3))
def test_every_row_has_a_chunk_that_counts_it(subjects: list[int], rows: int, most: int) -> None:
    numbers, chunking = placed(
        [row(n, f"subject {subject}") for n, subject in enumerate(subjects)], rows=rows, subjects=most
    )
    assert [chunk.rows for chunk in chunking.chunks] == [
        numbers.count(number) for number in range(1, len(chunking.chunks) + 1)
    ]
    assert all(0 < chunk.rows <= rows for chunk in chunking.chunks)
