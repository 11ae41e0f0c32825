"""When every model that could serve is left alone: a typed error that says when to ask again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gemini_emulator import Emulator
from image_router.aio import ImageRouter
from image_router.config import Secret, Settings
from image_router.core.errors import ModelUnavailable, NoEligibleTier, ProviderUnavailable, QuotaExhausted


@pytest.fixture
async def router(server: Emulator, tmp_path: Path) -> AsyncIterator[ImageRouter]:
    server.reset()
    settings = Settings(home=tmp_path, api_key=Secret("AIza-key"), base_url=server.url, deadline=4.0)
    async with ImageRouter(settings) as made:
        yield made


async def sent(server: Emulator) -> int:
    return sum(row["method"] == "POST" for row in server.requests())


async def test_a_quota_of_the_day_says_when_it_ends(router: ImageRouter, server: Emulator) -> None:
    """After the day's quota of the one model is used up, asking again is refused as that, with the time left,
    without a call and whatever else the request allows."""
    server.faults.add("rate_limit_day")
    with pytest.raises(QuotaExhausted):
        await router.generate("a fox", tier="nano_banana_pro")
    before = await sent(server)
    with pytest.raises(QuotaExhausted, match="the only model that can serve this is left alone") as caught:
        await router.generate("a fox", tier="nano_banana_pro")
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 90_000
    assert f"Ask again in {caught.value.retry_after:,.0f} s" in str(caught.value)
    assert await sent(server) == before


async def test_the_soonest_of_several_models_counts(router: ImageRouter, server: Emulator) -> None:
    """Each model is listed with its own reason; when to ask again is the shortest of them."""
    decision = await router.decide("a fox", purpose="hero")
    able = list(dict.fromkeys(candidate.model.id for candidate in decision.candidates))
    server.faults.add("overloaded", model=able[0])
    server.faults.add("rate_limit_day")
    words = f"each of the {len(able)} models that can serve this is left alone"
    for _ in range(8):
        with pytest.raises((ProviderUnavailable, QuotaExhausted)) as caught:
            await router.generate("a fox", purpose="hero")
        if words in str(caught.value):
            break
    assert isinstance(caught.value, ProviderUnavailable)
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 60
    assert all(f"\n  {model}: " in str(caught.value) for model in able)


async def test_what_no_model_can_do_is_still_said_so(router: ImageRouter, server: Emulator) -> None:
    """Open circuits do not hide that the request itself cannot be served."""
    server.faults.add("rate_limit_day")
    with pytest.raises(QuotaExhausted):
        await router.generate("a fox", tier="nano_banana_pro")
    with pytest.raises(NoEligibleTier, match="makes"):
        await router.generate("a fox", tier="nano_banana", size="4K")


@pytest.mark.parametrize("pin", [{"tier": "nano_banana"}, {"model": "gemini-3.1-flash-lite-image"}])
async def test_a_pinned_model_that_the_provider_denied_is_not_called_retired(
    router: ImageRouter, server: Emulator, pin: dict[str, Any]
) -> None:
    """Where a 404 keeps calls from the only model of a pin, asking again says so, and until when."""
    server.faults.add("not_entitled", model="gemini-3.1-flash-lite-image")
    with pytest.raises(ModelUnavailable):
        await router.generate("a fox", **pin)
    before = await sent(server)
    with pytest.raises(ModelUnavailable, match="the only model that can serve this is left alone") as caught:
        await router.generate("a fox", **pin)
    assert caught.value.retry_after is not None
    assert 86_000 < caught.value.retry_after <= 86_400
    assert await sent(server) == before


async def test_an_error_counts_the_tries_before_it(router: ImageRouter, server: Emulator) -> None:
    """The last failure of several says how many calls there were, not that there was one."""
    server.faults.add("overloaded")
    with pytest.raises(ProviderUnavailable, match="Tried 3 times, and not again: no other model") as caught:
        await router.generate("a fox", tier="nano_banana", deadline=60)
    assert len(caught.value.attempts) == 3
