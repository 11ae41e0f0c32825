"""Who pays: paths of organisation, project and key, of any depth up to eight."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from image_router.core.errors import InvalidRequest

MAX_DEPTH: Final = 8
_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+:-]{0,63}")


@lru_cache(maxsize=4096)
def scope_path(scope: str) -> tuple[str, ...]:
    """The scope and all above it, outermost first: 'acme/studio-a' → acme, acme/studio-a.

    Raises InvalidRequest for an empty, too deep or oddly spelled scope.
    """
    segments = scope.split("/")
    if len(segments) > MAX_DEPTH or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise InvalidRequest(
            f"scope {scope!r} is not a path like acme/studio-a/key-7: up to {MAX_DEPTH} names of at most 64 "
            f"letters, digits and ._@+:- each, starting with a letter or digit"
        )
    return tuple("/".join(segments[: depth + 1]) for depth in range(len(segments)))


def within(scope: str) -> tuple[str, str]:
    """Lower (inclusive) and upper (exclusive) bound, by code point, of the names of all below a scope."""
    return f"{scope}/", f"{scope}0"
