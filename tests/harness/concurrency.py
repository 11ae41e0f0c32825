"""Many tasks of many processes on one scope: `python tests/harness/concurrency.py [sqlite|postgresql]`.

The cap leaves room for a handful of holds, and for everybody once holds have settled: whoever waits must be
served, and at no moment may settled and held together be above the cap. A watcher looks from outside
meanwhile; afterwards every entry is added up in order, which is every moment there was.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.money import (
    KINDS,
    SCOPE,
    Watcher,
    account,
    asked,
    cost,
    fresh_database,
    seconds_since,
)
from image_router.core.causes import Billed
from image_router.core.errors import BudgetExceeded
from image_router.core.holds import AttemptKey, Sending, Settlement
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.storage.ledger import Ledger

CEILING, COST = 1000, 10
PATIENCE = 600.0


@dataclass(frozen=True)
class Plan:
    address: str
    processes: int = 4
    tasks: int = 64
    requests: int = 4
    """Of each task."""

    @property
    def total(self) -> int:
        return self.processes * self.tasks * self.requests

    @property
    def cap(self) -> int:
        """Everybody fits, the last one beside what all others have spent."""
        return (self.total - 1) * COST + CEILING


@dataclass(frozen=True)
class Result:
    requests: int
    served: int
    refused: int
    cap: int
    highest: int
    looks: int
    sound: bool
    settled: int
    held: int

    @property
    def passed(self) -> bool:
        return (
            self.served == self.requests
            and self.highest <= self.cap
            and self.sound
            and (self.settled, self.held) == (self.requests * COST, 0)
        )

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, {self.served} served, {self.refused} refused; cap {self.cap}, "
            f"highest settled + held {self.highest} ({self.looks} looks from outside, and every entry), "
            f"overspend {max(0, self.highest - self.cap)}; settled {self.settled}, held {self.held}, "
            f"verify {'passes' if self.sound else 'FAILS'}"
        )


async def _spend(ledger: Ledger, name: str) -> bool:
    key = AttemptKey(number=1)
    try:
        hold = await ledger.hold(asked(name, CEILING), wait=PATIENCE)
    except BudgetExceeded:
        return False
    await ledger.sent(hold, Sending(attempt=key, at_risk=CEILING))
    await ledger.settle_and_close(hold, Settlement(attempt=key, billed=Billed.YES, cost=cost(COST), images=1))
    return True


async def _process(plan: Plan, number: int, all_here: Barrier) -> int:
    async with await Database.open(plan.address, patience=60) as database:
        ledger = Ledger(database, patience=120)
        await asyncio.to_thread(all_here.wait)

        async def one(task: int) -> int:
            names = (f"req_{number}_{task}_{turn}" for turn in range(plan.requests))
            return sum([await _spend(ledger, name) for name in names])

        return sum(await asyncio.gather(*(one(task) for task in range(plan.tasks))))


def _run(plan: Plan, number: int, all_here: Barrier, served: SimpleQueue[int]) -> None:
    served.put(asyncio.run(_process(plan, number, all_here)))


async def _prepare(plan: Plan) -> None:
    async with await Database.open(plan.address) as database:
        await Budgets(database).set("acme", who="harness", month=plan.cap)
        await Budgets(database).set(SCOPE, who="harness", total=plan.cap)


async def _sound(plan: Plan) -> bool:
    async with await Database.open(plan.address) as database:
        return (await Ledger(database).verify()).sound


def run(plan: Plan) -> Result:
    """All processes to their end, watched."""
    asyncio.run(_prepare(plan))
    context = multiprocessing.get_context("spawn")
    all_here, served = context.Barrier(plan.processes), context.SimpleQueue()
    workers = [
        context.Process(target=_run, args=(plan, number, all_here, served))
        for number in range(plan.processes)
    ]
    for worker in workers:
        worker.start()
    watcher = Watcher(plan.address)
    while any(worker.is_alive() for worker in workers):
        watcher.look()
        time.sleep(0.002)
    watcher.close()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"a worker failed: exit codes {[worker.exitcode for worker in workers]}")
    count, told = sum(served.get() for _ in workers), account(plan.address)
    return Result(
        requests=plan.total,
        served=count,
        refused=plan.total - count,
        cap=plan.cap,
        highest=max(watcher.highest, told.highest),
        looks=watcher.looks,
        sound=asyncio.run(_sound(plan)),
        settled=told.settled,
        held=told.held,
    )


def main() -> None:
    failed = False
    for kind in sys.argv[1:] or KINDS:
        start = time.monotonic()
        with fresh_database(kind) as address:
            result = run(Plan(address))
        failed |= not result.passed
        print(f"{kind}: 4 processes x 64 tasks, {result} in {seconds_since(start)}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
