"""Single fields of a JSON body or a form, read strictly. Forms send texts only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, overload

from image_router.gateway import refusals


def text(body: Mapping[str, Any], name: str) -> str | None:
    """A text, or None where the field is absent."""
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise refusals.malformed(f"{name} {value!r} is no text", param=name)


def one_of(body: Mapping[str, Any], name: str, *, words: Sequence[str]) -> str | None:
    """One of the words, or None where the field is absent."""
    value = text(body, name)
    if value is None or value in words:
        return value
    raise refusals.malformed(f"{name} {value!r} is not one of {', '.join(words)}", param=name)


def flag(body: Mapping[str, Any], name: str) -> bool:
    """True or false; false where the field is absent."""
    value = body.get(name, False)
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise refusals.malformed(f"{name} {value!r} is neither true nor false", param=name)


def day(body: Mapping[str, Any], name: str) -> date | None:
    """A day like 2026-11-22, or None where the field is absent."""
    words = text(body, name)
    if words is None:
        return None
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise refusals.malformed(
            f"{name} {words!r} is no day; write it like 2026-11-22", param=name
        ) from None


@overload
def whole(body: Mapping[str, Any], name: str, *, default: int, low: int, high: int) -> int: ...
@overload
def whole(body: Mapping[str, Any], name: str, *, default: None, low: int, high: int) -> int | None: ...
def whole(body: Mapping[str, Any], name: str, *, default: int | None, low: int, high: int) -> int | None:
    """A whole number between two bounds, or the default where the field is absent."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refusals.malformed(f"{name} {value!r} is no whole number from {low} to {high}", param=name)
    return value
