"""Faults of a text model's answer: facts that get lost, answers that are too long, cut off or refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

Options = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text model's answer before it is JSON. `asked` is the text it was given; `text` None: no parts."""

    asked: str
    text: str | None
    finish: str | None = "STOP"
    block: str | None = None
    outcome: str = "text"


Twist = Callable[[Words, Options], Words]
_NUMBER = re.compile(r"\S*\d\S*\s?")
_NEGATION = re.compile(r"\b(?:no|not|never|without|\w+n['’]t)\b\s?", re.IGNORECASE)
_QUOTE = re.compile(r"\"[^\"]*\"|“[^”]*”")


def _loses_number(words: Words, options: Options) -> Words:
    return replace(words, text=_NUMBER.sub("", words.text or "", count=1))


def _loses_negation(words: Words, options: Options) -> Words:
    return replace(words, text=_NEGATION.sub("", words.text or "", count=1))


def _loses_quote(words: Words, options: Options) -> Words:
    return replace(words, text=_QUOTE.sub("", words.text or "", count=1))


def _not_shorter(words: Words, options: Options) -> Words:
    return replace(words, text=words.asked)


def _cut_off(words: Words, options: Options) -> Words:
    return replace(words, text=(words.text or "")[:20], finish="MAX_TOKENS", outcome="max_tokens")


def _nothing(words: Words, options: Options) -> Words:
    return replace(words, text=None, outcome="empty")


def _blocked(words: Words, options: Options) -> Words:
    reason = options.get("reason", "PROHIBITED_CONTENT")
    return replace(words, text=None, finish=None, block=reason, outcome="prompt_blocked")


TWISTS: Mapping[str, Twist] = {
    "text_loses_number": _loses_number,
    "text_loses_negation": _loses_negation,
    "text_loses_quote": _loses_quote,
    "text_not_shorter": _not_shorter,
    "text_cut_off": _cut_off,
    "text_empty": _nothing,
    "text_blocked": _blocked,
}
DESCRIPTIONS: Mapping[str, str] = {
    "text_loses_number": "the shortened text lacks the first number",
    "text_loses_negation": "the shortened text lacks the first negation",
    "text_loses_quote": "the shortened text lacks the first quoted words",
    "text_not_shorter": "the text comes back as it was given",
    "text_cut_off": "MAX_TOKENS after 20 characters; counted and charged",
    "text_empty": "STOP without parts; the prompt is charged",
    "text_blocked": "promptFeedback.blockReason and no candidates; reason=PROHIBITED_CONTENT; prompt charged",
}
