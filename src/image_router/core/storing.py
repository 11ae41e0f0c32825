"""What is kept of pictures, and what one request wants of the cache."""

from __future__ import annotations

from enum import StrEnum


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
