"""Colours as plain RGB triples, and the few ways they are mixed."""

from __future__ import annotations

import colorsys

RGB = tuple[int, int, int]

WHITE: RGB = (250, 250, 248)
INK: RGB = (34, 32, 44)


def from_hex(text: str) -> RGB:
    """'#d8383a' -> (216, 56, 58)."""
    value = int(text.removeprefix("#"), 16)
    return value >> 16, value >> 8 & 255, value & 255


def mix(first: RGB, second: RGB, *, share: float) -> RGB:
    """`share` of the second colour in the first, 0 to 1."""
    keep = 1 - share
    return (
        round(first[0] * keep + second[0] * share),
        round(first[1] * keep + second[1] * share),
        round(first[2] * keep + second[2] * share),
    )


def lighter(colour: RGB, share: float = 0.25) -> RGB:
    return mix(colour, (255, 250, 240), share=share)


def darker(colour: RGB, share: float = 0.25) -> RGB:
    """Towards a cool near-black, so that shadows stay coloured."""
    return mix(colour, (22, 18, 48), share=share)


def turned(colour: RGB, degrees: float) -> RGB:
    """The same lightness and saturation, the hue turned on the colour wheel."""
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    red, green, blue = colorsys.hls_to_rgb((hue + degrees / 360) % 1, light, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def brightness(colour: RGB) -> float:
    """Perceived brightness, 0 to 255 (ITU-R BT.601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def readable_on(colour: RGB) -> RGB:
    """Ink or white, whichever stands out on the colour."""
    return INK if brightness(colour) > 140 else WHITE
