"""kill -9 of workers under load: `python tests/harness/gateway_kills.py [--pieces 400] [--kills 12]`.

Callers ask two gateways of two workers each for pictures, each under a key of its own, and ask again where a
connection broke. The emulator's bill is the judge.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.gateways import PATIENCE, Answered, Gateway, Together, new_key, together
from harness.money import account
from image_router.books import Books, open_books
from image_router.core.holds import SendState

AGAIN = (0, 409, 503)
"""A broken connection, a key that another request still holds, a worker that is not there yet."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    pieces: int
    kills: int
    at_once: int = 12
    seed: int = 0


@dataclass
class Verdict:
    """Counts, and every fault that was found."""

    statuses: Counter[int] = field(default_factory=Counter)
    done: dict[int, list[str]] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)
    restarted: int = 0
    paid: int = 0
    sent_again: int = 0
    unknown: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [
            ("workers killed", f"{len(self.killed)}, restarted {self.restarted}"),
            ("pieces of work done", f"{len(self.done)}"),
            ("answers by status", str(dict(sorted(self.statuses.items())))),
            ("pictures on the bill", f"{self.paid}"),
            ("sent again as the policy allows", f"{self.sent_again}, of {self.unknown} of unknown outcome"),
            *(("fault", fault) for fault in self.faults[:10]),
        ]
        return "\n".join(f"  {name:32} {said}" for name, said in rows)


class Load:
    """Callers and a killer, at work on one installation."""

    def __init__(self, site: Together, plan: Plan, secret: str) -> None:
        self._site, self._plan, self._secret = site, plan, secret
        self._dice = random.Random(plan.seed)
        self._left = list(range(plan.pieces))
        self._progress = asyncio.Event()
        self.verdict = Verdict()

    async def run(self) -> None:
        """Until every piece is done and every kill was made."""
        callers = [self._call() for _ in range(self._plan.at_once)]
        async with asyncio.timeout(10 * PATIENCE):
            await asyncio.gather(self._kill(), *callers)

    async def ask(self, piece: int) -> Answered:
        """One try, at any gateway."""
        gateway = self._dice.choice(self._site.gateways)
        return await gateway.post(self._secret, {"prompt": f"piece {piece}"}, key=f"piece-{piece}")

    async def answered(self, piece: int) -> Answered:
        """As many tries as it takes."""
        while (answer := await self.ask(piece)).status in AGAIN:
            self.verdict.statuses[answer.status] += 1
            await asyncio.sleep(0.05)
        self.verdict.statuses[answer.status] += 1
        return answer

    async def _call(self) -> None:
        while self._left:
            piece = self._left.pop()
            answer = await self.answered(piece)
            if answer.status == 200:
                self.verdict.done[piece] = answer.pictures
            else:
                self.verdict.faults.append(f"piece {piece}: {answer.status} {answer.body}")
            self._progress.set()

    async def _kill(self) -> None:
        for number in range(self._plan.kills):
            enough = (number + 1) * self._plan.pieces // (self._plan.kills + 2)
            while len(self.verdict.done) < enough and self._left:
                self._progress.clear()
                await self._progress.wait()
            await self._kill_one(self._dice.choice(self._site.gateways))

    async def _kill_one(self, gateway: Gateway) -> None:
        before = gateway.workers()
        victim = self._dice.choice(before)
        os.kill(victim, signal.SIGKILL)
        self.verdict.killed.append(victim)
        while victim in (now := gateway.workers()) or len(now) < len(before):
            # A transaction of the dead may still have been on its way: its lease is ended as well.
            self._site.end_leases(victim)
            await asyncio.sleep(0.1)
        self._site.end_leases(victim)
        self.verdict.restarted += 1


async def measured(site: Together, plan: Plan, *, scope: str = "acme/load") -> Verdict:
    """Load and kills, everything asked for once more, and the books beside the bill."""
    _, secret = await new_key(site, scope)
    before = sum(entry.amount > 0 for entry in site.emulator.bill())
    load = Load(site, plan, secret)
    await load.run()
    verdict = load.verdict
    verdict.paid = sum(entry.amount > 0 for entry in site.emulator.bill()) - before
    await _ask_again(load)
    paid_now = sum(entry.amount > 0 for entry in site.emulator.bill()) - before
    if paid_now != verdict.paid:
        verdict.faults.append(f"asking again was charged {paid_now - verdict.paid} times")
    async with open_books(site.settings) as books:
        await _judge(verdict, books, site, plan, scope)
    return verdict


async def _ask_again(load: Load) -> None:
    for piece, pictures in load.verdict.done.items():
        async with asyncio.timeout(PATIENCE):
            answer = await load.answered(piece)
        if answer.status != 200 or answer.pictures != pictures:
            load.verdict.faults.append(f"piece {piece} was answered otherwise: {answer.status}")


async def _judge(verdict: Verdict, books: Books, site: Together, plan: Plan, scope: str) -> None:
    # Leases of the dead are over; a gateway gives their holds up when somebody spends next, and nobody does.
    await books.ledger.expire()
    calls = [call for call in await books.ledger.calls() if call.scope == scope]
    verdict.unknown = sum(call.state is SendState.UNKNOWN for call in calls)
    verdict.sent_again = verdict.paid - plan.pieces
    if not 0 <= verdict.sent_again <= verdict.unknown:
        charged = f"{verdict.paid} pictures were charged for {plan.pieces} pieces"
        verdict.faults.append(f"{charged}, and {verdict.unknown} calls are of unknown outcome")
    verdict.faults += [f"still under way: {call}" for call in calls if call.state is SendState.SENT]
    found = await books.reconcile(site.emulator.charges(), complete=True)
    left = await books.adopt(found, who="harness", bill="the emulator's bill")
    verdict.faults += [f"{one.kind}: {one.ours} {one.theirs} {one.detail}" for one in left.differences]
    report, told = await books.ledger.verify(), account(site.address)
    verdict.faults += [str(one) for one in report.discrepancies]
    if report.open_holds or told.held:
        verdict.faults.append(f"{report.open_holds} holds are left, of {told.held:,} nano-dollars")
    charged = sum(entry.amount for entry in site.emulator.bill())
    if told.settled != charged:
        verdict.faults.append(f"the ledger has {told.settled:,} nano-dollars, the bill {charged:,}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pieces", type=int, default=400)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with together(durable=True) as site:
        plan = Plan(pieces=asked.pieces, kills=asked.kills, seed=asked.seed)
        verdict = asyncio.run(measured(site, plan))
    print(verdict)
    return bool(verdict.faults)


if __name__ == "__main__":
    sys.exit(main())
