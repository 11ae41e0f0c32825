"""An answer before it is painted: which pictures, which words, which reason to stop, which usage. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gemini_emulator.asks import Ask
from gemini_emulator.usage import Usage, text_tokens
from gemini_emulator.world import Span

# how the JSON is laid out around the candidate
Shape = Literal["full", "role_only", "bare", "null_parts", "no_content", "no_candidates", "empty_candidates"]
# what is done to a finished picture on its way out
Spoil = Literal[
    "none", "wrong_mime", "corrupt_base64", "corrupt_bytes", "cut_bytes", "double_base64", "data_uri"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture part to come. `thought` marks an interim one, which is drawn roughly and not counted."""

    size: Span
    thought: bool = False
    signed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """`outcome` is what the bill will call it; `free` answers are not charged whatever usage says."""

    ask: Ask
    usage: Usage
    frames: tuple[Frame, ...] = ()
    text: str | None = None
    thought_text: str | None = None
    queries: tuple[str, ...] = ()
    finish: str | None = "STOP"
    message: str | None = None
    block: str | None = None
    shape: Shape = "full"
    spoil: Spoil = "none"
    outcome: str = "image"
    free: bool = False


def sketch(ask: Ask) -> Draft:
    """What the model answers when nothing goes wrong, or MAX_TOKENS if the caller left it no room."""
    text = _words(ask) if ask.wants_text else None
    image_out = ask.model.image_tokens[ask.size]
    extra = ask.pick(ask.model.extra_out[ask.level], "extra")
    thoughts = (
        ask.pick(ask.model.thoughts[ask.level], "thoughts") if ask.level in ask.model.thoughts else None
    )
    candidates = image_out + extra + (text_tokens(text) if text else 0)
    usage = replace(ask.prompt_usage, image_out=image_out, candidates=candidates, thoughts=thoughts)
    draft = Draft(
        ask=ask,
        usage=usage,
        frames=(*_interim(ask), Frame(size=ask.frame)),
        text=text,
        thought_text=_musing(ask) if ask.include_thoughts else None,
        queries=_queries(ask),
    )
    room = ask.max_output_tokens
    return draft if room is None or candidates + (thoughts or 0) <= room else cut_short(draft, room)


def cut_short(draft: Draft, room: int) -> Draft:
    """MAX_TOKENS: the room went into thinking, or into hidden text where the model does not think."""
    prompt = draft.ask.prompt_usage
    spent = max(room - 3, 1)  # recorded: 2 of 5
    usage = replace(prompt, thoughts=spent) if draft.ask.model.thinks else replace(prompt, candidates=spent)
    return replace(
        without_picture(draft), usage=usage, finish="MAX_TOKENS", shape="role_only", outcome="max_tokens"
    )


def without_picture(draft: Draft) -> Draft:
    return replace(draft, frames=(), text=None, thought_text=None, queries=())


def _interim(ask: Ask) -> list[Frame]:
    if not ask.include_thoughts:
        return []
    rough = ask.model.frame(None, "1K") if "1K" in ask.model.sizes else ask.frame
    return [Frame(size=rough, thought=True, signed=False)] * ask.model.thought_images.get(ask.level, 0)


def _words(ask: Ask) -> str:
    return f"Here is what you asked for: {ask.prompt.strip().rstrip('.')}. The picture goes with it.\n\n"


def _musing(ask: Ask) -> str:
    return f"**Composing the Scene**\n\nI'm thinking about how to show this: {ask.prompt.strip()[:200]}\n\n\n"


def _queries(ask: Ask) -> tuple[str, ...]:
    """Recorded lists hold empty entries beside real ones."""
    return ("", " ".join(ask.prompt.split())[:120].rstrip(".")) if ask.search else ()
