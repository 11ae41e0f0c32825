"""guard.locked = wait: a request that must not be moved waits for the pressure to fall."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from desk import policies, router
from image_router.core.errors import GuardRefused, InvalidRequest
from image_router.core.holds import HoldRequest
from image_router.core.money import parse_usd
from image_router.core.policy import GuardChoice, Policy
from image_router.core.types import Purpose, Tier
from image_router.engine.bookkeeping import LedgerAccounts
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.storage.lazy import LazyDatabase
from image_router.storage.ledger import Ledger

DOLLAR = parse_usd("1")
LOCKED = {"purpose": "character_lock", "scope": "acme/studio"}


def waiting() -> Mapping[str, Policy]:
    known = policies()["default"]
    return {"default": replace(known, guard=replace(known.guard, locked=GuardChoice.WAIT))}


async def hold(ledger: Ledger, amount: int) -> str:
    asked = HoldRequest(
        request_id="rival",
        owner="other",
        scope="acme/studio",
        amount=amount,
        per_image=amount,
        model="m",
        tier=Tier.NANO_BANANA_PRO,
        purpose=Purpose.HERO,
    )
    return (await ledger.hold(asked)).id


def books(home: Path) -> LedgerAccounts:
    return LedgerAccounts(LazyDatabase(home / "ledger.db"), owner="test", announce=lambda event: None)


async def test_it_waits_until_others_give_back(tmp_path: Path) -> None:
    """The request is served by its own tier once a hold is closed, and the result says how long it waited."""
    async with await Database.open(tmp_path / "ledger.db") as db:
        await Budgets(db).set("acme", who="test", total=10 * DOLLAR, guard_percent=50)
        ledger = Ledger(db)
        rival = await hold(ledger, 6 * DOLLAR)
        naps = 0

        async def nap(seconds: float) -> None:
            nonlocal naps
            naps += 1
            assert provider.calls == []
            if naps == 3:
                await ledger.close(rival)
            await clock.sleep(seconds)

        shop, provider, clock = router(accounts=lambda: books(tmp_path), policies=waiting(), sleep=nap)
        async with shop:
            result = await shop.generate("a fox", **LOCKED)
    assert result.image.tier is Tier.NANO_BANANA_PRO
    assert "waited 1.5 s for the budget's pressure to fall" in result.warnings
    assert result.decision.guard is None


@pytest.mark.parametrize(("wait", "waited"), [(None, "300.0"), (7.0, "7.0"), (0.0, "0.0")])
async def test_it_refuses_with_the_numbers(tmp_path: Path, wait: float | None, waited: str) -> None:
    """When wait_for_budget, or without it the deadline, is over, the refusal has scope, sums and time."""
    async with await Database.open(tmp_path / "ledger.db") as db:
        await Budgets(db).set("acme", who="test", total=10 * DOLLAR, guard_percent=50)
        await hold(Ledger(db), 6 * DOLLAR)
    shop, provider, _ = router(accounts=lambda: books(tmp_path), policies=waiting())
    async with shop:
        with pytest.raises(GuardRefused, match=rf"\$6.00 held .* waited {waited} s") as caught:
            await shop.generate("a fox", wait_for_budget=wait, **LOCKED)
    assert (caught.value.scope, caught.value.held, provider.calls) == ("acme", 6 * DOLLAR, [])


async def test_it_does_not_wait_in_vain(tmp_path: Path) -> None:
    """Where the money is spent, or the pressure only assumed, nothing that others give back would help."""
    async with await Database.open(tmp_path / "ledger.db") as db:
        await Budgets(db).set("acme", who="test", total=DOLLAR // 10, guard_percent=1)
    shop, _, clock = router(accounts=lambda: books(tmp_path), policies=waiting())
    async with shop:
        await shop.generate("a fox", scope="acme/studio")
        before = clock()
        for assumed in (0, 95):
            with pytest.raises(GuardRefused):
                await shop.generate("a fox", pressure=assumed, **LOCKED)
    assert clock() == before


async def test_a_waiting_request_can_be_cancelled(tmp_path: Path) -> None:
    """Cancelled while it waits, a request leaves nothing held."""
    async with await Database.open(tmp_path / "ledger.db") as db:
        await Budgets(db).set("acme", who="test", total=10 * DOLLAR, guard_percent=50)
        ledger = Ledger(db)
        await hold(ledger, 6 * DOLLAR)
        shop, _, _ = router(accounts=lambda: books(tmp_path), policies=waiting(), sleep=asyncio.sleep)
        async with shop:
            task = asyncio.create_task(shop.generate("a fox", **LOCKED))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await ledger.strain("acme")).percents == {"acme total": 60}


@pytest.mark.parametrize("wait", [-1.0, float("nan"), float("inf")])
async def test_odd_waits_are_refused(wait: float) -> None:
    """A time to wait that is none is the caller's error, before anything is spent."""
    shop, provider, _ = router()
    with pytest.raises(InvalidRequest, match="wait_for_budget"):
        await shop.generate("a fox", wait_for_budget=wait)
    assert provider.calls == []
