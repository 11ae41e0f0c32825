"""Frozen dataclasses ⇄ plain JSON, led by their type hints. Bytes and long texts become pieces, by digest.

Nothing is guessed: a field or enum value this program does not know was written by a newer one and is
refused; a field that was not yet known when the record was written takes its default.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from image_router.core.errors import (
    AllAttemptsFailed,
    ContentRefused,
    CostLimitExceeded,
    ImageRouterError,
    ModelRetired,
    NoImageReturned,
    ProviderError,
    StorageError,
    StorageProblem,
)
from image_router.core.results import Attempt

Pieces = dict[str, bytes]
"""sha256 in hexadecimal → the bytes."""

LONG_TEXT: Final = 16_384
"""Characters from which a text is a piece: thought signatures take megabytes."""
_PIECE: Final = "piece"
_PLAIN: Final = frozenset({int, float, bool, type(None)})


def packed(value: Any, pieces: Pieces) -> Any:
    """A value as JSON; whatever is too big for it is added to `pieces`."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is str:
        return _packed_text(value, pieces) if len(value) > LONG_TEXT else value
    if issubclass(kind, Enum):
        return value.value
    if kind is tuple:
        return [packed(item, pieces) for item in value]
    if is_dataclass(kind):
        return {name: packed(getattr(value, name), pieces) for name in _fields_of(kind)}
    if kind is bytes:
        return {_PIECE: _put(value, pieces)}
    if kind is frozenset:
        return sorted(packed(item, pieces) for item in value)
    if kind is date:
        return value.isoformat()
    if isinstance(value, Mapping):
        return {packed(key, pieces): packed(item, pieces) for key, item in value.items()}
    if isinstance(value, ImageRouterError):
        return _packed_error(value, pieces)
    raise TypeError(f"{kind.__name__} has no place in a record")


def _packed_text(text: str, pieces: Pieces) -> dict[str, str]:
    return {_PIECE: _put(text.encode("utf-8", "surrogatepass"), pieces)}


def unpacked(kind: Any, data: Any, *, pieces: Mapping[str, bytes]) -> Any:
    """The value of this type. Raises StorageError for a record of a newer program or a broken one, KeyError
    naming the digest of a piece that is not given."""
    if kind in _PLAIN:
        return _expected(data, kind)
    origin, inner = _shape_of(kind)
    if origin is None:
        return _unpacked_class(kind, data, pieces)
    if origin in (Union, types.UnionType):
        chosen = next(arg for arg in inner if arg is not type(None))
        return None if data is None else unpacked(chosen, data, pieces=pieces)
    if origin in (tuple, frozenset):
        return origin(unpacked(inner[0], item, pieces=pieces) for item in _expected(data, list))
    pairs = _expected(data, dict).items()
    return {
        unpacked(inner[0], key, pieces=pieces): unpacked(inner[1], item, pieces=pieces) for key, item in pairs
    }


@lru_cache(maxsize=256)
def _shape_of(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(kind), get_args(kind)


def _unpacked_class(kind: Any, data: Any, pieces: Mapping[str, bytes]) -> Any:
    if is_dataclass(kind):
        return _unpacked_dataclass(kind, _expected(data, dict), pieces)
    if issubclass(kind, ImageRouterError):
        return _unpacked_error(_expected(data, dict), pieces)
    if isinstance(data, dict) and kind in (bytes, str):
        found = pieces[data[_PIECE]]
        return found if kind is bytes else found.decode("utf-8", "surrogatepass")
    if issubclass(kind, Enum):
        try:
            return kind(data)
        except ValueError:
            raise _newer(f"{kind.__name__} {data!r}") from None
    if kind is date:
        return date.fromisoformat(_expected(data, str))
    return _expected(data, kind)


def _unpacked_dataclass(kind: Any, data: dict[str, Any], pieces: Mapping[str, bytes]) -> Any:
    known = _fields_of(kind)
    if unknown := data.keys() - known.keys():
        raise _newer(f"{kind.__name__}.{min(unknown)}")
    for name in known.keys() - data.keys():
        if not _has_default(known[name][0]):
            raise _broken(f"{kind.__name__}.{name} is missing")
    return kind(**{name: unpacked(known[name][1], item, pieces=pieces) for name, item in data.items()})


@lru_cache(maxsize=256)
def _fields_of(kind: Any) -> dict[str, tuple[Field[Any], Any]]:
    hints = get_type_hints(kind)
    return {field.name: (field, hints[field.name]) for field in fields(kind)}


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _packed_error(error: ImageRouterError, pieces: Pieces) -> dict[str, Any]:
    if not isinstance(error, ProviderError):
        # Their words alone: what else they carry is of the moment, such as a budget's state.
        above = (kind for kind in type(error).__mro__ if issubclass(kind, ImageRouterError))
        told = next(kind for kind in above if kind not in _NEEDING_MORE)
        return {"code": told.code, "message": str(error)}
    record: dict[str, Any] = {
        "code": error.code,
        "message": str(error),
        "model": error.model,
        "retry_after": error.retry_after,
        "attempts": packed(error.attempts, pieces),
    }
    if isinstance(error, ContentRefused):
        record |= {"reason": error.reason, "words": error.words}
    if isinstance(error, NoImageReturned):
        record["text"] = error.text
    if isinstance(error, AllAttemptsFailed):
        record["failures"] = packed(error.failures, pieces)
    return record


_NEEDING_MORE: Final = frozenset({ModelRetired, CostLimitExceeded})
_ERROR_FIELDS: Final = frozenset(
    {"code", "message", "model", "retry_after", "attempts", "reason", "words", "text", "failures"}
)


def _unpacked_error(data: dict[str, Any], pieces: Mapping[str, bytes]) -> ImageRouterError:
    if unknown := data.keys() - _ERROR_FIELDS:
        raise _newer(f"error.{min(unknown)}")
    kind = _error_kinds().get(data["code"])
    if kind is None:
        raise _newer(f"error {data['code']!r}")
    if not issubclass(kind, ProviderError):
        return kind(data["message"])
    attempts = unpacked(tuple[Attempt, ...], data["attempts"], pieces=pieces)
    if issubclass(kind, AllAttemptsFailed):
        failures = unpacked(tuple[ImageRouterError, ...], data["failures"], pieces=pieces)
        return kind(data["message"], failures=failures, attempts=attempts)
    error = kind(data["message"], model=data["model"], retry_after=data["retry_after"], attempts=attempts)
    for name in ("reason", "words", "text"):
        if name in data:
            setattr(error, name, data[name])
    return error


@lru_cache(maxsize=1)
def _error_kinds() -> dict[str, type[ImageRouterError]]:
    kinds, found = [ImageRouterError], {}
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__ == ImageRouterError.__module__:
            found[kind.code] = kind
    return found


def _put(data: bytes, pieces: Pieces) -> str:
    digest = hashlib.sha256(data).hexdigest()
    pieces[digest] = data
    return digest


def _expected(data: Any, kind: type) -> Any:
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:
        raise _broken(f"{data!r:.60} is not {kind.__name__}")
    return data


def _newer(what: str) -> StorageError:
    return StorageError(
        f"a stored record holds {what}, which this program does not know: a newer version wrote it; update "
        f"this one",
        problem=StorageProblem.NEWER_SCHEMA,
    )


def _broken(what: str) -> StorageError:
    return StorageError(f"a stored record is damaged: {what}", problem=StorageProblem.CORRUPT)
