"""Google's JSON reading: camelCase and snake_case alike, null as absent, unknown names refused by path.

The messages and their fields are data (data/fields.json); this module only walks them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
import pybase64

from gemini_emulator.errors import ApiError, Json, invalid, unknown_fields

_SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "bool": (bool,),
    "int": (int, str),
    "number": (int, float, str),
    "bytes": (str,),
}


def read_json(raw: bytes) -> Json:
    """Parse a request body; an empty one is an empty message."""
    if not raw.strip():
        return {}
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid(f"Invalid JSON payload received. {str(error).capitalize()}\n") from error
    if not isinstance(body, dict):
        raise invalid('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    return body


def read_message(raw: Json, message: str, *, vertex: bool = False) -> Json:
    """The body with camelCase names and without nulls.

    Raises ApiError 400 naming every unknown or ill-typed field, by its snake_case path.
    """
    reader = _Reader(vertex=vertex)
    body: Json = reader.message(raw, message, path="")
    if reader.violations:
        raise unknown_fields(reader.violations)
    return body


def read_bytes(text: str, path: str) -> bytes:
    """Base64 in either alphabet, padded or not."""
    plain = text.translate(_STANDARD_ALPHABET)
    try:
        return pybase64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError as error:
        shown = text[:40]
        raise ApiError(
            400, f"Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed for \"{shown}\""
        ) from error


_STANDARD_ALPHABET = str.maketrans("-_", "+/")


@cache
def _messages() -> dict[str, dict[str, str]]:
    text = (files("gemini_emulator") / "data" / "fields.json").read_text(encoding="utf-8")
    messages: dict[str, dict[str, str]] = orjson.loads(text)
    return messages


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


@cache
def _names(message: str) -> dict[str, tuple[str, str]]:
    """Both spellings of every field → (camelCase name, type)."""
    known = _messages()[message]
    return {spelling: (name, kind) for name, kind in known.items() for spelling in (name, _snake(name))}


@dataclass(slots=True)
class _Reader:
    vertex: bool
    violations: list[tuple[str, str]] = field(default_factory=list)

    def message(self, raw: Any, message: str, *, path: str) -> Any:
        if not isinstance(raw, dict):
            return self._ill_typed(raw, message, path)
        if self.vertex and f"vertex:{message}" in _messages():
            message = f"vertex:{message}"
        known = _names(message)
        read: Json = {}
        for name, value in raw.items():
            if name not in known:
                self._unknown(name, path)
            elif value is not None:
                camel, kind = known[name]
                read[camel] = self._value(value, kind, f"{path}.{_snake(camel)}" if path else _snake(camel))
        return read

    def _value(self, value: Any, kind: str, path: str) -> Any:
        if kind.startswith("[]"):
            # proto JSON takes a single element where a list is wanted
            items = value if isinstance(value, list) else [value]
            return [self._value(item, kind[2:], f"{path}[{index}]") for index, item in enumerate(items)]
        if kind == "any":
            return value
        if kind not in _SCALARS:
            return self.message(value, kind, path=path)
        if not isinstance(value, _SCALARS[kind]) or (isinstance(value, bool) and kind != "bool"):
            return self._ill_typed(value, kind, path)
        return value if kind not in {"int", "number"} else self._number(value, kind, path)

    def _number(self, value: Any, kind: str, path: str) -> Any:
        try:
            return int(value) if kind == "int" else float(value)
        except ValueError:
            return self._ill_typed(value, kind, path)

    def _unknown(self, name: str, path: str) -> None:
        at = f" at '{path}'" if path else ""
        self.violations.append(
            (path, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
        )

    def _ill_typed(self, value: Any, kind: str, path: str) -> None:
        shown = orjson.dumps(value).decode()[:80]
        self.violations.append((path, f"Invalid value at '{path}' (TYPE_{kind.upper()}), {shown}"))
