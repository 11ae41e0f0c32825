"""Writes the requested texts into a finished picture, exactly or garbled by the model's grade."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gemini_emulator.pictures.colour import INK, RGB, WHITE, brightness, mix
from gemini_emulator.pictures.typefaces import Script, font, script_of, units

Box = tuple[int, int, int, int]

_SWAPPED_SHARE = {5: 0.0, 4: 0.0, 3: 0.04, 2: 0.22, 1: 0.45}
_STRANGE = "ЖЯЭИДФЩБЦЮΣΨΞßØÆŁÞ"
_LOOKALIKES = {
    "a": "ɑo", "b": "6d", "c": "ce", "d": "cl", "e": "ǝc", "g": "q9", "i": "l1", "l": "1I", "m": "rn",
    "n": "иh", "o": "0ö", "r": "гn", "s": "5z", "t": "f+", "u": "vц", "y": "vγ", "E": "ЭF", "R": "ЯP",
    "N": "ИH", "S": "5Z", "A": "ДΛ", "O": "ØQ", "T": "ΓI", "M": "ΜW", "L": "Lſ", "B": "8ß",
}  # fmt: skip
_LEADING = 1.14
_SMALLER = 0.52
_GAP = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    text: str
    size: int
    heavy: bool
    script: Script = Script.LATIN

    @property
    def face(self) -> ImageFont.FreeTypeFont:
        return font(self.size, heavy=self.heavy, script=self.script)


def garbled(text: str, grade: int, *, dice: random.Random) -> str:
    """The text as a model of this grade would spell it."""
    share = _SWAPPED_SHARE[grade]
    return "".join(
        _misspelt(letter, grade, dice) if letter.isalnum() and dice.random() < share else letter
        for letter in text
    )


def _misspelt(letter: str, grade: int, dice: random.Random) -> str:
    alike = _LOOKALIKES.get(letter) or _LOOKALIKES.get(letter.lower(), "")
    wrong = [other for other in (alike if grade > 1 and alike else _STRANGE) if other != letter]
    return dice.choice(wrong)


def fitted(texts: tuple[str, ...], *, width: int, height: int) -> list[Line]:
    """Wrap and size the texts so that every line lies within width and height (pixels).

    The first text is the headline; the others are set at about half its size.
    """
    low, high = 5, max(6, min(height, width))
    while high - low > 1:
        middle = (low + high) // 2
        lines = _set(texts, middle, width, whole_words=True)
        if lines is not None and _height(lines) <= height:
            low = middle
        else:
            high = middle
    lines = _set(texts, low, width, whole_words=True)
    return lines if lines is not None else _set(texts, low, width, whole_words=False) or []


def _height(lines: list[Line]) -> float:
    gaps = sum(later.size * _GAP for earlier, later in pairwise(lines) if later.size != earlier.size)
    return sum(line.size * _LEADING for line in lines) + gaps


def _set(texts: tuple[str, ...], size: int, width: int, *, whole_words: bool) -> list[Line] | None:
    """Lines at this headline size; None when a word would have to be broken and must not be."""
    lines: list[Line] = []
    for place, text in enumerate(texts):
        own = size if place == 0 else max(5, round(size * _SMALLER))
        style = Line(text=text, size=own, heavy=place == 0, script=script_of(text))
        wrapped = _wrap(style, width, whole_words=whole_words)
        if wrapped is None:
            return None
        lines += [replace(style, text=line) for line in wrapped]
    return lines


def _wrap(whole: Line, width: int, *, whole_words: bool) -> list[str] | None:
    face = whole.face
    lines: list[str] = []
    for glue, word in units(whole.text, whole.script):
        longer = f"{lines[-1]}{glue}{word}" if lines else word
        if lines and face.getlength(longer) <= width:
            lines[-1] = longer
        elif face.getlength(word) <= width:
            lines.append(word)
        elif whole_words:
            return None
        else:
            lines += _broken(word, face, width)
    return lines


def _broken(word: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    parts = [""]
    for letter in word:
        if parts[-1] and face.getlength(parts[-1] + letter) > width:
            parts.append("")
        parts[-1] += letter
    return parts


def write(image: Image.Image, texts: tuple[str, ...], *, box: Box, grade: int, dice: random.Random) -> None:
    """Write the texts, centred, into the box; the colour is whichever stands out there."""
    spelt = tuple(garbled(" ".join(text.split()), grade, dice=dice) for text in texts if text.strip())
    if not spelt:
        return
    inner = round(0.03 * (box[2] - box[0]))
    lines = fitted(spelt, width=box[2] - box[0] - 2 * inner, height=box[3] - box[1])
    colour, edge = _standing_out(image, box)
    y = box[1] + (box[3] - box[1] - _height(lines)) / 2
    for place, line in enumerate(lines):
        if place and line.size != lines[place - 1].size:
            y += line.size * _GAP
        x = (box[0] + box[2] - line.face.getlength(line.text)) / 2
        _write_line(image, line, (x, y), (colour, edge), wobble=dice if grade <= 2 else None)
        y += line.size * _LEADING


def _standing_out(image: Image.Image, box: Box) -> tuple[RGB, RGB | None]:
    """Ink or white, and an outline in the other one where the ground is busy."""
    ground = np.asarray(image.crop(box).resize((24, 24), Image.Resampling.BOX), dtype=float).reshape(-1, 3)
    mean = ground.mean(axis=0)
    average: RGB = (round(mean[0]), round(mean[1]), round(mean[2]))
    dark = brightness(average) > 150
    busy = float(ground.std(axis=0).max()) > 12
    colour = mix(INK, average, share=0.06) if dark else WHITE
    return colour, (WHITE if dark else mix(INK, average, share=0.25)) if busy else None


def _write_line(
    image: Image.Image,
    line: Line,
    spot: tuple[float, float],
    colours: tuple[RGB, RGB | None],
    *,
    wobble: random.Random | None,
) -> None:
    draw = ImageDraw.Draw(image)
    face = line.face
    colour, edge = colours
    stroke = max(1, line.size // 16) if edge else 0
    pieces = [(line.text, spot)]
    if wobble:
        pieces = [
            (
                letter,
                (
                    spot[0] + face.getlength(line.text[:place]),
                    spot[1] + wobble.uniform(-0.07, 0.07) * line.size,
                ),
            )
            for place, letter in enumerate(line.text)
        ]
    for text, place in pieces:
        draw.text(place, text, font=face, fill=colour, stroke_width=stroke, stroke_fill=edge)
