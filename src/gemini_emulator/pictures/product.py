"""Picks the maker of a product. Each stands at the pen's origin, about one unit high, towards
negative y.
"""

from __future__ import annotations

from gemini_emulator.pictures import fashion, household, tableware
from gemini_emulator.pictures.easel import Pen
from gemini_emulator.pictures.genome import Genome
from gemini_emulator.pictures.wares import Maker, Wares

MAKERS: dict[str, Maker] = {**tableware.MAKERS, **fashion.MAKERS, **household.MAKERS}


def draw_product(pen: Pen, genome: Genome) -> None:
    wares = Wares(
        body=genome.main_colour, accent=genome.accent_colour, style=genome.style, pattern=genome.pattern
    )
    MAKERS[genome.kind.name](pen, wares)
