"""Which typeface a text is set in, and where its lines may end."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import font_roboto
import numpy as np
import pytest

from gemini_emulator.pictures import paint, typefaces
from gemini_emulator.pictures.typefaces import Script, font, script_of, units

from .briefs import brief, opened

ROBOTO = Path(font_roboto.font_directory) / "Roboto-Black.ttf"
SAMPLES = [
    ("Summer Sale", Script.LATIN),
    ("Ωmega Щ é €", Script.LATIN),
    ("新品上市", Script.CHINESE),
    ("Sale 新品", Script.CHINESE),
    ("夏のセール", Script.JAPANESE),
    ("여름 세일", Script.KOREAN),
]


@pytest.fixture(name="collection", params=["installed", "absent"])
def a_collection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    installed = request.param == "installed"
    monkeypatch.setattr(typefaces, "_collection", lambda: ROBOTO if installed else None)
    return installed


@pytest.mark.parametrize(("text", "script"), SAMPLES)
def test_scripts(text: str, script: Script, collection: bool) -> None:
    """East Asian letters choose the script, kana and hangul the language; without the face all is Latin."""
    assert script_of(text) is (script if collection else Script.LATIN)


@pytest.mark.parametrize(
    ("text", "script", "broken"),
    [
        ("Summer Sale", Script.LATIN, [" Summer", " Sale"]),
        ("新品 Sale上", Script.CHINESE, [" 新", "品", " Sale", "上"]),
        ("夏の秋", Script.JAPANESE, [" 夏", "の", "秋"]),
        ("여름 세일", Script.KOREAN, [" 여름", " 세일"]),
    ],
)
def test_where_lines_may_end(text: str, script: Script, broken: list[str]) -> None:
    """Chinese and Japanese may break after every character, the others between words."""
    assert ["".join(unit) for unit in units(text, script)] == broken


def test_weights_are_robotos() -> None:
    """Headlines are black, what follows is medium."""
    assert (font(20).getname()[1], font(20, heavy=False).getname()[1]) == ("Black", "Medium")


@pytest.mark.skipif(
    find_spec("noto_cjk_sans_otc") is None,
    reason="Noto Sans CJK is not installed: pip install 'image-router[cjk]'",
)
@pytest.mark.parametrize("text", ["新品上市", "夏のセール", "여름 세일"])
def test_east_asian_letters_are_no_boxes(text: str) -> None:
    """Two texts of as many letters are written differently, which boxes would not be."""
    other = text[::-1]
    first, second = (np.asarray(opened(paint(brief("poster", letters=(word,))))) for word in (text, other))
    assert (first != second).any()
