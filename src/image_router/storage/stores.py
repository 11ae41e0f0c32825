"""From an address to the store of bytes at that place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from image_router.core.errors import ConfigError
from image_router.storage.objects import Folder, ObjectStore


def open_store(address: str | Path, *, options: Mapping[str, str] | None = None) -> ObjectStore:
    """The store at a path, or at s3://, gs://, az:// or file:// URLs. Nothing is contacted yet.

    `options` are those of the bucket's driver; credentials are also found where its own tools look. Raises
    ConfigError for another address or a missing extra.
    """
    if isinstance(address, Path) or "://" not in address:
        return Folder(Path(address))
    parts = urlsplit(address)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Folder(Path(unquote(parts.path)))
    if parts.scheme not in ("s3", "gs", "az") or not parts.netloc:
        raise ConfigError(
            f"{parts.scheme}:// is no place for pictures: write a path, s3://bucket/folder, "
            f"gs://bucket/folder, az://container/folder or file:///path"
        )
    try:
        from image_router.storage.buckets import Bucket
    except ImportError as error:
        raise ConfigError(
            f"buckets need the extra: pip install 'image-router[buckets]' ({error.name} is missing)"
        ) from None
    return Bucket(address, options=options)
