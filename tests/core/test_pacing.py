"""No window ever admits more than its limit, estimates are honest, and refusals teach."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import isclose
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.causes import Cause
from image_router.core.money import USD
from image_router.core.pacing import (
    SLOTS,
    Aftermath,
    Charge,
    Daily,
    Learning,
    Limit,
    Load,
    Meter,
    MeterKey,
    Meters,
    Moment,
    Resource,
    Rolling,
    Shortage,
    admit,
    allowed,
    charged,
    held,
    returned,
    sent,
    settle,
    shortage,
    taught,
)

LEARNING = Learning(keep_percent=80, recover_percent=5, forget_after=900)
MINUTE, TEN_MINUTES = Rolling(60), Rolling(600)
ZONE = "America/Los_Angeles"
START = 1_000_000.0


def at(seconds: float) -> Moment:
    return Moment(steady=START + seconds, wall=1_800_000_000.0 + seconds)


def limit(amount: int | None, window: Rolling | Daily = MINUTE) -> Limit:
    return Limit(
        resource=Resource.REQUESTS,
        window=window,
        amount=amount,
        learns_from=frozenset({Cause.RATE_LIMIT}),
    )


def short(meter: Meter, of: Limit, now: Moment, amount: int = 1, ahead: int = 0) -> Shortage | None:
    return shortage(meter, of, amount=amount, learning=LEARNING, now=now, ahead=ahead)


def wait(meter: Meter, of: Limit, now: Moment, amount: int = 1, ahead: int = 0) -> float:
    found = short(meter, of, now, amount, ahead)
    assert found is None or found.wait is not None
    return 0.0 if found is None or found.wait is None else found.wait


def spent(of: Limit, *moments: tuple[float, int]) -> Meter:
    meter = Meter()
    for when, amount in moments:
        meter = charged(meter, of, amount=amount, now=at(when))
    return meter


def test_a_whole_window_at_once() -> None:
    """All of a limit may be sent at once; the next must wait until the window has passed."""
    twenty = limit(20)
    meter = spent(twenty, (0, 20))
    assert short(spent(twenty, (0, 19)), twenty, at(0)) is None
    assert 60 < wait(meter, twenty, at(0)) <= 61
    assert short(meter, twenty, at(61.01)) is None


def test_dollars_per_ten_minutes() -> None:
    """$10 in ten minutes are 74 Pro images at $0.134; the 75th waits for the first to leave the window."""
    dollars = limit(10 * USD, TEN_MINUTES)
    pro = 134_000_000
    meter = spent(dollars, *((i, pro) for i in range(74)))
    assert isclose(wait(meter, dollars, at(74), amount=pro), 610 - 74, abs_tol=10)
    assert short(meter, dollars, at(74), amount=84_000_000) is None


def test_days_end_at_midnight_pacific() -> None:
    """Requests per day come back at midnight in Los Angeles, not after 24 hours."""
    zone = ZoneInfo(ZONE)
    evening = datetime(2026, 11, 22, 23, 0, tzinfo=zone).timestamp()
    daily, now = limit(250, Daily(ZONE)), Moment(steady=START, wall=evening)
    meter = charged(Meter(), daily, amount=250, now=now)
    assert wait(meter, daily, now) == 3_600
    assert short(meter, daily, Moment(steady=START, wall=evening + 3_600)) is None


def test_a_call_above_the_limit_never_goes() -> None:
    """A call that alone is above a published limit is refused without a time."""
    found = short(Meter(), limit(100), at(0), amount=101)
    assert found is not None
    assert found.wait is None


def test_those_ahead_are_waited_for() -> None:
    """Behind 45 others at 20 a minute, the estimate is two windows and the rest of one."""
    twenty = limit(20)
    meter = spent(twenty, (0, 20))
    assert wait(meter, twenty, at(0), ahead=45) == pytest.approx(3 * 61, abs=2)


def test_a_clock_set_back_admits_nothing_twice() -> None:
    """What was sent in a future that a set-back clock (or a restart) took away still counts."""
    ten = limit(10)
    meter = spent(ten, (3_600, 10))
    assert short(meter, ten, at(0)) is not None
    again = charged(meter, ten, amount=0, now=at(0))
    assert short(again, ten, at(62)) is None


def test_asked_to_wait() -> None:
    """Until the provider's own time has passed nothing goes, whatever the window says."""
    unlimited = limit(None)
    meter = held(Meter(), seconds=48, now=at(0))
    assert wait(meter, unlimited, at(8)) == 40
    assert short(meter, unlimited, at(48)) is None
    assert short(meter, unlimited, at(-10)) is None
    assert held(meter, seconds=5, now=at(1)) == meter


def test_unpublished_limits_hold_nobody_back() -> None:
    """Without a published limit any amount may be sent, until a refusal teaches one."""
    unknown = limit(None)
    meter = spent(unknown, (0, 10_000))
    assert short(meter, unknown, at(0)) is None
    lesson = taught(meter, unknown, amount=1, learning=LEARNING, now=at(0))
    assert allowed(lesson, unknown, learning=LEARNING, now=at(0)) == 9_999 * 80 // 100
    assert allowed(lesson, unknown, learning=LEARNING, now=at(900)) is None


def test_a_refusal_teaches_and_time_forgives() -> None:
    """Sixty sent, forty refused: 16 a minute from then on, 5 a minute more each minute, back to 100."""
    hundred = limit(100)
    meter = spent(hundred, (0, 60))
    for _ in range(40):
        meter = taught(meter, hundred, amount=1, learning=LEARNING, now=at(0))
    by_minute = [allowed(meter, hundred, learning=LEARNING, now=at(60 * i)) for i in range(18)]
    assert by_minute[:3] == [16, 21, 26]
    assert by_minute[-1] == 100
    assert allowed(meter, hundred, learning=LEARNING, now=at(-1)) == 100


def test_a_learned_limit_lets_a_dear_call_through() -> None:
    """However small the learned limit, one call goes when the window is empty."""
    dollars = limit(10 * USD, TEN_MINUTES)
    lesson = taught(spent(dollars, (0, 2 * USD)), dollars, amount=USD, learning=LEARNING, now=at(0))
    assert allowed(lesson, dollars, learning=LEARNING, now=at(0)) == USD * 80 // 100
    assert short(lesson, dollars, at(0), amount=USD) is not None
    assert short(lesson, dollars, at(620), amount=USD) is None


def test_a_refusal_where_nothing_passed_teaches_nothing() -> None:
    """When the very first call is refused, others use the project; our own rate is not the reason."""
    twenty = limit(20)
    lesson = taught(spent(twenty, (0, 1)), twenty, amount=1, learning=LEARNING, now=at(0))
    assert allowed(lesson, twenty, learning=LEARNING, now=at(0)) == 20


def test_returned_charges_are_free_again() -> None:
    """A call that was never sent leaves the meter as it was; what has left the window is not returned."""
    ten = limit(10)
    slot = MINUTE.slot(at(0))
    assert returned(spent(ten, (0, 3)), amount=3, slot=slot).used == {}
    assert returned(spent(ten, (0, 3)), amount=2, slot=slot).used == {slot: 1}
    assert returned(spent(ten, (90, 3)), amount=3, slot=slot) == spent(ten, (90, 3))


KEY = MeterKey(project="shop", model="pro", limit="requests per minute")
MONEY = MeterKey(project="shop", model="", limit="dollars per 10 minutes")
DOLLARS = Limit(
    resource=Resource.DOLLARS,
    window=TEN_MINUTES,
    amount=10 * USD,
    learns_from=frozenset({Cause.SPEND_LIMIT}),
    by_project=True,
)
LOADS = (Load(key=KEY, limit=limit(20), amount=1), Load(key=MONEY, limit=DOLLARS, amount=USD // 4))


def admitted(meters: Meters, now: Moment) -> tuple[dict[MeterKey, Meter], tuple[Charge, ...]]:
    changed, charges = admit(meters, LOADS, learning=LEARNING, now=now)
    assert not isinstance(charges, Shortage)
    return {**meters, **changed}, charges


def test_admission_is_all_or_nothing() -> None:
    """A call that one meter holds back is counted on none, and the longest wait is told."""
    meters, _ = admitted({}, at(0))
    full = {**meters, KEY: spent(limit(20), (0, 20)), MONEY: spent(DOLLARS, (0, 10 * USD))}
    changed, found = admit(full, LOADS, learning=LEARNING, now=at(0))
    assert changed == {}
    assert isinstance(found, Shortage)
    assert found.limit is DOLLARS


def test_spending_counts_when_it_is_billed() -> None:
    """The ceiling stands while the call runs; then what it really cost stands, from its end on."""
    meters, charges = admitted({}, at(0))
    assert sent(meters[MONEY], DOLLARS, now=at(30)) == USD // 4
    after = Aftermath(cause=Cause.OK, spent=134_000_000)
    done = settle(meters, charges, after=after, learning=LEARNING, now=at(30))
    assert sent(done[MONEY], DOLLARS, now=at(620)) == 134_000_000
    assert sent(done[KEY], limit(20), now=at(30)) == 1


def test_an_unknown_bill_keeps_its_charge() -> None:
    """Where nobody knows what was billed, the whole charge counts on."""
    meters, charges = admitted({}, at(0))
    done = settle(meters, charges, after=Aftermath(cause=Cause.TIMED_OUT), learning=LEARNING, now=at(30))
    assert done == meters


def test_what_was_never_sent_counts_nowhere() -> None:
    """A call that never left gives back everything."""
    meters, charges = admitted({}, at(0))
    after = Aftermath(cause=Cause.UNREACHABLE, sent=False)
    done = settle(meters, charges, after=after, learning=LEARNING, now=at(1))
    assert all(not meter.used for meter in done.values())


def test_each_refusal_teaches_its_own_limit() -> None:
    """A rate limit slows the requests of the model and holds them; the project's dollars stay as they are."""
    meters, charges = admitted({}, at(0))
    after = Aftermath(cause=Cause.RATE_LIMIT, spent=0, wait=48.0)
    done = settle(meters, charges, after=after, learning=LEARNING, now=at(1))
    assert wait(done[KEY], limit(20), at(1)) == 48
    assert allowed(done[MONEY], DOLLARS, learning=LEARNING, now=at(1)) == 10 * USD
    assert wait(done[MONEY], DOLLARS, at(1)) == 0


WINDOWS = st.sampled_from([MINUTE, TEN_MINUTES, Rolling(6)])
CALLS = st.lists(st.tuples(st.floats(min_value=0, max_value=40), st.integers(1, 4)), min_size=1, max_size=120)


@given(window=WINDOWS, amount=st.integers(4, 30), calls=CALLS)
def test_no_window_admits_more_than_the_limit(
    window: Rolling, amount: int, calls: list[tuple[float, int]]
) -> None:
    """In every window of the limit's length, wherever it begins, at most the limit is admitted."""
    of, meter, now = limit(amount, window), Meter(), 0.0
    admitted_at: list[tuple[float, int]] = []
    for pause, cost in calls:
        now += pause * window.seconds / 60
        if short(meter, of, at(now), amount=cost) is None:
            meter = charged(meter, of, amount=cost, now=at(now))
            admitted_at.append((now, cost))
    for begin, _ in admitted_at:
        assert sum(n for t, n in admitted_at if begin <= t < begin + window.seconds) <= amount


@given(window=WINDOWS, amount=st.integers(4, 30), calls=CALLS, cost=st.integers(1, 4))
def test_estimates_are_honest(
    window: Rolling, amount: int, calls: list[tuple[float, int]], cost: int
) -> None:
    """After the time it names a call goes, and not a slot earlier, if nobody else was first."""
    of, meter, now = limit(amount, window), Meter(), 0.0
    for pause, taken in calls:
        now += pause * window.seconds / 60
        if short(meter, of, at(now), amount=taken) is None:
            meter = charged(meter, of, amount=taken, now=at(now))
    needed = wait(meter, of, at(now), amount=cost)
    assert short(meter, of, at(now + needed + 1e-3), amount=cost) is None
    if needed > 2e-3:
        assert short(meter, of, at(now + needed - 2e-3), amount=cost) is not None


@given(amount=st.integers(1, 20), ahead=st.integers(0, 100))
def test_estimates_behind_others_are_honest(amount: int, ahead: int) -> None:
    """When those ahead go as soon as they can, the last goes when the estimate said."""
    of, meter, now = limit(amount), Meter(), 0.0
    expected = wait(meter, of, at(0), ahead=ahead)
    for _ in range(ahead + 1):
        now += wait(meter, of, at(now)) + 1e-6
        meter = charged(meter, of, amount=1, now=at(now))
    assert now == pytest.approx(expected, abs=1.1 * (1 + ahead // amount))


@given(st.integers(1, 10_000), st.integers(0, 5_000), st.floats(0, 10_000))
def test_learning_stays_between_one_and_the_limit(amount: int, passed: int, later: float) -> None:
    """A learned limit is never below one, never above the published one, and never shrinks by itself."""
    of = limit(amount)
    lesson = taught(spent(of, (0, min(passed, amount))), of, amount=1, learning=LEARNING, now=at(0))
    first, then = (allowed(lesson, of, learning=LEARNING, now=at(t)) for t in (0, later))
    assert first is not None
    assert then is not None
    assert 1 <= first <= then <= amount


def test_slots_cost_little_of_the_rate() -> None:
    """A steady sender gets the limit less one slot's worth, over many windows."""
    of, meter, now, passed = limit(120), Meter(), 0.0, 0
    while now < 3_600:
        if short(meter, of, at(now)) is None:
            meter, passed = charged(meter, of, amount=1, now=at(now)), passed + 1
        now += 0.25
    assert passed >= 120 * 60 * SLOTS / (SLOTS + 1)


def test_names_read_well() -> None:
    """Limits are named as people say them."""
    named = replace(limit(250, Daily(ZONE)), resource=Resource.IMAGES)
    assert [of.name for of in (limit(20), DOLLARS, named)] == [
        "requests per minute",
        "dollars per 10 minutes",
        "images per day",
    ]


def test_a_limit_that_is_not_counted_heeds_a_wish_to_wait() -> None:
    """Calls leave no trace; a refusal that asks to wait 30 s holds for these, and teaches no rate."""
    uncounted = replace(limit(None), counted=False)
    key = MeterKey(project="p", model="m", limit=uncounted.name)
    loads = [Load(key=key, limit=uncounted, amount=1)]
    changed, charges = admit({}, loads, learning=LEARNING, now=at(0))
    assert changed == {}
    assert isinstance(charges, tuple)
    served = settle({}, charges, after=Aftermath(cause=Cause.OK), learning=LEARNING, now=at(1))
    assert served == {}
    refused = Aftermath(cause=Cause.RATE_LIMIT, wait=30.0)
    meters = settle({}, charges, after=refused, learning=LEARNING, now=at(1))
    assert meters[key].learned is None
    _, early = admit(meters, loads, learning=LEARNING, now=at(11))
    assert isinstance(early, Shortage)
    assert early.wait == 20
    assert isinstance(admit(meters, loads, learning=LEARNING, now=at(31))[1], tuple)
