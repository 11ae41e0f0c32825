"""Fills an offline installation with a month of traffic, for looking at the dashboard.

Every picture, price and failure comes of the real engine and the emulator; only the clock is ours: it runs
through the month in about a minute. No key is needed and no other host is asked.

    .venv/bin/python scripts/demo_data.py demo-home
    .venv/bin/image-router serve --offline --open        # with IMAGE_ROUTER_HOME=demo-home
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
import uvicorn

from image_router.aio import ImageRouter
from image_router.books import Books, open_books
from image_router.config import load_settings
from image_router.core.budget import to_micros
from image_router.core.errors import ImageRouterError
from image_router.core.results import GeneratedImage
from image_router.core.router_keys import DollarLimit, KeyRules
from image_router.core.runs import RunTerms
from image_router.core.types import Tier
from image_router.gateway.api import gateway
from image_router.gateway.journaling import JournalSink
from image_router.gateway.opening import Choices
from image_router.runs import open_runs
from image_router.storage.journal import Journal

DAYS = 38
"""So that it reaches into the month before."""
REQUESTS = 440
AT_ONCE = 16
_MIX = {"economy": 58, "draft": 12, "hero": 12, "contextual_edit": 7, "character_lock": 6, "final_hero": 3}
_SCOPES = {"acme/shop": 46, "acme/studio": 22, "globex/app": 20, "lumen/print": 12}
_SUBJECTS = (
    "a terracotta mug of coffee", "a fox courier with a teal scarf", "white sneakers",
    "a plum perfume bottle", "an owl librarian", "a steel water bottle", "a linen armchair",
    "a lighthouse on a cliff", "a ceramic teapot", "a red bicycle", "a leather backpack",
    "a brass desk lamp", "a bowl of ramen", "a wooden toy train", "a wool beanie", "a potted monstera",
)  # fmt: skip
_PLACES = (
    "on a wooden table, soft morning light", "in a rainy city street", "on a seamless studio backdrop",
    "in snowy mountains", "on a beach at sunset", "in a bright kitchen", "in a library, evening",
    "on a marble counter, hard shadows",
)  # fmt: skip
_WORDS = ("SUMMER SALE", "NEW IN", "OPEN LATE", "50 % OFF")
_PRODUCTS = (
    "mug-1,Terracotta mug,terracotta",
    "bag-4,Leather backpack,brown",
    "bike-2,City bicycle,red",
    "pot-7,Potted monstera,green",
)
_FAULTS = {
    "overloaded": 0.025,
    "image_safety": 0.015,
    "no_image": 0.012,
    "rate_limit_minute;retry=1": 0.008,
    "internal_encountered": 0.006,
    "truncated_body": 0.004,
}


@dataclass(slots=True)
class Clock:
    """The wall clock of the month: it stands where it is set, and moves as the real one does from there."""

    ahead: int = 0
    """Nanoseconds between it and the real one."""
    real: Any = field(default=time.time_ns, repr=False)

    def set(self, moment: datetime) -> None:
        self.ahead = to_micros(moment) * 1_000 - self.real()

    def __call__(self) -> int:
        return int(self.real() + self.ahead)

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """Inside, everything in this process that asks for the time gets this clock's."""
        with patch("time.time_ns", self), patch("time.time", lambda: self() / 1e9):
            yield


@dataclass(slots=True, kw_only=True)
class Ask:
    """One request of the month."""

    at: datetime
    prompt: str
    terms: dict[str, Any]


def month(first: date, days: int, *, requests: int, dice: random.Random) -> list[Ask]:
    """Requests over the days: more from week to week, fewer at weekends, most of them in the afternoon."""
    weights = [
        (1 + place / days) * (0.45 if (first + timedelta(place)).weekday() > 4 else 1)
        for place in range(days)
    ]
    asks = []
    for place in sorted(dice.choices(range(days), weights, k=requests)):
        minute = min(1439, max(0, round(dice.gauss(14 * 60, 200))))
        start = datetime.combine(first + timedelta(place), datetime.min.time(), UTC)
        asks.append(_ask(start + timedelta(minutes=minute), dice))
    return sorted(asks, key=lambda ask: ask.at)


def _ask(at: datetime, dice: random.Random) -> Ask:
    purpose = dice.choices(list(_MIX), list(_MIX.values()))[0]
    terms: dict[str, Any] = {
        "purpose": purpose,
        "scope": dice.choices(list(_SCOPES), list(_SCOPES.values()))[0],
        "n": 1 if purpose in ("final_hero", "character_lock") else dice.choice((1, 1, 1, 2)),
    }
    if purpose == "final_hero":
        terms |= {"text": dice.choice(_WORDS), "size": dice.choice(("1K", "2K"))}
    if purpose == "economy" and dice.random() < 0.12:
        terms |= {"seed": dice.randrange(3), "n": 1}
    few = terms.get("seed") is not None
    subject, place = dice.choice(_SUBJECTS[: 3 if few else None]), dice.choice(_PLACES[: 2 if few else None])
    return Ask(at=at, prompt=f"{subject} {place}", terms=terms)


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Who makes the month happen."""

    home: Path
    emulator: str
    clock: Clock
    dice: random.Random
    sink: JournalSink = field(default_factory=JournalSink)
    made: list[GeneratedImage] = field(default_factory=list)
    failed: int = 0

    async def play(self, asks: Sequence[Ask], journal: Journal) -> None:
        """Day by day, each with the models and prices of its day."""
        days: dict[date, list[Ask]] = {}
        for ask in asks:
            days.setdefault(ask.at.date(), []).append(ask)
        for day, of_day in days.items():
            self.clock.set(of_day[0].at)
            settings = load_settings(home=self.home, offline=True, emulator_url=self.emulator, as_of=day)
            async with ImageRouter(settings, sinks=[self.sink]) as router:
                for place in range(0, len(of_day), AT_ONCE):
                    together = of_day[place : place + AT_ONCE]
                    self.clock.set(together[0].at)
                    await asyncio.gather(*(self._one(router, ask) for ask in together))
                    await self.sink.flush(journal)
            print(f"  {day}  {len(self.made):>5} pictures", end="\r", flush=True)

    async def _one(self, router: ImageRouter, ask: Ask) -> None:
        terms = dict(ask.terms)
        if terms["purpose"] in ("contextual_edit", "character_lock") and self.made:
            terms["references"] = [self.dice.choice(self.made[-40:]).data]
        try:
            result = await router.generate(ask.prompt, **terms)
        except ImageRouterError:
            self.failed += 1
            return
        self.made += result.images


@contextmanager
def emulator(first: date) -> Iterator[str]:
    """The emulator in a process of its own, with the models of the month and some bad luck."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gemini_emulator", "--port", str(port), "--as-of", first.isoformat()]
    process = subprocess.Popen([*command, "--latency", "0.04", "--seed", "11"], stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def bad_luck(url: str) -> None:
    """Wait for the emulator, and let some calls of it fail."""
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            try:
                async with session.get(f"{url}/emulator/faults") as reply:
                    await reply.read()
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
        for fault, probability in _FAULTS.items():
            rule = {"fault": fault, "probability": probability}
            async with session.post(f"{url}/emulator/faults", json=rule) as reply:
                reply.raise_for_status()


async def budgets(books: Books, clock: Clock, last: date) -> None:
    """Caps near what was spent: one at ease, one near its end, one where the guard acts."""
    clock.set(datetime.combine(last, datetime.min.time(), UTC) - timedelta(days=20))
    for scope, full in (("acme", 58), ("acme/studio", 93), ("globex", 78), ("lumen/print", 31)):
        await books.budgets.set(scope, who="ann", month=10**12)
        clock.set(datetime.combine(last, datetime.min.time(), UTC))
        (standing,) = [one for one in await books.budgets.standing(scope) if one.scope == scope]
        cap = max(10**9, standing.settled * 100 // full) // 10**7 * 10**7
        await books.budgets.set(scope, who="ann", month=cap, alerts=(75, 90))


async def keys(books: Books) -> None:
    """An admin, three programs, and one that ended."""
    rules = (
        KeyRules(name="Ann, operations", scope="ops", admin=True),
        KeyRules(
            name="shop backend",
            scope="acme/shop",
            requests_per_minute=120,
            dollars=DollarLimit(amount=20 * 10**9, seconds=86_400),
        ),
        KeyRules(name="studio plugin", scope="acme/studio", in_flight=4),
        KeyRules(
            name="mobile app",
            scope="globex/app",
            images_per_minute=60,
            tiers=frozenset({Tier.NANO_BANANA, Tier.IMAGEN_4_FAST}),
        ),
        KeyRules(name="intern's laptop", scope="lumen"),
    )
    for each in rules:
        made = await books.keys.create(each, who="ann")
        if each.name.startswith("intern"):
            await books.keys.revoke(made.key.id, who="ann")


@asynccontextmanager
async def served(home: Path, url: str) -> AsyncIterator[str]:
    """The gateway in this process, for jobs."""
    app = gateway(Choices(open=True), home=home, offline=True, emulator_url=url)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110, uvicorn has nothing to wait for
        await asyncio.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


async def jobs(gate: str, *, wait_for: int) -> None:
    """Jobs of today: some are over, the rest is still to be done by whoever serves next."""
    async with aiohttp.ClientSession() as session:
        for place in range(wait_for + 4):
            body = {
                "prompt": f"{_SUBJECTS[place]} {_PLACES[place % 8]}",
                "n": 4 if place < wait_for else 8,
                "user": "demo",
            }
            if place == 2:
                body["prompt"] = "a poster"
                body["size"] = "4K"
            async with session.post(f"{gate}/router/v1/jobs", json=body) as reply:
                await reply.read()
            if place == wait_for - 1:
                await _all_over(session, gate)


async def catalog(home: Path, url: str) -> None:
    """A run whose references are made and wait for somebody to look at them."""
    table = home / "autumn.csv"
    table.write_text("sku,name,colour\n" + "".join(f"{line}\n" for line in _PRODUCTS))
    terms = RunTerms(approve_references=True)
    async with open_runs(home=home, offline=True, emulator_url=url, scope="acme/shop") as runs:
        run, _ = await runs.start_table(table, template="ecommerce", max_cost="10", terms=terms)
        await runs.make(run.id)


async def _all_over(session: aiohttp.ClientSession, gate: str) -> None:
    for _ in range(300):
        async with session.get(f"{gate}/router/v1/jobs") as reply:
            listed = (await reply.json())["jobs"]
        if all(job["finished_at"] for job in listed):
            return
        await asyncio.sleep(0.1)


async def fill(home: Path, *, days: int, requests: int) -> Traffic:
    """The whole month."""
    dice, clock = random.Random(11), Clock()
    last = datetime.now(UTC).date()
    first = last - timedelta(days=days - 1)
    with emulator(first) as url:
        await bad_luck(url)
        traffic = Traffic(home=home, emulator=url, clock=clock, dice=dice)
        now = datetime.now(UTC)
        asks = [ask for ask in month(first, days, requests=requests, dice=dice) if ask.at < now]
        with clock.ruling():
            async with open_books(home=home, offline=True) as books:
                await traffic.play(asks, Journal(books.db))
                await budgets(books, clock, last)
        async with open_books(home=home, offline=True) as books:
            await keys(books)
        async with served(home, url) as gate:
            await jobs(gate, wait_for=6)
        await catalog(home, url)
    return traffic


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill an offline installation with a month of demo traffic.")
    parser.add_argument("home", type=Path, help="the installation's home; made if it is not there")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="600 at most")
    asked = parser.parse_args()
    if (asked.home / "offline.db").exists():
        sys.exit(f"{asked.home} has books already: name a home that is new, or remove it first")
    asked.home.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    traffic = asyncio.run(fill(asked.home, days=asked.days, requests=min(asked.requests, 600)))
    print(
        f"{len(traffic.made):,} pictures of {asked.days} days, {traffic.failed} requests refused, "
        f"in {time.monotonic() - began:.0f} s: emulated money, demo data. Look at it with\n"
        f"  IMAGE_ROUTER_HOME={asked.home} image-router serve --offline --open"
    )


if __name__ == "__main__":
    main()
