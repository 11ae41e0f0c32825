"""Named bytes that outlive the process: in a local folder here, in a bucket in buckets.

Names are relative paths with slashes. Knows nothing of pictures, digests or the database.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from image_router.core.budget import SECOND, Micros
from image_router.core.errors import AssetError
from image_router.storage.files import PART, make_folder, sync_folder, write_new, write_whole

T = TypeVar("T")
Walk = Iterator[tuple[str, list[str], list[str]]]
"""As os.walk gives it: folder, folders in it, files in it."""

_NAME = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]*(?:/[0-9A-Za-z_-][0-9A-Za-z._-]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    name: str
    size: int
    """Bytes."""
    changed_at: Micros


class ObjectStore(Protocol):
    """Every method raises AssetError, naming the place, when the store cannot do its work."""

    where: str
    """For people, without secrets."""

    async def put(self, name: str, data: bytes, *, replace: bool = False) -> bool:
        """Store durably, wholly or not at all. Without `replace` an object of that name stays: False."""

    async def get(self, name: str) -> bytes | None: ...

    async def size(self, name: str) -> int | None: ...

    async def delete(self, name: str) -> None:
        """Also fine when it is not there."""

    async def move(self, name: str, to: str) -> bool:
        """Rename, over what may be there, and count as changed now; False when there is nothing to move."""

    def list(self, folder: str) -> AsyncIterator[Listed]: ...

    async def tidy(self, before: Micros) -> int:
        """Remove what interrupted writers left behind; how many."""


class Folder:
    """A local folder. Blocking work runs in threads."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path

    async def put(self, name: str, data: bytes, *, replace: bool = False) -> bool:
        return await self._do(name, lambda path: _put(path, data, replace))

    async def get(self, name: str) -> bytes | None:
        return await self._do(name, _get)

    async def size(self, name: str) -> int | None:
        return await self._do(name, _size)

    async def delete(self, name: str) -> None:
        await self._do(name, lambda path: path.unlink(missing_ok=True))

    async def move(self, name: str, to: str) -> bool:
        target = self._place(to)
        return await self._do(name, lambda path: _move(path, target))

    async def list(self, folder: str) -> AsyncIterator[Listed]:
        walk = os.walk(self._place(folder), onerror=_unless_missing)
        while (found := await self._do(folder, lambda _: self._step(walk))) is not None:
            for listed in found:
                yield listed

    async def tidy(self, before: Micros) -> int:
        return await self._do("", lambda path: _tidy(path, before))

    def _step(self, walk: Walk) -> Sequence[Listed] | None:
        """The files of the next folder; None after the last one."""
        step = next(walk, None)
        if step is None:
            return None
        paths = (Path(step[0], name) for name in sorted(step[2]) if not name.startswith(PART))
        return [
            Listed(
                name=path.relative_to(self._path).as_posix(),
                size=facts.st_size,
                changed_at=facts.st_mtime_ns // 1000,
            )
            for path in paths
            if (facts := _stat(path)) is not None
        ]

    def _place(self, name: str) -> Path:
        if name and not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a stored object")
        return self._path / name

    async def _do(self, name: str, work: Callable[[Path], T]) -> T:
        path = self._place(name)
        try:
            return await asyncio.to_thread(work, path)
        except OSError as error:
            raise AssetError(f"the store {path} cannot be used: {error.strerror or error}") from error


def _put(path: Path, data: bytes, replace: bool) -> bool:
    make_folder(path.parent)
    if not replace:
        return write_new(path, data)
    write_whole(path, data)
    return True


def _get(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _size(path: Path) -> int | None:
    facts = _stat(path)
    return facts.st_size if facts else None


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _move(path: Path, target: Path) -> bool:
    make_folder(target.parent)
    try:
        os.replace(path, target)
    except FileNotFoundError:
        return False
    os.utime(target)
    sync_folder(target.parent)
    sync_folder(path.parent)
    return True


def _unless_missing(error: OSError) -> None:
    """A folder that cannot be read is no empty one: what is listed decides about deleting."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _tidy(place: Path, before: Micros) -> int:
    removed = 0
    for path in place.rglob(f"{PART}*"):
        if path.stat().st_mtime_ns // 1000 < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def now_micros() -> Micros:
    """The clock by which stores stamp what they hold."""
    return int(time.time() * SECOND)
