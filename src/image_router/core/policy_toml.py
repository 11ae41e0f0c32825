"""Policy text → Policy. A broken file is refused with its name, line and reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from image_router.core.errors import ConfigError
from image_router.core.policy import Guard, GuardChoice, Policy, RetryBudget, Rule, When
from image_router.core.types import Adaptation, OnAmbiguous, Purpose, Quality, Size, Tier

T = TypeVar("T")

_CONDITIONS = {"purpose", "references", "renders_text", "locks_identity"}


@dataclass(frozen=True, slots=True)
class _Source:
    """A file's name and text, to point at the line of a mistake."""

    name: str
    text: str

    def error(self, where: str, reason: str, *, near: str = "", nth: int = 0) -> ConfigError:
        return ConfigError(f"{self.name}, line {self._line(near or where, nth)}: {where}: {reason}")

    def _line(self, near: str, nth: int) -> int:
        pattern = re.compile(rf"^\s*(\[+\s*)?{re.escape(near)}\s*(\]+|=)", re.MULTILINE)
        found = list(pattern.finditer(self.text))
        if not found:
            return 1
        match = found[min(nth, len(found) - 1)]
        return self.text.count("\n", 0, match.end()) + 1


@dataclass(frozen=True, slots=True)
class _Table:
    """Typed reading of one table; what is not read is unknown and refused by `done`."""

    source: _Source
    where: str
    values: dict[str, Any]
    nth: int = 0

    def fail(self, key: str, reason: str) -> ConfigError:
        return self.source.error(f"{self.where}.{key}" if self.where else key, reason, near=key, nth=self.nth)

    def take(self, key: str, convert: Callable[[Any], T]) -> T:
        if key not in self.values:
            raise self.source.error(
                self.where or "policy", f"{key} is missing", near=self.where, nth=self.nth
            )
        value = self.values.pop(key)
        try:
            return convert(value)
        except (ValueError, TypeError) as problem:
            raise self.fail(key, str(problem)) from None

    def table(self, key: str) -> _Table:
        return _Table(self.source, key, self.take(key, _a_dict))

    def done(self) -> None:
        for key in self.values:
            raise self.fail(key, "is not a known key")


def _a_dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"must be a table, not {value!r}")
    return dict(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"must be text, not {value!r}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"must be true or false, not {value!r}")
    return value


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {value!r}")
        return value

    return convert


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86_400:
        raise ValueError(f"must be seconds between 0 and a day, not {value!r}")
    return float(value)


def _one_of(kind: Callable[[str], T], names: Iterable[str]) -> Callable[[Any], T]:
    known = ", ".join(names)

    def convert(value: Any) -> T:
        try:
            return kind(value)
        except ValueError:
            raise ValueError(f"{value!r} is not one of {known}") from None

    return convert


def _many(convert: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    def convert_all(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise TypeError(f"must be a list, not {value!r}")
        return tuple(convert(item) for item in value)

    return convert_all


_tier = _one_of(Tier, Tier)
_purpose = _one_of(Purpose, Purpose)
_quality = _one_of(Quality, Quality)
_adaptation = _one_of(Adaptation, Adaptation)
_size = _one_of(Size, Size)


def _purposes(value: Any) -> frozenset[Purpose]:
    return frozenset(_many(_purpose)(value if isinstance(value, list) else [value]))


def _rule(table: _Table) -> Rule:
    when = table.take("when", _a_dict) if "when" in table.values else {}
    for key in when.keys() - _CONDITIONS:
        raise table.fail(
            "when", f"{key} is not a condition; the conditions are {', '.join(sorted(_CONDITIONS))}"
        )
    conditions = _Table(table.source, "when", when, table.nth)
    flags = {key: conditions.take(key, _flag) for key in sorted(_CONDITIONS - {"purpose"}) if key in when}
    purposes = conditions.take("purpose", _purposes) if "purpose" in when else None
    rule = Rule(
        name=table.take("name", _text),
        when=When(purposes=purposes, **flags),
        tier=table.take("tier", _tier),
        reason=table.take("reason", _text),
    )
    table.done()
    return rule


def _rules(source: _Source, values: Any) -> tuple[Rule, ...]:
    if not isinstance(values, list):
        raise source.error("rules", "must be [[rules]] tables")
    return tuple(_rule(_Table(source, "rules", _a_dict(v), nth)) for nth, v in enumerate(values))


def _by_tier(table: _Table, convert: Callable[[Any], T]) -> dict[Tier, T]:
    return {_checked_key(table, key, _tier): table.take(key, convert) for key in list(table.values)}


def _checked_key(table: _Table, key: str, convert: Callable[[Any], T]) -> T:
    try:
        return convert(key)
    except ValueError as problem:
        raise table.fail(key, str(problem)) from None


def _guard(table: _Table) -> Guard:
    guard = Guard(
        at_percent=table.take("at_percent", _whole(1, 100)),
        tier=table.take("tier", _tier),
        locked=table.take("locked", _one_of(GuardChoice, GuardChoice)),
    )
    table.done()
    return guard


def _retry(table: _Table) -> RetryBudget:
    budget = RetryBudget(
        capacity_tries=table.take("capacity_tries", _whole(1, 10)),
        content_repeats=table.take("content_repeats", _whole(0, 5)),
        failovers=table.take("failovers", _whole(0, 5)),
        first_wait=table.take("first_wait", _seconds),
        longest_wait=table.take("longest_wait", _seconds),
    )
    table.done()
    return budget


def _mix(source: _Source, table: _Table) -> dict[Tier, int]:
    mix = _by_tier(table, _whole(0, 100))
    if sum(mix.values()) != 100:
        raise source.error("mix", f"the shares add up to {sum(mix.values())}, not 100")
    return mix


def parse_policy(text: str, *, name: str, parents: Mapping[str, str] | None = None) -> Policy:
    """Read one policy. `parents` holds the texts that `extends` may name.

    Raises ConfigError with file, line and reason.
    """
    source = _Source(name, text)
    values = _merged(source, _loaded(source), parents or {})
    table = _Table(source, "", values)
    policy = Policy(
        name=table.take("name", _text),
        version=table.take("version", _text),
        description=table.take("description", _text),
        rules=_rules(source, table.take("rules", lambda value: value)),
        fallbacks=_by_tier(table.table("fallbacks"), _many(_tier)),
        quality=_by_tier(table.table("quality"), _quality),
        dearest_fallback_percent=table.take("dearest_fallback_percent", _whole(1, 10_000)),
        guard=_guard(table.table("guard")),
        retry=_retry(table.table("retry")),
        deadlines=_deadlines(table.table("deadlines")),
        on_ambiguous=table.take("on_ambiguous", _one_of(OnAmbiguous, OnAmbiguous)),
        adapt=frozenset(table.take("adapt", _many(_adaptation))),
        mix=_mix(source, table.table("mix")) if "mix" in values else {},
    )
    table.done()
    _complete(source, policy)
    return policy


def _deadlines(table: _Table) -> dict[Size, float]:
    return {_checked_key(table, key, _size): table.take(key, _seconds) for key in list(table.values)}


def _complete(source: _Source, policy: Policy) -> None:
    """A policy answers for every tier, size and request."""
    if not policy.rules or policy.rules[-1].when != When():
        raise source.error("rules", "the last rule must have no conditions, so that every request matches")
    for what, keys, known in (
        ("fallbacks", policy.fallbacks, Tier),
        ("quality", policy.quality, Tier),
        ("deadlines", policy.deadlines, Size),
    ):
        missing = [key for key in known if key not in keys]
        if missing:
            raise source.error(what, f"{', '.join(missing)} missing")


def _loaded(source: _Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{source.name}: not valid TOML: {problem}") from None


def _merged(source: _Source, values: dict[str, Any], parents: Mapping[str, str]) -> dict[str, Any]:
    """A profile's own rules come before its parent's; its tables replace the parent's key by key."""
    parent_name = values.pop("extends", None)
    if parent_name is None:
        return values
    if parent_name not in parents:
        raise source.error("extends", f"{parent_name!r} is not one of {', '.join(sorted(parents))}")
    parent = _Source(str(parent_name), parents[parent_name])
    others = {key: text for key, text in parents.items() if key != parent_name}
    base = _merged(parent, _loaded(parent), others)
    merged = {**base, **values}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict) and key != "mix":
            merged[key] = {**base[key], **value}
    merged["rules"] = [*values.get("rules", []), *base.get("rules", [])]
    return merged
