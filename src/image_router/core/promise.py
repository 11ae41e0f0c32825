"""Until when a batch job may still be waited for, when its rows are promised by a moment.

Pure. A stuck job says nothing; so what counts is the last moment at which its rows can be made one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

from image_router.core.budget import SECOND, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast rows are made one by one. Durations in seconds."""

    seconds_per_row: float
    """Of one call, on the slow side."""
    at_once: int
    """Calls in flight."""
    spare_percent: int
    """Added to what the rows need."""
    spare: float
    """Added once: for cancelling, and for what the job has made until then to be fetched."""

    def needed(self, rows: int, *, per_minute: int | None = None) -> float:
        """Seconds to make so many rows; `per_minute` is the most the provider takes, None: no limit known."""
        calls = -(-rows // self.at_once) * self.seconds_per_row
        allowed = rows * 60 / per_minute if per_minute else 0.0
        return max(calls, allowed) * (100 + self.spare_percent) / 100 + self.spare


def give_up_at(by: Micros, pace: Pace, *, rows: int, per_minute: int | None = None) -> Micros:
    """The moment at which a job with so many rows open must be cancelled, so that all are there by `by`."""
    return by - round(pace.needed(rows, per_minute=per_minute) * SECOND)
