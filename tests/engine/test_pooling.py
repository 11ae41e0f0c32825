"""A pool of two projects from settings: over real HTTP, with an emulator that fails one key alone."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gemini_emulator import Emulator
from image_router.aio import ImageRouter
from image_router.books import open_books
from image_router.config import ProjectKey, Secret, Settings
from image_router.core.causes import Cause
from image_router.core.errors import InvalidCredentials
from image_router.core.events import AttemptSent, Event
from image_router.core.statement import total_of
from image_router.engine.admission import Ask, Permit
from image_router.engine.pool import key_name
from image_router.engine.traffic import Traffic
from image_router.wiring import traffic_rules_of

ILL, WELL = "AIza-ill-key", "AIza-well-key"
MODEL = "gemini-3.1-flash-lite-image"


@dataclass
class Desk:
    """A router with a pool of two keys, its books and its provider."""

    router: ImageRouter
    emulator: Emulator
    settings: Settings

    @property
    def asked(self) -> Counter[str]:
        """How often each key was sent."""
        names = {hashlib.sha256(key.encode()).hexdigest()[:12]: key for key in (ILL, WELL)}
        return Counter(names[row["key"]] for row in self.emulator.requests() if row["method"] == "POST")

    async def booked(self) -> int:
        async with open_books(self.settings) as books:
            return total_of(await books.statement([])).spent


@pytest.fixture
async def desk(server: Emulator, tmp_path: Path) -> AsyncIterator[Desk]:
    server.reset()
    settings = Settings(
        home=tmp_path,
        base_url=server.url,
        projects=(
            ProjectKey(api_key=Secret(ILL), name="shop"),
            ProjectKey(api_key=Secret(WELL), name="press"),
        ),
    )
    async with ImageRouter(settings) as router:
        yield Desk(router=router, emulator=server, settings=settings)


async def test_projects_take_turns(desk: Desk) -> None:
    """Two projects of equal weight share the calls of a day."""
    for _ in range(6):
        await desk.router.generate("a fox")
    assert desk.asked == {ILL: 3, WELL: 3}


async def test_events_and_log_name_the_project(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Each call says through which project and key it went, by names that give no key away."""
    caplog.set_level(logging.INFO, logger="image_router")
    heard: list[Event] = []
    for _ in range(2):
        await desk.router.generate("a fox", on_event=heard.append)
    sent = [event for event in heard if isinstance(event, AttemptSent)]
    assert {(event.project, event.key) for event in sent} == {
        ("shop", key_name(ILL)),
        ("press", key_name(WELL)),
    }
    assert not [record for record in caplog.records if ILL in str(vars(record))]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("rate_limit_minute;retry=50", Cause.RATE_LIMIT),
        ("rate_limit_day", Cause.DAILY_QUOTA),
        ("credits_depleted", Cause.CREDITS_DEPLETED),
        ("key_blocked", Cause.KEY_RESTRICTED),
        ("service_disabled", Cause.KEY_RESTRICTED),
        ("key_leaked", Cause.KEY_LEAKED),
        ("key_invalid", Cause.BAD_KEY),
    ],
)
async def test_one_that_fails_is_left_alone(desk: Desk, fault: str, cause: Cause) -> None:
    """The other project makes all pictures, the ill one is asked once, and the bill is the ledger's."""
    desk.emulator.faults.add(fault, key=ILL)
    results = [await desk.router.generate("a fox") for _ in range(6)]
    failed = [attempt for result in results for attempt in result.attempts if attempt.images == 0]
    assert [attempt.cause for attempt in failed] == [cause]
    assert {attempt.model for result in results for attempt in result.attempts} == {results[0].image.model}
    assert desk.asked[ILL] == 1
    assert await desk.booked() == desk.emulator.bill().total == sum(result.cost for result in results)


async def test_both_ill_is_told_with_the_reason(desk: Desk) -> None:
    """When no key is well the error is that of the keys, and nothing was spent."""
    desk.emulator.faults.add("key_invalid")
    for _ in range(2):
        with pytest.raises(InvalidCredentials):
            await desk.router.generate("a fox")
    assert desk.asked == {ILL: 1, WELL: 1}
    assert desk.emulator.bill().total == await desk.booked() == 0


async def test_a_file_stays_with_its_key_in_later_processes(desk: Desk) -> None:
    """What a key uploaded is used through that key, also by a router that opens later."""
    ask = Ask(model=MODEL, scope="a", dollars=1)
    door = await desk.router.door()
    permit = await door.admit(ask, patience=0)
    assert isinstance(permit, Permit)
    await door.bind("files/abc", permit, until=4e9)
    await door.release(permit)
    async with ImageRouter(desk.settings) as later:
        owner = await (await later.door()).owner("files/abc")
        assert owner is not None
        assert owner.name == permit.member.name
        assert await (await later.door()).owner("files/other") is None


async def test_each_project_has_its_usage_tier_and_name(tmp_path: Path) -> None:
    """Limits are by project: stated ones count there, keys without a name share one project."""
    settings = Settings(
        home=tmp_path,
        usage_tier=1,
        projects=(
            ProjectKey(api_key=Secret("a"), name="shop", usage_tier=3),
            ProjectKey(api_key=Secret("b")),
            ProjectKey(api_key=Secret("c"), weight=2),
        ),
    )
    rules = traffic_rules_of(settings)
    minute = {
        project: {limit.name: limit.amount for limit in rules.limits("gemini-3-pro-image", project)}
        for project in ("shop", "unstated")
    }
    assert {project: found["requests per minute"] for project, found in minute.items()} == {
        "shop": 5_000,
        "unstated": 20,
    }
    async with ImageRouter(settings) as router:
        door = await router.door()
        assert isinstance(door, Traffic)
        members = door.members
    assert [(m.project, m.weight) for m in members] == [("shop", 1), ("unstated", 1), ("unstated", 2)]
    assert members[0].name == key_name("a")
