"""What shapes the pixels, as one digest: the same fingerprint asks for the same picture.

Three questions, three digests: `fingerprint` for the manifest of a run's folder, `cache_key` for a picture a
model made in one way, `request_fingerprint` for what a caller named with an idempotency key. All are sha256
in hexadecimal; references and pictures of earlier turns count by the sha256 of their bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from image_router.core.decision import Candidate, Compression
from image_router.core.types import Adaptation, ImageRequest, Reference

_NOT_IN_THE_PICTURE: Final = frozenset(
    {"n", "lane", "max_cost", "max_total", "deadline", "scope", "key", "retired", "drafts"}
)
NOT_SENT: Final = _NOT_IN_THE_PICTURE | {
    # The cache key names what was allowed, and how the prompt was shortened, by itself.
    "allow",
    "compress",
    # They choose a model, which the cache key names itself.
    "purpose",
    "tier",
    "model",
    "text_heavy",
    "quality_floor",
    "identity_locked",
    "language",
    # They are sent as the candidate's parameters.
    "size",
    "aspect",
    "thinking",
}
"""Fields of a request that do not reach the model; a new field counts until it is listed here."""
NOT_THE_WORK: Final = frozenset(
    {"key", "scope", "deadline", "max_cost", "max_total", "lane", "retired", "compress", "drafts"}
)
"""Fields that say when, for how much or under which name, not what."""

_WORDS: Final = frozenset({"prompt", "system_instruction"})
_QUOTED: Final = re.compile('("[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»)')


def fingerprint(request: ImageRequest) -> str:
    """What a run's folder knows a picture by: every field that shapes it."""
    return _digest({"kind": "item 1", "request": _shape(request, without=_NOT_IN_THE_PICTURE)})


def cache_key(
    request: ImageRequest,
    candidate: Candidate,
    *,
    policy: str,
    allowed: Iterable[Adaptation] = (),
    index: int = 0,
    compression: Compression | None = None,
) -> str:
    """The picture that one candidate makes of a request.

    `policy` is its name and version, `allowed` the rewritings that its attempts may make, `index` says which
    of the n images. A shortened prompt counts as the one it was made of, with who shortens it how far: the
    answer is known before anything is paid. Whatever a request holds counts, except NOT_SENT; words are
    compared as `normalised`.
    """
    return _digest(
        {
            "kind": "picture 1",
            "request": _shape(request, without=NOT_SENT),
            "model": candidate.model.id,
            "parameters": _whole(candidate.parameters),
            "adapted": sorted(change.kind.value for change in candidate.adapted),
            "allowed": sorted(kind.value for kind in allowed),
            "policy": policy,
            "index": index,
            **_shortening(candidate, compression),
        }
    )


def _shortening(candidate: Candidate, step: Compression | None) -> dict[str, Any]:
    """Nothing where the prompt goes as it was asked: keys of before compression stay as they are."""
    kinds = (change.kind for change in candidate.adapted)
    if step is None or step.model is None or Adaptation.COMPRESS_PROMPT not in kinds:
        return {}
    return {"compressed": [step.model.id, step.target]}


def request_fingerprint(request: ImageRequest, *, profile: str | None = None, body: str | None = None) -> str:
    """What the caller asked for under a key: every field except NOT_THE_WORK, and the profile's name.

    `body` is the sha256 of a body that is sent as the caller wrote it.
    """
    written = {} if body is None else {"body": body}
    shape = _shape(request, without=NOT_THE_WORK)
    return _digest({"kind": "work 1", "request": shape, "profile": profile, **written})


def normalised(words: str) -> str:
    """Words as they are compared: Unicode NFC, white space at the ends dropped and inside made one space.

    Between double quotes white space stays, since it may be meant letter for letter. Case always counts.
    """
    pieces = _QUOTED.split(unicodedata.normalize("NFC", words))
    # split() puts what the pattern captured at the odd places.
    pieces[::2] = [re.sub(r"\s+", " ", piece) for piece in pieces[::2]]
    return "".join(pieces).strip()


def _shape(request: ImageRequest, *, without: frozenset[str]) -> dict[str, Any]:
    """What is not left at its default: a field that a later version adds changes no digest of today."""
    return {
        field.name: _named(field.name, value)
        for field in fields(request)
        if field.name not in without and (value := getattr(request, field.name)) != field.default
    }


def _named(name: str, value: Any) -> Any:
    if name in _WORDS and isinstance(value, str):
        return normalised(value)
    if name == "text" and isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    return _whole(value)


def _whole(value: Any) -> Any:
    """The value as JSON, nothing left out but the bytes and names of references."""
    if isinstance(value, Reference):
        return [value.digest, value.role.value]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_whole(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(_whole(item) for item in value)
    if is_dataclass(value):
        return {field.name: _whole(getattr(value, field.name)) for field in fields(value)}
    return value


def _digest(shape: dict[str, Any]) -> str:
    # Escaped to ASCII: a lone surrogate in a prompt has no UTF-8 form.
    return hashlib.sha256(json.dumps(shape, sort_keys=True, allow_nan=False).encode()).hexdigest()
