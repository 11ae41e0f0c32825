"""How much prompts may be shortened, as a request, a setting or the command line says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from image_router.core.errors import InvalidRequest

LEAST, MOST = 16, 100_000
"""Tokens a target may have."""
_OFF: Final = frozenset({"off", "no", "false"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compress:
    """What is wanted of prompt compression. Raises InvalidRequest for a target outside LEAST to MOST."""

    off: bool = False
    to: int | None = None
    """Tokens; None: what the text model's entry and the models' limits ask for."""

    def __post_init__(self) -> None:
        if self.to is not None and not LEAST <= self.to <= MOST:
            raise InvalidRequest(
                f"compress to {self.to} tokens is not possible; give {LEAST} to {MOST:,} tokens, auto or off"
            )

    @classmethod
    def parse(cls, said: Any) -> Self:
        """auto, off or a number of tokens, as text or whole number. Raises InvalidRequest."""
        if isinstance(said, cls):
            return said
        if isinstance(said, bool):
            return cls(off=not said)
        words = str(said).strip().lower()
        if words == "auto":
            return cls()
        if words in _OFF:
            return cls(off=True)
        if not words.isdecimal():
            raise InvalidRequest(f"compress {said!r} is none of auto, off, or a number of tokens such as 300")
        return cls(to=int(words))

    def __str__(self) -> str:
        return "off" if self.off else str(self.to or "auto")
