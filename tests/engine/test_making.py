"""Money around making: held before, narrowed to what fits, settled after, limits kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from desk import router
from image_router.core.decision import DropReason
from image_router.core.errors import BudgetExceeded, ProviderError
from image_router.core.events import Event
from image_router.core.holds import HoldRequest
from image_router.core.money import parse_usd, usd_text
from image_router.core.types import Purpose, Tier, Usage
from image_router.engine.bookkeeping import LedgerAccounts
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.storage.lazy import LazyDatabase
from image_router.storage.ledger import Ledger
from image_router.storage.verify import verify
from image_router.testing import Script, lost, words_only

CENT = parse_usd("0.01")


def accounts(home: Path) -> LedgerAccounts:
    return LedgerAccounts(LazyDatabase(home / "ledger.db"), owner="test", announce=lambda event: None)


async def cap(home: Path, **caps: int) -> None:
    async with await Database.open(home / "ledger.db") as db:
        await Budgets(db).set("studio", who="test", **caps)


async def standing(home: Path) -> tuple[int, int]:
    """Spent and held of the studio's total."""
    async with await Database.open(home / "ledger.db") as db:
        (one,) = await Budgets(db).standing("studio")
        assert (await db.read(verify)).sound
        return one.settled, one.held


async def test_what_was_made_is_settled(tmp_path: Path) -> None:
    """After a request the ledger holds exactly its cost, and nothing is held any more."""
    await cap(tmp_path, total=100 * CENT)
    shop, _, _ = router(Script().fail(words_only("no")), accounts=lambda: accounts(tmp_path))
    async with shop:
        result = await shop.generate("a fox", n=3, scope="studio")
    assert await standing(tmp_path) == (result.cost, 0)
    assert len(result.attempts) == 4


async def test_unknown_outcomes_are_kept_as_spent(tmp_path: Path) -> None:
    """What may have been billed counts as spent until somebody says better."""
    await cap(tmp_path, total=100 * CENT)
    shop, _, _ = router(Script().fail(lost(), times=2), accounts=lambda: accounts(tmp_path))
    async with shop:
        with pytest.raises(ProviderError) as caught:
            await shop.generate("a fox", scope="studio")
    assert await standing(tmp_path) == (caught.value.at_risk, 0)
    assert caught.value.at_risk > 0


async def test_the_cap_refuses_before_sending(tmp_path: Path) -> None:
    """A hold that does not fit is refused with scope, numbers and way out, and nothing is sent."""
    await cap(tmp_path, total=1 * CENT)
    shop, provider, _ = router(Script(), accounts=lambda: accounts(tmp_path))
    async with shop:
        with pytest.raises(
            BudgetExceeded, match=r"Budget 'studio' cannot cover .* of \$0.01 spent"
        ) as caught:
            await shop.generate("a fox", scope="studio")
    assert caught.value.scope == "studio"
    assert provider.calls == []
    assert await standing(tmp_path) == (0, 0)


async def test_the_refusal_names_what_would_fit(tmp_path: Path) -> None:
    """When a cheaper candidate of the request would fit, the refusal says which."""
    await cap(tmp_path, total=7 * CENT)
    shop, _, _ = router(Script(), accounts=lambda: accounts(tmp_path))
    async with shop:
        with pytest.raises(BudgetExceeded, match="would still fit: at most"):
            await shop.generate("a fox", purpose="final_hero", scope="studio")


async def test_fallbacks_that_do_not_fit_are_dropped(tmp_path: Path) -> None:
    """A request whose first choice fits is served; its dearer fallbacks are dropped with the reason."""
    await cap(tmp_path, total=4 * CENT)
    shop, _, _ = router(Script(), accounts=lambda: accounts(tmp_path))
    async with shop:
        result = await shop.generate("a fox", scope="studio")
    assert result.image.tier is Tier.NANO_BANANA
    assert DropReason.BUDGET in {dropped.reason for dropped in result.decision.dropped}
    assert result.decision.ceiling <= 4 * CENT


async def test_a_cap_for_one_image(tmp_path: Path) -> None:
    """The cap per request is compared with the dearest possible price of one image, whatever n is."""
    await cap(tmp_path, total=100 * CENT, per_request=4 * CENT)
    shop, _, _ = router(Script(), accounts=lambda: accounts(tmp_path))
    async with shop:
        assert len((await shop.generate("a fox", n=5, scope="studio")).images) == 5
        with pytest.raises(BudgetExceeded, match="for one image"):
            await shop.generate("a fox", purpose="final_hero", scope="studio")


async def test_waiting_for_what_others_hold(tmp_path: Path) -> None:
    """A caller who waits is served once another hold gives the money back; one who does not is refused."""
    await cap(tmp_path, total=6 * CENT)
    shop, provider, _ = router(Script(), accounts=lambda: accounts(tmp_path))
    async with shop, await Database.open(tmp_path / "ledger.db") as db:
        ledger = Ledger(db)
        rival = await ledger.hold(
            HoldRequest(
                request_id="rival",
                owner="other",
                scope="studio",
                amount=5 * CENT,
                per_image=5 * CENT,
                model="gemini-3-pro-image",
                tier=Tier.NANO_BANANA_PRO,
                purpose=Purpose.ECONOMY,
            )
        )
        with pytest.raises(BudgetExceeded):
            await shop.generate("a fox", scope="studio")
        waiting = asyncio.create_task(shop.generate("a fox", scope="studio", wait_for_budget=60))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        assert provider.calls == []
        await ledger.close(rival)
        assert len((await waiting).images) == 1


async def test_the_guard_reads_the_ledger(tmp_path: Path) -> None:
    """Near the end of a real budget the guard serves the cheaper tier and says so."""
    await cap(tmp_path, total=60 * CENT)
    shop, _, _ = router(Script(), accounts=lambda: accounts(tmp_path))
    async with shop:
        for _ in range(16):
            await shop.generate("a fox", purpose="hero", scope="studio")
        result = await shop.generate("a fox", purpose="hero", scope="studio")
    assert result.decision.guard is not None
    assert result.image.tier is Tier.NANO_BANANA
    assert any("budget" in warning for warning in result.warnings)


async def test_alerts_are_events(tmp_path: Path) -> None:
    """Crossing a threshold of a budget is announced once."""
    seen: list[Event] = []
    await cap(tmp_path, total=40 * CENT)
    async with await Database.open(tmp_path / "ledger.db") as db:
        await Budgets(db).set("studio", who="test", alerts=(10,))
    books = LedgerAccounts(LazyDatabase(tmp_path / "ledger.db"), owner="test", announce=seen.append)
    shop, _, _ = router(Script(), accounts=lambda: books)
    async with shop:
        for _ in range(3):
            await shop.generate("a fox", scope="studio")
    kinds = [type(event).__name__ for event in seen]
    assert kinds.count("BudgetAlert") == 1
    assert kinds.count("Held") == kinds.count("HoldClosed") == 3


@pytest.mark.parametrize(("limit", "calls"), [("max_cost", 1), ("max_total", 1), (None, 3)])
async def test_limits_bind_paid_repeats(limit: str | None, calls: int) -> None:
    """An answer that was paid without a picture is not repeated beyond the caller's limit."""
    usage = Usage(prompt_tokens=10, candidates_tokens=1120, image_tokens=1120, total_tokens=1130)
    paid = replace(words_only(""), parts=(), usage=usage)
    shop, provider, _ = router(Script().fail(paid, times=20))
    quoted = (await shop.quote("a fox")).total
    limits = {limit: usd_text(quoted)} if limit else {}
    with pytest.raises(ProviderError, match="would pass" if limit else "models tried"):
        await shop.generate("a fox", **limits)
    assert len(provider.calls) == calls
