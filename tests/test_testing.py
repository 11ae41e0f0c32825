"""The doubles that ship: a script, a clock that stands still, the emulator as a fixture."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from desk import ARTICLE, router, world
from image_router.config import Settings
from image_router.core.routing import decide
from image_router.core.types import ImageRequest, Tier
from image_router.engine.calls import call_for
from image_router.engine.media import inspect
from image_router.providers.base import Call, Entitlement, ListedModel
from image_router.providers.rest import RestProvider
from image_router.testing import (
    FrozenClock,
    Script,
    ScriptedProvider,
    emulated,
    lost,
    overloaded,
    painted,
    refused,
)


def call(**fields: object) -> Call:
    request = ImageRequest(prompt="a fox", **fields)  # type: ignore[arg-type]
    return call_for(request, decide(request, world(ARTICLE)).head)


async def test_a_script_plays_in_order() -> None:
    """Replies come in the order they were written; after the last every call is painted."""
    provider = ScriptedProvider(Script().fail(overloaded(), times=2).then_paint().fail(refused()))
    replies = [await provider.generate(call(), timeout=1) for _ in range(6)]
    assert [bool(reply.images) for reply in replies] == [False, False, True, False, True, True]
    assert len(provider.calls) == 6


@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("size", ["1K", "2K", "4K"])
async def test_what_is_painted_is_what_was_asked(tier: Tier, size: str) -> None:
    """A painted picture has the true pixels and usage of its model: nothing about it is warned of."""
    shop, _, _ = router(day=ARTICLE)
    result = await shop.generate("a fox", tier=tier, size=size, allow=["smaller_size"])
    warned = [w for w in result.image.warnings if "instead of" not in w]
    assert warned == []
    assert result.cost > 0


def test_painting_is_the_same_every_time() -> None:
    """The same call paints the same picture with the same response id, in any process."""
    assert painted(call()) == painted(call())
    assert painted(call()).response_id == "response-32a33f2a"
    assert inspect(painted(call()).images[0].data).media_type == "image/png"


async def test_the_clock() -> None:
    """The clock moves when someone sleeps, and remembers for how long."""
    clock = FrozenClock(now=5.0)
    await clock.sleep(2.5)
    assert (clock(), clock.slept) == (7.5, [2.5])


async def test_lists_and_probes() -> None:
    """A scripted provider lists what it was given, and entitles to that alone."""
    listed = ListedModel(id="gemini-2.5-flash-image", methods=(), input_tokens=None, output_tokens=None)
    provider = ScriptedProvider(listed=(listed,))
    models = world().catalog.models
    assert await provider.models() == (listed,)
    assert await provider.probe(models["gemini-2.5-flash-image"]) is Entitlement.ENTITLED
    assert await provider.probe(models["gemini-3-pro-image"]) is Entitlement.NOT_FOUND


def test_a_fault_may_be_billed_or_not() -> None:
    """A lost call says whether it had been sent."""
    assert lost().fault is not None
    assert lost().fault.sent  # type: ignore[union-attr]
    assert not lost(sent=False).fault.sent  # type: ignore[union-attr]


def test_the_emulator_as_a_fixture(tmp_path: Path) -> None:
    """Over real HTTP on the article's day, a picture comes and the bill is that of the result."""
    from image_router.aio import ImageRouter

    async def draw(url: str) -> int:
        provider = RestProvider("key", base_url=url, real=False)
        async with ImageRouter(Settings(home=tmp_path, as_of=ARTICLE), via=provider) as shop:
            result = await shop.generate("a fox", purpose="hero", n=2)
        assert {image.model for image in result.images} == {"imagen-4.0-generate-001"}
        return result.cost

    with emulated(as_of="2026-04-09") as emulator:
        assert emulator.today() == date(2026, 4, 9)
        assert asyncio.run(draw(emulator.url)) == emulator.bill().total == 80_000_000
