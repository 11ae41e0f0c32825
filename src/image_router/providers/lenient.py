"""Reading JSON that may lack, null or mistype any field, as replies through proxies do. Nothing raises."""

from __future__ import annotations

from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]


def obj(value: Any) -> JsonObject:
    """The object itself, or an empty one."""
    return value if isinstance(value, dict) else {}


def objs(value: Any) -> list[JsonObject]:
    """The objects of a list; whatever else stands in it is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def some_text(value: Any) -> str | None:
    """Text that is there and not empty."""
    return text(value) or None


def count(value: Any) -> int:
    """A number of tokens or images; int64 comes as text from some methods. 0 when absent or absurd."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
