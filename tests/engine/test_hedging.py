"""Hedging: off by default, rare, and every call that was sent is told of."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import date

import pytest

from image_router import facts
from image_router.core.causes import Billed, Kind, Retry
from image_router.core.decision import Decision, Snapshot
from image_router.core.rates import card_on
from image_router.core.routing import World, decide
from image_router.core.types import ImageRequest, Lane, Purpose
from image_router.engine.hedging import HedgePolicy, Hedging, Leg, Raced, lost_race, race, rival

EAGER = HedgePolicy(percentile=90, least=5, at_most_percent=100)


def observed(policy: HedgePolicy | None, seconds: range) -> Hedging:
    hedging = Hedging(policy)
    for latency in seconds:
        hedging.observe("pro", float(latency))
    return hedging


def test_off_by_default() -> None:
    """Without a policy nothing is ever hedged."""
    assert observed(None, range(1, 1_001)).after("pro") is None


@pytest.mark.parametrize(("percentile", "after"), [(50, 50), (90, 90), (95, 95), (99, 99), (100, 100)])
def test_after_a_percentile_of_what_was_seen(percentile: int, after: float) -> None:
    """Of a hundred latencies from 1 to 100 s the 95th percentile is 95 s."""
    assert observed(replace(EAGER, percentile=percentile), range(1, 101)).after("pro") == after


def test_newest_latencies_count() -> None:
    """Old latencies are forgotten, so that a slower or faster day is noticed."""
    assert observed(replace(EAGER, remembered=10), range(1, 101)).after("pro") == 99


@pytest.mark.parametrize(("seen", "hedges"), [(4, False), (5, True)])
def test_few_latencies_tell_nothing(seen: int, hedges: bool) -> None:
    """Before enough latencies of the model are known it is not hedged, whatever others took."""
    hedging = observed(EAGER, range(seen))
    assert (hedging.after("pro") is not None) is hedges
    assert hedging.after("lite") is None


def test_hedges_stay_a_share_of_all_calls() -> None:
    """With ten percent allowed, a hundred slow calls are hedged ten times."""
    hedging, hedges = observed(replace(EAGER, at_most_percent=10), range(9)), 0
    for _ in range(100):
        if hedging.after("pro") is not None:
            hedging.hedged()
            hedges += 1
    assert hedges == 10


DAY = date(2026, 11, 22)


def decision(purpose: Purpose, **asked: object) -> Decision:
    request = ImageRequest(prompt="a cup", purpose=purpose, **asked)  # type: ignore[arg-type]
    policies = facts.load_policies(None)
    card = card_on(DAY, facts.load_cards(None))
    world = World(catalog=facts.load_catalog(None), card=card, policy=policies["default"], day=DAY)
    return decide(request, world, snapshot=Snapshot())


def test_rival_is_the_next_other_model() -> None:
    """The rival of a candidate is the next one on another model; the last has none."""
    decided = decision(Purpose.HERO)
    models = [candidate.model.id for candidate in decided.candidates]
    other = rival(decided, decided.head)
    assert other is not None
    assert other.model.id == next(model for model in models if model != models[0])
    assert rival(decided, decided.candidates[-1]) is None


def test_no_rival_where_it_would_do_harm() -> None:
    """A locked identity stays with its model, and the batch lane waits for nobody."""
    decided = decision(Purpose.HERO)
    locked = replace(decided, request=replace(decided.request, identity_locked=True))
    batch = replace(decided, request=replace(decided.request, lane=Lane.BATCH))
    assert rival(locked, locked.head) is None
    assert rival(batch, batch.head) is None


@dataclass
class Course:
    """Two sides and a starter that go when they are told to."""

    gates: dict[str, asyncio.Future[str | None]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def leg(self, name: str) -> Leg[str]:
        async def run() -> str | None:
            self.started.append(name)
            try:
                return await self.gate(name)
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise

        return Leg(run=run, lost=lambda: f"{name} lost")

    def gate(self, name: str) -> asyncio.Future[str | None]:
        return self.gates.setdefault(name, asyncio.get_running_loop().create_future())

    async def sleep(self, seconds: float) -> None:
        self.started.append(f"pause of {seconds:g}")
        await self.gate("pause")

    def run(self) -> asyncio.Task[Raced[str]]:
        return asyncio.create_task(
            race(
                self.leg("first"),
                self.leg("second"),
                after=9.0,
                good=lambda answer: answer.startswith("image"),
                sleep=self.sleep,
            )
        )

    async def tell(self, name: str, answer: str | None = None) -> None:
        self.gate(name).set_result(answer)
        await self.pass_time()

    async def pass_time(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def course() -> Course:
    return Course()


@pytest.mark.parametrize("answer", ["image", "refused"])
async def test_quick_answers_are_not_hedged(course: Course, answer: str) -> None:
    """A call that answers in the usual time, well or badly, has no rival."""
    running = course.run()
    await course.pass_time()
    await course.tell("first", answer)
    assert await running == Raced(winner=answer)
    assert course.started == ["first", "pause of 9"]


async def test_second_wins(course: Course) -> None:
    """When the second side is first, the first is cancelled and told of."""
    running = course.run()
    await course.pass_time()
    await course.tell("pause")
    await course.tell("second", "image 2")
    assert await running == Raced(winner="image 2", other="first lost")
    assert course.cancelled == ["first"]


async def test_first_wins_after_all(course: Course) -> None:
    """When the first side comes after all, the second is cancelled and told of."""
    running = course.run()
    await course.pass_time()
    await course.tell("pause")
    await course.tell("first", "image 1")
    assert await running == Raced(winner="image 1", other="second lost")
    assert course.cancelled == ["second"]


@pytest.mark.parametrize("slow", ["first", "second"])
async def test_a_bad_answer_does_not_end_the_race(course: Course, slow: str) -> None:
    """A side that fails leaves the race to the other; both answers are told."""
    quick = "second" if slow == "first" else "first"
    running = course.run()
    await course.pass_time()
    await course.tell("pause")
    await course.tell(quick, "refused")
    assert not running.done()
    await course.tell(slow, "image")
    assert await running == Raced(winner="image", other="refused")


async def test_when_both_fail_the_first_stands(course: Course) -> None:
    """Of two bad answers the first side's goes to failover, and the other is told."""
    running = course.run()
    await course.pass_time()
    await course.tell("pause")
    await course.tell("second", "refused 2")
    await course.tell("first", "refused 1")
    assert await running == Raced(winner="refused 1", other="refused 2")


async def test_second_that_may_not_call_changes_nothing(course: Course) -> None:
    """Where there is no money or permit for a second call, the first is waited for."""
    running = course.run()
    await course.pass_time()
    await course.tell("pause")
    await course.tell("second", None)
    await course.tell("first", "image")
    assert await running == Raced(winner="image")


async def test_both_done_at_once_are_both_told(course: Course) -> None:
    """Two pictures that come together are both kept: both are paid."""
    running = course.run()
    await course.pass_time()
    course.gate("pause").set_result(None)
    course.gate("first")
    await course.pass_time()
    course.gate("first").set_result("image 1")
    course.gate("second").set_result("image 2")
    assert await running == Raced(winner="image 1", other="image 2")


async def test_cancelling_the_race_cancels_both(course: Course) -> None:
    """A caller who gives up leaves no call running."""
    running = course.run()
    await course.pass_time()
    await course.tell("pause")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(course.cancelled) == ["first", "second"]


async def test_trouble_of_the_loser_does_not_lose_the_picture(
    course: Course, caplog: pytest.LogCaptureFixture
) -> None:
    """When one side breaks, the other's picture is returned and the trouble is logged."""
    running = course.run()
    await course.pass_time()
    await course.tell("pause")
    course.gate("second").set_exception(OSError("the disk is full"))
    await course.pass_time()
    await course.tell("first", "image 1")
    with caplog.at_level(logging.ERROR):
        assert await running == Raced(winner="image 1", other="second lost")
    assert "the other side of a hedged call failed" in caplog.text


async def test_trouble_of_the_only_side_is_raised(course: Course) -> None:
    """When the first side breaks before it is hedged, its error reaches the caller."""
    running = course.run()
    await course.pass_time()
    course.gate("first").set_exception(OSError("the disk is full"))
    with pytest.raises(OSError, match="the disk is full"):
        await running


def test_a_lost_call_may_be_billed() -> None:
    """A cancelled call that was sent is of unknown outcome, and is not sent again."""
    outcome = lost_race(12.34, "gemini-nano-banana-2.1")
    assert (outcome.kind, outcome.billed, outcome.retry) == (Kind.AMBIGUOUS, Billed.UNKNOWN, Retry.NEVER)
    assert outcome.detail == "cancelled after 12.3 s: gemini-nano-banana-2.1 was first"
