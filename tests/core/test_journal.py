"""Latencies by model, out of what was written down of calls."""

from __future__ import annotations

import pytest

from image_router.core.causes import Cause
from image_router.core.journal import CallNote, latencies, percentile


def _note(model: str, seconds: float, cause: Cause = Cause.OK, waited: int = 0) -> CallNote:
    return CallNote(
        request_id="r",
        scope="acme",
        model=model,
        tier=None,
        cause=cause,
        detail="",
        elapsed=round(seconds * 1_000_000),
        waited=waited,
    )


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, 0), ([7], 99, 7), ([1, 2], 50, 1), ([1, 2, 3], 50, 2), (list(range(1, 101)), 99, 99)],
)
def test_a_percentile_is_a_value_that_was_there(values: list[int], percent: int, expected: int) -> None:
    """The nearest rank; nothing is made up between two values."""
    assert percentile(values, percent) == expected


def test_latencies_are_of_calls_that_brought_something() -> None:
    """A refusal in 10 ms would flatter a model; it is counted apart. The busiest model comes first."""
    notes = [
        _note("slow", 9.0, waited=1),
        *(_note("fast", seconds) for seconds in (1.0, 2.0, 3.0)),
        _note("fast", 0.01, Cause.CAPACITY),
        _note("ill", 0.01, Cause.CAPACITY),
    ]
    fast, slow, ill = latencies(notes)
    assert (fast.model, fast.calls, fast.p50, fast.p90, fast.failures) == ("fast", 3, 2.0, 3.0, 1)
    assert (slow.model, slow.p99, slow.waited) == ("slow", 9.0, 1)
    assert (ill.model, ill.calls, ill.p50) == ("ill", 0, 0.0)
