"""Writing files whole or not at all, also when the power goes.

A file is safe once its bytes are synced and the folder that names it is synced too.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PART: Final = ".part-"
"""How the names of unfinished files begin; one that is left over is of no use to anyone."""
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES}
)


def write_whole(path: Path, data: bytes) -> None:
    """Write beside, sync, then rename over. Raises OSError; the old file, if any, is then untouched."""
    with _written_beside(path, data) as part:
        os.replace(part, path)
    sync_folder(path.parent)


def write_new(path: Path, data: bytes) -> bool:
    """Write a file that is not there yet; False when it is, and stays. Raises OSError."""
    if path.exists():
        return False
    with _written_beside(path, data) as part:
        new = _named(part, path)
    sync_folder(path.parent)
    return new


def make_folder(path: Path) -> None:
    """Make a folder and all above it, so that they survive a power cut. Raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to disk; does nothing where folders cannot be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """A synced file next to the path, readable for whoever the umask lets; what is left of it is removed."""
    part = path.with_name(f"{PART}{secrets.token_hex(8)}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def _named(part: Path, path: Path) -> bool:
    """Give the finished file its name. A link fails where a rename would silently replace."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links on this file system: between this look and the rename another writer may win.
        if path.exists():
            return False
        os.replace(part, path)
    return True
