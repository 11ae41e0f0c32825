"""Token arithmetic: what a prompt counts, what an answer counts, deterministic for what was asked."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from gemini_emulator.errors import Json
from gemini_emulator.world import Span, world

_WORD = re.compile(r"[^\W\d_]+|\d|[^\w\s]|_")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_DIGIT_AFTER_SPACE = re.compile(r"(?<=\s)\d")
_LONG_WORD = 14
_CHARS_PER_PIECE = 4
_WIDE_TOKENS_PER_TEN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one answer's usageMetadata says, in tokens. `candidates` includes `image_out`; None = not said."""

    prompt_text: int
    prompt_image: int = 0
    image_out: int = 0
    candidates: int | None = None
    thoughts: int | None = None

    @property
    def prompt(self) -> int:
        return self.prompt_text + self.prompt_image

    @property
    def text_out(self) -> int:
        """Everything billed at the text rate: hidden and visible text, and thinking."""
        return (self.candidates or 0) - self.image_out + (self.thoughts or 0)

    def to_wire(self, *, vertex: bool = False) -> Json:
        wire: Json = {"promptTokenCount": self.prompt}
        if self.candidates is not None:
            wire["candidatesTokenCount"] = self.candidates
        wire["totalTokenCount"] = self.prompt + (self.candidates or 0) + (self.thoughts or 0)
        wire["promptTokensDetails"] = self.prompt_details()
        if self.image_out:
            wire["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": self.image_out}]
        if self.thoughts:
            wire["thoughtsTokenCount"] = self.thoughts
        wire |= {"trafficType": "ON_DEMAND"} if vertex else {"serviceTier": "standard"}
        return wire

    def prompt_details(self) -> list[Json]:
        counts = (("TEXT", self.prompt_text), ("IMAGE", self.prompt_image))
        return [{"modality": name, "tokenCount": count} for name, count in counts if count]


def text_tokens(text: str) -> int:
    """Tokens of a text alone: words, marks and single digits, one more where a number follows a space.

    Fits every recorded prompt exactly; long words count by pieces.
    """
    wide = sum(len(run) for run in _WIDE.findall(text))
    narrow = _WIDE.sub(" ", text) if wide else text
    extra = world().extra_tokens
    pieces = sum(
        extra.get(word.lower(), 0) + (1 if len(word) <= _LONG_WORD else -(-len(word) // _CHARS_PER_PIECE))
        for word in _WORD.findall(narrow)
    )
    return pieces + len(_DIGIT_AFTER_SPACE.findall(narrow)) + -(-wide * _WIDE_TOKENS_PER_TEN // 10)


def prompt_tokens(texts: list[str]) -> int:
    """Tokens of the text parts of a prompt, with the one token every prompt begins with."""
    return 1 + sum(text_tokens(text) for text in texts)


def pick(span: Span, *what: object) -> int:
    """A number of the inclusive span that depends on nothing but `what`."""
    low, high = span
    digest = hashlib.sha256("|".join(map(str, what)).encode()).digest()
    return low + int.from_bytes(digest[:8], "big") % (high - low + 1)
