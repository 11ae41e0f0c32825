"""What the references give: a known subject, companions, and foreign photos as framed cut-outs."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from gemini_emulator.pictures.colour import RGB
from gemini_emulator.pictures.decode import decoded
from gemini_emulator.pictures.genome import Genome
from gemini_emulator.pictures.watermark import Mark, recognise

MOST_INSETS = 4
MOST_COMPANIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """`known` is the first mark that could be read; `palette` comes from the pictures without one."""

    known: Mark | None
    companions: tuple[Genome, ...]
    photos: tuple[Image.Image, ...]
    palette: tuple[RGB, ...]


def given_by(references: tuple[bytes, ...]) -> Given:
    """Read the references. Bytes that are no picture count as absent: the server has judged them."""
    marks: list[Mark] = []
    photos: list[Image.Image] = []
    for data in references:
        mark = recognise(data)
        photo = None if mark else decoded(data, about=512)
        if mark and mark.genome not in [other.genome for other in marks]:
            marks.append(mark)
        if photo:
            photos.append(ImageOps.fit(photo, (512, 512)))
    return Given(
        known=marks[0] if marks else None,
        companions=tuple(mark.genome for mark in marks[1 : 1 + MOST_COMPANIONS]),
        photos=tuple(photos[:MOST_INSETS]),
        palette=_palette(photos[0]) if photos else (),
    )


def _palette(photo: Image.Image) -> tuple[RGB, ...]:
    """Three colours of a photo, the most frequent first."""
    few = photo.resize((48, 48)).quantize(3)
    flat = few.getpalette() or []
    counts = few.getcolors() or []
    order = [place for _, place in sorted(counts, reverse=True) if isinstance(place, int)]
    return tuple((flat[3 * place], flat[3 * place + 1], flat[3 * place + 2]) for place in order)


def pin_up(canvas: Image.Image, photos: tuple[Image.Image, ...], *, large: bool) -> None:
    """Hang the photos, framed and slightly askew, in the upper left (or one large in the middle)."""
    short = min(canvas.size)
    side = round(short * (0.5 if large else 0.2))
    for place, photo in enumerate(photos):
        print_ = _framed(photo, side, lean=(-4, 3, -2, 5)[place])
        x, y = round(short * 0.04), round(short * 0.04) + place * round(side * 1.12)
        if large:
            x, y = (canvas.width - print_.width) // 2, (canvas.height - print_.height) // 2
            large, side = False, round(short * 0.2)
        canvas.paste(print_, (x, y), print_)


def _framed(photo: Image.Image, side: int, *, lean: float) -> Image.Image:
    rim = max(2, side // 14)
    card = Image.new("RGBA", (side, side + rim), (250, 248, 242, 255))
    card.paste(photo.resize((side - 2 * rim, side - 2 * rim)), (rim, rim))
    ImageDraw.Draw(card).rectangle((0, 0, side - 1, side + rim - 1), outline=(206, 200, 190, 255))
    return card.rotate(lean, Image.Resampling.BICUBIC, expand=True)
