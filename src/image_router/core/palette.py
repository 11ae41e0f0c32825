"""One colour for each tier, the same on pages, in charts, on the contact sheet and in the terminal."""

from typing import Final

from image_router.core.types import Tier

LIGHT: Final[dict[Tier, str]] = {
    Tier.NANO_BANANA_PRO: "#7a3ff2",
    Tier.GEMINI_31_FLASH_IMAGE: "#0b729a",
    Tier.NANO_BANANA: "#8f5a00",
    Tier.IMAGEN_4_ULTRA: "#c2255c",
    Tier.IMAGEN_4_STANDARD: "#237a36",
    Tier.IMAGEN_4_FAST: "#c2400a",
}
"""At least 5:1 on white."""

DARK: Final[dict[Tier, str]] = {
    Tier.NANO_BANANA_PRO: "#b79bff",
    Tier.GEMINI_31_FLASH_IMAGE: "#5cc8f0",
    Tier.NANO_BANANA: "#f5c04a",
    Tier.IMAGEN_4_ULTRA: "#ff8fb4",
    Tier.IMAGEN_4_STANDARD: "#7bd88f",
    Tier.IMAGEN_4_FAST: "#ff9f6b",
}
"""At least 5:1 on near-black."""

TITLE: Final[dict[Tier, str]] = {
    Tier.NANO_BANANA_PRO: "Nano Banana Pro",
    Tier.GEMINI_31_FLASH_IMAGE: "3.1 Flash Image",
    Tier.NANO_BANANA: "Nano Banana",
    Tier.IMAGEN_4_ULTRA: "Imagen 4 Ultra",
    Tier.IMAGEN_4_STANDARD: "Imagen 4 Standard",
    Tier.IMAGEN_4_FAST: "Imagen 4 Fast",
}


def css_colours() -> str:
    """One custom property for each tier and theme."""
    light = "".join(f"--{tier}:{colour};" for tier, colour in LIGHT.items())
    dark = "".join(f"--{tier}:{colour};" for tier, colour in DARK.items())
    return f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}"
