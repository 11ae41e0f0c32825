"""Typefaces by script: Roboto, and Noto Sans CJK where the package that carries it is installed.

Roboto has Latin, Greek and Cyrillic. Chinese, Japanese and Korean take 15 MB more, the extra `cjk`; without
it, and in any other script, letters show as the font's own boxes: this emulator cannot write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import font_roboto
from PIL import ImageFont

_KANA: Final = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_HANGUL: Final = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
_WIDE: Final = (
    f"{_KANA}{_HANGUL}\u2e80-\u303f\u3100-\u312f\u3190-\u9fff\uf900-\ufaff\uff00-\uff65\U00020000-\U0003ffff"
)
_WIDE_LETTER: Final = re.compile(f"[{_WIDE}]")
_UNITS: Final = re.compile(f"[{_WIDE}]|[^{_WIDE}]+")


class Script(StrEnum):
    """What a text is set in; the three of East Asia draw the characters they share differently."""

    LATIN = "latin"
    JAPANESE = "japanese"
    KOREAN = "korean"
    CHINESE = "chinese"


# The order of the fonts in NotoSansCJK-Regular.ttc.
_PLACES: Final = {Script.JAPANESE: 0, Script.KOREAN: 1, Script.CHINESE: 2}


def script_of(text: str) -> Script:
    """The script that a text is set in; Latin also where the typeface of its own is not installed."""
    if not _WIDE_LETTER.search(text) or _collection() is None:
        return Script.LATIN
    if re.search(f"[{_HANGUL}]", text):
        return Script.KOREAN
    return Script.JAPANESE if re.search(f"[{_KANA}]", text) else Script.CHINESE


@lru_cache(maxsize=64)
def font(size: int, *, heavy: bool = True, script: Script = Script.LATIN) -> ImageFont.FreeTypeFont:
    """Noto Sans CJK comes in one weight here: `heavy` is Roboto's."""
    wide = _collection() if script is not Script.LATIN else None
    if wide is not None:
        return ImageFont.truetype(wide, size, index=_PLACES[script])
    name = "Roboto-Black.ttf" if heavy else "Roboto-Medium.ttf"
    return ImageFont.truetype(Path(font_roboto.font_directory) / name, size)


def units(text: str, script: Script) -> Iterator[tuple[str, str]]:
    """What a line may end after, each with what goes before it within a line: words after a space, Chinese
    and Japanese characters after nothing."""
    for word in text.split():
        parts = _UNITS.findall(word) if script in {Script.CHINESE, Script.JAPANESE} else [word]
        for place, part in enumerate(parts):
            yield ("" if place else " "), part


@cache
def _collection() -> Path | None:
    found = find_spec("noto_cjk_sans_otc")
    return Path(found.origin).with_name("NotoSansCJK-Regular.ttc") if found and found.origin else None
