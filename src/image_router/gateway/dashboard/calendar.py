"""The life-cycle calendar: which model lives when, which dies next, and what takes its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from markupsafe import Markup

from image_router.core.catalog import Catalog, Confidence, LineageEntry, Model, ModelState
from image_router.core.palette import TITLE
from image_router.core.types import Tier

_BEFORE: Final = timedelta(days=150)
_AFTER: Final = timedelta(days=150)
_ROW: Final = 44
_TOP: Final = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """One model's time in a tier."""

    model: str
    since: date
    until: date | None
    sure: bool
    serves: bool
    """On the day of the calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A tier and who serves it when, the first first."""

    tier: Tier
    reigns: tuple[Reign, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A model that ended or will: when, how sure that is, and what comes after."""

    model: str
    name: str
    state: ModelState
    released: date
    shutdown: date | None
    confidence: Confidence
    successor: str | None
    tiers: tuple[Tier, ...]
    days_left: int | None
    """None: no end is known, or it is over."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """What the page shows."""

    day: date
    first: date
    last: date
    rows: tuple[Row, ...]
    lives: tuple[Life, ...]
    """The next to die first, then those without an end, then those that ended, the latest first."""

    @property
    def next_end(self) -> Life | None:
        return next((life for life in self.lives if life.days_left is not None and life.tiers), None)


def calendar(catalog: Catalog, day: date) -> Calendar:
    """The calendar around a day."""
    lives = [_life(catalog, model, day) for model in catalog.models.values()]
    known = [life for life in lives if life.state is not ModelState.UNRELEASED]
    return Calendar(
        day=day,
        first=day - _BEFORE,
        last=day + _AFTER,
        rows=tuple(Row(tier=tier, reigns=tuple(_reigns(catalog, tier, day))) for tier in Tier),
        lives=tuple(sorted(known, key=_by_end)),
    )


def _reigns(catalog: Catalog, tier: Tier, day: date) -> Iterator[Reign]:
    """The entries of a lineage, each from the end of the one before it: that is when it takes over."""
    serving, since = catalog.serving(tier, day), None
    for entry in catalog.lineages.get(tier, ()):
        begins = max(entry.since, since) if since else entry.since
        end = _end(catalog, entry)
        yield Reign(
            model=entry.model,
            since=begins,
            until=end,
            sure=entry.confidence is not Confidence.CONFLICTING,
            serves=entry == serving,
        )
        if end is None:
            return
        since = max(end, since) if since else end


def _end(catalog: Catalog, entry: LineageEntry) -> date | None:
    dates = (entry.until, catalog.models[entry.model].life.shutdown)
    return min((one for one in dates if one), default=None)


def _life(catalog: Catalog, model: Model, day: date) -> Life:
    end, state = model.life.shutdown, catalog.state(model.id, day)
    heir = catalog.successor(model.id, max(day, end) if end else day) if end else None
    return Life(
        model=model.id,
        name=model.name,
        state=state,
        released=model.life.released,
        shutdown=end,
        confidence=model.life.confidence,
        successor=heir.id if heir else None,
        tiers=catalog.tiers_served_by(model.id, day),
        days_left=(end - day).days if end and end > day else None,
        note=model.life.note,
    )


def _by_end(life: Life) -> tuple[int, int, str]:
    if life.days_left is not None:
        return 0, life.days_left, life.model
    ended = life.shutdown
    return (2, -ended.toordinal(), life.model) if ended else (1, 0, life.model)


def picture(shown: Calendar) -> Markup:
    """A row for each tier, a bar for each reign, a line for the day."""
    height = _TOP + _ROW * len(shown.rows)
    return Markup(
        '<svg class="chart calendar" width="100%" height="{}" role="img" '
        'aria-labelledby="calendar-name calendar-desc">'
        '<title id="calendar-name">Who serves each tier, {} to {}</title>'
        '<desc id="calendar-desc">{}</desc>{}</svg>'
    ).format(height, shown.first, shown.last, _described(shown), Markup("").join(_drawn(shown, height)))


def _drawn(shown: Calendar, height: int) -> Iterator[Markup]:
    for month in _months(shown):
        place = _percent(shown, month)
        yield Markup('<line class="month" x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>').format(
            place, _TOP, height
        )
        yield Markup('<text class="month-name" x="{}%" y="14" dx="3">{:%b}</text>').format(place, month)
    for place, row in enumerate(shown.rows):
        yield from _row(shown, row, top=_TOP + _ROW * place)
    today = _percent(shown, shown.day)
    yield Markup('<line class="day" x1="{0}%" x2="{0}%" y1="16" y2="{1}"/>').format(today, height)


def _row(shown: Calendar, row: Row, *, top: int) -> Iterator[Markup]:
    yield Markup('<text x="0" y="{}" class="tier-name-text">{}</text>').format(top + 13, TITLE[row.tier])
    for reign in row.reigns:
        begins, ends = max(reign.since, shown.first), min(reign.until or shown.last, shown.last)
        if begins >= ends:
            continue
        left, right = _percent(shown, begins), _percent(shown, ends)
        kind = f"reign tier-{row.tier}{' now' if reign.serves else ''}{'' if reign.sure else ' unsure'}"
        yield Markup(
            '<rect class="{}" x="{}%" y="{}" width="{:.2f}%" height="16" rx="4"><title>{}</title></rect>'
        ).format(kind, left, top + 18, max(right - left - 0.3, 0.4), _words(reign))


def _words(reign: Reign) -> str:
    end = f"until {reign.until}" if reign.until else "no end known"
    return f"{reign.model}, from {reign.since}, {end}{'' if reign.sure else ' (sources conflict)'}"


def _described(shown: Calendar) -> str:
    return "; ".join(
        f"{TITLE[row.tier]}: {', then '.join(_words(reign) for reign in _seen(shown, row.reigns))}"
        for row in shown.rows
    )


def _seen(shown: Calendar, reigns: Sequence[Reign]) -> Iterator[Reign]:
    for reign in reigns:
        if reign.since < shown.last and (reign.until is None or reign.until > shown.first):
            yield reign


def _months(shown: Calendar) -> Iterator[date]:
    month = (shown.first.replace(day=1) + timedelta(days=32)).replace(day=1)
    while month < shown.last:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


def _percent(shown: Calendar, day: date) -> float:
    return round(100 * (day - shown.first).days / (shown.last - shown.first).days, 2)
