"""How long deciding takes: `python bench/bench_decide.py` prints CPU microseconds per decision.

A decision looks at all six tiers and quotes every candidate; one that was made before for a request alike is
remembered. Target: 50 µs on one core. The ratio is to
parsing one kilobyte of JSON on the same core in the same run, and compares across machines.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date

from image_router import facts
from image_router.core.decision import Snapshot
from image_router.core.rates import card_on
from image_router.core.remembered import Decisions
from image_router.core.routing import World, decide
from image_router.core.types import ImageRequest, Purpose, Reference, ReferenceRole, Size

TARGET = 50.0
_RUNS, _CALLS = 15, 400
_DAYS = (date(2026, 4, 9), date(2026, 11, 22))
_FACE = Reference(
    data=b"", media_type="image/png", digest="0" * 64, width=64, height=64, role=ReferenceRole.CHARACTER
)
_REQUESTS = {
    "a draft": ImageRequest(prompt="a red mug on a table", purpose=Purpose.DRAFT),
    "a hero at 2K": ImageRequest(prompt="a red mug on a table", purpose=Purpose.HERO, size=Size.K2),
    "a character": ImageRequest(prompt="the same fox, asleep", references=(_FACE,)),
}


def microseconds(work: Callable[[], object]) -> float:
    """The least CPU time of one call: what disturbs only ever adds."""
    least = float("inf")
    for _ in range(_RUNS):
        start = time.thread_time()
        for _ in range(_CALLS):
            work()
        least = min(least, time.thread_time() - start)
    return least / _CALLS * 1e6


def main() -> None:
    document = json.dumps({f"name {n}": n * 1.5 for n in range(50)})
    yardstick = microseconds(lambda: json.loads(document))
    print(f"{'decision':16}{'day':>12}{'candidates':>12}{'µs':>8}{'target':>8}{'ratio':>8}{'again':>8}")
    for day in _DAYS:
        card, policy = card_on(day, facts.load_cards(None)), facts.load_policies(None)["default"]
        world = World(catalog=facts.load_catalog(None), card=card, policy=policy, day=day)
        for name, request in _REQUESTS.items():
            count = len(decide(request, world, snapshot=Snapshot()).candidates)
            spent = microseconds(lambda r=request, w=world: decide(r, w, snapshot=Snapshot()))
            memory = Decisions()
            again = microseconds(lambda r=request, w=world, m=memory: m.decide(r, w, snapshot=Snapshot()))
            ratio = spent / yardstick
            print(f"{name:16}{day!s:>12}{count:12}{spent:8.0f}{TARGET:8.0f}{ratio:7.1f}x{again:8.0f}")


if __name__ == "__main__":
    main()
