"""A hold covers whatever may be spent, limits bind, and no request is refused that would fit."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.test_book import book
from desk import router
from image_router.core.book import Book
from image_router.core.budget import Budget
from image_router.core.decision import Decision
from image_router.core.errors import BudgetExceeded, ImageRouterError
from image_router.core.holds import AttemptKey, HoldRequest, Sending, SendState
from image_router.core.money import usd_text
from image_router.core.pressure import NO_STRAIN, Strain
from image_router.core.reply import Reply
from image_router.core.results import Attempt
from image_router.core.types import Usage
from image_router.engine.bookkeeping import LedgerAccounts, settlement_of
from image_router.providers.base import Call
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.storage.lazy import LazyDatabase
from image_router.testing import Script, ScriptedProvider, lost, overloaded, refused, words_only

CENT = 10_000_000
PAID_FOR_NOTHING = replace(
    words_only(""),
    parts=(),
    usage=Usage(prompt_tokens=10, candidates_tokens=1120, image_tokens=1120, total_tokens=1130),
)
REPLIES: list[Reply | None] = [None, PAID_FOR_NOTHING, lost(), overloaded(), refused(), words_only("no")]


@dataclass
class Watched:
    """Accounts on a plain Book, which is looked at after every step."""

    book: Book
    ids: Any = field(default_factory=itertools.count)
    hold_id: str = ""
    warnings: tuple[str, ...] = ()

    async def strain(self, scope: str) -> Strain:
        return NO_STRAIN

    @asynccontextmanager
    async def holding(
        self, decision: Decision, *, request_id: str, deadline: float, wait: float
    ) -> AsyncIterator[Watched]:
        most = max(candidate.quote.ceiling for candidate in decision.candidates)
        assert decision.ceiling >= most
        asked = HoldRequest(
            request_id=request_id,
            owner="test",
            scope="acme/studio",
            amount=decision.ceiling,
            per_image=decision.ceiling // decision.request.n,
            model=decision.head.model.id,
            tier=decision.head.tier,
            purpose=decision.request.purpose,
        )
        self.hold_id = self.book.hold(asked, f"h{next(self.ids)}").id
        self.look()
        try:
            yield self
        finally:
            self.book.close(self.hold_id)
            assert self.book.holds[self.hold_id].remainder == 0

    async def sent(self, *, index: int, number: int, candidate: Any, at_risk: int) -> None:
        key = AttemptKey(number=number, index=index)
        self.book.sent(self.hold_id, Sending(attempt=key, at_risk=at_risk, model=candidate.model.id))
        self.look()

    async def settled(self, attempt: Attempt, *, index: int, size: Any, row: Any = None) -> None:
        done = self.book.settle(self.hold_id, settlement_of(attempt, index=index, size=size))
        assert done.overrun == 0
        self.look()

    async def aclose(self) -> None:
        return None

    def look(self) -> None:
        """What is out is covered by what is held, and nothing passes a cap."""
        out = sum(send.at_risk for send in self.book.sends.values() if send.state is SendState.SENT)
        assert out <= self.book.holds[self.hold_id].remainder
        for balance in self.book.balances.values():
            cap = self.book.budgets[balance.scope].caps[balance.window]
            assert balance.settled + balance.held <= cap


class Shuffled(ScriptedProvider):
    """Replies of all images come in any order."""

    def __init__(self, script: Script, naps: list[int]) -> None:
        super().__init__(script)
        self._naps = itertools.cycle(naps)

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        reply = await super().generate(call, timeout=timeout)
        for _ in range(next(self._naps)):
            await asyncio.sleep(0)
        return reply


PURPOSES = ["economy", "hero", "final_hero", "draft", "character_lock", "contextual_edit"]


@given(
    n=st.integers(1, 4),
    purpose=st.sampled_from(PURPOSES),
    caps=st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40)),
    limits=st.tuples(st.none() | st.integers(100, 300), st.none() | st.integers(100, 300)),
    replies=st.lists(st.sampled_from(REPLIES), max_size=12),
    naps=st.lists(st.integers(0, 9), min_size=1, max_size=7),
)
async def test_nothing_is_sent_uncovered(
    n: int,
    purpose: str,
    caps: tuple[int, int, int],
    limits: tuple[int | None, int | None],
    replies: list[Reply | None],
    naps: list[int],
) -> None:
    """Whatever replies come in whatever order, with limits and narrowed fallbacks: every call that is out is
    held for, no cap is passed, and max_cost and max_total bind all that is expected."""
    watched = Watched(
        book(
            Budget(scope="acme", total=caps[0] * CENT),
            Budget(scope="acme/studio", day=caps[1] * CENT, per_request=caps[2] * CENT),
        )
    )
    script = Script()
    for reply in replies:
        script = script.fail(reply) if reply else script.then_paint()
    provider = Shuffled(script, naps)
    shop, _, _ = router(accounts=lambda: watched, provider=lambda: provider)
    asked: dict[str, Any] = {"n": n, "purpose": purpose}
    quoted = await shop.quote("a fox", **asked)
    max_cost = None if limits[0] is None else quoted.per_image * limits[0] // 100
    max_total = None if limits[1] is None else quoted.total * limits[1] // 100
    asked |= {"max_cost": usd_text(max_cost)} if max_cost else {}
    asked |= {"max_total": usd_text(max_total)} if max_total else {}
    try:
        attempts = (await shop.generate("a fox", scope="acme/studio", **asked)).attempts
    except ImageRouterError as error:
        attempts = getattr(error, "attempts", ())
    spent = sum(attempt.cost.total + attempt.at_risk for attempt in attempts)
    # Limits are compared with what is expected; a lost call counts at its ceiling, which is more.
    lost_more = sum(attempt.at_risk for attempt in attempts)
    if max_total is not None:
        assert spent - lost_more <= max_total


async def test_a_repeat_leaves_room_for_the_others() -> None:
    """An answer paid for nothing is not repeated on the money of an image that is still under way."""
    provider = Shuffled(Script().fail(PAID_FOR_NOTHING), [0, 50])
    shop, _, _ = router(provider=lambda: provider)
    total = (await shop.quote("a fox", n=2)).total
    result = await shop.generate("a fox", n=2, max_total=usd_text(total))
    assert (len(result.images), len(result.failures), len(provider.calls)) == (1, 1, 2)
    assert "would pass max_total" in str(result.failures[0].error)


async def test_caps_narrow_one_after_the_other(tmp_path: Path) -> None:
    """Fallbacks too dear for one cap are dropped, then those too dear for the next: what fits is served."""
    async with await Database.open(tmp_path / "ledger.db") as db:
        budgets = Budgets(db)
        shop, _, _ = router()
        decision = await shop.decide("a fox", purpose="economy", n=2)
        ceilings = sorted({candidate.quote.ceiling for candidate in decision.candidates})
        assert decision.head.quote.ceiling == ceilings[0]
        assert len(ceilings) > 2
        await budgets.set("acme", who="test", per_request=(ceilings[-1] - 1) // 2)
        await budgets.set("acme/studio", who="test", total=ceilings[0])
    books = LedgerAccounts(LazyDatabase(tmp_path / "ledger.db"), owner="test", announce=lambda event: None)
    shop, _, _ = router(accounts=lambda: books)
    async with shop:
        result = await shop.generate("a fox", purpose="economy", n=2, scope="acme/studio")
        assert len(result.images) == 2
        assert result.decision.ceiling == ceilings[0]


async def test_a_refusal_is_a_refusal() -> None:
    """Where even the first choice does not fit one of the caps, nothing is sent."""
    outer, inner = Budget(scope="acme", total=1000 * CENT), Budget(scope="acme/studio", day=1)
    shop, provider, _ = router(accounts=lambda: Watched(book(outer, inner)))
    with pytest.raises(BudgetExceeded, match="acme/studio"):
        await shop.generate("a fox", scope="acme/studio")
    assert provider.calls == []
