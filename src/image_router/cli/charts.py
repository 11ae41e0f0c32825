"""A projection as bars: an SVG string, the same as PNG, and a line of blocks for the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final
from xml.sax.saxutils import escape

from image_router.core.economics import Projection, usd
from image_router.core.palette import LIGHT, TITLE

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_INK, _FAINT, _PAPER = "#1d1d22", "#63636e", "#ffffff"
_WIDTH, _LEFT, _BAR_SPAN, _TOP, _STEP, _BAR = 760, 180, 440, 84, 44, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    label: str
    amount: Fraction
    """Nano-dollars for the whole volume."""
    text: str
    colour: str


def bars(plan: Projection) -> list[Bar]:
    """One bar for each tier, the blend last."""
    of_tiers = [(TITLE[row.tier], row.price, LIGHT[row.tier]) for row in plan.tiers]
    return [
        Bar(label=label, amount=plan.total(price), text=usd(plan.total(price), decimals=2), colour=colour)
        for label, price, colour in (*of_tiers, ("Your mix", plan.blend, _INK))
    ]


def sparkline(plan: Projection) -> str:
    """One block for each bar, its height in proportion to the dearest."""
    drawn = bars(plan)
    most = max(bar.amount for bar in drawn) or 1
    return "".join(_BLOCKS[min(7, int(8 * bar.amount / most))] for bar in drawn)


def title_of(plan: Projection) -> str:
    return f"{plan.images:,} images on each tier alone, and on the mix"


def svg(plan: Projection) -> str:
    """A self-contained SVG with a text alternative."""
    drawn = bars(plan)
    height = _TOP + _STEP * len(drawn) + 24
    rows = "\n".join(_svg_row(bar, place, length) for place, (bar, length) in enumerate(_lengths(drawn)))
    described = "; ".join(f"{bar.label} {bar.text}" for bar in drawn)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"
 aria-labelledby="title desc" font-family="Roboto, Helvetica, Arial, sans-serif">
<title id="title">{escape(title_of(plan))}</title>
<desc id="desc">{escape(described)}</desc>
<rect width="{_WIDTH}" height="{height}" fill="{_PAPER}"/>
<text x="24" y="40" font-size="20" font-weight="700" fill="{_INK}">{escape(title_of(plan))}</text>
<text x="24" y="62" font-size="13" fill="{_FAINT}">{escape(_subtitle(plan))}</text>
{rows}
</svg>
"""


def png(plan: Projection) -> bytes:
    """The same picture as PNG, at twice the size."""
    from font_roboto import Roboto, RobotoBold
    from PIL import Image, ImageDraw, ImageFont

    drawn = bars(plan)
    height = _TOP + _STEP * len(drawn) + 24
    picture = Image.new("RGB", (_WIDTH * 2, height * 2), _PAPER)
    pen = ImageDraw.Draw(picture)
    plain, bold, title, small = (
        ImageFont.truetype(font, size * 2)
        for font, size in ((Roboto, 14), (RobotoBold, 14), (RobotoBold, 20), (Roboto, 13))
    )
    pen.text((48, 80), title_of(plan), font=title, fill=_INK, anchor="ls")
    pen.text((48, 124), _subtitle(plan), font=small, fill=_FAINT, anchor="ls")
    for place, (bar, length) in enumerate(_lengths(drawn)):
        top = (_TOP + _STEP * place) * 2
        middle = top + _BAR
        pen.text(((_LEFT - 12) * 2, middle), bar.label, font=plain, fill=_INK, anchor="rm")
        box = (_LEFT * 2, top, (_LEFT + length) * 2, top + _BAR * 2)
        pen.rounded_rectangle(box, radius=8, fill=bar.colour)
        pen.text(((_LEFT + length + 10) * 2, middle), bar.text, font=bold, fill=_INK, anchor="lm")
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _subtitle(plan: Projection) -> str:
    times = f"{float(plan.saving):.2f}"
    return f"Your mix {usd(plan.blend, decimals=5)} an image: Nano Banana Pro alone is {times} times as dear"


def _lengths(drawn: Sequence[Bar]) -> list[tuple[Bar, int]]:
    most = max(bar.amount for bar in drawn) or 1
    return [(bar, max(2, round(_BAR_SPAN * bar.amount / most))) for bar in drawn]


def _svg_row(bar: Bar, place: int, length: int) -> str:
    top = _TOP + _STEP * place
    middle = top + _BAR // 2 + 5
    label = escape(bar.label)
    return (
        f'<text x="{_LEFT - 12}" y="{middle}" font-size="14" text-anchor="end" fill="{_INK}">{label}</text>'
        f'<rect x="{_LEFT}" y="{top}" width="{length}" height="{_BAR}" rx="4" fill="{bar.colour}"/>'
        f'<text x="{_LEFT + length + 10}" y="{middle}" font-size="14" font-weight="700" fill="{_INK}">'
        f"{escape(bar.text)}</text>"
    )
