"""Pictures, results and refusals as records of our own: compressed JSON, and pieces stored by digest.

engine/views shows results to people; these records are for reading back, equal to what was written.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from image_router.core.errors import ProviderError, StorageError, StorageProblem
from image_router.core.results import Attempt, GeneratedImage, ImageResult
from image_router.core.types import ImageRequest
from image_router.storage.codec import Pieces, packed, unpacked

FORMAT: Final = 1

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What goes into a row, and the pieces it needs to become a value again."""

    data: bytes = field(repr=False)
    pieces: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Kind(Generic[V]):
    """One kind of record."""

    name: str
    type: type[V]

    def write(self, value: V) -> Record:
        """The value as a record; equal values give equal bytes."""
        pieces: Pieces = {}
        document = {"format": FORMAT, "kind": self.name, "value": packed(value, pieces)}
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return Record(data=zlib.compress(text.encode(), 3), pieces=pieces)

    def read(self, data: bytes, pieces: Mapping[str, bytes]) -> V:
        """The value. Raises StorageError for a newer, other or damaged record, KeyError naming a piece that
        is not given."""
        value: V = unpacked(self.type, self._value(data), pieces=pieces)
        return value

    def needs(self, data: bytes) -> frozenset[str]:
        """Digests of all pieces of a record."""
        return frozenset(_pieces_of(self._value(data)))

    def _value(self, data: bytes) -> Any:
        try:
            document = json.loads(zlib.decompress(data))
            form, kind, value = document["format"], document["kind"], document["value"]
        except (zlib.error, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"a stored {self.name} is damaged: {error}", problem=StorageProblem.CORRUPT
            ) from None
        if form > FORMAT:
            raise StorageError(
                f"a stored {self.name} has format {form} and this program reads {FORMAT}: update it",
                problem=StorageProblem.NEWER_SCHEMA,
            )
        if kind != self.name:
            raise StorageError(
                f"a stored record is a {kind}, not a {self.name}", problem=StorageProblem.CORRUPT
            )
        return value


IMAGE: Final = Kind("image", GeneratedImage)
RESULT: Final = Kind("result", ImageResult)
REFUSAL: Final = Kind("refusal", ProviderError)
REQUEST: Final = Kind("request", ImageRequest)
ATTEMPT: Final = Kind("attempt", Attempt)


def _pieces_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        if value.keys() == {"piece"}:
            return [value["piece"]]
        return [digest for item in value.values() for digest in _pieces_of(item)]
    if isinstance(value, list):
        return [digest for item in value for digest in _pieces_of(item)]
    return []
