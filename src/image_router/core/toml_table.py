"""Strict, typed reading of TOML: whatever is wrong is refused with file, line, table, key and reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from image_router.core.errors import ConfigError, InvalidRequest

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Place = tuple[str | int, ...]
"""Keys from the top of a file to a value; an int is the index in an array of tables."""


@lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, Any]:
    """A profile's parent is read once for all its children. Nobody changes it: every Table has a dict of its
    own, whose inner tables become a Table's by `mapping`, which copies them."""
    return tomllib.loads(text)


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file's name, for messages, and its text."""

    name: str
    text: str

    def read(self) -> Table:
        """The whole file as one table. Raises ConfigError with the line of a syntax error."""
        try:
            return Table(self, (), dict(_parsed(self.text)))
        except tomllib.TOMLDecodeError as problem:
            raise ConfigError(f"{self.name} is not TOML: {problem}") from None

    def error(self, place: Place, reason: str) -> ConfigError:
        where = ".".join(_shown(key) for key in place)
        return ConfigError(f"{self.name}, line {self._line(place)}: {where}: {reason}")

    def _line(self, place: Place) -> int:
        position, last = 0, ""
        for key in place:
            steps, last = (key, last) if isinstance(key, int) else (1, key)
            word = re.compile(rf'(?<![\w.-])"?{re.escape(last)}"?\s*[\].=]|\.{re.escape(last)}\s*[\].=]')
            for _ in range(steps):
                found = word.search(self.text, position)
                position = found.end() - 1 if found else position
        return self.text.count("\n", 0, position) + 1


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file. What is never taken from it is unknown, and refused by `done`."""

    file: TomlFile
    place: Place
    values: dict[str, Any]

    def error(self, key: str, reason: str) -> ConfigError:
        return self.file.error((*self.place, key), reason)

    def take(self, key: str, convert: Callable[[Any], T]) -> T:
        """The value of a key that must be there, converted."""
        if key not in self.values:
            raise self.error(key, "is missing")
        try:
            return convert(self.values.pop(key))
        except (ValueError, TypeError, InvalidRequest) as problem:
            raise self.error(key, str(problem)) from None

    def get(self, key: str, convert: Callable[[Any], T], *, default: T) -> T:
        """The value of a key that may be left out."""
        return self.take(key, convert) if key in self.values else default

    def table(self, key: str) -> Table:
        """A table inside this one; empty when left out."""
        return Table(self.file, (*self.place, key), self.get(key, mapping, default={}))

    def tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """The named tables inside a table: [models."x"], [models."y"], …"""
        outer = self.table(key)
        for name in list(outer.values):
            yield name, Table(self.file, (*outer.place, name), outer.take(name, mapping))

    def rows(self, key: str) -> tuple[Table, ...]:
        """An array of tables: [[lineages.nano_banana]], …"""
        items = self.take(key, many(mapping))
        return tuple(Table(self.file, (*self.place, key, i), item) for i, item in enumerate(items))

    def names(self, kind: type[E]) -> Iterator[tuple[str, E]]:
        """Every key, as written and as a member of the enum that names them."""
        for key in list(self.values):
            try:
                yield key, one_of(kind)(key)
            except ValueError as problem:
                raise self.error(key, str(problem)) from None

    def done(self) -> None:
        """Refuses keys that nobody took."""
        for key in self.values:
            raise self.error(key, "is not a known key")


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"must be a table, not {value!r}")
    return dict(value)


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"must be text in quotes, not {value!r}")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"must be true or false, not {value!r}")
    return value


def whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"must be a whole number from 0 up, not {value!r}")
    return value


def above_zero(value: Any) -> int:
    number = whole(value)
    if number == 0:
        raise ValueError("must be above 0")
    return number


def day(value: Any) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError(f"must be a day without quotes, such as 2026-10-08, not {value!r}")
    return value


def one_of(kind: type[E]) -> Callable[[Any], E]:
    def convert(value: Any) -> E:
        try:
            return kind(value)
        except ValueError:
            raise ValueError(f"{value!r} is not one of {', '.join(kind)}") from None

    return convert


def many(convert: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    def convert_all(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise TypeError(f"must be a list, not {value!r}")
        return tuple(convert(item) for item in value)

    return convert_all


def keyed(kind: type[E], convert: Callable[[Any], T]) -> Callable[[Any], dict[E, T]]:
    """A table whose keys are the names of an enum."""
    key = one_of(kind)

    def convert_all(value: Any) -> dict[E, T]:
        return {key(name): convert(item) for name, item in mapping(value).items()}

    return convert_all


def _shown(key: str | int) -> str:
    if isinstance(key, int):
        return f"entry {key + 1}"
    return key if re.fullmatch(r"[\w-]+", key) else f'"{key}"'
