"""Where pictures are made: drawn ones in a worker thread, flat ones on the spot."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections import OrderedDict
from functools import lru_cache

from PIL import Image

from gemini_emulator.asks import Ask, MediaType
from gemini_emulator.settings import PictureStyle
from gemini_emulator.usage import pick
from gemini_emulator.world import Span

_COLOURS = 24
_TAKE = 97
_REMEMBERED = 10_000
_PNG_HEAD = 33  # signature and IHDR, after which a text chunk may stand
_JPEG_HEAD = 20  # SOI and the JFIF segment, after which a comment may stand


class Studio:
    """Paints what an Ask describes. Without a seed every take of the same wish is another picture, as
    with the real models; takes are counted, so that a fresh emulator repeats itself exactly."""

    def __init__(self, style: PictureStyle) -> None:
        self._style = style
        self._takes: OrderedDict[tuple[object, ...], int] = OrderedDict()

    def reset(self) -> None:
        """Forget how often a wish was heard."""
        self._takes.clear()

    async def paint(self, ask: Ask, frame: Span, *, index: int = 0, draft: bool = False) -> bytes:
        """The bytes of one picture of the exact size; `index` tells pictures of one call apart."""
        seed = self._seed(ask, index, draft)
        if self._style == "flat":
            return flat(
                frame, ask.media_type, subject=f"{ask.prompt}|{ask.model.canonical}|{seed}|{index}|{draft}"
            )
        return await asyncio.to_thread(_drawn, ask, frame, seed, draft)

    def _seed(self, ask: Ask, index: int, draft: bool) -> int | None:
        take = 0 if ask.seed is not None else self._take((ask.prompt, ask.model.canonical, index, draft))
        if not index and not take:
            return ask.seed
        first = ask.seed if ask.seed is not None else pick((0, 2**30), ask.prompt)
        return first + index + _TAKE * take

    def _take(self, wish: tuple[object, ...]) -> int:
        heard = self._takes.pop(wish, 0)
        self._takes[wish] = heard + 1
        if len(self._takes) > _REMEMBERED:
            self._takes.popitem(last=False)
        return heard


def _drawn(ask: Ask, frame: Span, seed: int | None, draft: bool) -> bytes:
    from gemini_emulator.pictures import Brief, paint

    return paint(
        Brief(
            prompt=ask.prompt,
            model=ask.model.canonical,
            seed=seed,
            width=frame[0],
            height=frame[1],
            references=ask.drawn_after,
            letters=ask.letters,
            text_grade=ask.model.text_grade,
            media_type=ask.media_type,
            draft=draft,
        )
    )


def flat(frame: Span, media_type: MediaType, *, subject: str) -> bytes:
    """One colour of the exact size, some kB, with the subject's digest inside so that no two are equal."""
    colour = pick((0, _COLOURS - 1), subject)
    digest = f"{pick((0, 2**63), subject):016x}".encode()
    plain = _plain(frame, media_type, colour)
    if media_type == "image/jpeg":
        comment = b"\xff\xfe" + struct.pack(">H", len(digest) + 2) + digest
        return plain[:_JPEG_HEAD] + comment + plain[_JPEG_HEAD:]
    chunk = b"tEXtsubject\0" + digest
    sealed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return plain[:_PNG_HEAD] + sealed + plain[_PNG_HEAD:]


@lru_cache(maxsize=256)
def _plain(frame: Span, media_type: MediaType, colour: int) -> bytes:
    hue = colour * 255 // _COLOURS
    picture = Image.new("HSV", frame, (hue, 140, 200)).convert("RGB")
    out = io.BytesIO()
    if media_type == "image/jpeg":
        picture.save(out, "JPEG", quality=60, dpi=(300, 300))
    else:
        picture.save(out, "PNG", compress_level=6)
    return out.getvalue()
