"""How long the product takes to start, as a ratio to a bare interpreter: `python bench/startup.py`.

Ratios in one run compare across machines; milliseconds do not. Runs alternate, so a busy moment hits all
alike, and the median of each is compared.
"""

from __future__ import annotations

import os
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


def milliseconds(command: list[str]) -> float:
    """One run, output thrown away. A command that fails is no measurement: CalledProcessError."""
    began = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"IMAGE_ROUTER_OFFLINE": "1"}
    )
    return (time.perf_counter() - began) * 1000


def main() -> None:
    seen: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            seen[name].append(milliseconds(command))
    bare = statistics.median(seen[BARE])
    print(f"{'':24}{'median':>9}{'best':>9}{'ratio':>8}   of {ROUNDS} runs")
    for name, times in seen.items():
        median = statistics.median(times)
        print(f"{name:24}{median:6.0f} ms{min(times):6.0f} ms{median / bare:7.1f}x")


if __name__ == "__main__":
    main()
