"""bench/scale.py: its sums hold, so that docs/scale.md may be believed."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from image_router.core.types import Lane

SCALE: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "bench" / "scale.py"))
DAY = 86_400


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_jobs_under_way_are_their_rate_times_their_time(hours: int) -> None:
    """Little's law, where all take equally long."""
    pictures = 100_000 * SCALE["job_rows"]()
    expected = 100_000 * hours / 24
    assert abs(SCALE["most_open"](pictures, (hours,), days=3) - expected) <= 1


def test_jobs_of_unlike_length_are_under_way_for_their_mean() -> None:
    pictures = 24_000 * SCALE["job_rows"]()
    most = SCALE["most_open"](pictures, (1, 3), days=3)
    assert 2_000 <= most <= 2_002


@pytest.mark.parametrize("lane", Lane)
def test_a_pool_of_that_many_projects_carries_the_day(lane: Lane) -> None:
    for bound in SCALE["bounds"](lane):
        units = bound.units(SCALE["TARGET"])
        assert (units - 1) * bound.a_day < SCALE["TARGET"] <= units * bound.a_day


@pytest.mark.parametrize("lane", Lane)
def test_more_pictures_never_take_less(lane: Lane) -> None:
    needs = [SCALE["need"](pictures, lane) for pictures in SCALE["LOADS"]]
    for name in ("projects", "hosts", "cells", "provider", "machines", "bucket"):
        values = [getattr(need, name) for need in needs]
        assert values == sorted(values), name


def test_the_batch_lane_is_half_the_price_and_the_provider_binds_first_on_it() -> None:
    (_, now), (_, night) = SCALE["quoted"](Lane.INTERACTIVE), SCALE["quoted"](Lane.BATCH)
    assert 2 * night == now
    assert SCALE["bounds"](Lane.BATCH)[0].what.startswith("provider")


def test_machines_and_bucket_are_the_small_part_of_the_bill() -> None:
    """As docs/scale.md says of a million pictures a day and more."""
    for lane in Lane:
        for pictures in SCALE["LOADS"][1:]:
            need = SCALE["need"](pictures, lane)
            assert 100 * (need.machines + need.bucket) < need.provider
