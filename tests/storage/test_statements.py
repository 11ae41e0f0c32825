"""What was spent, by any question one may ask."""

from __future__ import annotations

import asyncio

import pytest

from image_router.core.causes import Billed, Cause
from image_router.core.holds import Adjustment, AttemptKey, EntryKind, Settlement
from image_router.core.types import Lane, Purpose, Size, Tier
from image_router.storage.database import Database
from image_router.storage.ledger import Ledger
from image_router.storage.statements import By, Line, Period
from storage.ledgers import FIRST, Clock, asked, paid, sending


@pytest.fixture
async def ledger(address: str) -> Ledger:
    """A ledger with a known past: 200 for two pictures, 30 for nothing, 80 unknown, 10 beyond its hold."""
    clock = Clock()
    database = await Database.open(address, clock=clock)
    made = Ledger(database)
    hero = await made.hold(asked(300, scope="acme/a", request_id="req_hero"))
    await made.sent(hero, sending(100))
    await made.settle(hero, paid(100, size=Size.K1))
    second = AttemptKey(number=1, index=1)
    await made.settle(hero, paid(100, second, size=Size.K2, model="model-b", tier=Tier.NANO_BANANA))
    nothing = AttemptKey(number=2, index=1)
    await made.settle_and_close(hero, paid(30, nothing, images=0, outcome=Cause.PAID_WITHOUT_IMAGE))
    clock.pass_seconds(12 * 3600)
    draft = await made.hold(
        asked(80, scope="acme/b", purpose=Purpose.DRAFT, lane=Lane.BATCH, request_id="req_draft")
    )
    await made.sent(draft, sending(80))
    await made.settle(draft, Settlement(attempt=FIRST, billed=Billed.UNKNOWN, outcome=Cause.TIMED_OUT))
    await made.close(draft)
    over = await made.hold(asked(40, scope="acme-other", request_id="req_over"))
    await made.settle_and_close(over, paid(50))
    return made


@pytest.fixture(autouse=True)
async def closed(ledger: Ledger) -> object:
    yield ledger
    await ledger.db.close()


def line(*of: str, calls: int, images: int, spent: int, **more: int) -> Line:
    facts = {"unconfirmed": 0, "for_nothing": 0, "overrun": 0} | more
    return Line(of=of, calls=calls, images=images, spent=spent, **facts)


async def test_the_whole(ledger: Ledger) -> None:
    """Without columns there is one line: calls, pictures, money, and what of it is doubtful or wasted."""
    assert await ledger.statement([]) == (
        line(calls=5, images=3, spent=360, unconfirmed=80, for_nothing=30, overrun=10),
    )


async def test_by_scope(ledger: Ledger) -> None:
    """Each scope has its own line, in order."""
    assert await ledger.statement([By.SCOPE]) == (
        line("acme-other", calls=1, images=1, spent=50, overrun=10),
        line("acme/a", calls=3, images=2, spent=230, for_nothing=30),
        line("acme/b", calls=1, images=0, spent=80, unconfirmed=80),
    )


async def test_by_model_and_size(ledger: Ledger) -> None:
    """Columns combine, which is what a traffic mix is made of; a fallback counts for the model that drew."""
    assert await ledger.statement([By.TIER, By.MODEL, By.SIZE], Period(scope="acme/a")) == (
        line("nano_banana", "model-b", "2K", calls=1, images=1, spent=100),
        line("nano_banana_pro", "model-a", "", calls=1, images=0, spent=30, for_nothing=30),
        line("nano_banana_pro", "model-a", "1K", calls=1, images=1, spent=100),
    )


@pytest.mark.parametrize(
    ("by", "values"),
    [
        (By.PURPOSE, ["draft", "hero"]),
        (By.LANE, ["batch", "interactive"]),
        (By.OUTCOME, ["ok", "paid_without_image", "timed_out"]),
    ],
)
async def test_other_columns(ledger: Ledger, by: By, values: list[str]) -> None:
    """Purpose, lane and outcome can be asked for as well."""
    assert [line.of[0] for line in await ledger.statement([by])] == values


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", {"2026-11-22": 230, "2026-11-23": 130}),
        ("America/New_York", {"2026-11-22": 360}),
        ("Asia/Tokyo", {"2026-11-22": 230, "2026-11-23": 130}),
        ("Pacific/Auckland", {"2026-11-23": 360}),
        ("Asia/Kathmandu", {"2026-11-22": 230, "2026-11-23": 130}),
    ],
)
async def test_by_day(ledger: Ledger, zone: str, days: dict[str, int]) -> None:
    """Days are those of the zone asked for."""
    found = await ledger.statement([By.DAY], zone=zone)
    assert {line.of[0]: line.spent for line in found} == days


async def test_periods_and_scopes(ledger: Ledger) -> None:
    """A scope includes what is below it and nothing that only begins alike; a period ends before its end."""
    (acme,) = await ledger.statement([], Period(scope="acme"))
    assert acme.spent == 310
    noon = Clock().wall
    (first,) = await ledger.statement([], Period(start=noon, end=noon + 1))
    assert first.spent == 230
    assert await ledger.statement([By.DAY], Period(start=noon + 10**12)) == ()


async def test_a_correction_counts_for_its_model(ledger: Ledger) -> None:
    """An adjusted attempt is confirmed, and its difference stands where the attempt stood."""
    (unknown,) = await ledger.unknowns()
    told = Adjustment(attempt=unknown.attempt, amount=20, who="ann", reason="bill")
    await ledger.adjust(unknown.hold_id, told)
    assert await ledger.statement([By.PURPOSE], Period(scope="acme/b")) == (
        line("draft", calls=1, images=0, spent=20, for_nothing=20),
    )


async def test_the_story_of_a_request(ledger: Ledger) -> None:
    """All entries of one request are found by its id, oldest first."""
    told = await ledger.entries_of("req_draft")
    assert [(entry.kind, entry.amount) for entry in told] == [
        (EntryKind.HOLD, 80),
        (EntryKind.SETTLE, 80),
    ]


async def test_pages(ledger: Ledger) -> None:
    """Recent entries come newest first and page by page, also while others are written."""
    page = await ledger.recent(limit=4)
    await ledger.hold(asked(5))
    rest = await ledger.recent(limit=100, before=page[-1].id)
    ids = [entry.id for entry in (*page, *rest)]
    assert ids == sorted(ids, reverse=True) == list(range(page[0].id, 0, -1))
    assert {entry.scope for entry in await ledger.recent(scope="acme/b")} == {"acme/b"}


async def test_asking_while_writing(ledger: Ledger) -> None:
    """A statement made in the middle of traffic is of one moment: it never sees half a step."""

    async def spend() -> None:
        for _ in range(10):
            await ledger.settle_and_close(await ledger.hold(asked(10, scope="busy")), paid(10))

    async def look() -> list[bool]:
        return [(await ledger.verify()).sound for _ in range(5)]

    *_, sound = await asyncio.gather(*(spend() for _ in range(4)), look())
    assert sound == [True] * 5
