"""What the provider asked us to wait for, as this process knows it: never older than FRESH seconds.

Where a project's limits are not known nothing is counted, and only these wishes keep a call back. They change
once in a while, and every call asks for them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from image_router.core.pacing import Meters, Moment
from image_router.engine.admission import TrafficParts
from image_router.engine.circuits import FRESH


@dataclass(frozen=True, slots=True)
class _Read:
    meters: Meters
    moment: Moment
    at: float
    """On our steady clock."""


class Pauses:
    """Meters read from the store now and then, for limits that count nothing."""

    def __init__(self, parts: TrafficParts) -> None:
        self._store, self._steady = parts.store, parts.steady
        self._read: _Read | None = None
        self._wishes = 0
        """That were written down here."""
        self._reading = asyncio.Lock()

    async def look(self) -> tuple[Meters, Moment]:
        """The meters, and the store's clocks carried on by ours. Raises StorageError."""
        read = self._fresh() or await self._again()
        since = self._steady() - read.at
        return read.meters, Moment(steady=read.moment.steady + since, wall=read.moment.wall + since)

    def forget(self) -> None:
        """A wish was written down: the next look shows it."""
        self._wishes += 1
        self._read = None

    def _fresh(self) -> _Read | None:
        read = self._read
        known = read is not None and self._store.shared and self._steady() - read.at < FRESH
        return read if known else None

    async def _again(self) -> _Read:
        async with self._reading:
            if (read := self._fresh()) is not None:
                return read
            at, wishes = self._steady(), self._wishes
            meters, moment = await self._store.meters()
            read = _Read(meters, moment, at)
            # What was read while a wish was written down may lack it.
            self._read = read if wishes == self._wishes else None
            return read
