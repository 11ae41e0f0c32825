"""kill -9 through the whole engine: `python tests/harness/engine_kills.py [--database sqlite] [--kills 200]`.

Several processes make pictures over real HTTP, with keys, references, chains and several at once, and are
killed: half of them at random instants, half at instants with a name (harness/mines). Others take over, until
all work is done. The emulator lives in a process of its own, and its bill is the judge.

A dead process is silent for its whole lease before others take over. The harness does not wait: it ends the
leases of the dead, and of no other.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Engine, NullPool, create_engine, text

from harness import engine_bill
from harness.engine_work import CAP, ORGANISATION, Site, ask_again, work
from harness.mines import Point
from harness.money import KINDS, fresh_database, seconds_since
from harness.upstream import Upstream, upstream
from image_router.storage.backends import _WRITERS_LOCK
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database

LONGEST_LIFE = 0.8
"""Seconds, for those that are killed at a random instant."""
MINED_LIFE = 6.0
"""Seconds a mine has to go off; it may never be passed."""
PATIENCE = 300.0
"""Seconds for the last workers; who hangs has failed."""
DRIP = [{"fault": "slow_drip;chunks=4;seconds=0.08", "probability": 0.3}]
"""A third of the replies take their time, so that some are cut off half read."""


@dataclass(frozen=True)
class Plan:
    site: Site
    kills: int
    processes: int = 4
    seed: int = 0


@dataclass
class _Life:
    process: BaseProcess
    until: float


@dataclass
class _Killer:
    """Starts workers, kills them, and says which are dead."""

    plan: Plan
    engine: Engine
    dice: random.Random = field(init=False)
    dead: list[str] = field(default_factory=list)
    born: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.plan.seed)

    def run(self) -> None:
        """Kill as often as planned; then let the last ones finish all work."""
        lives = [self._begin() for _ in range(self.plan.processes)]
        try:
            while len(self.dead) < self.plan.kills:
                time.sleep(0.005)
                for place, life in enumerate(lives):
                    lives[place] = self._looked_after(life)
        finally:
            for life in lives:
                life.process.kill()
        for life in lives:
            self._kill(life)
        self._finish()

    def _begin(self) -> _Life:
        self.born += 1
        mined = self.born % 2 == 0
        point = list(Point)[self.born // 2 % len(Point)] if mined else None
        passes = 1 if point is Point.EXPIRING else self.dice.randint(1, 3)
        process = self._start(work, seed=self.born, point=point, passes=passes, endless=True)
        life = MINED_LIFE if mined else self.dice.random() * LONGEST_LIFE
        return _Life(process, time.monotonic() + life)

    def _start(self, target: object, **arguments: object) -> BaseProcess:
        context = multiprocessing.get_context("fork")
        process = context.Process(target=target, args=(self.plan.site,), kwargs=arguments)  # type: ignore[arg-type]
        process.start()
        return process

    def _looked_after(self, life: _Life) -> _Life:
        if life.process.is_alive() and time.monotonic() < life.until:
            return life
        self._kill(life)
        return self._begin()

    def _kill(self, life: _Life) -> None:
        process = life.process
        process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            raise RuntimeError(f"a worker ended by itself with exit code {process.exitcode}; see above")
        self.dead.append(f"{socket.gethostname()}:{process.pid}")
        self.end_leases()

    def end_leases(self) -> None:
        """What a lease's length of silence does, at once. The dead may have had a transaction on its way."""
        recent = self.dead[-4 * self.plan.processes :]
        with self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})"))
            for owner in recent:
                names = {"owner": owner, "works": f"{owner}:%"}
                connection.execute(
                    text("UPDATE holds SET lease_until = 0 WHERE owner = :owner AND state = 'open'"), names
                )
                connection.execute(
                    text("UPDATE works SET lease_until = 0 WHERE owner LIKE :works AND state = 'running'"),
                    names,
                )

    def _finish(self) -> None:
        last = [
            self._start(work, seed=self.born + n, point=None, passes=0, endless=False)
            for n in range(self.plan.processes)
        ]
        until = time.monotonic() + PATIENCE
        while any(process.is_alive() for process in last):
            time.sleep(0.2)
            self.end_leases()
            if time.monotonic() > until:
                for process in last:
                    process.kill()
        if any(process.exitcode for process in last):
            raise RuntimeError(f"the last workers failed: {[process.exitcode for process in last]}")


async def _prepare(site: Site) -> None:
    async with await Database.open(site.address) as database:
        await Budgets(database).set(ORGANISATION, who="harness", total=CAP)


def _engine(address: str) -> Engine:
    url = address if "://" in address else f"sqlite:///{address}"
    # Without a pool no connection is open when a worker is forked.
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"),
        poolclass=NullPool,
        connect_args={} if "://" in address else {"timeout": 60},
    )


def run(plan: Plan, emulator: Upstream) -> engine_bill.Verdict:
    """Kill, finish, ask once more for everything, and compare with the bill."""
    asyncio.run(_prepare(plan.site))
    killer = _Killer(plan, _engine(plan.site.address))
    killer.run()
    _grow_old(plan.site.folder / "assets" / "landing")
    before = len(emulator.bill())
    ask_again(plan.site)
    verdict = asyncio.run(engine_bill.judged(plan.site, emulator))
    verdict.kills, verdict.fates = len(killer.dead), Counter(plan.site.lines("fates"))
    verdict.fates["at a random instant"] = verdict.kills - verdict.fates.total()
    if verdict.entries != before:
        verdict.faults.append(f"asking again was charged {verdict.entries - before} times")
    return verdict


def _grow_old(landing: Path) -> None:
    """Notes of the dead count as stranded only after some minutes."""
    for note in landing.glob("*"):
        long_ago = note.stat().st_mtime - 3600
        os.utime(note, (long_ago, long_ago))


def measured(kind: str, *, kills: int, processes: int = 4, seed: int = 0) -> engine_bill.Verdict:
    """One run on a fresh database of a kind."""
    with (
        fresh_database(kind) as address,
        tempfile.TemporaryDirectory() as folder,
        upstream("--latency", "0.005", "--as-of", "2026-11-22") as emulator,
    ):
        emulator.fail(DRIP)
        home = Path(folder)
        address = address if "://" in address else str(home / "ledger.db")
        site = Site(home, address, emulator.url, pieces=max(14, kills))
        return run(Plan(site, kills, processes, seed), emulator)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", choices=KINDS, action="append", help="default: both")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    failed = False
    for kind in wanted.database or KINDS:
        start = time.monotonic()
        verdict = measured(kind, kills=wanted.kills, processes=wanted.processes, seed=wanted.seed)
        failed |= not verdict.passed
        print(f"{kind}, {wanted.processes} processes, {seconds_since(start)}\n{verdict}\n", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
