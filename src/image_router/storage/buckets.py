"""A bucket of S3, Google Cloud or Azure as an object store, through obstore (extra `buckets`)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from image_router.core.budget import Micros, to_micros
from image_router.core.errors import AssetError, ConfigError
from image_router.storage.objects import Listed

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

T = TypeVar("T")

# Stated, since the driver's own defaults made calls hang: https://github.com/developmentseed/obstore/issues/475
_TIMEOUT: Final = timedelta(seconds=60)
_CONNECT: Final = timedelta(seconds=5)
_TRIES: Final = 4
_PATIENCE: Final = timedelta(seconds=90)


class Bucket:
    """An object is durable once its bucket has answered; a bucket writes wholly or not at all."""

    def __init__(self, url: str, *, options: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self.where = f"{parts.scheme}://{parts.hostname}{parts.path}"
        config = dict(options or {})
        # The driver reads its own variables, but for those of the client, since it is told ours.
        plain = config.pop("allow_http", os.environ.get("AWS_ALLOW_HTTP", "")).lower() == "true"
        client: ClientConfig = {"allow_http": plain, "timeout": _TIMEOUT, "connect_timeout": _CONNECT}
        retries: RetryConfig = {"max_retries": _TRIES, "retry_timeout": _PATIENCE}
        given: Any = config
        try:
            self._store = from_url(url, config=given, client_options=client, retry_config=retries)
        except (BaseError, ValueError) as error:
            raise ConfigError(f"the bucket {self.where} cannot be opened: {_first_line(error)}") from error

    async def put(self, name: str, data: bytes, *, replace: bool = False) -> bool:
        mode: Any = "overwrite" if replace else "create"
        try:
            await obstore.put_async(self._store, name, data, mode=mode)
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            raise self._failed(name, error) from error
        return True

    async def get(self, name: str) -> bytes | None:
        try:
            found = await obstore.get_async(self._store, name)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self._failed(name, error) from error

    async def size(self, name: str) -> int | None:
        found = await self._unless_missing(name, obstore.head_async(self._store, name))
        return None if found is None else found["size"]

    async def delete(self, name: str) -> None:
        await self._unless_missing(name, obstore.delete_async(self._store, name))

    async def move(self, name: str, to: str) -> bool:
        if await self.size(name) is None:
            return False
        # Copied, then deleted: whatever instant it stops at, one of the two is there.
        await self._unless_missing(name, obstore.rename_async(self._store, name, to))
        return True

    async def list(self, folder: str) -> AsyncIterator[Listed]:
        try:
            async for batch in obstore.list(self._store, folder):
                for meta in batch:
                    changed = to_micros(meta["last_modified"])
                    yield Listed(name=meta["path"], size=meta["size"], changed_at=changed)
        except (BaseError, OSError) as error:
            raise self._failed(folder, error) from error

    async def tidy(self, before: Micros) -> int:
        """Nothing: a bucket shows no unfinished uploads as objects."""
        return 0

    async def _unless_missing(self, name: str, call: Awaitable[T]) -> T | None:
        try:
            return await call
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self._failed(name, error) from error

    def _failed(self, name: str, error: Exception) -> AssetError:
        return AssetError(f"the store {self.where} cannot be used for {name}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300] or type(error).__name__
