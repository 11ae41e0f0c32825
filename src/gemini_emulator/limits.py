"""The limits of a usage tier: requests a minute and a day per model, dollars in any ten minutes.

Counts what was admitted, for all keys together: quotas belong to a project. Tokens a minute are not counted.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from gemini_emulator.errors import ApiError
from gemini_emulator.fault_errors import MAKERS, Where
from gemini_emulator.text_models import TextModel
from gemini_emulator.world import NANO, Model, load

_MINUTE, _TEN_MINUTES = timedelta(minutes=1), timedelta(minutes=10)
# daily quotas renew at midnight Pacific; standard time all year here
_PACIFIC = timezone(timedelta(hours=-8))


@dataclass(slots=True)
class _Count:
    """Admitted requests of one model."""

    recent: deque[datetime] = field(default_factory=deque)
    day: date | None = None
    today: int = 0


class Limits:
    """What a usage tier allows; tier None allows everything."""

    def __init__(self, tier: int | None) -> None:
        book = load("limits.toml") if tier is not None else {"requests": {}, "spend_per_ten_minutes": {}}
        self._tier = str(tier)
        self._requests: Mapping[str, Any] = book["requests"]
        dollars = book["spend_per_ten_minutes"].get(self._tier)
        self._most_nano = int(Decimal(dollars) * NANO) if dollars is not None else None
        self._counts: defaultdict[str, _Count] = defaultdict(_Count)
        self._spent: deque[tuple[datetime, int]] = deque()

    def admit(self, model: Model | TextModel, where: Where, *, now: datetime) -> None:
        """Count one request. Raises the 429 of the limit it would break."""
        if self._most_nano is not None and self._spend_since(now - _TEN_MINUTES) >= self._most_nano:
            raise MAKERS["spend_limit"](where)
        allowed = self._requests.get(model.quota, {}).get(self._tier, {})
        if not allowed:
            return
        count = self._counts[model.canonical]
        self._renew(count, now)
        if "minute" in allowed and len(count.recent) >= allowed["minute"]:
            wait = (count.recent[0] + _MINUTE - now).total_seconds()
            raise self._refusal("rate_limit_minute", where, allowed["minute"], wait)
        if "day" in allowed and count.today >= allowed["day"]:
            raise self._refusal("rate_limit_day", where, allowed["day"], 30.0)
        count.recent.append(now)
        count.today += 1

    def spend(self, nano: int, now: datetime) -> None:
        """Note what an answer cost."""
        if self._most_nano is not None and nano:
            self._spent.append((now, nano))

    def reset(self) -> None:
        self._counts.clear()
        self._spent.clear()

    def _renew(self, count: _Count, now: datetime) -> None:
        today = now.astimezone(_PACIFIC).date()
        if count.day != today:
            count.day, count.today = today, 0
        while count.recent and count.recent[0] <= now - _MINUTE:
            count.recent.popleft()

    def _spend_since(self, start: datetime) -> int:
        while self._spent and self._spent[0][0] <= start:
            self._spent.popleft()
        return sum(nano for _, nano in self._spent)

    def _refusal(self, name: str, where: Where, limit: int, wait: float) -> ApiError:
        options = {"limit": str(limit), "retry": f"{max(wait, 1.0):.9f}"}
        return MAKERS[name](
            Where(
                model=where.model, method=where.method, version=where.version, day=where.day, options=options
            )
        )
