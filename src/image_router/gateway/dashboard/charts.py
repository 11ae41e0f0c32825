"""Charts as SVG from the server: widths in percent, so that words keep their size on a phone.

Each has a title and a description for those who do not see it; the page shows the same numbers as a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from markupsafe import Markup, escape

from image_router.core.economics import Projection, usd
from image_router.core.journal import Latency
from image_router.core.money import show_usd
from image_router.core.palette import TITLE
from image_router.core.spending import Share
from image_router.core.statement import Line
from image_router.core.types import Tier

_ROW: Final = 46
_STRIP: Final = 28
_MOST_DAYS: Final = 92
_TALL: Final = 150
_FEWEST: Final = 10
"""Places for upright bars: one day alone is no wall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One amount; `tone` is the CSS class of its colour."""

    label: str
    amount: Fraction
    text: str
    tone: str


def volume_bars(plan: Projection) -> list[Bar]:
    """The volume on each tier alone, and on the mix."""
    tiers = [(TITLE[row.tier], row.price, f"tier-{row.tier}") for row in plan.tiers]
    return [
        Bar(label=label, amount=plan.total(price), text=usd(plan.total(price), decimals=2), tone=tone)
        for label, price, tone in (*tiers, ("Your mix", plan.blend, "tone-ink"))
    ]


def mix_shares(plan: Projection) -> list[Bar]:
    """How many of a hundred pictures each tier makes."""
    whole = sum(plan.mix.values())
    shares = [(tier, Fraction(100 * plan.mix.get(tier, 0), whole)) for tier in Tier]
    return [
        Bar(label=TITLE[tier], amount=share, text=f"{float(share):g} %", tone=f"tier-{tier}")
        for tier, share in shares
        if share
    ]


def bars(name: str, drawn: Sequence[Bar], *, title: str) -> Markup:
    """Horizontal bars in proportion to the largest; `name` makes the ids unique on the page."""
    most = max((bar.amount for bar in drawn), default=Fraction(0)) or Fraction(1)
    rows = Markup("").join(_row(bar, place, share=bar.amount / most) for place, bar in enumerate(drawn))
    return _svg(name, title, drawn, height=_ROW * len(drawn), inside=rows, kind="bars")


def strip(name: str, drawn: Sequence[Bar], *, title: str) -> Markup:
    """Parts of a whole, side by side."""
    whole = sum((bar.amount for bar in drawn), Fraction(0)) or Fraction(1)
    return _svg(name, title, drawn, height=_STRIP, inside=Markup("").join(_parts(drawn, whole)), kind="strip")


def day_bars(days: Sequence[Line], *, first: date, last: date) -> list[Bar]:
    """What each day of a period cost; days without spend are left out of a long one."""
    spent = {line.of[0]: line.spent for line in days}
    long = (last - first).days >= _MOST_DAYS
    every = [(first + timedelta(days=place)).isoformat() for place in range((last - first).days + 1)]
    return [
        Bar(label=day, amount=Fraction(spent.get(day, 0)), text=show_usd(spent.get(day, 0)), tone="tone-ink")
        for day in (sorted(spent) if long else every)
    ]


def traffic(shares: Sequence[Share], *, wished: bool = False) -> list[Bar]:
    """The mix as it was, or as it should be."""
    parts = [(share, share.wished if wished else share.share) for share in shares if share.tier]
    return [
        Bar(
            label=TITLE[Tier(share.tier)],
            amount=part,
            text=f"{float(100 * part):.1f} %",
            tone=f"tier-{share.tier}",
        )
        for share, part in parts
        if part
    ]


def columns(name: str, drawn: Sequence[Bar], *, title: str) -> Markup:
    """Upright bars from left to right in proportion to the highest; the first and the last are named."""
    most = max((bar.amount for bar in drawn), default=Fraction(0)) or Fraction(1)
    step = Fraction(1, max(len(drawn), _FEWEST))
    parts = [_column(bar, step * place, step, share=bar.amount / most) for place, bar in enumerate(drawn)]
    if drawn:
        parts.append(Markup('<text x="0" y="{}">{}</text>').format(_TALL + 18, drawn[0].label))
    if len(drawn) > 1:
        last = Markup('<text class="end" x="{}%" y="{}">{}</text>')
        parts.append(last.format(_percent(step * len(drawn)), _TALL + 18, drawn[-1].label))
    return _svg(name, title, drawn, height=_TALL + 24, inside=Markup("").join(parts), kind="columns")


def spans(name: str, models: Sequence[Latency], *, title: str) -> Markup:
    """How long calls take: for each model a bar of half the calls, paler ones of nine in ten and of 99."""
    known = [one for one in models if one.calls]
    most = max((one.p99 for one in known), default=0.0) or 1.0
    drawn = [
        Bar(
            label=one.model,
            amount=Fraction(one.p99).limit_denominator(),
            text=f"{one.p50:.2f} s, {one.p90:.2f} s, {one.p99:.2f} s",
            tone="tone-ink",
        )
        for one in known
    ]
    rows = Markup("").join(_span(one, place, most=most) for place, one in enumerate(known))
    return _svg(name, title, drawn, height=_ROW * len(known), inside=rows, kind="spans")


def _span(one: Latency, place: int, *, most: float) -> Markup:
    top = _ROW * place
    p50, p90, p99 = (_percent(Fraction(each / most)) for each in (one.p50, one.p90, one.p99))
    return Markup(
        '<g class="tone-ink"><text x="0" y="{}">{}</text><text class="amount" x="100%" y="{}">{:.2f} s</text>'
        '<rect class="track" x="0" y="{top}" width="100%" height="12" rx="6"/>'
        '<rect class="whisker" x="0" y="{top}" width="{}%" height="12" rx="6"/>'
        '<rect class="whisker inner" x="0" y="{top}" width="{}%" height="12" rx="6"/>'
        '<rect class="bar" x="0" y="{top}" width="{}%" height="12" rx="6"/></g>'
    ).format(top + 15, one.model, top + 15, one.p50, p99, p90, p50, top=top + 23)


def _column(bar: Bar, left: Fraction, step: Fraction, *, share: Fraction) -> Markup:
    height = max(round(_TALL * share), 2 if share else 0)
    return Markup(
        '<rect class="bar {}" x="{}%" y="{}" width="{}%" height="{}" rx="3"><title>{} {}</title></rect>'
    ).format(bar.tone, _percent(left), _TALL - height, _percent(step * 8 / 10), height, bar.label, bar.text)


def _row(bar: Bar, place: int, *, share: Fraction) -> Markup:
    top = _ROW * place
    return Markup(
        '<g class="{}"><text x="0" y="{}">{}</text><text class="amount" x="100%" y="{}">{}</text>'
        '<rect class="track" x="0" y="{}" width="100%" height="12" rx="6"/>'
        '<rect class="bar" x="0" y="{}" width="{}%" height="12" rx="6"/></g>'
    ).format(bar.tone, top + 15, bar.label, top + 15, bar.text, top + 23, top + 23, _percent(share))


def _parts(drawn: Sequence[Bar], whole: Fraction) -> Iterator[Markup]:
    before = Fraction(0)
    for bar in drawn:
        place, width = _percent(before / whole), _percent(bar.amount / whole)
        yield Markup('<rect class="bar {}" x="{}%" y="0" width="{}%" height="100%"/>').format(
            bar.tone, place, width
        )
        before += bar.amount


def _svg(name: str, title: str, drawn: Sequence[Bar], *, height: int, inside: Markup, kind: str) -> Markup:
    described = "; ".join(f"{bar.label} {bar.text}" for bar in drawn)
    return Markup(
        '<svg class="chart {}" width="100%" height="{}" role="img" aria-labelledby="{}-title {}-desc">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(kind, height, name, name, name, escape(title), name, escape(described), inside)


def _percent(share: Fraction) -> str:
    """Of a width, to a hundredth; what is there at all stays visible."""
    return f"{max(float(100 * share), 0.4 if share else 0.0):.2f}"
