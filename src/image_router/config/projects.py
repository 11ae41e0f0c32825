"""The keys of the pool: `[[projects]]` of image-router.toml, or one line in IMAGE_ROUTER_API_KEYS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from image_router.config.values import ProjectKey, Secret

_FIELDS: Final = ("api_key", "api_key_env", "name", "usage_tier", "weight")
_BETWEEN: Final = re.compile(r"[,\s]+")


def projects(raw: Any) -> tuple[ProjectKey, ...]:
    """Keys from tables, from "KEY, KEY" or from "NAME=KEY, NAME=KEY". Raises ValueError, quoting no key."""
    entries = _entries(raw) if isinstance(raw, str) else raw
    if not isinstance(entries, Sequence) or not all(isinstance(one, Mapping | ProjectKey) for one in entries):
        raise ValueError("the projects are no list of tables; write [[projects]] before each one's lines")
    keys = tuple(
        one if isinstance(one, ProjectKey) else _key(one, place) for place, one in enumerate(entries, 1)
    )
    _check_twins(keys)
    return keys


def with_keys(keys: Sequence[ProjectKey], environ: Mapping[str, str]) -> tuple[ProjectKey, ...]:
    """The same, with the keys that stand in variables; a variable that is not set leaves its key out."""
    return tuple(_with_key(key, environ) for key in keys)


def _with_key(key: ProjectKey, environ: Mapping[str, str]) -> ProjectKey:
    held = environ.get(key.variable or "", "").strip()
    return replace(key, api_key=Secret(held)) if held else key


def _entries(text: str) -> list[Mapping[str, Any]]:
    entries: list[Mapping[str, Any]] = []
    for word in filter(None, _BETWEEN.split(text)):
        name, stated, key = word.rpartition("=")
        entries.append({"api_key": key, **({"name": name} if stated else {})})
    return entries


def _key(entry: Mapping[str, Any], place: int) -> ProjectKey:
    called = _called(entry, place)
    if unknown := sorted(entry.keys() - set(_FIELDS)):
        raise ValueError(f"{called} has the unknown key {unknown[0]}; known are {', '.join(_FIELDS)}")
    key, variable = (_words(entry, name, called) for name in ("api_key", "api_key_env"))
    if (key is None) == (variable is None):
        said = "no key" if key is None else "both api_key and api_key_env"
        raise ValueError(f"{called} has {said}; give api_key_env (the name of a variable) or api_key")
    tier = entry.get("usage_tier")
    return ProjectKey(
        api_key=Secret(key) if key else None,
        variable=variable,
        name=_words(entry, "name", called),
        weight=_whole(entry.get("weight", 1), f"{called}: weight"),
        usage_tier=None if tier is None else _whole(tier, f"{called}: usage_tier", most=3),
    )


def _words(entry: Mapping[str, Any], name: str, called: str) -> str | None:
    """A text, or None; what is wrong is not quoted, since it may be a key."""
    value = entry.get(name)
    value = value.reveal() if isinstance(value, Secret) else value
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{called}: {name} is empty or no text")
    return value.strip()


def _called(entry: Mapping[str, Any], place: int) -> str:
    name = entry.get("name")
    return f"project {name!r}" if isinstance(name, str) else f"project number {place}"


def _whole(value: Any, what: str, *, most: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most and value > most):
        span = f"from 1 to {most}" if most else "from 1 up"
        raise ValueError(f"{what} is {value!r}; give a whole number {span}")
    return value


def _check_twins(keys: Sequence[ProjectKey]) -> None:
    seen: dict[Secret | str | None, int] = {}
    tiers: dict[str | None, int | None] = {}
    for place, key in enumerate(keys, 1):
        if (first := seen.setdefault(key.api_key or key.variable, place)) != place:
            raise ValueError(f"projects {first} and {place} have the same key; each belongs there once")
        if tiers.setdefault(key.name, key.usage_tier) != key.usage_tier:
            called = (
                f"the keys of project {key.name!r}"
                if key.name
                else "the keys without a project, one together,"
            )
            raise ValueError(f"{called} state two usage tiers; a project has one")
