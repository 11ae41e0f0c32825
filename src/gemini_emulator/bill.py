"""What the provider would have charged, in integer nano-dollars, line by line.

The law: usageMetadata times the rates of the day; Imagen per picture returned; batch rows at batch rates;
refused outputs, failed rows and HTTP errors nothing; an answer lost on its way after acceptance in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from gemini_emulator.clock import stamp
from gemini_emulator.errors import Json
from gemini_emulator.text_models import TextModel
from gemini_emulator.usage import Usage
from gemini_emulator.world import Lane, Model, Rates, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`units` times `rate` nano-dollars."""

    what: str
    units: int
    rate: int

    @property
    def amount(self) -> int:
        return self.units * self.rate

    def to_json(self) -> Json:
        return {"what": self.what, "units": self.units, "rate": self.rate, "amount": self.amount}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One accepted call or batch row. `id`: its responseId, or the emulator's own where there is none."""

    id: str
    time: datetime
    model: str
    method: str
    lane: Lane
    key: str
    outcome: str
    fault: str | None = None
    lines: tuple[Line, ...] = ()

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "time": stamp(self.time),
            "model": self.model,
            "method": self.method,
            "lane": self.lane,
            "key": self.key,
            "outcome": self.outcome,
            "fault": self.fault,
            "lines": [line.to_json() for line in self.lines],
            "total": self.total,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Every entry so far and their sum in nano-dollars."""

    entries: tuple[Entry, ...]

    @property
    def total(self) -> int:
        return sum(entry.total for entry in self.entries)

    def to_json(self) -> Json:
        return {
            "currency": "USD",
            "unit": "nano",
            "entries": [e.to_json() for e in self.entries],
            "total": self.total,
        }


class Account:
    """Collects entries; read from any thread."""

    def __init__(self, world: World, free_searches: int) -> None:
        self._world = world
        self._allowance = free_searches
        self._free_searches = free_searches
        self._entries: list[Entry] = []
        self._lock = Lock()

    def tokens(self, entry: Entry, model: Model | TextModel, *, usage: Usage, queries: Sequence[str]) -> int:
        """Charge what usageMetadata says and the searches that were run; returns the nano-dollars."""
        day = entry.time.date()
        lines = _token_lines(usage, self._world.rates(model, entry.lane, day=day))
        with self._lock:
            paid = self._paid_searches(queries)
            search = Line(what="search", units=paid, rate=self._world.search_rate(day))
        return self._add(replace(entry, lines=tuple(line for line in (*lines, search) if line.units)))

    def pictures(self, entry: Entry, model: Model, *, count: int) -> int:
        """Charge per picture returned; returns the nano-dollars."""
        rates = self._world.rates(model, entry.lane, day=entry.time.date())
        line = Line(what="image", units=count, rate=rates.per_image)
        return self._add(replace(entry, lines=(line,) if count else ()))

    def nothing(self, entry: Entry) -> None:
        """An accepted call that costs nothing."""
        self._add(entry)

    def bill(self) -> Bill:
        with self._lock:
            return Bill(entries=tuple(self._entries))

    def reset(self) -> None:
        with self._lock:
            self._entries.clear()
            self._free_searches = self._allowance

    def _add(self, entry: Entry) -> int:
        with self._lock:
            self._entries.append(entry)
        return entry.total

    def _paid_searches(self, queries: Sequence[str]) -> int:
        asked = sum(1 for query in queries if query)
        free = min(asked, self._free_searches)
        self._free_searches -= free
        return asked - free


def _token_lines(usage: Usage, rates: Rates) -> tuple[Line, ...]:
    return (
        Line(what="input", units=usage.prompt, rate=rates.input),
        Line(what="image_out", units=usage.image_out, rate=rates.image_out),
        Line(what="text_out", units=usage.text_out, rate=rates.text_out),
    )
