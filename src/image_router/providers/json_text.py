"""JSON text by orjson, loaded when the first reply comes: building a request for explain needs none of it."""

from __future__ import annotations

from typing import Any


def loads(text: bytes | str) -> Any:
    """Raises ValueError for what is no JSON."""
    import orjson  # 30 ms of start-up

    return orjson.loads(text)


def dumps(value: Any) -> bytes:
    """Compact UTF-8."""
    import orjson  # as above

    return orjson.dumps(value)
