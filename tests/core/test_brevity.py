"""What people say of prompt compression."""

from __future__ import annotations

from typing import Any

import pytest

from image_router.core.brevity import LEAST, MOST, Compress
from image_router.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("auto", Compress()),
        (" AUTO ", Compress()),
        (True, Compress()),
        ("off", Compress(off=True)),
        ("no", Compress(off=True)),
        (False, Compress(off=True)),
        (300, Compress(to=300)),
        ("300", Compress(to=300)),
        (Compress(to=20), Compress(to=20)),
    ],
)
def test_words_and_numbers_are_understood(said: Any, meant: Compress) -> None:
    """auto, off, or a number of tokens, from code, a file or the command line."""
    assert Compress.parse(said) == meant
    assert Compress.parse(str(meant)) == meant


@pytest.mark.parametrize("said", ["short", "", "3.5", "-3", LEAST - 1, MOST + 1, None])
def test_anything_else_is_refused(said: Any) -> None:
    """The refusal names what may be said."""
    with pytest.raises(InvalidRequest, match="auto"):
        Compress.parse(said)
