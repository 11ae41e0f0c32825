"""What is kept of pictures, and what one request wants of the cache."""

from __future__ import annotations

from enum import StrEnum

from image_router.core.types import ImageRequest


class StoreMode(StrEnum):
    """What is kept of the pictures of a scope."""

    ALL = "all"
    METADATA = "metadata"
    """Prompt, decision and cost; no bytes."""
    NONE = "none"
    """Nothing but the ledger's amounts and, for a key, that its work is done."""


class CacheMode(StrEnum):
    """What one request wants of the cache."""

    USE = "use"
    REFRESH = "refresh"
    """Pay anew, and let the new picture replace the old one."""
    BYPASS = "bypass"
    """Pay anew, and leave the cache as it is."""


def wanted_of_cache(request: ImageRequest, said: CacheMode | None) -> CacheMode:
    """What a request wants where nobody said it: with a seed the same picture again, else another one."""
    if said is not None:
        return said
    return CacheMode.BYPASS if request.seed is None else CacheMode.USE
