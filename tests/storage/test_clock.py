"""The machine's clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_router.storage import clock


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """The boot is looked up anew in every test."""
    clock._boot.cache_clear()
    yield
    clock._boot.cache_clear()


def test_leases_do_not_follow_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the wall clock moves windows, never leases."""
    before = clock.machine_now()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    after = clock.machine_now()
    assert after.wall == 0
    assert after.lease >= before.lease
    assert after.epoch == before.epoch


def test_without_a_clock_since_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the system does not say when it started, leases follow the wall clock."""
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "none")
    now = clock.machine_now()
    assert (now.lease, now.epoch) == (now.wall, "wall clock")
