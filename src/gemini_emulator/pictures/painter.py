"""From a brief to an image file: plan, backdrop, subject, weather, writing, badge, mark, encoding.

Pure and deterministic: the same brief gives the same bytes. Blocking; safe to call from many threads.
"""

from __future__ import annotations

from dataclasses import replace

from PIL import Image, ImageDraw

from gemini_emulator.pictures.backdrop import paint_open_air
from gemini_emulator.pictures.brief import Brief
from gemini_emulator.pictures.easel import Easel, Veil
from gemini_emulator.pictures.encode import encode, marked_in_metadata
from gemini_emulator.pictures.indoors import paint_indoors
from gemini_emulator.pictures.lettering import Box, write
from gemini_emulator.pictures.poster import paint_poster, palette_of
from gemini_emulator.pictures.references import Given, given_by, pin_up
from gemini_emulator.pictures.scene import Scene, plan
from gemini_emulator.pictures.staging import Stage, place_subject, stage_for
from gemini_emulator.pictures.typefaces import font
from gemini_emulator.pictures.watermark import Mark, embedded, recognise
from gemini_emulator.pictures.weather import paint_motes, paint_weather

BADGE = "EMULATED"


def paint(brief: Brief) -> bytes:
    """Paint the brief: an encoded file of exactly `width` by `height` pixels."""
    given = given_by(brief.references)
    scene = plan(brief, given.known)
    scene = replace(scene, colours=(*scene.colours, *given.palette))
    pixels = embedded(_picture(brief, scene, given), Mark(genome=scene.genome, place=scene.place))
    return encode(pixels, brief.media_type)


def is_emulated(data: bytes) -> bool:
    """Whether a picture says, in its metadata or in its pixels, that this emulator made it."""
    return marked_in_metadata(data) or recognise(data) is not None


def _picture(brief: Brief, scene: Scene, given: Given) -> Image.Image:
    easel = Easel(brief.width, brief.height, detail=scene.detail, draft=scene.draft)
    stage = stage_for(easel, scene, lettered=bool(brief.letters))
    if scene.theme == "poster":
        paint_poster(easel, scene, lettered=bool(brief.letters))
    else:
        (paint_indoors if scene.setting.indoors else paint_open_air)(easel, scene)
        easel.tint = Veil(scene.light.tint, scene.light.share * 0.3)
        place_subject(easel, scene, stage=stage, companions=given.companions)
        easel.tint = None
        paint_weather(easel, scene)
        if scene.detail > 3 and not scene.setting.indoors:
            paint_motes(easel, scene)
    image = easel.finished()
    if given.photos:
        pin_up(image, given.photos, large=scene.theme == "poster" or given.known is None)
    if brief.letters:
        _letter(image, brief, scene, stage)
    _badge(image, draft=scene.draft)
    return image


def _letter(image: Image.Image, brief: Brief, scene: Scene, stage: Stage) -> None:
    left, top, right, bottom = stage.text
    box: Box = (
        round(left * image.width), round(top * image.height),
        round(right * image.width), round(bottom * image.height),
    )  # fmt: skip
    if scene.theme == "poster":
        margin = round(min(image.size) * 0.05)
        panel = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
        ImageDraw.Draw(image).rectangle(panel, fill=palette_of(scene)[0])
    write(image, brief.letters, box=box, grade=brief.text_grade, dice=scene.dice("letters"))


def _badge(image: Image.Image, *, draft: bool) -> None:
    """A dark pill in the lower right corner, legible at every size."""
    size = max(6, min(round(min(image.size) * 0.026) + 4, image.width // 7))
    face = font(size)
    text = f"{BADGE} DRAFT" if draft else BADGE
    if face.getlength(text) > image.width * 0.9:
        text = BADGE
    pad = max(2, size // 2)
    wide, high = round(face.getlength(text)) + 2 * pad, round(size * 1.75)
    right, bottom = image.width - pad, image.height - pad
    draw = ImageDraw.Draw(image)
    corner = (right - wide, bottom - high, right, bottom)
    draw.rounded_rectangle(
        corner, radius=high // 2, fill=(24, 24, 32), outline=(246, 244, 238), width=max(1, size // 14)
    )
    draw.text(
        ((corner[0] + right) / 2, (corner[1] + bottom) / 2), text, font=face, fill=(255, 214, 92), anchor="mm"
    )
