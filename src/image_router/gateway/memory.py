"""The C library's allocator, told to keep what pictures need: each request brings and drops megabytes.

glibc maps every block above 128 KiB anew and gives it back at once, so each request pays for thousands
of page faults (https://man7.org/linux/man-pages/man3/mallopt.3.html, 2026-11-22). With these options freed
blocks are used again; what is kept is bounded by the most that was in flight.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Final

_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_KEPT: Final = 1 << 30
_STEP: Final = 64 << 20


def keep_freed_memory() -> None:
    """For the process that serves; without effect on anything but glibc."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_THRESHOLD, _KEPT)
    libc.mallopt(_TRIM_THRESHOLD, _KEPT)
    libc.mallopt(_TOP_PAD, _STEP)
    # Threads have arenas of their own, to which none of this applies.
    libc.mallopt(_ARENA_MAX, 1)
