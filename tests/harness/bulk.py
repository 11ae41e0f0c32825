"""Whole runs with faults and kills: `python tests/harness/bulk.py [--database …] [--rows 10000] [--kills 6]`.

Workers make a catalog run against the emulator while a share of all calls fails and workers are killed -9 at
random instants, each followed by another. Afterwards every row is over, nothing is held, the ledger verifies,
and with the unknown resolved from the emulator's bill its sum is that bill.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.money import KINDS, fresh_database
from harness.upstream import Upstream, upstream
from image_router.books import Books
from image_router.bulk.parts import Bulk, opened
from image_router.bulk.planning import request_of
from image_router.bulk.runs import new_run
from image_router.config import Secret, Settings
from image_router.core.runs import OVER, PlannedRow, RowAsk, RowState, Run, RunKind, RunState, RunTerms, Stage
from image_router.core.types import OnAmbiguous, Purpose
from image_router.runs import bulk_of

WORKER = Path(__file__).parents[1] / "bulk" / "worker_process.py"
FAULTS = {
    "overloaded": 0.03,
    "internal_encountered": 0.02,
    "drop_before": 0.01,
    "drop_after": 0.01,
    "truncated_body": 0.01,
    "image_safety": 0.01,
    "no_image": 0.01,
}
"""Fault → its share of all calls: a tenth together."""
PER_SUBJECT = 20
TTL = "10"
"""Seconds: machines that measure are busy."""


@dataclass
class Plan:
    database: str
    rows: int
    workers: int
    kills: int
    seed: int


@dataclass
class Verdict:
    states: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    """Exit codes of workers that ended by themselves before the run was over."""
    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    """Kilobytes, of the largest worker."""
    bill: int = 0
    ledger: int = 0
    unknown: int = 0
    unknown_calls: int = 0
    beyond: int = 0
    """Calls that were charged, beyond one for each picture: those of faults, and those of killed workers."""
    held: int = 0
    sound: bool = False
    equal: bool = False

    @property
    def passed(self) -> bool:
        over = set(self.states) <= {state.value for state in OVER}
        return over and self.sound and self.equal and not self.held

    def __str__(self) -> str:
        rows = self.states.total()
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(self.states.items()))
        lines = [
            ("rows", f"{rows:,} ({told})"),
            ("workers killed", f"{self.kills}"),
            ("workers that ended", f"{dict(self.ended) or 'none'}"),
            ("wall time", f"{self.wall:.0f} s, {rows / self.wall:.1f} rows a second"),
            ("CPU of workers", f"{1000 * self.cpu / max(1, rows):.1f} ms a row"),
            ("peak memory of a worker", f"{self.peak / 1024:.0f} MiB"),
            ("emulator's bill", f"{self.bill:,} nano-dollars"),
            ("ledger before resolving", f"{self.ledger:,}, of it unknown {self.unknown:,}"),
            ("calls of unknown outcome", f"{self.unknown_calls}"),
            ("charged beyond one a picture", f"{self.beyond} calls"),
            ("held at the end", f"{self.held}"),
            ("ledger verify", "passes" if self.sound else "FAILS"),
            ("ledger after resolving", "equals the bill" if self.equal else "DIFFERS from the bill"),
        ]
        return "\n".join(f"  {name:28} {said}" for name, said in lines)


class Crew:
    """Worker processes, whose CPU and memory are added up when they end."""

    def __init__(self, settings: Settings, verdict: Verdict) -> None:
        self._settings, self._verdict = settings, verdict
        self._workers: list[subprocess.Popen[bytes]] = []

    def hire(self) -> None:
        settings = self._settings
        database = settings.database.reveal() if settings.database else ""
        command = [sys.executable, str(WORKER), str(settings.home), str(settings.base_url), database]
        known = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "TTL": TTL}
        self._workers.append(subprocess.Popen(command, env=known, stderr=subprocess.DEVNULL))

    def kill_one(self, dice: random.Random) -> None:
        worker = self._workers.pop(dice.randrange(len(self._workers)))
        worker.send_signal(signal.SIGKILL)
        self._count(worker)
        self._verdict.kills += 1
        self.hire()

    def replace_ended(self) -> None:
        """One that was too slow to say that it lives was taken for dead, and has ended."""
        for worker in list(self._workers):
            pid, status, used = os.wait4(worker.pid, os.WNOHANG)
            if pid:
                self._workers.remove(worker)
                self._note(worker, status, used)
                self._verdict.ended[os.waitstatus_to_exitcode(status)] += 1
                self.hire()

    def dismiss(self) -> None:
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self._workers:
            self._count(worker)

    def _count(self, worker: subprocess.Popen[bytes]) -> None:
        _, status, used = os.wait4(worker.pid, 0)
        self._note(worker, status, used)

    def _note(self, worker: subprocess.Popen[bytes], status: int, used: resource.struct_rusage) -> None:
        worker.returncode = os.waitstatus_to_exitcode(status)
        self._verdict.cpu += used.ru_utime + used.ru_stime
        self._verdict.peak = max(self._verdict.peak, used.ru_maxrss)


def planned(bulk: Bulk, count: int) -> Iterator[PlannedRow]:
    """Subjects with a reference and variants; decided once for each stage, since all are alike."""
    ask = RowAsk(prompt="a mug", purpose=Purpose.DRAFT)
    decision = bulk.bench.router.decided(request_of(ask, references=(), scope="acme"))
    for place in range(count):
        subject, within = divmod(place, PER_SUBJECT)
        yield PlannedRow(
            number=place + 1,
            line=place + 1,
            key=f"row-{place}",
            subject=f"subject {subject}",
            stage=Stage.SECOND if within else Stage.FIRST,
            ask=replace(ask, prompt=f"a mug, subject {subject}, picture {within}"),
            model=decision.head.model.id,
            tier=decision.head.tier,
            quote=decision.quote.total,
            ceiling=decision.ceiling,
        )


async def made(bulk: Bulk, run: Run, plan: Plan, crew: Crew) -> None:
    """Kill now and then until the run is over."""
    dice, left = random.Random(plan.seed), plan.kills
    for _ in range(plan.workers):
        crew.hire()
    while (run := await bulk.runs.get(run.id)).state is not RunState.DONE:
        await asyncio.sleep(0.5)
        crew.replace_ended()
        progress = await bulk.runs.progress(run.id)
        done = sum(count for state, count in progress.states.items() if state in OVER)
        if left and done > plan.rows * (1 - left / (plan.kills + 1)):
            left -= 1
            await asyncio.sleep(dice.random())
            crew.kill_one(dice)
    crew.dismiss()


async def judged(bulk: Bulk, run: Run, verdict: Verdict, emulator: Upstream) -> None:
    books = Books(bulk.db, Settings(home=Path(tempfile.gettempdir())))
    progress = await bulk.runs.progress(run.id)
    verdict.states = Counter({state.value: count for state, count in progress.states.items()})
    verdict.ledger, verdict.held = progress.spent, progress.held
    unknowns = await books.unknowns()
    verdict.unknown, verdict.unknown_calls = sum(each.at_risk for each in unknowns), len(unknowns)
    bill = emulator.bill()
    verdict.bill = sum(entry.amount for entry in bill)
    verdict.beyond = sum(entry.amount > 0 for entry in bill) - verdict.states[RowState.DONE]
    verdict.sound = (await bulk.bench.ledger.verify()).sound
    found = await books.reconcile(emulator.charges(), complete=True)
    left = await books.adopt(found, who="harness", bill="the emulator's bill")
    spent = (await bulk.runs.progress(run.id)).spent
    verdict.equal = spent == verdict.bill == left.ours and not left.differences


async def work(plan: Plan, address: str, home: Path, emulator: Upstream) -> Verdict:
    verdict = Verdict()
    settings = Settings(home=home, base_url=emulator.url, api_key=Secret("bulk-key"), scope="acme")
    if "://" in address:
        settings = replace(settings, database=Secret(address))
    async with opened(bulk_of(settings, sinks=())) as bulk:
        terms = RunTerms(on_ambiguous=OnAmbiguous.ONCE)
        new = new_run("harness", RunKind.CATALOG, scope="acme", terms=terms)
        began = time.monotonic()
        run = await bulk.runs.start(new, planned(bulk, plan.rows))
        await made(bulk, run, plan, Crew(settings, verdict))
        verdict.wall = time.monotonic() - began
        await judged(bulk, run, verdict, emulator)
    return verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    plan = Plan(**vars(parser.parse_args()))
    with (
        fresh_database(plan.database) as address,
        tempfile.TemporaryDirectory() as home,
        upstream("--latency", "0.0", "--seed", str(plan.seed)) as emulator,
    ):
        emulator.fail([{"fault": name, "probability": share} for name, share in FAULTS.items()])
        verdict = asyncio.run(work(plan, address, Path(home), emulator))
    print(verdict)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
