"""The way to the provider: permits, honest refusals, circuits that open and close, turns, and the pool."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_router import facts
from image_router.core.breaker import Breaker, BreakerState, Circuit
from image_router.core.catalog import Model
from image_router.core.causes import Billed, Cause, FailureScope, Kind, Retry
from image_router.core.decision import Candidate, Parameters
from image_router.core.errors import InvalidCredentials, QuotaExhausted, RateLimited, StorageError
from image_router.core.events import (
    CircuitClosed,
    CircuitOpened,
    CircuitsSeen,
    LimitLearned,
    Paced,
    TrafficEvent,
)
from image_router.core.failures import error_for
from image_router.core.limits import TrafficRules, UsageTier
from image_router.core.limits_toml import parse_circuits, parse_limits
from image_router.core.money import USD
from image_router.core.outcome import Outcome
from image_router.core.pacing import MeterKey, Moment
from image_router.core.rates import card_on, quote
from image_router.core.toml_table import TomlFile
from image_router.core.types import ImageRequest, Reference, Size
from image_router.engine.admission import Ask, Permit, Refusal, TrafficParts
from image_router.engine.pool import Member, Pool
from image_router.engine.traffic import Traffic, TrafficSnapshot
from image_router.providers.base import Entitlement
from image_router.storage.traffic_memory import BreakerChange, MemoryTraffic, MeterChange
from image_router.testing import FrozenClock, ScriptedProvider

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
PRO, NANO, LITE = "gemini-3-pro-image", "gemini-nano-banana-2.1", "gemini-3.1-flash-lite-image"
DAY = date(2026, 11, 22)
NOON = 1_795_377_600.0  # 2026-11-22 20:00 UTC, noon in Los Angeles
CATALOG = facts.load_catalog(None)


def read(name: str) -> TomlFile:
    path = facts.SHIPPED / "limits" / name
    return TomlFile(str(path), path.read_text(encoding="utf-8"))


RULES = TrafficRules(book=parse_limits(read("gemini.toml")), trips=parse_circuits(read("circuits.toml")))

IMAGE = Outcome(kind=Kind.IMAGE, billed=Billed.YES)
OVERLOADED = Outcome(kind=Kind.FAILED, cause=Cause.OVERLOADED, scope=FailureScope.MODEL, retry=Retry.CAPACITY)


def failure(cause: Cause, scope: FailureScope = FailureScope.MODEL, *, wait: float | None = None) -> Outcome:
    return Outcome(
        kind=Kind.FAILED, cause=cause, scope=scope, retry=Retry.NEVER, retry_after=wait, detail="its words"
    )


class Probed(ScriptedProvider):
    """A provider whose free probe answers as told."""

    def __init__(self) -> None:
        super().__init__()
        self.says = Entitlement.NOT_FOUND
        self.probes: list[str] = []

    async def probe(self, model: Model) -> Entitlement:
        self.probes.append(model.id)
        return self.says


@dataclass
class Scene:
    """Traffic over a frozen clock, and everything it announced."""

    traffic: Traffic
    clock: FrozenClock
    pool: Pool
    events: list[TrafficEvent] = field(default_factory=list)

    async def admit(self, model: str = PRO, *, scope: str = "a", patience: float = 0.0) -> Permit | Refusal:
        return await self.traffic.admit(ask(model, scope), patience=patience)

    async def permit(self, model: str = PRO, *, scope: str = "a", patience: float = 0.0) -> Permit:
        got = await self.admit(model, scope=scope, patience=patience)
        assert isinstance(got, Permit), got
        return got

    async def refusal(self, model: str = PRO, *, patience: float = 0.0) -> Refusal:
        got = await self.admit(model, patience=patience)
        assert isinstance(got, Refusal), got
        return got

    async def brings(self, outcome: Outcome, model: str = PRO, *, times: int = 1, spent: int = 0) -> Outcome:
        for _ in range(times):
            seen = await self.traffic.report(await self.permit(model), outcome, spent=spent)
        return seen

    def heard(self, kind: type[TrafficEvent]) -> list[TrafficEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def ask(model: str = PRO, scope: str = "a", *, dollars: int = USD // 100, tokens: int = 100) -> Ask:
    return Ask(model=model, scope=scope, dollars=dollars, tokens=tokens)


def member(name: str, project: str = "shop", **more: object) -> Member:
    return replace(Member(name=name, provider=Probed(), project=project), **more)  # type: ignore[arg-type]


async def for_ever(seconds: float) -> None:
    await asyncio.Event().wait()


def scene(*members: Member, rules: TrafficRules = RULES, sleep: Sleep | None = None) -> Scene:
    clock, events = FrozenClock(), []  # type: FrozenClock, list[TrafficEvent]
    pool = Pool(members or [member("k1")])
    parts = TrafficParts(
        pool=pool,
        rules=rules,
        models=CATALOG.find,
        announce=events.append,
        store=MemoryTraffic(steady=clock, wall=lambda: NOON + clock()),
        steady=clock,
        sleep=sleep or clock.sleep,
    )
    return Scene(traffic=Traffic(parts), clock=clock, pool=pool, events=events)


async def settle_down() -> None:
    """Let every task that can go on do so."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_asks_for_one_image_of_a_quote() -> None:
    """Of a quote for three images, one image's ceiling and expected input are asked for."""
    reference = Reference(data=b"", media_type="image/png", digest="0" * 64, width=64, height=64)
    request = ImageRequest(prompt="x" * 400, references=(reference, reference), n=3, scope="studio")
    pro = CATALOG.resolve(PRO)
    parameters = Parameters(thinking=None, size=Size.K1, aspect=None)
    price = quote(request, pro, parameters=parameters, card=card_on(DAY, facts.load_cards(None)))
    candidate = Candidate(tier=None, model=pro, parameters=parameters, quote=price, reason="")
    asked = Ask.of(candidate, request)
    assert (asked.model, asked.scope, asked.images) == (PRO, "studio", 1)
    assert asked.dollars * 3 == price.ceiling
    assert asked.tokens == 100 + 2 * 560


async def test_goes_at_once_when_all_is_well() -> None:
    """Without illness or load a call is permitted at once, through the pool's member."""
    s = scene()
    permit = await s.permit()
    assert (permit.member.name, permit.waited, permit.probing) == ("k1", 0.0, ())
    assert await s.traffic.snapshot() == TrafficSnapshot()


async def test_refuses_honestly_what_cannot_go_in_time() -> None:
    """The 21st Pro call of a minute on tier 1 is refused at once, with the time it would take."""
    s = scene()
    for _ in range(20):
        await s.permit()
    refusal = await s.refusal(patience=30)
    assert refusal.wait == pytest.approx(61, abs=1)
    assert "20 requests per minute are used up for 61.0 s; 30.0 s are left to wait" in refusal.detail
    assert s.clock.now == 0


async def test_refusal_sends_failover_to_the_next_model() -> None:
    """A refusal reads like an outcome of this model alone, which cost nothing."""
    s = scene()
    for _ in range(20):
        await s.permit()
    outcome = (await s.refusal()).outcome
    assert (outcome.kind, outcome.cause, outcome.scope, outcome.retry, outcome.billed) == (
        Kind.FAILED,
        Cause.RATE_LIMIT,
        FailureScope.MODEL,
        Retry.FAILOVER,
        Billed.NO,
    )
    assert isinstance(error_for(outcome, PRO), RateLimited)


async def test_waits_when_there_is_time() -> None:
    """With enough time the call waits for its turn, and says so."""
    s = scene()
    for _ in range(20):
        await s.permit()
    permit = await s.permit(patience=120)
    assert permit.waited == pytest.approx(61, abs=0.1)
    assert s.heard(Paced) == [
        Paced(model=PRO, scope="a", limit="requests per minute", wait=pytest.approx(61, abs=1))
    ]


async def test_models_without_published_limits_are_not_held_back() -> None:
    """A model whose limits nobody published is bounded by the project's dollars alone."""
    s = scene()
    for _ in range(500):
        await s.permit(NANO)
    assert len(s.events) == 0


async def test_dollars_are_shared_by_all_models_of_a_project() -> None:
    """$10 in ten minutes: what Lite spent, Pro cannot spend."""
    s = scene()
    for _ in range(95):
        await s.traffic.admit(ask(LITE, dollars=USD // 10), patience=0)
    refusal = await s.traffic.admit(ask(PRO, dollars=USD), patience=0)
    assert isinstance(refusal, Refusal)
    assert refusal.cause is Cause.SPEND_LIMIT
    assert "$10.00 per 10 minutes" in refusal.detail


async def test_a_call_above_every_limit_is_refused_without_a_time() -> None:
    """A call with more tokens than a minute allows could wait for ever, and is told so."""
    s = scene()
    refusal = await s.traffic.admit(ask(PRO, tokens=100_001), patience=10**6)
    assert isinstance(refusal, Refusal)
    assert refusal.wait is None
    assert "alone is above the limit of 100,000 tokens per minute" in refusal.detail


async def test_what_was_held_and_not_spent_comes_back() -> None:
    """Ceilings count while calls run; their end makes room for what they did not cost."""
    s = scene()
    permits = [await s.traffic.admit(ask(NANO, dollars=USD), patience=0) for _ in range(10)]
    assert isinstance(await s.traffic.admit(ask(NANO, dollars=USD), patience=0), Refusal)
    for permit in permits:
        assert isinstance(permit, Permit)
        await s.traffic.report(permit, IMAGE, spent=USD // 10)
    assert isinstance(await s.traffic.admit(ask(NANO, dollars=USD), patience=0), Permit)


@pytest.mark.parametrize(
    ("cause", "spent", "free"), [(Cause.UNREACHABLE, 0, True), (Cause.TIMED_OUT, None, False)]
)
async def test_unsent_is_free_and_unknown_is_not(cause: Cause, spent: int | None, free: bool) -> None:
    """A call that never left gives its dollars back; one of unknown outcome keeps them counted."""
    s = scene()
    permit = await s.traffic.admit(ask(NANO, dollars=10 * USD), patience=0)
    assert isinstance(permit, Permit)
    await s.traffic.report(permit, failure(cause), spent=spent)
    again = await s.traffic.admit(ask(NANO, dollars=10 * USD), patience=0)
    assert isinstance(again, Permit) is free


async def test_released_permits_leave_no_trace() -> None:
    """A permit that was not used is as if it had never been."""
    s = scene()
    for _ in range(40):
        await s.traffic.release(await s.permit())
    assert {gauge.sent for gauge in await s.traffic.gauges()} == {0}


async def test_scopes_take_turns() -> None:
    """Behind forty calls of one scope, the single call of another is next but one."""
    s, order = scene(), []  # type: Scene, list[str]
    for _ in range(20):
        await s.permit()

    async def one(scope: str) -> None:
        await s.permit(scope=scope, patience=1_000)
        order.append(scope)

    await asyncio.gather(*(one("crowd") for _ in range(40)), one("single"))
    assert order.index("single") == 1
    assert len(order) == 41


async def test_nobody_slips_past_the_line() -> None:
    """While one scope waits, single calls of another that come one after the other take turns with it."""
    s, order = scene(), []  # type: Scene, list[str]
    for _ in range(20):
        await s.permit()
        s.clock.now += 3

    async def crowd() -> None:
        await s.permit(scope="crowd", patience=10_000)
        order.append("crowd")

    async def one_by_one() -> None:
        for _ in range(15):
            await s.permit(scope="single", patience=10_000)
            order.append("single")

    await asyncio.gather(*(crowd() for _ in range(30)), one_by_one())
    assert order[:30].count("single") == 15


async def test_joining_as_the_line_ends_is_served() -> None:
    """A call that joins in the moment in which the last of a line goes is served as well."""
    s = scene()
    for _ in range(20):
        await s.permit()

    async def again(rounds: int) -> None:
        for _ in range(rounds):
            await s.permit(patience=10_000)

    await asyncio.wait_for(asyncio.gather(*(again(25) for _ in range(3))), timeout=30)


async def test_estimates_count_those_ahead() -> None:
    """With a minute's worth of calls before it, a new call is told two minutes."""
    s = scene(sleep=for_ever)
    for _ in range(20):
        await s.permit()
    waiting = [asyncio.create_task(s.admit(patience=1_000)) for _ in range(20)]
    await settle_down()
    assert (await s.refusal(patience=100)).wait == pytest.approx(122, abs=2)
    await s.traffic.aclose()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_dear_calls_are_not_starved_by_cheap_ones() -> None:
    """While a dear call waits for the project's dollars, cheap calls of other models do not take them."""
    s, order = scene(), []  # type: Scene, list[str]
    for _ in range(100):
        await s.traffic.admit(ask(NANO, dollars=USD // 10), patience=0)

    async def one(name: str, model: str, dollars: int) -> None:
        got = await s.traffic.admit(ask(model, name, dollars=dollars), patience=5_000)
        assert isinstance(got, Permit)
        order.append(name)

    dear = asyncio.create_task(one("dear", PRO, 5 * USD))
    await asyncio.sleep(0)
    await asyncio.gather(dear, *(one("cheap", NANO, USD // 10) for _ in range(60)))
    assert "dear" in order[:51]


async def test_retry_info_holds_everyone() -> None:
    """After a 429 that asks for 48 s, nobody sends for 48 s; who has less time is told at once."""
    s = scene()
    await s.brings(failure(Cause.RATE_LIMIT, wait=48.0))
    refusal = await s.refusal(patience=10)
    assert refusal.wait == 48
    assert (await s.permit(patience=60)).waited == 48


async def test_refusals_teach_a_limit() -> None:
    """Where no limit is published, ten sent and five refused teach a limit of four a minute."""
    s = scene()
    permits = [await s.permit(NANO) for _ in range(10)]
    for permit in permits[:5]:
        await s.traffic.report(permit, failure(Cause.RATE_LIMIT), spent=0)
    learned = s.heard(LimitLearned)[-1]
    assert isinstance(learned, LimitLearned)
    assert (learned.model, learned.limit, learned.allowed, learned.published) == (
        NANO,
        "requests per minute",
        4,
        None,
    )
    assert (await s.refusal(NANO)).wait == pytest.approx(61, abs=1)


async def test_who_waits_in_vain_is_told_when_it_turns_out() -> None:
    """A 429 that comes while others wait ends the wait of those whose time is now too short."""
    s = scene()
    sleeping = asyncio.Event()
    s = replace(s, traffic=Traffic(replace(s.traffic._parts, sleep=lambda seconds: sleeping.wait())))
    last = [await s.permit() for _ in range(20)][-1]
    waiting = asyncio.create_task(s.admit(patience=70))
    await settle_down()
    await s.traffic.report(last, failure(Cause.RATE_LIMIT, wait=300.0), spent=0)
    got = await waiting
    assert isinstance(got, Refusal)
    assert got.wait == 300
    await s.traffic.aclose()


async def test_leaving_the_line_makes_room() -> None:
    """A caller who is cancelled while waiting takes no permit."""
    s = scene()
    s = replace(s, traffic=Traffic(replace(s.traffic._parts, sleep=lambda seconds: asyncio.Event().wait())))
    for _ in range(20):
        await s.permit()
    waiting = asyncio.create_task(s.admit(patience=100))
    await settle_down()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await settle_down()
    s.clock.now = 61.1
    for _ in range(20):
        await s.permit()


class Meddled(MemoryTraffic):
    """A store in which something happens at each change."""

    happens: Callable[[], object] = staticmethod(lambda: None)

    async def change_meters(self, keys: Collection[MeterKey], change: MeterChange[T]) -> T:
        self.happens()
        return await super().change_meters(keys, change)

    async def change_circuit(
        self, circuit: Circuit, change: BreakerChange
    ) -> tuple[Breaker, Breaker, Moment]:
        self.happens()
        return await super().change_circuit(circuit, change)


def gone() -> None:
    raise StorageError("the database is gone")


async def test_permit_that_comes_too_late_is_given_back() -> None:
    """A permit granted in the very moment its caller is cancelled counts for nobody."""
    s = scene()
    store = Meddled(steady=s.clock, wall=s.clock)

    async def nap(seconds: float) -> None:
        s.clock.now += seconds
        store.happens = lambda: asyncio.get_running_loop().call_soon(waiting.cancel)

    s = replace(s, traffic=Traffic(replace(s.traffic._parts, sleep=nap, store=store)))
    for _ in range(20):
        await s.permit()
    waiting = asyncio.create_task(s.admit(patience=100))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    sent = {gauge.key.limit: gauge.sent for gauge in await s.traffic.gauges()}
    assert sent["requests per minute"] == 0


async def test_broken_store_tells_those_who_wait() -> None:
    """When the store fails, everyone in line gets its error instead of waiting for ever."""
    s = scene()
    store = Meddled(steady=s.clock, wall=s.clock)

    async def nap(seconds: float) -> None:
        s.clock.now += seconds
        store.happens = gone

    s = replace(s, traffic=Traffic(replace(s.traffic._parts, sleep=nap, store=store)))
    for _ in range(20):
        await s.permit()
    got = await asyncio.gather(*(s.admit(patience=100) for _ in range(3)), return_exceptions=True)
    assert [type(problem) for problem in got] == [StorageError] * 3


@pytest.mark.parametrize("end", ["report", "release"])
async def test_broken_store_loses_no_picture(end: str, caplog: pytest.LogCaptureFixture) -> None:
    """When the store fails after a call was paid, that is logged and the outcome is handed on."""
    s = scene()
    store = Meddled(steady=s.clock, wall=s.clock)
    s = replace(s, traffic=Traffic(replace(s.traffic._parts, store=store)))
    permit = await s.permit()
    store.happens = gone
    if end == "report":
        assert await s.traffic.report(permit, IMAGE, spent=1) == IMAGE
    else:
        await s.traffic.release(permit)
    assert "the database is gone" in caplog.text
    with pytest.raises(StorageError):
        await s.admit()


async def test_five_overloads_open_the_model() -> None:
    """After five overloads in a row a model is left alone for 30 s, and asking is refused with the reason."""
    s = scene()
    await s.brings(OVERLOADED, times=4)
    assert (await s.traffic.snapshot()).open_circuits == frozenset()
    await s.brings(replace(OVERLOADED, detail="The model is overloaded."))
    assert await s.traffic.snapshot() == TrafficSnapshot(open_circuits=frozenset({PRO}))
    refusal = await s.refusal(patience=100)
    assert (refusal.cause, refusal.wait) == (Cause.OVERLOADED, 30)
    assert refusal.detail == (f"The model is overloaded. (not sent: model {PRO} is left alone since 0 s)")


async def test_a_picture_between_keeps_it_closed() -> None:
    """Overloads that are not in a row open nothing."""
    s = scene()
    for _ in range(3):
        await s.brings(OVERLOADED, times=4)
        await s.brings(IMAGE)
        s.clock.now += 60
    assert s.heard(CircuitOpened) == []


async def test_one_call_tries_again() -> None:
    """When the time is up one call is the probe, the others are refused meanwhile; its success closes."""
    s = scene()
    await s.brings(OVERLOADED, times=5)
    s.clock.now = 30
    probe = await s.permit()
    assert [str(circuit) for circuit in probe.probing] == [f"model {PRO}"]
    assert (await s.traffic.snapshot()).open_circuits == {PRO}
    assert (await s.refusal()).cause is Cause.OVERLOADED
    await s.traffic.report(probe, IMAGE, spent=0)
    assert (await s.permit()).probing == ()
    opened, ill, closed, well = s.events
    assert isinstance(opened, CircuitOpened)
    assert (opened.opening, opened.wait) == (1, 30)
    assert isinstance(closed, CircuitClosed)
    assert (closed.cause, closed.lasted) == (Cause.OVERLOADED, 30)
    assert ill == CircuitsSeen(open=frozenset(probe.probing))
    assert well == CircuitsSeen(open=frozenset())


async def test_failed_probe_waits_longer() -> None:
    """A probe that is overloaded again leaves the model alone for a minute."""
    s = scene()
    await s.brings(OVERLOADED, times=5)
    s.clock.now = 30
    await s.brings(OVERLOADED)
    assert (await s.refusal()).wait == 60


@pytest.mark.parametrize("cause", [Cause.UNREACHABLE, Cause.TIMED_OUT, Cause.BAD_PARAMETER])
async def test_probe_that_tells_nothing_passes_on(cause: Cause) -> None:
    """A probe that says nothing about the model leaves the chance to the next call."""
    s = scene()
    await s.brings(OVERLOADED, times=5)
    s.clock.now = 30
    await s.brings(failure(cause))
    assert (await s.permit()).probing


async def test_released_probe_passes_on() -> None:
    """A probe whose call was not sent after all leaves the chance to the next call."""
    s = scene()
    await s.brings(OVERLOADED, times=5)
    s.clock.now = 30
    await s.traffic.release(await s.permit())
    assert (await s.permit()).probing


async def test_prober_that_died_locks_nobody_out() -> None:
    """A claimed probe that never reports ends after ten minutes."""
    s = scene()
    await s.brings(OVERLOADED, times=5)
    s.clock.now = 30
    await s.permit()
    s.clock.now = 631
    assert (await s.permit()).probing


async def test_two_processes_send_one_probe() -> None:
    """A process whose view is a moment old loses the probe to the quicker one, and charges nothing."""
    quick = scene()
    store = MemoryTraffic(steady=quick.clock, wall=quick.clock, shared=True)
    parts = replace(quick.traffic._parts, store=store)
    quick, slow = replace(quick, traffic=Traffic(parts)), replace(quick, traffic=Traffic(parts))
    await quick.brings(OVERLOADED, times=5)
    quick.clock.now = 30
    await slow.traffic.snapshot()
    assert (await quick.permit()).probing
    before = await slow.traffic.gauges()
    refusal = await slow.refusal()
    assert (refusal.cause, refusal.wait) == (Cause.OVERLOADED, 600)
    assert await slow.traffic.gauges() == before


async def test_broken_free_probe_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A free probe whose store fails is logged and tried again later; nobody's call suffers."""
    s = scene()
    store = Meddled(steady=s.clock, wall=s.clock)
    s = replace(s, traffic=Traffic(replace(s.traffic._parts, store=store)))
    await s.brings(failure(Cause.MODEL_NOT_FOUND))
    s.clock.now += 86_400
    store.happens = gone
    assert (await s.traffic.snapshot()).gone == {PRO}
    await settle_down()
    assert f"the free probe of project shop, model {PRO} failed" in caplog.text
    store.happens = lambda: None
    await s.traffic.snapshot()
    await settle_down()
    assert (await s.refusal()).wait == 86_400


async def test_closing_stops_probes() -> None:
    """A free probe that is under way when traffic is closed is stopped."""
    s = scene()
    provider = s.pool.members[0].provider
    assert isinstance(provider, Probed)
    asked = asyncio.Event()

    async def never(model: Model) -> Entitlement:
        asked.set()
        await for_ever(0)
        return Entitlement.UNKNOWN

    provider.probe = never  # type: ignore[method-assign]
    await s.brings(failure(Cause.MODEL_NOT_FOUND))
    s.clock.now += 86_400
    await s.traffic.snapshot()
    await asked.wait()
    await s.traffic.aclose()
    assert len(asyncio.all_tasks()) == 1


async def test_missing_model_is_gone_and_asked_for_free_each_day() -> None:
    """A retired model is gone for a day; then an empty call asks, and only a yes brings it back."""
    s = scene()
    provider = s.pool.members[0].provider
    assert isinstance(provider, Probed)
    await s.brings(failure(Cause.MODEL_NOT_FOUND))
    gone = TrafficSnapshot(open_circuits=frozenset({PRO}), gone=frozenset({PRO}))
    assert await s.traffic.snapshot() == gone
    s.clock.now += 86_400
    assert await s.traffic.snapshot() == gone
    await settle_down()
    assert (await s.refusal()).wait == 86_400
    provider.says = Entitlement.ENTITLED
    s.clock.now += 86_400
    await s.traffic.snapshot()
    await settle_down()
    assert await s.traffic.snapshot() == TrafficSnapshot()
    assert provider.probes == [PRO, PRO]


async def test_free_probe_that_tells_nothing_is_repeated_in_minutes() -> None:
    """Without an answer (the network, an overload) the free probe is repeated after five minutes."""
    s = scene()
    provider = s.pool.members[0].provider
    assert isinstance(provider, Probed)
    provider.says = Entitlement.UNKNOWN
    await s.brings(failure(Cause.MODEL_NOT_FOUND))
    s.clock.now += 86_400
    await s.traffic.snapshot()
    await settle_down()
    assert (await s.refusal()).wait == 300


@pytest.mark.parametrize(
    ("says", "well"),
    [
        (Entitlement.ENTITLED, True),
        (Entitlement.NOT_FOUND, True),
        (Entitlement.KEY_REFUSED, False),
        (Entitlement.UNKNOWN, False),
    ],
)
async def test_free_probe_of_a_key(says: Entitlement, well: bool) -> None:
    """A key that is told anything about a model is accepted again, even that there is no such model."""
    s = scene()
    provider = s.pool.members[0].provider
    assert isinstance(provider, Probed)
    provider.says = says
    await s.brings(failure(Cause.BAD_KEY, FailureScope.KEY))
    s.clock.now += 600
    await s.traffic.snapshot()
    await settle_down()
    assert isinstance(await s.admit(), Permit) is well


async def test_daily_quota_lasts_to_midnight_pacific() -> None:
    """At noon in Los Angeles a spent daily quota is twelve hours away, whatever its RetryInfo said."""
    s = scene()
    await s.brings(failure(Cause.DAILY_QUOTA, wait=1.0))
    refusal = await s.refusal(patience=100)
    assert refusal.wait == 12 * 3_600
    error = error_for(refusal.outcome, PRO)
    assert isinstance(error, QuotaExhausted)
    assert error.retry_after == 12 * 3_600


async def test_leaked_key_is_never_tried_again() -> None:
    """A leaked key is refused for good, as bad credentials and not as an ill model."""
    s = scene()
    await s.brings(failure(Cause.KEY_LEAKED, FailureScope.KEY))
    s.clock.now += 10**8
    assert await s.traffic.snapshot() == TrafficSnapshot()
    refusal = await s.refusal()
    assert (refusal.wait, refusal.scope, refusal.retry) == (None, FailureScope.KEY, Retry.NEVER)
    assert isinstance(error_for(refusal.outcome, PRO), InvalidCredentials)


async def test_empty_credits_are_tried_slowly() -> None:
    """An empty prepaid account stops the whole project, and one call in ten minutes tries it."""
    s = scene()
    await s.brings(failure(Cause.CREDITS_DEPLETED, FailureScope.PROJECT))
    assert (await s.refusal(NANO)).wait == 600
    s.clock.now += 600
    await s.brings(failure(Cause.CREDITS_DEPLETED, FailureScope.PROJECT), NANO)
    assert (await s.refusal()).wait == 1_200


async def test_open_circuits_are_shown() -> None:
    """What is not well is listed with its state, cause, words and time."""
    s = scene()
    await s.brings(failure(Cause.DAILY_QUOTA))
    (shown,) = await s.traffic.circuits()
    assert str(shown.circuit) == f"project shop, model {PRO}"
    assert (shown.state, shown.breaker.cause, shown.breaker.detail, shown.wait) == (
        BreakerState.OPEN,
        Cause.DAILY_QUOTA,
        "its words",
        12 * 3_600,
    )


async def test_gauges_show_what_was_sent_and_what_may_be() -> None:
    """Each window shows its use beside its limit."""
    s = scene()
    for _ in range(3):
        await s.permit()
    shown = {g.key.limit: (g.sent, g.allowed, g.published) for g in await s.traffic.gauges()}
    assert shown["requests per minute"] == (3, 20, 20)
    assert shown["dollars per 10 minutes"] == (3 * USD // 100, 10 * USD, 10 * USD)


TWO = (member("k1", "shop"), member("k2", "works"))


async def test_projects_share_the_load_and_double_the_limit() -> None:
    """Two projects take turns, and together send twice what one may."""
    s = scene(*TWO)
    names = Counter([(await s.permit()).member.name for _ in range(40)])
    assert names == {"k1": 20, "k2": 20}
    assert (await s.refusal()).wait == pytest.approx(61, abs=1)


@pytest.mark.parametrize("project", ["shop", "unstated"])
async def test_keys_of_one_project_add_nothing(project: str) -> None:
    """Two keys of one project, or of no stated one, send no more than one key."""
    s = scene(member("k1", project), member("k2", project))
    names = Counter([(await s.permit()).member.name for _ in range(20)])
    assert names == {"k1": 10, "k2": 10}
    await s.refusal()


async def test_what_is_ill_in_one_project_goes_through_the_next() -> None:
    """A spent daily quota of one project is retried at once through the other, and is shut for neither."""
    s = scene(*TWO)
    first = await s.permit()
    seen = await s.traffic.report(first, failure(Cause.DAILY_QUOTA, wait=1.0), spent=0)
    assert (seen.retry, seen.retry_after, seen.scope) == (Retry.CAPACITY, None, FailureScope.MODEL)
    assert (await s.traffic.snapshot()).open_circuits == frozenset()
    others = {(await s.permit()).member.name for _ in range(5)}
    assert others == {"k1", "k2"} - {first.member.name}


async def test_what_is_ill_in_all_projects_is_told_as_it_is() -> None:
    """When the last project fails as well, the failure stands and the model is shut."""
    s = scene(*TWO)
    quota = failure(Cause.DAILY_QUOTA)
    await s.traffic.report(await s.permit(), quota, spent=0)
    assert await s.traffic.report(await s.permit(), quota, spent=0) == quota
    assert (await s.traffic.snapshot()).open_circuits == {PRO}


async def test_next_key_serves_when_one_is_bad() -> None:
    """A bad key leaves its project to the project's other key."""
    s = scene(member("k1"), member("k2"))
    seen = await s.brings(failure(Cause.BAD_KEY, FailureScope.KEY))
    assert seen.retry is Retry.CAPACITY
    assert len({(await s.permit()).member.name for _ in range(5)}) == 1


async def test_rate_limit_of_one_project_is_no_reason_to_wait() -> None:
    """After a 429 in one project the next call goes through the other, without the 48 s."""
    s = scene(*TWO)
    seen = await s.brings(failure(Cause.RATE_LIMIT, wait=48.0))
    assert seen.retry_after is None
    assert isinstance(await s.admit(), Permit)


async def test_overload_is_everywhere() -> None:
    """An overloaded model is overloaded for all projects; no other key is tried for it."""
    s = scene(*TWO)
    assert await s.brings(OVERLOADED) == OVERLOADED
    await s.brings(OVERLOADED, times=4)
    assert (await s.traffic.snapshot()).open_circuits == {PRO}


async def test_files_stay_with_their_key() -> None:
    """A call that uses a file goes through the key that uploaded it, busy or not."""
    s = scene(*TWO)
    uploader = await s.permit()
    await s.traffic.bind("files/abc", uploader, until=NOON + 1_000)
    used = replace(ask(), resources=("files/abc",))
    for _ in range(5):
        got = await s.traffic.admit(used, patience=0)
        assert isinstance(got, Permit)
        assert got.member is uploader.member
    seen = await s.traffic.report(got, failure(Cause.DAILY_QUOTA), spent=0)
    assert seen.retry is Retry.NEVER
    assert isinstance(await s.traffic.admit(used, patience=0), Refusal)


@pytest.mark.parametrize("resources", [("files/unknown",), ("files/a", "files/b")])
async def test_files_of_nobody_or_of_two_are_refused(resources: Sequence[str]) -> None:
    """A file nobody is known to have made, or files of two keys, cannot be used together."""
    s = scene(*TWO)
    for name, permit in (("files/a", await s.permit()), ("files/b", await s.permit())):
        await s.traffic.bind(name, permit, until=NOON + 1_000)
    refusal = await s.traffic.admit(replace(ask(), resources=tuple(resources)), patience=0)
    assert isinstance(refusal, Refusal)
    assert (refusal.cause, refusal.retry) == (Cause.FILE_GONE, Retry.NEVER)


async def test_weights_share_the_load() -> None:
    """A project of weight three gets three calls of four."""
    s = scene(member("k1", "shop", weight=3), member("k2", "works"))
    names = Counter([(await s.permit(NANO)).member.name for _ in range(40)])
    assert names == {"k1": 30, "k2": 10}


async def test_each_project_is_paced_by_its_own_tier() -> None:
    """A project of tier 2 goes on where one of tier 1 must wait."""
    s = scene(*TWO, rules=replace(RULES, tiers={"works": UsageTier.T2}))
    names = Counter([(await s.permit()).member.name for _ in range(100)])
    assert names == {"k1": 20, "k2": 80}


async def test_closing_ends_every_wait() -> None:
    """Closing cancels those who wait and leaves no task behind."""
    s = scene()
    s = replace(s, traffic=Traffic(replace(s.traffic._parts, sleep=lambda seconds: asyncio.Event().wait())))
    for _ in range(20):
        await s.permit()
    waiting = [asyncio.create_task(s.admit(patience=100)) for _ in range(5)]
    await settle_down()
    await s.traffic.aclose()
    got = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(problem, asyncio.CancelledError) for problem in got)
    assert len(asyncio.all_tasks()) == 1


Arrival = tuple[float, str, float]
ARRIVALS = st.lists(
    st.tuples(st.floats(0, 20), st.sampled_from("abc"), st.floats(0, 200)), min_size=1, max_size=60
)


def most_in_a_window(moments: list[float], seconds: float) -> int:
    return max(sum(start <= t < start + seconds for t in moments) for start in moments)


@settings(max_examples=40, deadline=None)
@given(arrivals=ARRIVALS)
async def test_no_minute_sends_more_than_its_limit(arrivals: list[Arrival]) -> None:
    """However calls come, wait and give up, no minute sees more than 20 of them, every permit comes within
    the patience of its caller, and everyone gets an answer."""
    s = scene()
    sent: list[float] = []

    async def one(scope: str, patience: float) -> bool:
        begun = s.clock.now
        got = await s.admit(scope=scope, patience=patience)
        if isinstance(got, Permit):
            sent.append(s.clock.now)
            assert s.clock.now <= begun + patience + 1e-6
        return isinstance(got, Permit | Refusal)

    tasks = []
    for pause, scope, patience in arrivals:
        tasks.append(asyncio.create_task(one(scope, patience)))
        await asyncio.sleep(0)
        s.clock.now += pause
    assert all(await asyncio.gather(*tasks))
    assert not sent or most_in_a_window(sent, 60) <= 20
