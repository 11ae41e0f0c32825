"""A contact sheet as one PNG, for mail and chat: the page's layout drawn with Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, TypeAlias

from font_roboto import Roboto, RobotoBold
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from image_router.cli.sheet import BILL_COLUMNS, Card, Sheet, amount_of
from image_router.core.money import show_usd
from image_router.core.palette import LIGHT, TITLE

Point: TypeAlias = tuple[int, int]

_PAPER, _CARD, _INK, _SOFT, _LINE = "#f6f4ef", "#ffffff", "#1b1a17", "#5d5a52", "#e2ddd2"
_WIDTH: Final = 2400
_MARGIN: Final = 72
_INNER: Final = _WIDTH - 2 * _MARGIN
_GAP: Final = 36
_ROW: Final = 52
_TITLE_HEIGHT: Final = 362
_HEADING: Final = 126


def poster(sheet: Sheet) -> bytes:
    """The sheet as PNG, 2400 pixels wide."""
    singles = [_Tile(card, width=(_INNER - 2 * _GAP) // 3, small=False) for card in sheet.singles]
    chain = [_Tile(card, width=(_INNER - 5 * _GAP) // 6, small=True) for card in sheet.chain]
    grid_height, chain_height = _grid_height(singles, 3), _grid_height(chain, 6)
    bill_height = _ROW * (len(sheet.cards) + 2) + 60
    height = _TITLE_HEIGHT + grid_height + chain_height + 3 * _HEADING + bill_height + 110
    picture = Image.new("RGB", (_WIDTH, height), _PAPER)
    pen = ImageDraw.Draw(picture)
    _head(pen, sheet)
    top = _heading(pen, "Six tiers, each chosen by purpose", _TITLE_HEIGHT)
    _grid(picture, singles, columns=3, top=top)
    top = _heading(pen, "One character, kept", top + grid_height)
    _grid(picture, chain, columns=6, top=top)
    top = _heading(pen, "The bill", top + chain_height)
    _bill(pen, sheet, top)
    _foot(pen, sheet, height - 66)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=6)
    return out.getvalue()


class _Tile:
    """One card: the picture over its words."""

    def __init__(self, card: Card, *, width: int, small: bool) -> None:
        self.card, self.width, self.small = card, width, small
        pixels = card.image.pixels
        self.picture_height = round(width * pixels.height / pixels.width)
        self.pad = 22 if small else 32
        self.type_size = 25 if small else 31
        self.height = self.picture_height + self._words_height()

    def draw(self, picture: Image.Image, at: Point, *, height: int) -> None:
        """Draw into a box of the row's height, so that the cards of a row end alike."""
        x, y = at
        colour = LIGHT[self.card.tier]
        pen = ImageDraw.Draw(picture)
        pen.rounded_rectangle((x, y, x + self.width, y + height), 20, fill=_CARD, outline=_LINE, width=2)
        picture.paste(self._shrunk(), at, self._mask())
        y += self.picture_height
        pen.rectangle((x, y, x + self.width, y + 8), fill=colour)
        y += 8 + self.pad - 8
        for text, font, fill in self._lines():
            pen.text((x + self.pad, y), text, font=font, fill=fill)
            y += round(font.size * 1.36)
        self._money(pen, (x + self.pad, at[1] + height - self.pad - self._money_height))

    def _words_height(self) -> int:
        words = sum(round(font.size * 1.36) for _, font, _ in self._lines())
        return 8 + self.pad + words + self._money_height + self.pad + 24

    def _lines(self) -> list[tuple[str, FreeTypeFont, str]]:
        card, size = self.card, self.type_size
        room = self.width - 2 * self.pad
        plain, bold, soft = _font(size), _font(size, bold=True), _font(size - 5)
        lines = [(TITLE[card.tier], bold, LIGHT[card.tier]), (card.label, soft, _SOFT)]
        prompt = card.prompt + (f" “{card.text}”" if card.text else "")
        lines += [(line, plain, _INK) for line in _wrapped(prompt, plain, room)]
        lines += [(line, soft, _SOFT) for line in _wrapped(card.reason, soft, room)]
        lines += [(line, soft, _SOFT) for line in _wrapped(card.image.model, soft, room)]
        return lines

    def _money(self, pen: ImageDraw.ImageDraw, at: Point) -> None:
        """Side by side, or one below the other where the card is narrow."""
        x, y = at
        right = x + self.width - 2 * self.pad
        soft, bold = _font(self.type_size - 5), _font(self.type_size - 2, bold=True)
        pen.line((x, y - 14, right, y - 14), fill=_LINE, width=2)
        quote = self.card.quote
        rows = [("Quoted", quote.total), ("At most", self.card.ceiling), ("Charged", self.card.cost.total)]
        places = [(x, "la"), ((x + right) // 2, "ma"), (right, "ra")]
        for (label, amount), (place, anchor) in zip(rows, places, strict=True):
            if self.small:
                pen.text((x, y), label, font=soft, fill=_SOFT)
                pen.text((right, y), show_usd(amount), font=bold, fill=_INK, anchor="ra")
                y += self._step
            else:
                pen.text((place, y), label, font=soft, fill=_SOFT, anchor=anchor)
                pen.text((place, y + self._step), show_usd(amount), font=bold, fill=_INK, anchor=anchor)

    @property
    def _step(self) -> int:
        return round(self.type_size * 1.2)

    @property
    def _money_height(self) -> int:
        return self._step * (3 if self.small else 2)

    def _shrunk(self) -> Image.Image:
        with Image.open(io.BytesIO(self.card.image.data)) as picture:
            return picture.convert("RGB").resize(
                (self.width, self.picture_height), Image.Resampling.LANCZOS, reducing_gap=2.0
            )

    def _mask(self) -> Image.Image:
        """Rounded above, straight below."""
        mask = Image.new("L", (self.width, self.picture_height))
        box = (0, 0, self.width - 1, self.picture_height + 40)
        ImageDraw.Draw(mask).rounded_rectangle(box, 20, fill=255)
        return mask


def _head(pen: ImageDraw.ImageDraw, sheet: Sheet) -> None:
    pen.text((_MARGIN, 64), "image-router", font=_font(32, bold=True), fill=_SOFT)
    pen.text((_MARGIN, 100), sheet.title, font=_font(104, bold=True), fill=_INK)
    pen.line((_MARGIN, 244, _WIDTH - _MARGIN, 244), fill=_LINE, width=3)
    x = _MARGIN
    for label, value in sheet.figures:
        pen.text((x, 262), label, font=_font(27), fill=_SOFT)
        pen.text((x, 294), value, font=_font(44, bold=True), fill=_INK)
        x += max(int(_font(44, bold=True).getlength(value)), int(_font(27).getlength(label))) + 84


def _heading(pen: ImageDraw.ImageDraw, text: str, top: int) -> int:
    """Write a section's heading; answers where the section begins."""
    pen.text((_MARGIN, top + 44), text, font=_font(44, bold=True), fill=_INK)
    return top + _HEADING


def _grid_height(tiles: Sequence[_Tile], columns: int) -> int:
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    return sum(max(tile.height for tile in row) + _GAP for row in rows)


def _grid(picture: Image.Image, tiles: Sequence[_Tile], *, columns: int, top: int) -> None:
    for start in range(0, len(tiles), columns):
        row = tiles[start : start + columns]
        height = max(tile.height for tile in row)
        for place, tile in enumerate(row):
            tile.draw(picture, (_MARGIN + place * (tile.width + _GAP), top), height=height)
        top += height + _GAP


def _bill(pen: ImageDraw.ImageDraw, sheet: Sheet, top: int) -> None:
    heads = ["Picture", "Tier", "Model", *(BILL_COLUMNS[kind] for kind in sheet.columns), "Charged"]
    edges = _edges(len(sheet.columns) + 1)
    bottom = top + _ROW * (len(sheet.cards) + 2) + 24
    pen.rounded_rectangle((_MARGIN, top, _WIDTH - _MARGIN, bottom), 20, fill=_CARD, outline=_LINE, width=2)
    y = top + 12
    _row(pen, heads, edges, y, font=_font(26), fill=_SOFT)
    for card in sheet.cards:
        y += _ROW
        pen.line((_MARGIN + 2, y, _WIDTH - _MARGIN - 2, y), fill=_LINE, width=2)
        dot = (edges[1] - 34, y + 17, edges[1] - 14, y + 37)
        pen.ellipse(dot, fill=LIGHT[card.tier])
        _row(pen, [card.file, TITLE[card.tier], card.image.model, *_amounts(sheet, [card])], edges, y)
    y += _ROW
    pen.line((_MARGIN + 2, y, _WIDTH - _MARGIN - 2, y), fill=_INK, width=4)
    total = [f"{len(sheet.cards)} pictures", "", "", *_amounts(sheet, sheet.cards)]
    _row(pen, total, edges, y + 4, font=_font(28, bold=True))


def _edges(sums: int) -> list[int]:
    """Left edges of the three word columns, right edges of the sums."""
    right = _WIDTH - _MARGIN - 32
    step = 285
    return [_MARGIN + 32, _MARGIN + 476, _MARGIN + 810, *(right - step * (sums - 1 - n) for n in range(sums))]


def _row(
    pen: ImageDraw.ImageDraw,
    cells: Sequence[str],
    edges: Sequence[int],
    y: int,
    *,
    font: FreeTypeFont | None = None,
    fill: str = _INK,
) -> None:
    for place, (cell, edge) in enumerate(zip(cells, edges, strict=True)):
        anchor = "lm" if place < 3 else "rm"
        pen.text((edge, y + _ROW // 2 + 1), cell, font=font or _font(28), fill=fill, anchor=anchor)


def _amounts(sheet: Sheet, cards: Iterable[Card]) -> list[str]:
    listed = list(cards)
    parts = [amount_of(kind, listed) for kind in sheet.columns]
    return [show_usd(part) if part else "–" for part in (*parts, sum(card.cost.total for card in listed))]


def _foot(pen: ImageDraw.ImageDraw, sheet: Sheet, y: int) -> None:
    pen.text((_MARGIN, y), sheet.verdict, font=_font(28, bold=True), fill=_INK, anchor="lm")
    note = f"Models and prices of {sheet.day}, rate card {sheet.rate_card}. Drawn by the emulator."
    pen.text((_WIDTH - _MARGIN, y), note, font=_font(26), fill=_SOFT, anchor="rm")


@cache
def _font(size: int, *, bold: bool = False) -> FreeTypeFont:
    return ImageFont.truetype(RobotoBold if bold else Roboto, size)


def _wrapped(text: str, font: FreeTypeFont, room: int) -> list[str]:
    """Greedy lines; a word longer than the room is cut at the letter that still fits."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= room:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        while font.getlength(word) > room:
            fits = next(n for n in range(len(word), 0, -1) if font.getlength(word[:n]) <= room)
            lines[-1], word = word[:fits], word[fits:]
            lines.append("")
        lines[-1] = word
    return lines
