"""Writing files whole or not at all, also when the power goes."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write beside, sync, then rename over. Raises OSError; the old file, if any, is then untouched."""
    temporary = path.with_name(f".part-{secrets.token_hex(8)}")
    try:
        write_synced(temporary, data)
        put(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_synced(path: Path, data: bytes) -> None:
    """Write and wait until the disk has it. Raises OSError; what was written till then stays."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def put(temporary: Path, path: Path) -> None:
    """Give a written file its name, for good: the folder's entry is synced too."""
    os.replace(temporary, path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
