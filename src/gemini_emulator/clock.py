"""The emulator's own time: starts on the day it wears, runs on with real time, can be pushed ahead."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta


class Clock:
    """Emulated UTC. `advance` is how 48 hours pass in a test."""

    def __init__(self, as_of: date | None) -> None:
        noon = datetime(as_of.year, as_of.month, as_of.day, 12, tzinfo=UTC) if as_of else datetime.now(UTC)
        self._start = noon
        self._origin = time.monotonic()
        self._pushed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._origin + self._pushed)

    def today(self) -> date:
        return self.now().date()

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"cannot advance by {seconds} seconds; time only goes forward")
        self._pushed += seconds


def stamp(moment: datetime) -> str:
    """RFC 3339 with the nine decimals Google prints."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond * 1000:09d}Z"
