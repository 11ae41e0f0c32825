"""Policy text → Policy. A broken file is refused with its name, line and reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from image_router.core.policy import Guard, GuardChoice, Policy, RetryBudget, Rule, When, WithoutBatch
from image_router.core.toml_table import Table, TomlFile, flag, keyed, many, one_of, text
from image_router.core.types import Adaptation, OnAmbiguous, Purpose, Quality, Size, Tier

K = TypeVar("K", bound=StrEnum)
V = TypeVar("V")


def parse_policy(source: TomlFile, *, parents: Mapping[str, TomlFile]) -> Policy:
    """Read one policy. `parents` holds the files that `extends` may name.

    A profile's own rules come before its parent's; its tables replace the parent's key by key; its mix
    replaces the parent's as a whole. Raises ConfigError with file, line and reason.
    """
    table = _with_parent(source, parents)
    policy = Policy(
        name=table.take("name", text),
        version=table.take("version", text),
        description=table.take("description", text),
        rules=tuple(_rule(row) for row in table.rows("rules")),
        fallbacks=_fallbacks(table),
        quality=_complete(table, "quality", Tier, one_of(Quality)),
        dearest_fallback_percent=table.take("dearest_fallback_percent", _between(1, 10_000)),
        guard=_guard(table.table("guard")),
        retry=_retry(table.table("retry")),
        deadlines=_complete(table, "deadlines", Size, _seconds),
        on_ambiguous=table.take("on_ambiguous", one_of(OnAmbiguous)),
        adapt=frozenset(table.take("adapt", many(one_of(Adaptation)))),
        without_batch=table.get("without_batch", one_of(WithoutBatch), default=WithoutBatch.SUCCESSOR),
        mix=table.get("mix", _mix, default={}),
    )
    table.done()
    if not policy.rules or policy.rules[-1].when != When():
        raise table.error("rules", "the last rule must have no conditions, so that every request matches")
    return policy


def _with_parent(source: TomlFile, parents: Mapping[str, TomlFile]) -> Table:
    own = source.read()
    if "extends" not in own.values:
        return own
    name = own.take("extends", text)
    others = {key: parent for key, parent in parents.items() if key != name}
    if name not in parents:
        known = f"it is not one of {', '.join(sorted(parents))}" if parents else "nothing is left to extend"
        raise own.error("extends", f"{name!r} cannot be extended: {known}; circles are not followed")
    parse_policy(parents[name], parents=others)
    base = _with_parent(parents[name], others).values
    rules = own.values.get("rules", [])
    merged = {**base, **own.values, "rules": [*rules, *base["rules"]] if isinstance(rules, list) else rules}
    for key in ("fallbacks", "quality", "guard", "retry", "deadlines"):
        if isinstance(own.values.get(key), dict):
            merged[key] = {**base[key], **own.values[key]}
    return Table(source, (), merged)


def _rule(row: Table) -> Rule:
    when = row.table("when")
    rule = Rule(
        name=row.take("name", text),
        when=When(
            purposes=when.get("purpose", _purposes, default=None),
            references=when.get("references", flag, default=None),
            renders_text=when.get("renders_text", flag, default=None),
            locks_identity=when.get("locks_identity", flag, default=None),
        ),
        tier=row.take("tier", one_of(Tier)),
        reason=row.take("reason", text),
    )
    when.done()
    row.done()
    return rule


def _purposes(value: Any) -> frozenset[Purpose]:
    return frozenset(many(one_of(Purpose))(value if isinstance(value, list) else [value]))


def _complete(table: Table, key: str, kind: type[K], convert: Callable[[Any], V]) -> dict[K, V]:
    """A table that answers for every member of an enum."""
    values = table.take(key, keyed(kind, convert))
    if missing := [name for name in kind if name not in values]:
        raise table.error(key, f"{', '.join(missing)} missing")
    return values


def _fallbacks(table: Table) -> dict[Tier, tuple[Tier, ...]]:
    fallbacks = _complete(table, "fallbacks", Tier, many(one_of(Tier)))
    for tier, others in fallbacks.items():
        if tier in others or len(set(others)) < len(others):
            raise table.error("fallbacks", f"{tier} falls back to each other tier once, and not to itself")
    return fallbacks


def _guard(table: Table) -> Guard:
    guard = Guard(
        at_percent=table.take("at_percent", _between(1, 100)),
        tier=table.take("tier", one_of(Tier)),
        locked=table.take("locked", one_of(GuardChoice)),
    )
    table.done()
    return guard


def _retry(table: Table) -> RetryBudget:
    budget = RetryBudget(
        capacity_tries=table.take("capacity_tries", _between(1, 10)),
        content_repeats=table.take("content_repeats", _between(0, 5)),
        failovers=table.take("failovers", _between(0, 5)),
        first_wait=table.take("first_wait", _seconds),
        longest_wait=table.take("longest_wait", _seconds),
    )
    table.done()
    return budget


def _mix(value: Any) -> dict[Tier, int]:
    shares = keyed(Tier, _between(0, 100))(value)
    if sum(shares.values()) != 100:
        raise ValueError(f"the shares add up to {sum(shares.values())}, not 100")
    return shares


def _between(low: int, high: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {value!r}")
        return value

    return convert


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86_400:
        raise ValueError(f"must be seconds between 0 and a day, not {value!r}")
    return float(value)
