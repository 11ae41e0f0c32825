"""Mixed requests with a fifth of all calls failing: `python tests/harness/mixed.py [--requests 2000]`.

All tiers, sizes, purposes, numbers of pictures and of references, on the day of the article (with Imagen)
and on a day without it, through the whole engine over real HTTP, on SQLite or PostgreSQL. Every fault that
the emulator has for a single call is injected, over and over, the ambiguous ones among them. Then three
accounts are compared to the nano-dollar: what callers were told, the ledger, and the emulator's bill.

Circuits and pacing are left out, since most faults would end the run at the first: engine/test_traffic_faults
has them. No wait between tries is waited for.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

from gemini_emulator.faults import catalogue
from harness.money import KINDS, account, fresh_database, seconds_since
from harness.upstream import Upstream, upstream
from image_router.books import open_books
from image_router.config import Settings, load_settings
from image_router.core.errors import ImageRouterError, ProviderError
from image_router.core.holds import SendState
from image_router.core.results import Attempt, ImageResult
from image_router.core.types import Purpose, Size, Tier
from image_router.engine.router import ImageRouter
from image_router.wiring import parts_of
from unpaced import unpaced

DAYS = (date(2026, 4, 9), date(2026, 11, 22))
AT_ONCE = 16
_ONE_IN = 5
_SIZES = (None, *4 * (Size.K1,), Size.S512, Size.K2)
_LARGE = Size.K4
_ASPECTS = (None, None, "1:1", "16:9", "3:4")
_ABOUT = "a red mug", "a fox in the rain", "a poster", "an old lighthouse at dusk"
_OPTIONS = {
    "hang": ("seconds=0.05",),
    "slow": ("seconds=0.05",),
    "slow_drip": ("chunks=3;seconds=0.05",),
    "truncated_body": ("part=0.1", "part=0.98"),
    "empty_candidate": ("form=bare", "form=null_parts", "form=empty_candidates"),
    "thought_only": ("counted=0", "counted=1"),
    "several_images": ("count=2", "count=4"),
    "array_error": ("code=503", "code=500"),
    "html_error": ("code=502", "code=404"),
}
_IMAGEN_ONLY = frozenset({"imagen_billing", "imagen_prompt_block"})
_IN_STREAMS = frozenset({"error_in_stream"})


def faults(stages: Iterable[str]) -> list[str]:
    """Every fault of the emulator that can happen in one of the stages, with options worth trying."""
    wanted = set(stages)
    return [
        f"{name};{options}" if options else name
        for name, facts in catalogue().items()
        if facts["stage"] in wanted and name not in _IN_STREAMS
        for options in _OPTIONS.get(name, ("",))
    ]


def scripts(dice: random.Random) -> list[dict[str, Any]]:
    """A rule for each method: of five calls one fails, each fault in its turn."""
    generate = [fault for fault in faults(("error", "wire", "answer")) if fault not in _IMAGEN_ONLY]
    return [
        {"script": _spread(names, dice), "method": method, "repeat": True}
        for method, names in (
            ("generateContent", generate),
            ("predict", faults(("error", "wire", "predict"))),
        )
    ]


def _spread(names: Sequence[str], dice: random.Random) -> list[str]:
    steps: list[str] = []
    for name in dice.sample(names, len(names)):
        place = dice.randrange(_ONE_IN)
        steps += [name if n == place else "ok" for n in range(_ONE_IN)]
    return steps


@dataclass
class Tally:
    """Counts of a run, and what callers were told."""

    requests: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    pictures: int = 0
    calls: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    told: int = 0
    ledger: int = 0
    bill: int = 0
    at_risk: int = 0
    unknown: int = 0
    resolved: int = 0
    settled: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        equal = self.told == self.ledger and self.settled == self.bill > 0
        return equal and self.unknown == self.resolved and not self.faults

    def hear(self, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            self.calls += 1
            self.models[attempt.model] += 1
            self.told += attempt.cost.total + attempt.at_risk
            self.at_risk += attempt.at_risk

    def __str__(self) -> str:
        kinds = len({name.partition(";")[0] for name in self.injected})
        share = 100 * self.injected.total() / max(1, self.calls)
        rows = [
            ("requests", f"{self.requests}: {_counts(self.answered)}"),
            ("pictures", f"{self.pictures}"),
            ("calls", f"{self.calls}: {_counts(self.models)}"),
            ("faults injected", f"{self.injected.total()} ({share:.1f} % of calls), {kinds} kinds"),
            ("told to callers", f"{self.told:,} nano-dollars, {self.at_risk:,} of them at risk"),
            ("ledger before reconciliation", f"{self.ledger:,}, {self.unknown} calls of unknown outcome"),
            ("ledger after reconciliation", f"{self.settled:,}, {self.resolved} resolved"),
            ("emulator's bill", f"{self.bill:,}"),
            ("difference", f"{self.settled - self.bill:,} nano-dollars"),
            *(("fault", fault) for fault in self.faults[:10]),
        ]
        return "\n".join(f"  {name:30} {said}" for name, said in rows)


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.most_common())


def _picture(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (96, 64), (number % 256, 80, 120)).save(out, "PNG")
    return out.getvalue()


def wishes(count: int, dice: random.Random) -> list[dict[str, Any]]:
    """Arguments of `generate`: each tier pinned or left to the purpose, everything else at random."""
    found: list[dict[str, Any]] = []
    tiers = [None, None, *Tier]
    for number in range(count):
        tier = tiers[number % len(tiers)]
        size = _LARGE if number % 50 == 48 else dice.choice(_SIZES)
        imagen = tier is not None and tier.startswith("imagen")
        asked: dict[str, Any] = {
            "prompt": f"{dice.choice(_ABOUT)}, number {number}",
            "purpose": dice.choice(list(Purpose)),
            "tier": tier,
            "size": size if tier is None or size is _LARGE else None,
            "aspect": dice.choice(_ASPECTS),
            "n": 1 if size is _LARGE else dice.choice((1, 1, 1, 2, 3)),
            "references": [_picture(number + n) for n in range(0 if imagen else dice.choice((0, 0, 1, 2)))],
            "seed": dice.choice((None, None, 7)),
            "key": dice.choice((None, f"key-{number}")),
        }
        found.append({name: value for name, value in asked.items() if value is not None})
    return found


def _settings(home: Path, address: str, url: str, day: date) -> Settings:
    return load_settings(
        environ={},
        folder=home,
        home=home,
        database=address if "://" in address else None,
        api_key="harness",
        base_url=url,
        as_of=day,
        scope="acme/mixed",
        on_ambiguous="once",
    )


async def _ask(router: ImageRouter, wish: dict[str, Any], tally: Tally) -> None:
    try:
        answer: ImageResult | ImageRouterError = await router.generate(**wish)
    except ImageRouterError as error:
        answer = error
    tally.requests += 1
    if isinstance(answer, ImageResult):
        tally.answered["whole" if not answer.failures else "in part"] += 1
        tally.pictures += len(answer.images)
        tally.hear(answer.attempts)
        return
    asked = isinstance(answer, ProviderError)
    tally.answered["failed" if asked else f"refused before spending ({type(answer).__name__})"] += 1
    tally.hear(answer.attempts if isinstance(answer, ProviderError) else ())


async def _ask_all(settings: Settings, wanted: Iterable[dict[str, Any]], tally: Tally) -> None:
    left = iter(wanted)
    parts = parts_of(settings, sinks=())
    async with unpaced(parts, settings.base_url or "") as router:

        async def one_after_another() -> None:
            for wish in left:
                await _ask(router, wish, tally)

        await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


async def _compare(settings: Settings, address: str, *, emulator: Upstream, tally: Tally) -> None:
    """The ledger as it is, and as it is with the unknown resolved by the bill."""
    charges = emulator.charges()
    async with open_books(settings) as books:
        calls = await books.ledger.calls()
        tally.ledger += sum(call.amount for call in calls)
        tally.unknown += sum(call.state is SendState.UNKNOWN for call in calls)
        found = await books.reconcile(charges, complete=True)
        left = await books.adopt(found, who="harness", bill="the emulator's bill")
        report = await books.ledger.verify()
    tally.resolved += len(found.resolved)
    tally.settled += account(address).settled
    tally.bill += sum(charge.amount for charge in charges)
    tally.faults += [
        f"{one.kind}: {one.model} {one.ours} {one.theirs} {one.detail}" for one in left.differences
    ]
    tally.faults += [str(one) for one in report.discrepancies]
    tally.faults += [f"{report.open_holds} holds left"] if report.open_holds else []


def run(kind: str, *, requests: int, seed: int = 0) -> Tally:
    """A half of the requests on each day, each with its own books and its own emulator."""
    tally, dice = Tally(), random.Random(seed)
    for place, day in enumerate(DAYS):
        share = requests // len(DAYS) + (place < requests % len(DAYS))
        with (
            fresh_database(kind) as address,
            tempfile.TemporaryDirectory() as folder,
            upstream("--as-of", day.isoformat()) as emulator,
        ):
            home = Path(folder)
            address = address if "://" in address else str(home / "ledger.db")
            settings = _settings(home, address, emulator.url, day)
            emulator.fail(scripts(dice))
            asyncio.run(_ask_all(settings, wishes(share, dice), tally))
            tally.injected += emulator.injected()
            asyncio.run(_compare(settings, address, emulator=emulator, tally=tally))
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", choices=KINDS, default=KINDS[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    start = time.monotonic()
    tally = run(wanted.database, requests=wanted.requests, seed=wanted.seed)
    print(f"{wanted.database}, {seconds_since(start)}\n{tally}")
    sys.exit(not tally.passed)


if __name__ == "__main__":
    main()
