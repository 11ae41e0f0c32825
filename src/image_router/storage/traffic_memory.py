"""Where meters and circuits live. Here: in one process, the default; in a database: storage/traffic."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

from image_router.core.breaker import Breaker, Circuit
from image_router.core.pacing import Meter, MeterKey, Meters, Moment

T = TypeVar("T")
MeterChange: TypeAlias = Callable[[Meters, Moment], tuple[Meters, T]]
"""Given the meters asked for (unknown ones are missing) and the moment: those that changed, and an answer.

Runs inside the store's transaction: pure, quick, and perhaps more than once.
"""
BreakerChange: TypeAlias = Callable[[Breaker, Moment], Breaker]


class TrafficStore(Protocol):
    """Meters, open circuits and bindings. A change is atomic for all who share the store."""

    shared: bool
    """Whether other processes write to it, so that what is known of it grows old."""

    async def change_meters(self, keys: Collection[MeterKey], change: MeterChange[T]) -> T:
        """Read meters, change some, answer."""
        ...

    async def change_circuit(
        self, circuit: Circuit, change: BreakerChange
    ) -> tuple[Breaker, Breaker, Moment]:
        """The circuit before and after (a closed one is Breaker()), and when."""
        ...

    async def circuits(self) -> tuple[Mapping[Circuit, Breaker], Moment]:
        """All circuits that are not closed, and the store's clock."""
        ...

    async def meters(self) -> tuple[Meters, Moment]:
        """All meters, for showing them."""
        ...

    async def bind(self, resource: str, member: str, *, until: float) -> None:
        """Remember who made a file or batch at the provider, until so many seconds of the epoch."""
        ...

    async def owner(self, resource: str) -> str | None:
        """Who made it; None when it is unknown or its time has passed."""
        ...


@dataclass(slots=True)
class MemoryTraffic:
    """A TrafficStore for one process. Forgets everything at its end."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    shared: bool = False
    _meters: dict[MeterKey, Meter] = field(default_factory=dict)
    _circuits: dict[Circuit, Breaker] = field(default_factory=dict)
    _bound: dict[str, tuple[str, float]] = field(default_factory=dict)

    def _now(self) -> Moment:
        return Moment(steady=self.steady(), wall=self.wall())

    async def change_meters(self, keys: Collection[MeterKey], change: MeterChange[T]) -> T:
        known = {key: self._meters[key] for key in keys if key in self._meters}
        changed, answer = change(known, self._now())
        self._meters.update(changed)
        return answer

    async def change_circuit(
        self, circuit: Circuit, change: BreakerChange
    ) -> tuple[Breaker, Breaker, Moment]:
        now = self._now()
        before = self._circuits.get(circuit, Breaker())
        after = change(before, now)
        if after.trips:
            self._circuits[circuit] = after
        else:
            self._circuits.pop(circuit, None)
        return before, after, now

    async def circuits(self) -> tuple[Mapping[Circuit, Breaker], Moment]:
        return dict(self._circuits), self._now()

    async def meters(self) -> tuple[Meters, Moment]:
        return dict(self._meters), self._now()

    async def bind(self, resource: str, member: str, *, until: float) -> None:
        now = self.wall()
        self._bound = {name: kept for name, kept in self._bound.items() if kept[1] > now}
        self._bound[resource] = (member, until)

    async def owner(self, resource: str) -> str | None:
        member, until = self._bound.get(resource, ("", 0.0))
        return member if until > self.wall() else None
