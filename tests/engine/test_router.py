"""ImageRouter over a script: what is decided, made, announced and refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from desk import ARTICLE, TODAY, conversation, png, router
from image_router.core.errors import (
    AllAttemptsFailed,
    AssetError,
    BudgetExceeded,
    ConfigError,
    ContentRefused,
    CostLimitExceeded,
    InvalidCredentials,
    InvalidRequest,
    LaneUnavailable,
    NoEligibleTier,
    ProviderError,
    ProviderTimeout,
)
from image_router.core.events import (
    AttemptEnded,
    AttemptSent,
    AttemptStarted,
    Decided,
    Event,
    ImageFailed,
    ImageMade,
    RequestEnded,
    RequestStarted,
)
from image_router.core.reply import Reply
from image_router.core.results import ImageResult
from image_router.core.types import ImageRequest, OnAmbiguous, RetiredPolicy
from image_router.providers.base import Call
from image_router.telemetry import Announcer
from image_router.testing import FrozenClock, Script, ScriptedProvider, failed, lost, overloaded, refused

BAD_KEY = failed(401, "UNAUTHENTICATED", message="API key not valid")


class Hanging(ScriptedProvider):
    """Takes so many calls, then never answers; `full` is set by the last."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._expected, self.full = calls, asyncio.Event()

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        self.calls.append(call)
        if len(self.calls) == self._expected:
            self.full.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_generate() -> None:
    """One call makes one image, and its cost is that of the result."""
    shop, provider, _ = router()
    result = await shop.generate("a fox", purpose="hero", size="2K")
    assert result.image is result.images[0]
    assert (result.image.model, len(provider.calls)) == ("gemini-nano-banana-2.1", 1)
    assert result.cost == result.image.cost.total
    assert (result.failures, result.warnings, result.at_risk) == ((), (), 0)
    assert result.request_id.startswith("req_")
    assert result.image.request_id == result.request_id


async def test_n_images_with_partial_success() -> None:
    """n calls side by side: images and failures by index, each attempt with its cost, all of it summed."""
    shop, provider, _ = router(Script().then_paint().fail(refused(), times=8).then_paint())
    result = await shop.generate("a fox", n=5)
    assert sorted([i.index for i in result.images] + [f.index for f in result.failures]) == list(range(5))
    assert result.images
    assert all(isinstance(failure.error, ContentRefused) for failure in result.failures)
    assert len(result.attempts) == len(provider.calls)
    assert result.cost == sum(attempt.cost.total for attempt in result.attempts)


async def test_each_image_is_one_call() -> None:
    """Every one of the n calls asks for one image at the price of one."""
    shop, provider, _ = router()
    result = await shop.generate("a fox", n=12)
    assert len(provider.calls) == len(result.images) == 12
    assert len({image.index for image in result.images}) == 12
    assert result.cost == 12 * result.image.cost.total


async def test_at_most_eight_calls_in_flight() -> None:
    """However many images are asked for, eight calls of one request run at a time."""
    provider = Hanging(8)
    shop, _, _ = router(provider=lambda: provider)
    task = asyncio.create_task(shop.generate("a fox", n=20))
    await provider.full.wait()
    await asyncio.sleep(0.01)
    assert len(provider.calls) == 8
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_leaves_nothing_behind() -> None:
    """After a cancellation no task of the request is left running."""
    provider = Hanging(3)
    shop, _, _ = router(provider=lambda: provider)
    before = asyncio.all_tasks()
    task = asyncio.create_task(shop.generate("a fox", n=3))
    await provider.full.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before


async def test_all_fail_for_one_reason() -> None:
    """When every image fails for the same reason, that reason is the error, with all attempts."""
    shop, provider, _ = router(Script().fail(BAD_KEY, times=3))
    with pytest.raises(InvalidCredentials) as caught:
        await shop.generate("a fox", n=3)
    assert len(caught.value.attempts) == len(provider.calls) == 3


async def test_all_fail_for_different_reasons() -> None:
    """When the reasons differ, one error holds them all, with every attempt and its cost."""
    shop, _, _ = router(Script().fail(BAD_KEY).fail(refused(), times=3))
    with pytest.raises(AllAttemptsFailed, match="none of 2 images came") as caught:
        await shop.generate("a fox", n=2)
    assert {type(error) for error in caught.value.failures} == {InvalidCredentials, ContentRefused}
    assert len(caught.value.attempts) == 4
    assert caught.value.cost == sum(a.cost.total for a in caught.value.attempts)


async def test_failed_attempts_are_priced() -> None:
    """A typed error says what its attempts cost and what they put at risk."""
    shop, _, _ = router(Script().fail(lost(), times=2))
    with pytest.raises(ProviderError) as caught:
        await shop.generate("a fox")
    ceiling = (await shop.decide("a fox")).head.quote.ceiling
    assert (caught.value.cost, caught.value.at_risk) == (0, 2 * ceiling)


@pytest.mark.parametrize(("setting", "calls"), [(None, 2), (OnAmbiguous.NEVER, 1), (OnAmbiguous.ASK, 1)])
async def test_the_setting_for_ambiguity(setting: OnAmbiguous | None, calls: int) -> None:
    """The setting outranks the policy; without one the policy's once counts."""
    shop, provider, _ = router(Script().fail(lost(), times=2), on_ambiguous=setting)
    with pytest.raises(ProviderError):
        await shop.generate("a fox")
    assert len(provider.calls) == calls


async def test_the_deadline_is_the_requests() -> None:
    """All n images share one deadline: those whose turn comes after it are not begun."""

    class Slow(ScriptedProvider):
        async def generate(self, call: Call, *, timeout: float) -> Reply:
            reply = await super().generate(call, timeout=timeout)
            clock.now += 10.0
            return reply

    clock, provider = FrozenClock(), Slow()
    shop, _, _ = router(provider=lambda: provider, clock=clock)
    result = await shop.generate("a fox", n=30, deadline=100)
    assert 0 < len(result.images) < 30
    assert {type(failure.error) for failure in result.failures} == {ProviderTimeout}
    assert len(provider.calls) == len(result.images)


@pytest.mark.parametrize(
    ("fields", "setting", "deadline"),
    [({}, None, 300.0), ({"size": "4K"}, None, 600.0), ({}, 40.0, 40.0), ({"deadline": 9}, 40.0, 9.0)],
)
async def test_whose_deadline_counts(fields: dict[str, Any], setting: float | None, deadline: float) -> None:
    """The request's own deadline, else the setting, else the policy's for the size."""

    class Asked(ScriptedProvider):
        timeouts: list[float] = []

        async def generate(self, call: Call, *, timeout: float) -> Reply:
            self.timeouts.append(timeout)
            return await super().generate(call, timeout=timeout)

    provider = Asked()
    provider.timeouts = []
    shop, _, _ = router(provider=lambda: provider, deadline=setting)
    await shop.generate("a fox", purpose="final_hero", **fields)
    assert provider.timeouts == [deadline]


async def test_events() -> None:
    """A request announces its start, its decision, each attempt, each image or failure, and its end."""
    events: list[Event] = []
    shop, _, _ = router(Script().fail(BAD_KEY))
    result = await shop.generate("a fox", n=2, on_event=events.append)
    kinds = [type(event) for event in events]
    assert kinds[:2] == [RequestStarted, Decided]
    assert [kinds.count(kind) for kind in (AttemptStarted, AttemptSent, AttemptEnded)] == [2, 2, 2]
    assert [kinds.count(kind) for kind in (ImageMade, ImageFailed, RequestEnded)] == [1, 1, 1]
    end = events[-1]
    assert isinstance(end, RequestEnded)
    assert (end.request_id, end.images, end.failures) == (result.request_id, 1, 1)
    assert (end.cost, end.at_risk, end.attempts) == (result.cost, 0, result.attempts)
    assert (end.request, end.decision, end.error) == (result.decision.request, result.decision, None)


async def test_a_failing_sink_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A sink that breaks, the router's or the caller's, is logged and costs no image."""

    def broken(event: Event) -> None:
        raise RuntimeError("the disk of the log is full")

    shop, _, _ = router(announce=Announcer((broken,)))
    assert (await shop.generate("a fox", n=2, on_event=broken)).images
    assert caplog.text.count("a sink failed on") == 2


async def test_explaining_needs_no_provider() -> None:
    """Decide, explain and quote spend nothing and need neither key nor provider."""

    def none() -> Any:
        raise ConfigError("no API key is set")

    shop, _, _ = router(provider=none)
    assert (await shop.explain("a fox")).decision == await shop.decide("a fox")
    assert await shop.quote("a fox") == (await shop.decide("a fox")).head.quote
    with pytest.raises(ConfigError, match="no API key"):
        await shop.generate("a fox")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"size": "8K"}, InvalidRequest),
        ({"lane": "batch"}, LaneUnavailable),
        ({"max_cost": "0.001"}, CostLimitExceeded),
        ({"tier": "nano_banana", "size": "4K"}, NoEligibleTier),
        ({"profile": "nobody"}, InvalidRequest),
        ({"purpose": "character_lock", "pressure": 95}, BudgetExceeded),
    ],
)
async def test_refused_before_spending(fields: dict[str, Any], error: type[Exception]) -> None:
    """What cannot be done as asked is refused before anything is sent."""
    shop, provider, _ = router()
    with pytest.raises(error):
        await shop.generate("a fox", **fields)
    assert provider.calls == []


async def test_the_batch_lane_is_quoted() -> None:
    """The batch lane is decided and quoted at half; nobody waits for it in generate."""
    shop, _, _ = router()
    full, half = await shop.quote("a fox"), await shop.quote("a fox", lane="batch")
    assert 2 * half.total == full.total
    with pytest.raises(LaneUnavailable, match="use the interactive lane"):
        await shop.chain("a fox", ["sits"], lane="batch")


async def test_another_day_spends_nothing_real() -> None:
    """With an as_of other than today a real host is refused before a call; the emulator is not."""
    real = ScriptedProvider()
    real.real = True
    shop, _, _ = router(day=ARTICLE, provider=lambda: real)
    for spending in (shop.generate("a fox"), shop.chain("a fox", ["sits"]), shop.edit("x", image=png())):
        with pytest.raises(ConfigError, match="as_of is 2026-04-09 and today is 2026-11-22"):
            await spending
    assert real.calls == []
    assert (await shop.explain("a fox")).decision.as_of == ARTICLE
    shop, _, _ = router(day=TODAY, provider=lambda: real)
    assert await shop.generate("a fox")


async def test_today_is_the_default_day() -> None:
    """Without an as_of the day is today's."""
    shop, _, _ = router(day=None)
    assert shop.day == TODAY


async def test_the_guard_is_flagged() -> None:
    """What the guard changed stands in the result's warnings."""
    shop, _, _ = router()
    result = await shop.generate("a fox", purpose="hero", pressure=95)
    assert result.image.tier == "nano_banana"
    assert result.warnings[0].startswith("the budget is 95 % used: nano_banana at")


async def test_settings_stand_behind_the_request() -> None:
    """retired=substitute as a setting counts for requests that say nothing."""
    shop, _, _ = router(retired=RetiredPolicy.SUBSTITUTE)
    result = await shop.generate("a fox", model="imagen-4.0-generate-001")
    assert "serves instead" in result.warnings[0]


async def test_many() -> None:
    """Many requests come back in their order, an error in its place."""
    shop, _, _ = router()
    ready = ImageRequest(prompt="a fox", size="2K")  # type: ignore[arg-type]
    first, second, third = await shop.generate_many(["a fox", "", ready], concurrency=2)
    assert isinstance(first, ImageResult)
    assert isinstance(second, InvalidRequest)
    assert isinstance(third, ImageResult)


async def test_many_at_once() -> None:
    """No more requests run at a time than asked for, and none is no number."""
    provider = Hanging(2)
    shop, _, _ = router(provider=lambda: provider)
    task = asyncio.create_task(shop.generate_many(["a"] * 5, concurrency=2))
    await provider.full.wait()
    await asyncio.sleep(0.01)
    assert len(provider.calls) == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(InvalidRequest, match="concurrency is 0"):
        await shop.generate_many(["a"], concurrency=0)


async def test_edit_a_picture(tmp_path: Path) -> None:
    """Any picture can be edited: it is the first reference of a contextual edit."""
    path = tmp_path / "a.png"
    path.write_bytes(png())
    shop, provider, _ = router()
    result = await shop.edit("make it night", image=path, references=str(path))
    (call,) = provider.calls
    assert [ref.data for ref in call.request.references] == [png(), png()]
    assert result.image.tier == "gemini_31_flash_image"
    assert (await shop.edit_request("x", image=path, purpose="hero")).purpose == "hero"


async def test_edit_goes_on_in_the_family() -> None:
    """An edit of an image just made sends its history with the signatures on the same parts."""
    shop, provider, _ = router()
    first = await shop.generate("a fox", purpose="contextual_edit")
    await shop.edit("at night", previous=first.image)
    request = provider.calls[1].request
    assert request.conversation == first.image.conversation
    assert request.prompt == "at night"
    assert request.references == ()


async def test_edit_flattens_for_another_family() -> None:
    """A history that the chosen family cannot read goes as its last picture, with a warning."""
    shop, provider, _ = router()
    first = await shop.generate("a fox")
    result = await shop.edit("at night", previous=first.image, tier="nano_banana_pro")
    request = provider.calls[1].request
    assert request.conversation is None
    assert [ref.data for ref in request.references] == [first.image.data]
    assert "gets the last picture of gemini-3.1-flash-lite-image" in result.image.warnings[0]


async def test_edit_in_another_process(tmp_path: Path) -> None:
    """A remembered conversation is found again by the bytes of its picture, in a file or in memory."""
    shop, _, _ = router(home=tmp_path)
    image = (await shop.generate("a fox")).image
    shop.remember(image)
    path = tmp_path / "fox.png"
    path.write_bytes(image.data)
    other, _, _ = router(home=tmp_path)
    assert (await other.edit_request("x", previous=path)).conversation == image.conversation
    bare = replace(image, conversation=None)
    assert (await other.edit_request("x", previous=bare)).conversation == image.conversation


async def test_edit_without_a_known_conversation(tmp_path: Path) -> None:
    """A picture whose conversation nobody knows is refused with the way out; so is a missing file."""
    path = tmp_path / "stranger.png"
    path.write_bytes(png())
    shop, _, _ = router(home=tmp_path)
    with pytest.raises(AssetError, match=r"no conversation is known.*edit it as a plain picture"):
        await shop.edit("x", previous=path)
    with pytest.raises(AssetError, match=r"nowhere\.png cannot be read"):
        await shop.edit("x", previous=tmp_path / "nowhere.png")


@pytest.mark.parametrize("sources", [{}, {"image": png(), "previous": "a.png"}])
async def test_edit_needs_one_picture(sources: dict[str, Any]) -> None:
    """Neither or both of image and previous is refused."""
    shop, _, _ = router()
    with pytest.raises(InvalidRequest, match=r"either image= .* or previous="):
        await shop.edit("x", **sources)


async def test_a_conversation_by_hand() -> None:
    """A conversation of one's own may be passed as a field."""
    shop, provider, _ = router()
    await shop.generate(
        "at night", conversation=conversation("gemini-nano-banana-2.1"), purpose="contextual_edit"
    )
    assert provider.calls[0].request.conversation is not None


async def test_closing() -> None:
    """Leaving the router closes its provider; a router that never called has none to close."""
    shop, provider, _ = router()
    async with shop:
        await shop.generate("a fox")
    assert provider.closed
    async with router()[0]:
        pass


async def test_overloads_are_waited_out() -> None:
    """Retries sleep on the router's own clock."""
    shop, _, clock = router(Script().fail(overloaded(), times=2))
    assert (await shop.generate("a fox")).images
    assert clock.slept == [1.0, 2.0]
