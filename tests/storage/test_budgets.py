"""Caps: who set what when, and how each stands."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from image_router.core.budget import Budget, Window
from image_router.core.errors import BudgetExceeded, InvalidRequest
from image_router.core.money import USD
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.storage.ledger import Ledger
from storage.ledgers import SCOPE, asked, paid


@pytest.fixture
def budgets(database: Database) -> Budgets:
    return Budgets(database)


async def test_set_changes_what_is_named(budgets: Budgets) -> None:
    """Fields that are not named stay as they are; what was set is read back as it was."""
    first = await budgets.set("acme", who="ann", month=5 * USD, alerts=(50, 90), zone="Asia/Tokyo")
    second = await budgets.set("acme", who="bob", day=USD, guard_percent=80, per_request=USD)
    assert first == Budget(scope="acme", month=5 * USD, alerts=(50, 90), zone="Asia/Tokyo")
    assert second == Budget(
        scope="acme",
        day=USD,
        month=5 * USD,
        per_request=USD,
        alerts=(50, 90),
        zone="Asia/Tokyo",
        guard_percent=80,
    )
    assert await budgets.get("acme") == second
    assert await budgets.get("other") is None


async def test_history(budgets: Budgets) -> None:
    """Every change is kept with who made it, from what and to what; setting the same changes nothing."""
    await budgets.set("acme", who="ann", month=500)
    await budgets.set("acme", who="bob", month=400, zone="Asia/Tokyo")
    await budgets.set("acme", who="bob", month=400)
    await budgets.set("acme", who="ann", month=None)
    await budgets.set("other", who="ann", day=1)
    history = await budgets.history("acme")
    assert [(c.who, c.field, c.old, c.new) for c in history] == [
        ("ann", "month", None, "500"),
        ("bob", "month", "500", "400"),
        ("bob", "zone", "UTC", "Asia/Tokyo"),
        ("ann", "month", "400", None),
    ]
    assert [change.at for change in history] == sorted(change.at for change in history)
    assert len(await budgets.history()) == 5


@pytest.mark.parametrize(
    "changes",
    [{"day": 0}, {"day": -1}, {"month": float("nan")}, {"total": 10**19}, {"zone": "Nowhere"}, {"cap": 5}],
)
async def test_nonsense_changes_nothing(budgets: Budgets, changes: dict[str, Any]) -> None:
    """A cap that makes no sense is refused in words, and neither cap nor history moves."""
    await budgets.set("acme", who="ann", month=500)
    with pytest.raises(InvalidRequest):
        await budgets.set("acme", who="ann", **changes)
    assert await budgets.get("acme") == Budget(scope="acme", month=500)
    assert len(await budgets.history()) == 1


async def test_path_and_list(budgets: Budgets) -> None:
    """A scope's path holds the budgets above it, outermost first; the list holds all of them."""
    for scope in ("acme/studio/key-7", "acme", "acme/other", "acme/studio"):
        await budgets.set(scope, who="ann", day=10)
    assert [budget.scope for budget in await budgets.path(SCOPE)] == [
        "acme",
        "acme/studio",
        "acme/studio/key-7",
    ]
    assert [budget.scope for budget in await budgets.all()] == [
        "acme",
        "acme/other",
        "acme/studio",
        "acme/studio/key-7",
    ]


async def test_remove(budgets: Budgets, database: Database) -> None:
    """A removed budget limits nothing any more; its history stays, and setting it again knows the past."""
    ledger = Ledger(database)
    await budgets.set("acme", who="ann", total=100)
    await ledger.hold(asked(100))
    await budgets.remove("acme", who="bob")
    await ledger.hold(asked(500))
    assert await ledger.pressure(SCOPE) == {}
    await budgets.set("acme", who="ann", total=1200)
    assert await ledger.pressure(SCOPE) == {"acme total": 50}
    assert [(c.who, c.old, c.new) for c in await budgets.history("acme")] == [
        ("ann", None, "100"),
        ("bob", "100", None),
        ("ann", None, "1200"),
    ]
    with pytest.raises(InvalidRequest):
        await budgets.remove("nobody", who="bob")
    assert (await ledger.verify()).sound


async def test_standing(budgets: Budgets, database: Database) -> None:
    """Every cap on the way up shows what is spent, held and left of it."""
    ledger = Ledger(database)
    await budgets.set("acme", who="ann", day=1000, total=5000)
    await budgets.set("acme/studio", who="ann", month=400)
    await ledger.settle_and_close(await ledger.hold(asked(100)), paid(60))
    await ledger.hold(asked(100))
    found = [(s.scope, s.window, s.settled, s.held, s.left, s.percent) for s in await budgets.standing(SCOPE)]
    assert found == [
        ("acme", Window.DAY, 60, 100, 840, 16),
        ("acme", Window.TOTAL, 60, 100, 4840, 3),
        ("acme/studio", Window.MONTH, 60, 100, 240, 40),
    ]


async def test_prepaid(budgets: Budgets, database: Database) -> None:
    """A prepaid budget is spent once; top-ups add to it, also many at a time."""
    ledger = Ledger(database)
    await budgets.set("acme", who="ann", total=100, prepaid=True)
    await ledger.hold(asked(100))
    with pytest.raises(BudgetExceeded) as refusal:
        await ledger.hold(asked(1))
    assert refusal.value.window_end is None
    assert "raise the cap." in str(refusal.value)
    await asyncio.gather(*(budgets.top_up("acme", 10, who="bob") for _ in range(10)))
    assert await budgets.get("acme") == Budget(scope="acme", total=200, prepaid=True)
    await ledger.hold(asked(100))
    assert len(await budgets.history("acme")) == 12


@pytest.mark.parametrize(("budget", "amount"), [({"month": 5}, 1), ({"total": 5, "prepaid": True}, 0)])
async def test_top_ups_that_make_no_sense(budgets: Budgets, budget: dict[str, Any], amount: int) -> None:
    """Only a prepaid budget is topped up, and only by something."""
    await budgets.set("acme", who="ann", **budget)
    with pytest.raises(InvalidRequest):
        await budgets.top_up("acme", amount, who="bob")
    with pytest.raises(InvalidRequest):
        await budgets.top_up("nobody", 1, who="bob")


async def test_a_cap_per_request(budgets: Budgets, database: Database) -> None:
    """The cap per request looks at one image, never at the hold of many."""
    ledger = Ledger(database)
    await budgets.set("acme", who="ann", per_request=100)
    await ledger.hold(asked(1000, per_image=100))
    with pytest.raises(BudgetExceeded) as refusal:
        await ledger.hold(asked(101))
    assert (refusal.value.window, refusal.value.cap, refusal.value.asked) == ("request", 100, 101)


async def test_caps_change_while_holds_are_taken(budgets: Budgets, database: Database) -> None:
    """Caps set, moved and removed in the middle of the traffic leave every balance right."""
    ledger = Ledger(database)

    async def spend() -> None:
        for _ in range(6):
            try:
                hold = await ledger.hold(asked(100))
            except BudgetExceeded:
                continue
            await ledger.settle_and_close(hold, paid(70))

    async def meddle() -> None:
        for step in range(6):
            await budgets.set("acme", who="ann", day=1000 + step, zone=["UTC", "Asia/Tokyo"][step % 2])
            await budgets.set("acme/studio", who="ann", total=900)
            await budgets.remove("acme/studio", who="ann")

    await asyncio.gather(*(spend() for _ in range(8)), meddle())
    report = await ledger.verify()
    assert report.discrepancies == ()
    assert report.open_holds == 0
