"""Holds and settlements per second on one scope: `python bench/bench_ledger.py [seconds]`.

A pair is a hold and its settlement with close, both on disk before they return. "one by one" is the same code
with one step for each transaction; "grouped" lets 32 callers of a process share them. Both, on SQLite and
PostgreSQL (fsync on), in one process and four, are measured side by side in one run, in turns: ratios compare
across machines, rates do not. The cap is real and never reached.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import psycopg  # noqa: E402

import postgres_server  # noqa: E402
from image_router.core.causes import Billed  # noqa: E402
from image_router.core.holds import AttemptKey, HoldRequest, Settlement  # noqa: E402
from image_router.core.money import USD  # noqa: E402
from image_router.core.rates import Cost, CostLine, LineKind  # noqa: E402
from image_router.core.types import Purpose, Tier  # noqa: E402
from image_router.storage.budgets import Budgets  # noqa: E402
from image_router.storage.database import MAX_GROUP, Database  # noqa: E402
from image_router.storage.ledger import Ledger  # noqa: E402

CALLERS = 32
ROUNDS = 3
SCOPE = "acme/studio"
COST = Cost(lines=(CostLine(kind=LineKind.IMAGE_OUTPUT, unit="token", rate=120_000, units=1120),))


@dataclass(frozen=True)
class Case:
    address: str
    processes: int
    max_group: int


async def _pairs(ledger: Ledger, until: float) -> int:
    count, key = 0, AttemptKey(number=1)
    asked = HoldRequest(
        request_id="req_bench",
        owner="bench",
        scope=SCOPE,
        amount=240_000_000,
        per_image=240_000_000,
        model="gemini-3-pro-image",
        tier=Tier.NANO_BANANA_PRO,
        purpose=Purpose.HERO,
    )
    while time.monotonic() < until:
        hold = await ledger.hold(asked)
        done = Settlement(attempt=key, billed=Billed.YES, cost=COST, response_id="r", images=1)
        await ledger.settle_and_close(hold, done)
        count += 1
    return count


async def _process(case: Case, all_here: Barrier, seconds: float) -> int:
    async with await Database.open(case.address, max_group=case.max_group, patience=60) as db:
        ledger = Ledger(db)
        await asyncio.to_thread(all_here.wait)
        until = time.monotonic() + seconds
        return sum(await asyncio.gather(*(_pairs(ledger, until) for _ in range(CALLERS))))


def _run_process(case: Case, all_here: Barrier, seconds: float, counts: SimpleQueue[int]) -> None:
    counts.put(asyncio.run(_process(case, all_here, seconds)))


def pairs_per_second(case: Case, seconds: float) -> float:
    """One measurement: all processes at once, begun together when the last of them is ready."""
    context = multiprocessing.get_context("spawn")
    all_here, counts = context.Barrier(case.processes), context.SimpleQueue()
    workers = [
        context.Process(target=_run_process, args=(case, all_here, seconds, counts))
        for _ in range(case.processes)
    ]
    for worker in workers:
        worker.start()
    total = sum(counts.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total / seconds


async def _prepare(address: str) -> None:
    async with await Database.open(address) as db:
        await Budgets(db).set("acme", who="bench", month=100_000_000 * USD)
        await Budgets(db).set(SCOPE, who="bench", day=10_000_000 * USD)


@contextmanager
def _addresses() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder, postgres_server.private() as (url, _):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        found = {
            "SQLite": str(Path(folder) / "bench.db"),
            "PostgreSQL": url.replace("/postgres?", "/bench?"),
        }
        for address in found.values():
            asyncio.run(_prepare(address))
        yield found


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    print(f"hold + settle pairs a second, {CALLERS} callers a process, median of {ROUNDS} x {seconds:g} s")
    print(f"{'':12}{'processes':>10}{'one by one':>12}{'grouped':>10}{'ratio':>8}")
    with _addresses() as addresses:
        for name, address in addresses.items():
            for processes in (1, 4):
                seen: dict[int, list[float]] = {1: [], MAX_GROUP: []}
                for _ in range(ROUNDS):
                    for max_group, rates in seen.items():
                        rates.append(pairs_per_second(Case(address, processes, max_group), seconds))
                alone, grouped = (statistics.median(rates) for rates in seen.values())
                print(
                    f"{name:12}{processes:10}{alone:12,.0f}{grouped:10,.0f}{grouped / alone:7.1f}x",
                    flush=True,
                )


if __name__ == "__main__":
    main()
