"""The emulator's faults over real HTTP: what opens, what is paced, what a probe finds, what was billed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date

import pytest

from gemini_emulator import Emulator, serve
from image_router import facts
from image_router.core.causes import Cause
from image_router.core.decision import Parameters
from image_router.core.events import TrafficEvent
from image_router.core.limits import TrafficRules
from image_router.core.limits_toml import parse_circuits, parse_limits
from image_router.core.outcome import Outcome, chargeable, classify, expected_of
from image_router.core.rates import card_on, price, quote
from image_router.core.toml_table import TomlFile
from image_router.core.types import ImageRequest, Lane, Size
from image_router.engine.admission import Ask, Permit, Refusal, TrafficParts
from image_router.engine.media import inspected
from image_router.engine.pool import Member, Pool
from image_router.engine.traffic import Traffic
from image_router.providers.base import Call
from image_router.providers.rest import RestProvider
from image_router.storage.traffic_memory import MemoryTraffic
from image_router.testing import FrozenClock

DAY = date(2026, 11, 22)
NOON = 1_795_377_600.0  # 2026-11-22, noon in Los Angeles
CATALOG = facts.load_catalog(None)
CARD = card_on(DAY, facts.load_cards(None))
PRO = CATALOG.resolve("gemini-3-pro-image")
CALL = Call(
    request=ImageRequest(prompt="a red cup"),
    model=PRO,
    parameters=Parameters(thinking=None, size=Size.K1, aspect=None),
    max_output_tokens=9_312,
)


def read(name: str) -> TomlFile:
    path = facts.SHIPPED / "limits" / name
    return TomlFile(str(path), path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with serve(as_of=DAY.isoformat(), latency=0.0) as emulator:
        yield emulator


@dataclass
class Shop:
    """One project and its traffic; time stands still, calls are real HTTP."""

    emulator: Emulator
    traffic: Traffic
    clock: FrozenClock
    spent: int = 0
    events: list[TrafficEvent] = field(default_factory=list)

    async def call(self, fault: str = "ok") -> Outcome | Refusal:
        """One call with a fault, or what refused it."""
        self.emulator.faults.clear()
        self.emulator.faults.add(fault)
        ask = Ask(model=PRO.id, scope="a", dollars=_ceiling(), tokens=100)
        permit = await self.traffic.admit(ask, patience=0)
        if not isinstance(permit, Permit):
            return permit
        reply = inspected(await permit.member.provider.generate(CALL, timeout=30.0))
        outcome = classify(reply, expected_of(PRO, CALL.parameters, request=CALL.request))
        usage = chargeable(outcome)
        cost = price(usage, PRO, size=Size.K1, card=CARD, lane=Lane.INTERACTIVE).total if usage else 0
        self.spent += cost
        return await self.traffic.report(permit, outcome, spent=cost)

    async def refusal(self) -> Refusal:
        got = await self.call()
        assert isinstance(got, Refusal), got
        return got


def _ceiling() -> int:
    return quote(CALL.request, PRO, parameters=CALL.parameters, card=CARD).ceiling


@pytest.fixture
async def shop(server: Emulator) -> AsyncIterator[Shop]:
    server.reset()
    clock, events = FrozenClock(), []  # type: FrozenClock, list[TrafficEvent]
    provider = RestProvider("AIzaSyTrafficTestKey0000000000000000000", base_url=server.url, real=False)
    pool = Pool([Member(name="k1", provider=provider, project="shop")])
    parts = TrafficParts(
        pool=pool,
        rules=TrafficRules(
            book=parse_limits(read("gemini.toml")), trips=parse_circuits(read("circuits.toml"))
        ),
        models=CATALOG.find,
        announce=events.append,
        store=MemoryTraffic(steady=clock, wall=lambda: NOON + clock()),
        steady=clock,
        sleep=clock.sleep,
    )
    traffic = Traffic(parts)
    yield Shop(emulator=server, traffic=traffic, clock=clock, events=events)
    await traffic.aclose()
    await pool.aclose()


@pytest.mark.parametrize(
    ("fault", "cause", "where", "wait"),
    [
        ("rate_limit_day", Cause.DAILY_QUOTA, f"project shop, model {PRO.id}", 12 * 3_600),
        ("model_retired", Cause.MODEL_NOT_FOUND, f"project shop, model {PRO.id}", 86_400),
        ("not_entitled", Cause.NOT_ENTITLED, f"project shop, model {PRO.id}", 86_400),
        ("imagen_billing", Cause.BILLING_REQUIRED, f"project shop, model {PRO.id}", 3_600),
        ("quota_zero", Cause.NO_QUOTA, "project shop", 3_600),
        ("credits_depleted", Cause.CREDITS_DEPLETED, "project shop", 600),
        ("key_invalid", Cause.BAD_KEY, "project shop, key k1", 600),
        ("key_expired", Cause.BAD_KEY, "project shop, key k1", 600),
        ("key_blocked", Cause.KEY_RESTRICTED, "project shop, key k1", 600),
        ("key_leaked", Cause.KEY_LEAKED, "project shop, key k1", None),
    ],
)
async def test_one_failure_opens(
    shop: Shop, fault: str, cause: Cause, where: str, wait: float | None
) -> None:
    """A lasting failure opens the circuit it names; the next call is refused with its cause, unsent, and
    nothing is billed."""
    await shop.call(fault)
    (opened,) = await shop.traffic.circuits()
    assert (str(opened.circuit), opened.breaker.cause, opened.wait) == (where, cause, wait)
    seen = len(shop.emulator.requests())
    assert (await shop.refusal()).cause is cause
    assert len(shop.emulator.requests()) == seen
    assert shop.emulator.bill().total == shop.spent == 0


@pytest.mark.parametrize(
    ("fault", "times"),
    [("overloaded", 5), ("high_demand", 5), ("rate_limit_bare", 5), ("internal", 10)],
)
async def test_failures_in_a_row_open(shop: Shop, fault: str, times: int) -> None:
    """Passing failures open only after so many in a row, and a picture afterwards closes."""
    for _ in range(times):
        assert isinstance(await shop.call(fault), Outcome)
    assert (await shop.refusal()).wait == 30
    shop.clock.now += 30
    assert isinstance(await shop.call(), Outcome)
    assert await shop.traffic.circuits() == ()
    assert shop.emulator.bill().total == shop.spent > 0


@pytest.mark.parametrize(
    ("fault", "cause", "wait"),
    [
        ("rate_limit_minute;retry=48", Cause.RATE_LIMIT, 48),
        ("rate_limit_retry_info;retry=34.4", Cause.RATE_LIMIT, 34.4),
        ("spend_limit", Cause.SPEND_LIMIT, 20),
    ],
)
async def test_limits_are_waited_for(shop: Shop, fault: str, cause: Cause, wait: float) -> None:
    """A limit that was hit opens nothing; the next call is told how long the provider asked to wait."""
    await shop.call(fault)
    assert await shop.traffic.circuits() == ()
    refusal = await shop.refusal()
    assert refusal.cause is cause
    assert refusal.wait == pytest.approx(wait)
    shop.clock.now += wait
    assert isinstance(await shop.call(), Outcome)


@pytest.mark.parametrize(
    "fault",
    ["region", "country", "image_safety", "no_image", "prompt_blocked", "invalid_argument", "wrong_size"],
)
async def test_what_concerns_one_request_opens_nothing(shop: Shop, fault: str) -> None:
    """Refusals, bad parameters and odd pictures leave the way open, and spending is as billed."""
    for _ in range(6):
        assert isinstance(await shop.call(fault), Outcome)
    assert await shop.traffic.circuits() == ()
    assert shop.emulator.bill().total == shop.spent


async def test_free_probe_finds_the_model_again(shop: Shop) -> None:
    """A day after a 404 an empty call finds the model back, over real HTTP and for nothing."""
    await shop.call("model_retired")
    shop.emulator.faults.clear()
    shop.clock.now += 86_400
    for _ in range(500):
        if not (await shop.traffic.snapshot()).gone:
            break
        await asyncio.sleep(0.01)
    assert await shop.traffic.circuits() == ()
    assert shop.emulator.bill().total == 0
    assert isinstance(await shop.call(), Outcome)


async def test_dollars_follow_the_bill(shop: Shop) -> None:
    """After pictures, refusals and failures the project's dollars are the emulator's bill."""
    for fault in ("ok", "image_safety", "overloaded", "no_image", "ok", "image_tokens_without_image"):
        await shop.call(fault)
    (dollars,) = [g for g in await shop.traffic.gauges() if g.key.limit.startswith("dollars")]
    assert dollars.sent == shop.spent == shop.emulator.bill().total > 0
