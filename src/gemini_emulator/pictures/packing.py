"""Small numbers side by side in one: the form in which a picture carries what it shows."""

from __future__ import annotations

from collections.abc import Mapping


def packed(axes: Mapping[str, int], bits: Mapping[str, int]) -> int:
    """One number; each axis takes the bits that `bits` grants it, in that order."""
    number = 0
    for name, width in bits.items():
        number = number << width | axes[name]
    return number


def unpacked(number: int, bits: Mapping[str, int]) -> dict[str, int]:
    """What `packed` made the number of."""
    axes: dict[str, int] = {}
    for name in reversed(list(bits)):
        axes[name] = number & (1 << bits[name]) - 1
        number >>= bits[name]
    return axes
