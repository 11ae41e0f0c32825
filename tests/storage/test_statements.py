"""A day's mixed traffic through the real router: statement, usage and bill agree to the nano-dollar."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from gemini_emulator import Emulator
from gemini_emulator.asks import Ask
from gemini_emulator.studio import flat
from gemini_emulator.world import Span
from image_router.books import Books, name_of
from image_router.cli.app import outcome_of
from image_router.config import Settings, load_settings
from image_router.core.bills import read_json
from image_router.core.causes import Billed
from image_router.core.errors import ImageRouterError, InvalidRequest
from image_router.core.holds import Adjustment, AttemptKey, Settlement
from image_router.core.reconcile import Charge, Finding
from image_router.core.statement import By, Line, Period, period_of, total_of
from image_router.core.types import Size
from image_router.engine.bookkeeping import LedgerAccounts
from image_router.engine.router import ImageRouter
from image_router.storage.database import Database
from image_router.storage.lazy import LazyDatabase
from image_router.storage.ledger import Ledger
from image_router.storage.migrations import ALL
from image_router.wiring import offline_emulator, parts_of
from storage.ledgers import Clock, asked, cost, paid, sending

APRIL = date(2026, 4, 9)
PURPOSES = ("economy", "draft", "hero", "final_hero", "preview", "contextual_edit")
LOSING = ("drop_after", "image_tokens_without_image", "truncated_body", "drop_after")
"""Faults that are charged and bring no picture."""
FREE = ("overloaded", "drop_before", "prompt_blocked", "image_safety", "rate_limit_minute")


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is left after the traffic."""

    books: Books
    emulator: Emulator
    images: int

    def charges(self) -> list[Charge]:
        return read_json(json.dumps(self.emulator.bill().to_json()), name="bill")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={}, folder=tmp_path, home=tmp_path / "home", offline=True, as_of=APRIL)


@pytest.fixture
async def run(address: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    """Forty requests of every purpose in two scopes, with faults of all kinds among them."""
    monkeypatch.setattr("gemini_emulator.studio._drawn", _unpainted)
    emulator = offline_emulator(APRIL)
    emulator.faults.clear()
    emulator.reset()
    for method in ("generateContent", "predict"):
        names = [name for pair in zip(LOSING, FREE, strict=False) for name in ("ok", *pair)]
        fitting = ["imagen_empty" if name in _ANSWERS and method == "predict" else name for name in names]
        emulator.faults.script(*fitting, method=method)
    parts = parts_of(settings)
    accounts = lambda: LedgerAccounts(LazyDatabase(address), owner="test", announce=parts.announce)  # noqa: E731
    async with ImageRouter(replace(parts, accounts=accounts, sleep=_at_once)) as router:
        made = await asyncio.gather(*(_one(router, place) for place in range(40)))
    async with await Database.open(address) as db:
        yield Run(books=Books(db, settings), emulator=emulator, images=sum(made))
    emulator.faults.clear()


def _unpainted(ask: Ask, frame: Span, seed: int | None, draft: bool) -> bytes:
    """Painting takes longest, and nobody looks."""
    return flat(frame, ask.media_type, subject=f"{ask.prompt}|{seed}|{draft}")


_ANSWERS = ("image_tokens_without_image", "prompt_blocked", "image_safety")


async def _one(router: ImageRouter, place: int) -> int:
    how = {
        "purpose": PURPOSES[place % len(PURPOSES)],
        "n": 1 + place % 3 // 2,
        "scope": f"acme/{'ab'[place % 2]}",
    }
    try:
        return len((await router.generate(f"a fox, number {place}", **how)).images)
    except ImageRouterError:
        return 0


async def test_the_ledger_equals_the_bill(run: Run) -> None:
    """Once the bill has told what came of the lost replies, every sum is the emulator's own."""
    bill, books = run.emulator.bill(), run.books
    before = await books.unknowns()
    assert before
    found = await books.reconcile(run.charges(), complete=True)
    assert {one.kind for one in found.differences} == {Finding.RESOLVED}
    assert len(found.resolved) == len(before)
    left = await books.adopt(found, who="ann", bill="the emulator's")
    assert (left.differences, left.ours, left.theirs) == ((), bill.total, bill.total)
    again = await books.reconcile(run.charges(), complete=True)
    assert (again.differences, again.ours) == ((), bill.total)
    assert await books.unknowns() == []
    assert (await books.ledger.verify()).discrepancies == ()

    by_model = await books.statement([By.MODEL])
    there = Counter[str]()
    for entry in bill.entries:
        there[entry.model] += entry.total
    assert {line.of[0]: line.spent for line in by_model if line.spent} == dict(+there)
    report = await books.usage()
    lost = sum(entry.total for entry in bill.entries if entry.fault)
    assert lost > 0
    assert (report.total.spent, report.total.for_nothing) == (bill.total, lost)
    assert (report.total.images, report.total.unconfirmed) == (run.images, 0)
    assert sum(share.spent for share in report.mix) == bill.total
    assert sum(day.spent for day in report.days) == bill.total
    assert sum(line.for_nothing for line in report.failures) == lost


async def test_every_grouping_adds_up_to_the_same(run: Run) -> None:
    """Whatever a statement is by, its lines sum to the same total, the unconfirmed included."""
    totals = {by: total_of(await run.books.statement([by])) for by in By}
    assert len(set(totals.values())) == 1
    total = totals[By.TIER]
    assert total.unconfirmed == sum(one.at_risk for one in await run.books.unknowns()) > 0
    assert total_of(await run.books.statement(list(By))) == total
    parts = [await run.books.statement([By.TIER], Period(scope=f"acme/{name}")) for name in "ab"]
    assert total_of([*parts[0], *parts[1]]) == total
    assert await run.books.statement([By.TIER], Period(scope="acm")) == ()
    assert await run.books.statement([By.TIER], period_of(date(2001, 1, 1), date(2001, 1, 2))) == ()


async def test_a_changed_bill_is_noticed(run: Run) -> None:
    """A line taken off, one added and one made dearer are each named; nothing else is."""
    await run.books.adopt(await run.books.reconcile(run.charges(), complete=True), who="ann", bill="first")
    taken, dearer, *rest = sorted((c for c in run.charges() if c.amount), key=lambda c: c.model)
    added = Charge(model="model-x", amount=5, id="r-new")
    bill = [replace(dearer, amount=dearer.amount + 1), *rest, added]
    found = await run.books.reconcile(bill, complete=True)
    assert sorted(one.kind for one in found.differences) == [
        "amount differs",
        "missing here",
        "missing there",
    ]
    assert found.theirs - found.ours == 1 + 5 - taken.amount


async def test_resolving_by_hand(run: Run) -> None:
    """An unknown call is named, counted at what a person says, and then known, with who and why."""
    one, other, *_ = await run.books.unknowns()
    for reason, name, said in (
        (" ", name_of(one), "reason is empty"),
        ("bill", "hold_none:0:1", "is no unknown call"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            await run.books.resolve(name, 7, who="ann", reason=reason)
    assert (await run.books.resolve(name_of(one), 7, who="ann", reason="invoice 12")).at_risk == one.at_risk
    await run.books.resolve(name_of(other), 0, who="ann", reason="case 13")
    told = {entry.note: entry for entry in await run.books.ledger.recent(limit=2)}
    assert (told["ann: invoice 12"].billed, told["ann: case 13"].billed) == (Billed.YES, Billed.NO)
    assert {name_of(one), name_of(other)}.isdisjoint(map(name_of, await run.books.unknowns()))
    with pytest.raises(InvalidRequest, match="is no unknown call"):
        await run.books.resolve(name_of(one), 7, who="ann", reason="again")
    assert (await run.books.ledger.verify()).sound


async def test_an_unknown_scope_is_refused(run: Run) -> None:
    """A scope that nobody used may be misspelt; one above or with a budget alone is known."""
    assert await run.books.scope("acme") == "acme"
    with pytest.raises(InvalidRequest, match="known are acme/a, acme/b"):
        await run.books.scope("acme/c")
    await run.books.budgets.set("acme/c", who="ann", day=5)
    assert await run.books.scope("acme/c") == "acme/c"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(address: str, clock: Clock) -> AsyncIterator[Ledger]:
    async with await Database.open(address, clock=clock) as db:
        yield Ledger(db)


async def test_what_brought_no_picture_is_for_nothing(ledger: Ledger) -> None:
    """Paid without a picture, or lost and later found on a bill; a corrected picture is none of it."""
    keys = [AttemptKey(number=number) for number in range(1, 6)]
    hold = await ledger.hold(asked(1000))
    for key in keys:
        await ledger.sent(hold, sending(100, key))
    await ledger.settle(hold, paid(90, keys[0]))
    await ledger.settle(hold, paid(80, keys[1], images=0))
    for key in keys[2:]:
        await ledger.settle(hold, Settlement(attempt=key, billed=Billed.UNKNOWN))
    (line,) = await ledger.statement([By.SCOPE])
    assert (line.spent, line.for_nothing, line.unconfirmed, line.images) == (470, 80, 300, 1)
    for key, amount in ((keys[0], 95), (keys[2], 60), (keys[3], 0)):
        await ledger.adjust(hold, Adjustment(attempt=key, amount=amount, who="ann", reason="bill"))
    (line,) = await ledger.statement([By.SCOPE])
    assert (line.spent, line.for_nothing, line.unconfirmed) == (335, 140, 100)


async def test_an_overrun_is_shown(ledger: Ledger) -> None:
    """What a call cost beyond its hold stands in the statement."""
    hold = await ledger.hold(asked(100))
    await ledger.sent(hold, sending(100))
    await ledger.settle(
        hold, Settlement(attempt=AttemptKey(number=1), billed=Billed.YES, cost=cost(130), images=1)
    )
    assert await ledger.statement([By.LANE]) == (
        Line(of=("interactive",), calls=1, images=1, spent=130, overrun=30),
    )


async def test_days_are_those_of_a_zone(ledger: Ledger, clock: Clock) -> None:
    """Half an hour before midnight in Berlin and half an hour after are two days there and one in UTC."""
    clock.pass_seconds(10.5 * 3600)
    for seconds in (0, 3600):
        clock.pass_seconds(seconds)
        hold = await ledger.hold(asked(100))
        await ledger.sent(hold, sending(100))
        await ledger.settle_and_close(hold, paid(40))
    berlin = await ledger.statement([By.DAY], zone="Europe/Berlin")
    assert [(line.of, line.spent) for line in berlin] == [(("2026-11-22",), 40), (("2026-11-23",), 40)]
    assert [line.spent for line in await ledger.statement([By.DAY])] == [80]
    first = period_of(date(2026, 11, 22), date(2026, 11, 22), zone="Europe/Berlin")
    assert total_of(await ledger.statement([By.DAY], first)).spent == 40
    assert [len(await ledger.calls(period)) for period in (first, None)] == [1, 2]


async def test_the_condition_of_a_database(run: Run) -> None:
    """Schema and size are told for both databases."""
    there = await run.books.condition()
    assert there.schema >= 3
    assert there.size > 10_000
    assert there.entries == (await run.books.ledger.verify()).entries


def test_the_commands_work_on_either_database(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Budgets, statement, usage, verification and the doctor, on the database the environment names."""
    monkeypatch.setenv("IMAGE_ROUTER_DATABASE_URL", address)
    monkeypatch.setenv("IMAGE_ROUTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE", raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", "none")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    asyncio.run(_a_little_traffic(address))
    for command in (
        "budget set acme --day 5 --zone Asia/Tokyo",
        "budget show acme/studio",
        "budget history acme",
        "statement --by day --by tier",
        "usage",
        "ledger entries --scope acme",
        "ledger unknowns",
        "ledger verify",
    ):
        assert outcome_of(command.split()) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "$0.00000004 of $5.00 spent" in said
    assert "sound: 3 entries, 1 holds" in said
    assert outcome_of(["doctor", "--json"]) == 1  # its host is out of reach
    seen = {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert (seen["books"]["health"], seen["ledger"]["health"]) == ("ok", "ok")
    assert f"schema {ALL[-1].number}" in seen["books"]["detail"]


async def _a_little_traffic(address: str) -> None:
    async with await Database.open(address) as db:
        ledger = Ledger(db)
        hold = await ledger.hold(asked(100, model="gemini-2.5-flash-image"))
        await ledger.sent(hold, sending(100))
        await ledger.settle_and_close(hold, paid(40, size=Size.K1))
