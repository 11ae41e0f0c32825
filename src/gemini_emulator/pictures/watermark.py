"""The invisible mark: 120 bits in the brightness of 128 by 128 cells, two levels up or down.

48 bits are a genome, 56 a place, 16 a checksum. Each bit is spread over 136 scattered cells, so it
outlives JPEG and resizing; cropping kills it. It stands in for SynthID without being it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gemini_emulator.pictures.decode import decoded
from gemini_emulator.pictures.genome import GENOME_BITS, Genome
from gemini_emulator.pictures.place import PLACE_BITS, Place

CELLS = 128
STRENGTH = 2
_CHECK_BITS = 16
_SALT = b"gemini_emulator pictures 2"

_MARK_BITS = GENOME_BITS + PLACE_BITS
_BITS = _MARK_BITS + _CHECK_BITS

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a picture says of itself: who is in it, and where."""

    genome: Genome
    place: Place


def embedded(picture: Image.Image, mark: Mark) -> Pixels:
    """The picture as an (height, width, 3) array with the mark in it."""
    number = mark.genome.pack() << PLACE_BITS | mark.place.pack()
    payload = number << _CHECK_BITS | _checksum(number)
    bits = np.array([payload >> shift & 1 for shift in range(_BITS)], dtype=np.int8)
    owner, chip = _layout()
    # Two's complement: adding 254 to a byte takes two away, so one unsigned addition serves both signs.
    cells = ((2 * bits[owner] - 1) * chip * STRENGTH).astype(np.int8).view(np.uint8)
    pixels: Pixels = np.clip(np.asarray(picture), STRENGTH, 255 - STRENGTH)
    height, width = pixels.shape[:2]
    columns = np.repeat(np.arange(width) * CELLS // width, 3)
    rows = np.arange(CELLS + 1) * height // CELLS
    flat = pixels.reshape(height, width * 3)
    for cell in range(CELLS):
        flat[rows[cell] : rows[cell + 1]] += cells[cell, columns]
    return pixels


def recognise(data: bytes) -> Mark | None:
    """The mark an encoded picture carries, or None when it carries none (or is no picture)."""
    picture = decoded(data, about=1024)
    if picture is None:
        return None
    grey = picture.convert("L").resize((CELLS, CELLS), Image.Resampling.BOX)
    level = np.asarray(grey, dtype=np.float64)
    padded = np.pad(level, 1, mode="edge")
    around = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4
    residue = np.clip(level - around, -2 * STRENGTH, 2 * STRENGTH)
    owner, chip = _layout()
    votes = np.bincount(owner.ravel(), weights=(residue * chip).ravel(), minlength=_BITS)
    payload = sum(int(vote > 0) << shift for shift, vote in enumerate(votes))
    number = payload >> _CHECK_BITS
    if payload & (1 << _CHECK_BITS) - 1 != _checksum(number):
        return None
    return Mark(
        genome=Genome.unpack(number >> PLACE_BITS), place=Place.unpack(number & (1 << PLACE_BITS) - 1)
    )


def _checksum(number: int) -> int:
    return zlib.crc32(_SALT + number.to_bytes(_MARK_BITS // 8)) & (1 << _CHECK_BITS) - 1


@cache
def _layout() -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Which bit each cell belongs to, and whether it carries it upright (1) or turned over (-1)."""
    scatter = np.random.Generator(np.random.PCG64(0x6E616E6F))
    owner = scatter.permutation(CELLS * CELLS).reshape(CELLS, CELLS) % _BITS
    chip = (scatter.integers(0, 2, (CELLS, CELLS)) * 2 - 1).astype(np.int8)
    return owner, chip
