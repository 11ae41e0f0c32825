"""Pictures kept in memory, the longest unused leaving first. Bounded by bytes and count."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from image_router.core.budget import Micros
from image_router.core.money import Nanos
from image_router.core.results import GeneratedImage

Place = tuple[str, str]
"""Scope and cache key."""


class Kept(Protocol):
    """What is kept; Hit is one."""

    @property
    def image(self) -> GeneratedImage: ...
    @property
    def saved(self) -> Nanos: ...
    @property
    def made_at(self) -> Micros: ...


class Memory:
    """For one event loop. A picture larger than all the room is not kept."""

    def __init__(self, max_bytes: int, max_count: int) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._max_count = max_count
        self._kept: OrderedDict[Place, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, place: Place, made_at: Micros | None) -> Kept | None:
        """The picture of that moment, if it is kept there; any other is dropped."""
        kept = self._kept.get(place)
        if kept is None:
            return None
        if kept.made_at != made_at:
            self._drop(place)
            return None
        self._kept.move_to_end(place)
        return kept

    def put(self, place: Place, kept: Kept) -> None:
        self._drop(place)
        if weight(kept.image) > self._max_bytes:
            return
        self._kept[place] = kept
        self.bytes += weight(kept.image)
        while self.bytes > self._max_bytes or len(self._kept) > self._max_count:
            self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        self._kept.clear()
        self.bytes = 0

    def _drop(self, place: Place) -> None:
        kept = self._kept.pop(place, None)
        if kept is not None:
            self.bytes -= weight(kept.image)


def weight(image: GeneratedImage) -> int:
    """Bytes of a picture with its extras, earlier turns and signatures; what they share counts once."""
    parts = [part for turn in image.conversation.turns for part in turn.parts] if image.conversation else []
    blobs = [image.data, *image.extras, *(part.data for part in parts if part.data is not None)]
    signatures = sum(len(part.signature or "") for part in parts)
    return sum(len(blob) for blob in {id(blob): blob for blob in blobs}.values()) + signatures
