"""Files of data/limits → LimitBook and TripRules; what is wrong is refused with file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from image_router.core.breaker import OpenFor, Place, Probe, TripRule
from image_router.core.causes import Cause
from image_router.core.errors import ConfigError
from image_router.core.limits import LimitBook, UsageTier
from image_router.core.money import parse_usd
from image_router.core.pacing import Daily, Learning, Limit, Resource, Rolling, Window
from image_router.core.toml_table import (
    Table,
    TomlFile,
    above_zero,
    day,
    flag,
    keyed,
    many,
    one_of,
    text,
)

_MINUTE, _TEN_MINUTES = Rolling(60), Rolling(600)
_TAUGHT_BY = {
    "requests_per_minute": frozenset({Cause.RATE_LIMIT, Cause.CAPACITY}),
    "dollars_per_ten_minutes": frozenset({Cause.SPEND_LIMIT}),
}
_PER_MINUTE = {
    "requests_per_minute": Resource.REQUESTS,
    "images_per_minute": Resource.IMAGES,
    "tokens_per_minute": Resource.TOKENS,
}
_PER_DAY = {"requests_per_day": Resource.REQUESTS, "images_per_day": Resource.IMAGES}


def parse_limits(file: TomlFile) -> LimitBook:
    """Limits by model and usage tier. Raises ConfigError naming file, line, key and reason."""
    top = file.read()
    zone = top.take("day_zone", _zone)
    spend = top.take("spend", keyed(UsageTier, _dollars))
    if missing := set(UsageTier) - set(spend):
        raise top.error("spend", f"has no tier {', '.join(sorted(missing))}")
    written = dict(top.tables("models"))
    book = LimitBook(
        everywhere={tier: _everywhere(amount) for tier, amount in spend.items()},
        models={name: _model(table, written, zone) for name, table in written.items()},
        learning=_learning(top.table("learning")),
        source=top.take("source", text),
        checked=top.take("checked", day),
        notes=top.get("notes", many(text), default=()),
    )
    top.done()
    return book


def parse_circuits(file: TomlFile) -> tuple[TripRule, ...]:
    """What opens a circuit, in order. Raises ConfigError naming file, line, key and reason."""
    top = file.read()
    zone = top.take("day_zone", _zone)
    rules = tuple(_rule(name, table, zone) for name, table in top.tables("circuits"))
    top.take("source", text)
    top.take("checked", day)
    top.done()
    seen: dict[Cause, str] = {}
    for rule in rules:
        for cause in rule.causes:
            if cause in seen:
                raise ConfigError(f"{file.name}: circuits {seen[cause]} and {rule.name} both name {cause}")
            seen[cause] = rule.name
    return rules


def _everywhere(spend: int) -> tuple[Limit, ...]:
    dollars = Limit(
        resource=Resource.DOLLARS,
        window=_TEN_MINUTES,
        amount=spend,
        learns_from=_TAUGHT_BY["dollars_per_ten_minutes"],
        by_project=True,
    )
    return (_limit("requests_per_minute", Resource.REQUESTS, _MINUTE, None), dollars)


def _model(table: Table, written: Mapping[str, Table], zone: str) -> Mapping[UsageTier, tuple[Limit, ...]]:
    values = dict(table.values)
    if "like" in values:
        other = written.get(values.pop("like"))
        if other is None or "like" in other.values:
            raise table.error("like", "is not a model written out in full")
        if values:
            raise table.error("like", "stands alone; write the tiers out to change one")
        values = dict(other.values)
    copy = Table(table.file, table.place, values)
    tiers = {tier: tuple(_limits(copy.table(key), zone)) for key, tier in copy.names(UsageTier)}
    copy.done()
    return tiers


def _limits(table: Table, zone: str) -> Iterator[Limit]:
    for name, resource in _PER_MINUTE.items():
        if name in table.values:
            yield _limit(name, resource, _MINUTE, table.take(name, above_zero))
    for name, resource in _PER_DAY.items():
        if name in table.values:
            yield _limit(name, resource, Daily(zone), table.take(name, above_zero))
    table.done()


def _limit(name: str, resource: Resource, window: Window, amount: int | None) -> Limit:
    return Limit(
        resource=resource, window=window, amount=amount, learns_from=_TAUGHT_BY.get(name, frozenset())
    )


def _learning(table: Table) -> Learning:
    learning = Learning(
        keep_percent=table.take("keep_percent", above_zero),
        recover_percent=table.take("recover_percent", above_zero),
        forget_after=table.take("forget_after", above_zero),
    )
    table.done()
    if learning.keep_percent > 100:
        raise table.error("keep_percent", f"{learning.keep_percent} is above 100")
    return learning


def _rule(name: str, table: Table, zone: str) -> TripRule:
    span = table.take("open_for", _span)
    seconds = span if isinstance(span, int) else table.get("retry", above_zero, default=0)
    rule = TripRule(
        name=name,
        causes=frozenset(table.take("causes", many(one_of(Cause)))),
        at=table.take("at", one_of(Place)),
        after=table.get("after", above_zero, default=1),
        open_for=OpenFor.SECONDS if isinstance(span, int) else span,
        seconds=seconds,
        longest=table.get("longest", above_zero, default=seconds),
        probe=table.get("probe", one_of(Probe), default=Probe.CALL),
        gone=table.get("gone", flag, default=False),
        zone=zone,
    )
    table.get("note", text, default="")
    table.done()
    if rule.longest < rule.seconds:
        raise table.error("longest", f"{rule.longest:g} is below {rule.seconds:g}")
    if rule.open_for is OpenFor.MIDNIGHT and not rule.seconds:
        raise table.error("retry", "must say how many seconds a failed probe after midnight costs")
    return rule


def _span(value: Any) -> int | OpenFor:
    if isinstance(value, str) and value != OpenFor.SECONDS:
        return one_of(OpenFor)(value)
    return above_zero(value)


def _dollars(value: Any) -> int:
    amount = parse_usd(text(value))
    if amount == 0:
        raise ValueError("must be above 0")
    return amount


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(text(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an IsADirectoryError
        raise ValueError(
            f"{value!r} is not a time zone of this system, such as America/Los_Angeles"
        ) from None
