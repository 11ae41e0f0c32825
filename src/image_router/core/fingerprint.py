"""What shapes the pixels, as one digest: the same fingerprint asks for the same picture.

A field at its default counts for nothing, so a field added later leaves old fingerprints as they are.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from enum import Enum
from typing import Any

from image_router.core.types import Conversation, ImageRequest, Reference, TurnPart

_NOT_IN_THE_PICTURE = frozenset({"n", "lane", "max_cost", "max_total", "deadline", "scope", "key", "retired"})


def fingerprint(request: ImageRequest) -> str:
    """sha256 in hexadecimal over every field that shapes the picture; references count by their bytes."""
    shaping = {
        field.name: _plain(value)
        for field in fields(request)
        if field.name not in _NOT_IN_THE_PICTURE and (value := getattr(request, field.name)) != field.default
    }
    text = json.dumps(shaping, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Reference):
        return [value.digest, value.role.value]
    if isinstance(value, Conversation):
        return [[turn.role, [_plain_part(part) for part in turn.parts]] for turn in value.turns]
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int):
        return value
    return [_plain(getattr(value, field.name)) for field in fields(value)]


def _plain_part(part: TurnPart) -> list[str | None]:
    return [part.text, hashlib.sha256(part.data).hexdigest() if part.data is not None else None]
