"""What planning costs: `python bench/bench_plan.py [ROWS …]` prints rows per second of the processor and the
most memory, for tables of which one line in a hundred is broken.

Each table is planned in a process of its own. Target: 20,000 rows a second, and memory that does not grow
with the table. The ratio is to reading the same table with csv alone, and compares across machines.
"""

from __future__ import annotations

import asyncio
import csv
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from image_router import facts
from image_router.aio import ImageRouter
from image_router.bulk.planning import Planner
from image_router.bulk.tables import open_table
from image_router.config import Settings
from image_router.core.run_plan import Sums
from image_router.core.template import Expander

TARGET = 20_000
_ROWS = (100_000, 1_000_000)
_MIB = 1024
_TEMPLATES = ("plain", "ecommerce")


class Planned(NamedTuple):
    rows: int
    left_out: int
    seconds: float
    reading: float
    mib: float


def product(number: int) -> dict[str, str]:
    """A line; every hundredth lacks what its pictures need."""
    words = "" if number % 100 == 0 else f"Stoneware mug number {number} with a handle"
    return {"sku": f"sku-{number}", "name": words, "prompt": words, "colour": "blue", "material": "stoneware"}


def write(path: Path, lines: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, product(1))
        writer.writeheader()
        writer.writerows(map(product, range(1, lines + 1)))


def read(path: Path) -> float:
    start = time.process_time()
    with path.open(newline="", encoding="utf-8") as file:
        for _ in csv.reader(file):
            pass
    return time.process_time() - start


async def planned(path: Path, template: str) -> Planned:
    """Planned as `catalog plan` does it, where nothing was made before."""
    sums, reading = Sums(), read(path)
    async with ImageRouter(Settings(home=path.parent / "home", offline=True)) as router:
        chosen = facts.load_templates(None)[template]
        planner = Planner(decider=router, template=chosen, scope="bench", folder=path.parent)
        start = time.process_time()
        with open_table(path) as table:
            async for _ in planner.plan(table.lines, sums):
                pass
        seconds = time.process_time() - start
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    return Planned(sums.rows, sums.lines_left_out, seconds, reading, most)


def _in_process(arguments: tuple[Path, str]) -> Planned:
    return asyncio.run(planned(*arguments))


def pictures(template: str) -> int:
    """Rows that come of one line."""
    return len(Expander(facts.load_templates(None)[template])(product(1), line=1))


def main(sizes: tuple[int, ...]) -> None:
    context: Any = get_context("spawn")
    print(f"{'template':12}{'rows':>12}{'left out':>10}{'rows/s':>10}{'target':>10}{'ratio':>8}{'MiB':>8}")
    with tempfile.TemporaryDirectory() as folder, context.Pool(1, maxtasksperchild=1) as pool:
        path = Path(folder) / "table.csv"
        for template in _TEMPLATES:
            for size in sizes:
                write(path, -(-size // pictures(template)))
                done: Planned = pool.apply(_in_process, ((path, template),))
                speed, ratio = done.rows / done.seconds, done.seconds / done.reading
                print(
                    f"{template:12}{done.rows:12,}{done.left_out:10,}{speed:10,.0f}{TARGET:10,}"
                    f"{ratio:7.0f}x{done.mib:8.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or _ROWS)
