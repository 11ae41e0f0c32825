"""The text models of the emulated world: what each takes, and when it lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """One id of models.list that answers in words."""

    id: str
    display_name: str
    version: str
    released: date
    shutdown: date | None = None
    input_limit: int
    output_limit: int
    thinking_levels: tuple[str, ...]
    latency_ms: tuple[int, int]

    methods: ClassVar = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")
    thinks: ClassVar = True
    video_input: ClassVar = True
    media_resolution: ClassVar = True
    json_mode: ClassVar = True
    quota: ClassVar = "text"
    """No limit of a usage tier is known for it."""

    @property
    def canonical(self) -> str:
        return self.id

    @property
    def description(self) -> str:
        return self.display_name

    def lives(self, day: date) -> bool:
        return self.released <= day and (self.shutdown is None or day < self.shutdown)
