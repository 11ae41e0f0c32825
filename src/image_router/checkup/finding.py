"""What an examination found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    health: Health
    detail: str
    advice: str = ""

    def view(self) -> dict[str, Any]:
        return asdict(self)
