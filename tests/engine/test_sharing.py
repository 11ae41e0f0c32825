"""Single flight: identical requests at the same time are paid for once, where the setting says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gemini_emulator import Emulator
from image_router.aio import ImageRouter
from image_router.books import open_books
from image_router.config import Secret, Settings
from image_router.core.errors import ContentRefused
from image_router.core.events import Event, FlightJoined, ImageMade, RequestEnded
from image_router.core.statement import total_of


@pytest.fixture
def settings(server: Emulator, tmp_path: Path) -> Settings:
    server.reset()
    return Settings(home=tmp_path, api_key=Secret("AIza-key"), base_url=server.url, single_flight=True)


@pytest.fixture
async def router(settings: Settings) -> AsyncIterator[ImageRouter]:
    async with ImageRouter(settings) as made:
        yield made


async def test_two_identical_requests_pay_once(
    router: ImageRouter, server: Emulator, settings: Settings
) -> None:
    """Both have the same bytes; one has the cost and the attempt, the other says whose picture it shares."""
    heard: list[Event] = []
    payer, joiner = await asyncio.gather(
        router.generate("a fox"), router.generate("a fox", on_event=heard.append)
    )
    assert payer.image.data == joiner.image.data
    assert len(server.bill().entries) == 1
    assert payer.cost == server.bill().total
    assert (joiner.cost, joiner.attempts, joiner.image.cached) == (0, (), True)
    assert payer.request_id in joiner.warnings[-1]
    (told,) = [event for event in heard if isinstance(event, FlightJoined)]
    assert (told.request_id, told.paid_by) == (joiner.request_id, payer.request_id)
    assert len([event for event in heard if isinstance(event, ImageMade)]) == 1
    (ended,) = [event for event in heard if isinstance(event, RequestEnded)]
    assert (ended.request_id, ended.replayed, ended.cost) == (joiner.request_id, True, 0)
    async with open_books(settings) as books:
        assert total_of(await books.statement([])).spent == server.bill().total


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({}, {"cache": "bypass"}, id="bypass asks for one of its own"),
        pytest.param({}, {"scope": "acme"}, id="another scope pays for itself"),
        pytest.param({}, {"max_cost": "0.5"}, id="another limit"),
        pytest.param({}, {"key": "k1"}, id="a key does it by itself"),
        pytest.param({"n": 1}, {"n": 2}, id="another number"),
    ],
)
async def test_only_identical_ones_share(
    router: ImageRouter, server: Emulator, one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Whatever differs in work, terms or scope is made on its own."""
    results = await asyncio.gather(router.generate("a fox", **one), router.generate("a fox", **other))
    assert all(result.cost for result in results)
    assert server.bill().total == sum(result.cost for result in results)


async def test_a_failure_reaches_both_and_costs_one(router: ImageRouter, server: Emulator) -> None:
    """A refusal is told to all who waited; its attempts stand with whoever began."""
    server.faults.add("image_safety")
    results = await asyncio.gather(*(router.generate("a fox") for _ in range(2)), return_exceptions=True)
    errors = [result for result in results if isinstance(result, ContentRefused)]
    assert [len(error.attempts) for error in errors] == [3, 0]
    assert str(errors[0]) == str(errors[1])


async def test_whoever_leaves_does_not_end_it(router: ImageRouter, server: Emulator) -> None:
    """When the first caller goes away the second one still has the picture, for one payment."""
    server.faults.add("slow;seconds=0.5")
    first, second = (asyncio.ensure_future(router.generate("a fox")) for _ in range(2))
    await asyncio.sleep(0.2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).image.data
    assert len(server.bill().entries) == 1


async def test_without_the_setting_both_pay(server: Emulator, tmp_path: Path) -> None:
    """By default every request makes pictures of its own."""
    server.reset()
    plain = Settings(home=tmp_path, api_key=Secret("AIza-key"), base_url=server.url)
    async with ImageRouter(plain) as router:
        results = await asyncio.gather(*(router.generate("a fox") for _ in range(2)))
    assert len(server.bill().entries) == 2
    assert all(result.cost for result in results)
