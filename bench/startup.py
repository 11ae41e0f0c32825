"""How long the product takes to start, as a ratio to a bare interpreter: `python bench/startup.py`.

Ratios in one run compare across machines; milliseconds do not. Runs alternate, so a busy moment hits all
alike, and the median of each is compared. On a busy machine the processor's time says more than the clock's.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
BIN = Path(sys.executable).parent
BARE = "python -c pass"
COMMANDS = {
    BARE: [sys.executable, "-c", "pass"],
    "import image_router": [sys.executable, "-c", "import image_router"],
    "image-router --help": [str(BIN / "image-router"), "--help"],
    "image-router explain": [str(BIN / "image-router"), "explain", "a fox", "--as-of", "2026-04-09"],
}


def milliseconds(command: list[str]) -> tuple[float, float]:
    """One run by the clock and by the processor, output thrown away.

    A command that fails is no measurement: CalledProcessError.
    """
    began, used = time.perf_counter(), _processor()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"IMAGE_ROUTER_OFFLINE": "1"}
    )
    return (time.perf_counter() - began) * 1000, (_processor() - used) * 1000


def _processor() -> float:
    """Seconds that all children so far have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            seen[name].append(milliseconds(command))
    bare = statistics.median(clock for clock, _ in seen[BARE])
    print(f"{'':24}{'median':>9}{'best':>9}{'ratio':>8}{'processor':>15}   of {ROUNDS} runs")
    for name, runs in seen.items():
        clock, processor = ([run[side] for run in runs] for side in (0, 1))
        median = statistics.median(clock)
        print(
            f"{name:24}{median:6.0f} ms{min(clock):6.0f} ms{median / bare:7.1f}x"
            f"{statistics.median(processor):12.0f} ms"
        )


if __name__ == "__main__":
    main()
