"""Hedged requests over real HTTP: the first model is slow, the second one serves, both are in the books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gemini_emulator import Emulator
from image_router.aio import ImageRouter
from image_router.books import Books, name_of, open_books
from image_router.config import Secret, Settings
from image_router.core.causes import Billed, Kind
from image_router.core.events import AttemptLost, AttemptSent, Event, Hedged
from image_router.core.results import ImageResult
from image_router.core.statement import total_of
from image_router.engine.hedging import HedgePolicy
from image_router.engine.router import ImageRouter as Engine
from image_router.wiring import parts_of

EAGER = HedgePolicy(percentile=50, least=1, at_most_percent=100)
SLOW = "slow;seconds=20"


@dataclass
class Track:
    """A router that hedges, and what it announces."""

    router: Engine
    emulator: Emulator
    settings: Settings
    events: list[Event] = field(default_factory=list)

    under_way: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when two calls were sent."""

    async def ask(self, **asked: Any) -> ImageResult:
        return await self.router.generate("a fox", purpose="hero", on_event=self.hear, **asked)

    def hear(self, event: Event) -> None:
        self.events.append(event)
        if len(self.heard(AttemptSent)) == 2:
            self.under_way.set()

    def heard(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def warmed(self) -> str:
        """The first choice's model, after a picture that came at once."""
        model = (await self.ask()).image.model
        self.emulator.reset()
        return model


async def track(server: Emulator, home: Path, policy: HedgePolicy | None) -> Track:
    server.reset()
    settings = Settings(home=home, api_key=Secret("AIza-key"), base_url=server.url)
    router = Engine(replace(parts_of(settings), hedge=policy))
    return Track(router=router, emulator=server, settings=settings)


@pytest.fixture
async def hedged(server: Emulator, tmp_path: Path) -> AsyncIterator[Track]:
    made = await track(server, tmp_path, EAGER)
    async with made.router:
        yield made


async def spent(books: Books) -> int:
    return total_of(await books.statement([])).spent


async def test_a_slow_call_gets_a_rival(hedged: Track) -> None:
    """The second model's picture comes; the first call is cancelled and counts at its ceiling, until it is
    resolved with the bill, after which ledger and bill are equal."""
    model = await hedged.warmed()
    hedged.emulator.faults.add(SLOW, model=model)
    result = await hedged.ask()
    assert result.image.model != model
    assert f"asked beside {model}, which took unusually long" in result.image.warnings[-1]
    won, lost = sorted(result.attempts, key=lambda attempt: attempt.billed is Billed.UNKNOWN)
    assert (won.number, won.model, won.billed) == (2, result.image.model, Billed.YES)
    assert (lost.number, lost.model, lost.kind) == (1, model, Kind.AMBIGUOUS)
    assert f"{won.model} was first" in lost.detail
    assert result.at_risk == lost.at_risk > 0

    billed = {entry.model: entry.total for entry in hedged.emulator.bill().entries}
    async with open_books(hedged.settings) as books:
        (unknown,) = await books.unknowns()
        assert (unknown.model, unknown.at_risk) == (model, lost.at_risk)
        assert unknown.at_risk >= billed[model]
        before = await spent(books)
        await books.resolve(name_of(unknown), billed[model], who="ann", reason="the bill")
        assert before - await spent(books) == unknown.at_risk - billed[model]
        assert result.cost == won.cost.total == billed[won.model]
        assert (await books.ledger.verify()).sound


async def test_it_is_told_in_events(hedged: Track) -> None:
    """One event says who was asked beside whom, another one that a call was left under way."""
    model = await hedged.warmed()
    hedged.emulator.faults.add(SLOW, model=model)
    result = await hedged.ask()
    (told,) = hedged.heard(Hedged)
    assert (told.request_id, told.first, told.second) == (result.request_id, model, result.image.model)
    (left,) = hedged.heard(AttemptLost)
    assert (left.sent.number, left.at_risk) == (1, result.at_risk)


async def test_a_rival_that_fails_costs_nothing_but_its_try(hedged: Track) -> None:
    """When the rival fails, the slow call's picture is the result, and ledger and bill are equal."""
    model = await hedged.warmed()
    hedged.emulator.faults.add("slow;seconds=0.5", model=model)
    rival = next(
        candidate.model.id
        for candidate in (await hedged.router.decide("a fox", purpose="hero")).candidates
        if candidate.model.id != model
    )
    hedged.emulator.faults.add("internal", model=rival)
    result = await hedged.ask()
    assert result.image.model == model
    assert {attempt.model: attempt.images for attempt in result.attempts} == {model: 1, rival: 0}
    assert (result.at_risk, result.cost) == (0, hedged.emulator.bill().total)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"identity_locked": True}, id="a locked identity"),
        pytest.param({"max_cost": "0.08"}, id="a limit that two calls would pass"),
    ],
)
async def test_who_gets_no_rival(hedged: Track, asked: dict[str, Any]) -> None:
    """Where another model would do harm, or both calls together cost too much, there is one call."""
    await hedged.ask(**asked)
    hedged.emulator.reset()
    hedged.emulator.faults.add("slow;seconds=0.5")
    result = await hedged.ask(**asked)
    assert [attempt.images for attempt in result.attempts] == [1]
    assert len(hedged.emulator.bill().entries) == 1
    assert hedged.heard(Hedged) == []


async def test_no_rival_that_the_budget_does_not_cover(hedged: Track) -> None:
    """Where the cap has room for one call alone there is no rival, and the slow call's picture comes."""
    first = await hedged.ask()
    async with open_books(hedged.settings) as books:
        room = 6 * first.decision.head.quote.ceiling // 5
        await books.budgets.set("default", who="ann", total=await spent(books) + room)
    hedged.emulator.faults.add("slow;seconds=0.5")
    result = await hedged.ask()
    assert [attempt.images for attempt in result.attempts] == [1]
    assert hedged.heard(Hedged) == []


async def test_without_the_setting_nothing_is_hedged(server: Emulator, tmp_path: Path) -> None:
    """A router without the setting waits for its one call; with it, the percentile is the policy's."""
    plain = await track(server, tmp_path, parts_of(Settings(home=tmp_path)).hedge)
    async with plain.router:
        for _ in range(2):
            await plain.ask()
            server.faults.add("slow;seconds=0.3")
    assert plain.heard(Hedged) == []
    assert parts_of(Settings(home=tmp_path, hedge=90)).hedge == HedgePolicy(percentile=90)


async def test_cancelling_the_request_leaves_both_unknown(hedged: Track) -> None:
    """A caller who goes away during a race leaves two calls that may be billed, both in the books."""
    model = await hedged.warmed()
    hedged.events.clear()
    hedged.emulator.faults.add("hang")
    asking = asyncio.ensure_future(hedged.ask())
    await hedged.under_way.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with open_books(hedged.settings) as books:
        left = await books.unknowns()
    assert len(left) == 2
    assert model in {one.model for one in left}
    assert len(hedged.heard(AttemptLost)) == 2


async def test_a_router_from_settings_has_the_setting(tmp_path: Path) -> None:
    """The setting reaches the router's parts through the front door."""
    async with ImageRouter(Settings(home=tmp_path, hedge=95, offline=True)) as router:
        assert router._parts.hedge == HedgePolicy(percentile=95)
