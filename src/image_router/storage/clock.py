"""What time it is, for a database that has no clock of its own."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from image_router.core.running import Now

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def machine_now() -> Now:
    """The machine's clocks. Leases are measured since boot where the system can: that clock is shared by all
    processes, counts sleep, and does not move when somebody sets the time."""
    wall = time.time_ns() // 1000
    if hasattr(time, "CLOCK_BOOTTIME") and (boot := _boot()):
        return Now(wall=wall, lease=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000, epoch=boot)
    return Now(wall=wall, lease=wall, epoch="wall clock")


@cache
def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
