"""kill -9 at random instants: `python tests/harness/kills.py [sqlite|postgresql] [kills]`.

Processes hold, send, are charged, settle and close, over and over, and are killed in the middle. What they
were charged is written to a file of its own, as a provider's bill is. Afterwards leases end, and then: the
ledger verifies; no hold is left; every charge has its attempt, counted exactly or as unknown at no less; and
with the unknown resolved from the bill, the ledger's sum is the bill's.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import select

from harness.money import (
    KINDS,
    SCOPE,
    FastLeases,
    account,
    asked,
    cost,
    fresh_database,
    seconds_since,
)
from image_router.core.budget import SECOND
from image_router.core.causes import Billed
from image_router.core.errors import BudgetExceeded, HoldExpired
from image_router.core.holds import Adjustment, AttemptKey, Sending, SendState, Settlement
from image_router.core.running import Now
from image_router.storage import schema
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database, Transaction
from image_router.storage.ledger import Ledger
from image_router.storage.rows import send_of

CEILING = 1000
CAP = 10_000_000
CLOCK = FastLeases(times=100)
"""A lease of 90 seconds ends after 0.9."""


@dataclass(frozen=True)
class Plan:
    address: str
    bill: Path
    processes: int = 4
    tasks: int = 8
    kills: int = 200
    seed: int = 0


@dataclass
class Result:
    kills: int = 0
    charges: int = 0
    charged: int = 0
    known: int = 0
    unknown: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.faults and self.charges > 0

    def __str__(self) -> str:
        found = "; ".join(self.faults[:5]) or (
            "charged twice 0, lost 0, overspend 0, holds left 0, verify passes, ledger equals the bill"
        )
        return (
            f"{self.kills} kills, {self.charges} charges of {self.charged} nano-dollars, {self.known} "
            f"settled, {self.unknown} left unknown and resolved from the bill; {found}"
        )


async def _spend(ledger: Ledger, bill: int, dice: random.Random) -> None:
    """One request: up to two attempts, each charged between `sent` and `settle`."""
    try:
        hold = await ledger.hold(asked(f"req_{secrets.token_hex(6)}", CEILING))
        for number in (1, 2):
            key = AttemptKey(number=number)
            await ledger.sent(hold, Sending(attempt=key, at_risk=CEILING))
            amount = dice.randint(1, CEILING)
            os.write(bill, f"{hold.id} {number} {amount}\n".encode())
            await asyncio.sleep(dice.random() * 0.004)
            done = Settlement(
                attempt=key, billed=Billed.YES, cost=cost(amount), images=number - 1, response_id=f"r{amount}"
            )
            await ledger.settle(hold, done)
            if dice.random() < 0.6:
                break
        await ledger.close(hold)
    except (HoldExpired, BudgetExceeded):
        return


async def _work(plan: Plan, seed: int) -> None:
    bill = os.open(plan.bill, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with await Database.open(plan.address, patience=60, clock=CLOCK) as database:
        ledger = Ledger(database, patience=120)

        async def endlessly(number: int) -> None:
            dice = random.Random(f"{seed} {number}")
            while True:
                await _spend(ledger, bill, dice)
                if number == 0:
                    await ledger.expire()

        await asyncio.gather(*(endlessly(number) for number in range(plan.tasks)))


def _run(plan: Plan, seed: int) -> None:
    asyncio.run(_work(plan, seed))


async def _prepare(plan: Plan) -> None:
    async with await Database.open(plan.address) as database:
        await Budgets(database).set("acme", who="harness", month=CAP)
        await Budgets(database).set(SCOPE, who="harness", total=CAP)


def _kill_them(plan: Plan) -> int:
    """Kill a random worker at a random instant and start another, so many times; then kill all."""
    dice, context = random.Random(plan.seed), multiprocessing.get_context("fork")

    def start(number: int) -> BaseProcess:
        worker = context.Process(target=_run, args=(plan, number))
        worker.start()
        return worker

    workers = [start(number) for number in range(plan.processes)]
    for number in range(plan.kills):
        time.sleep(dice.random() * 0.25)
        victim = dice.randrange(len(workers))
        _kill(workers[victim])
        workers[victim] = start(plan.processes + number)
    time.sleep(0.3)
    for worker in workers:
        _kill(worker)
    return plan.kills + len(workers)


def _kill(worker: BaseProcess) -> None:
    if worker.pid is None or worker.exitcode is not None:
        raise RuntimeError(f"a worker ended by itself with exit code {worker.exitcode}")
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    worker.close()


def _charges(bill: Path) -> Counter[tuple[str, AttemptKey]]:
    found: Counter[tuple[str, AttemptKey]] = Counter()
    for line in bill.read_text().splitlines():
        hold, number, amount = line.split()
        found[hold, AttemptKey(number=int(number))] += int(amount)
    return found


def _much_later() -> Now:
    now = CLOCK()
    return Now(wall=now.wall, lease=now.lease + 3600 * SECOND, epoch=now.epoch)


async def _judge(plan: Plan, result: Result) -> None:
    lines, charges = plan.bill.read_text().count("\n"), _charges(plan.bill)
    result.charges, result.charged = len(charges), sum(charges.values())
    if lines != len(charges):
        result.faults.append(f"{lines - len(charges)} attempts charged twice")
    async with await Database.open(plan.address, clock=_much_later) as database:
        ledger = Ledger(database)
        await ledger.expire()
        sends = await database.read(_sends)
        for key in charges.keys() - sends.keys():
            result.faults.append(f"charge {key} is not in the ledger")
        for key, (state, counted) in sends.items():
            charged = charges.get(key, 0)
            result.known += state is SendState.KNOWN
            result.unknown += state is SendState.UNKNOWN
            if state is SendState.SENT or (state is SendState.KNOWN and counted != charged):
                result.faults.append(f"{key} is {state}, counts {counted} and was charged {charged}")
            if counted < charged:
                result.faults.append(f"{key} counts {counted} and was charged {charged}")
        for one in await ledger.unknowns():
            amount = charges.get((one.hold_id, one.attempt), 0)
            billed = Billed.YES if amount else Billed.NO
            told = Adjustment(attempt=one.attempt, amount=amount, billed=billed, who="bill", reason="harness")
            await ledger.adjust(one.hold_id, told)
        report = await ledger.verify()
    result.faults += [str(one) for one in report.discrepancies]
    _judge_sums(plan, result, report.open_holds)


def _judge_sums(plan: Plan, result: Result, open_holds: int) -> None:
    told = account(plan.address)
    if open_holds or told.held:
        result.faults.append(f"{open_holds} holds left, {told.held} held")
    if told.settled != result.charged:
        result.faults.append(f"the ledger says {told.settled}, the bill {result.charged}")
    if told.highest > CAP:
        result.faults.append(f"{told.highest - CAP} above the cap")


def _sends(tx: Transaction) -> dict[tuple[str, AttemptKey], tuple[SendState, int]]:
    rows = tx.connection.execute(select(schema.sends)).mappings()
    return {(send.hold_id, send.key): (send.state, send.counted) for send in map(send_of, rows)}


def run(plan: Plan) -> Result:
    """Kill, and then look what is left."""
    asyncio.run(_prepare(plan))
    result = Result(kills=_kill_them(plan))
    asyncio.run(_judge(plan, result))
    return result


def main() -> None:
    kinds = [word for word in sys.argv[1:] if word in KINDS] or list(KINDS)
    counts = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    failed = False
    for kind in kinds:
        start = time.monotonic()
        with fresh_database(kind) as address, tempfile.TemporaryDirectory() as folder:
            plan = Plan(address, Path(folder) / "bill", kills=counts[0] if counts else 200)
            result = run(plan)
        failed |= not result.passed
        print(f"{kind}: {result} in {seconds_since(start)}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
