"""What was asked of the emulator: a bounded list without pictures and without whole keys."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from gemini_emulator.errors import Json

_SHOWN_HEADERS = (
    "user-agent",
    "x-goog-api-client",
    "content-type",
    "content-length",
    "x-server-timeout",
    "x-emulator-fault",
    "x-goog-upload-command",
    "x-goog-upload-offset",
    "traceparent",
)
_LONGEST = 400


class Journal:
    """The last `size` requests, oldest first."""

    def __init__(self, size: int) -> None:
        self._rows: deque[Json] = deque(maxlen=size)

    def note(self, *, method: str, path: str, key: str, headers: Mapping[str, str]) -> Json:
        """Open a row; the caller fills in `body`, `status` and `fault` as they become known."""
        row: Json = {
            "method": method,
            "path": path,
            "key": key,
            "headers": {name: headers[name] for name in _SHOWN_HEADERS if name in headers},
            "body": None,
            "status": None,
            "fault": None,
        }
        self._rows.append(row)
        return row

    def rows(self) -> list[Json]:
        return [dict(row) for row in self._rows]

    def clear(self) -> None:
        self._rows.clear()


def elided(value: Any) -> Any:
    """The same JSON with long strings, base64 above all, cut to their length."""
    if isinstance(value, dict):
        return {name: elided(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [elided(inner) for inner in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:40]}<{len(value)} chars>"
    return value
