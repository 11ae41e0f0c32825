"""Circuits open by their rules, are tried by one caller at a time, and always get another chance."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.breaker import (
    Breaker,
    BreakerState,
    Circuit,
    OpenFor,
    Place,
    Probe,
    Route,
    TripRule,
    claimed,
    delayed,
    failed,
    next_midnight,
    proves_health,
    rule_of,
    succeeded,
    undecided,
)
from image_router.core.causes import Cause, Kind
from image_router.core.outcome import Outcome

CLOSED, OPEN = BreakerState.CLOSED, BreakerState.OPEN
HALF_OPEN, PROBING = BreakerState.HALF_OPEN, BreakerState.PROBING
OVERLOADED = Outcome(kind=Kind.FAILED, cause=Cause.OVERLOADED, detail="The model is overloaded.")
LEAKED = Outcome(kind=Kind.FAILED, cause=Cause.KEY_LEAKED)
ZONE = "America/Los_Angeles"
T0 = 1_000_000.0


def rule(
    name: str = "overload",
    *,
    after: int = 1,
    open_for: OpenFor = OpenFor.SECONDS,
    seconds: float = 30.0,
    longest: float = 60.0,
) -> TripRule:
    return TripRule(
        name=name,
        causes=frozenset({Cause.OVERLOADED}),
        at=Place.MODEL,
        after=after,
        open_for=open_for,
        seconds=seconds,
        longest=longest,
        probe=Probe.CALL,
        zone=ZONE,
    )


FOR_EVER = rule("leaked", open_for=OpenFor.FOR_EVER, seconds=0, longest=0)


def fail(breaker: Breaker, at: float, by: TripRule | None = None) -> Breaker:
    return failed(breaker, by or rule(), outcome=OVERLOADED, model="pro", now=at)


def test_opens_after_failures_in_a_row() -> None:
    """Five failures in a row open a circuit whose rule asks for five; four do not."""
    five, breaker = rule(after=5), Breaker()
    for _ in range(4):
        breaker = fail(breaker, T0, five)
    assert breaker.state(T0) is CLOSED
    assert fail(breaker, T0, five).state(T0) is OPEN


def test_success_breaks_the_row() -> None:
    """A success between them makes the count start anew."""
    two = rule(after=2)
    breaker = fail(succeeded(fail(Breaker(), T0, two), T0), T0, two)
    assert breaker.state(T0) is CLOSED


def test_another_failure_breaks_the_row() -> None:
    """Failures of another rule count for themselves."""
    breaker = fail(fail(Breaker(), T0, rule("one", after=2)), T0, rule("other", after=2))
    assert breaker.state(T0) is CLOSED
    assert breaker.streak == 1


@pytest.mark.parametrize(
    ("later", "state"), [(0, OPEN), (29.9, OPEN), (30, HALF_OPEN), (9_999, HALF_OPEN), (-3_600, HALF_OPEN)]
)
def test_is_due_when_its_time_has_passed(later: float, state: BreakerState) -> None:
    """It is open for its span, then due; a clock set back makes it due as well, not open for longer."""
    assert fail(Breaker(), T0).state(T0 + later) is state


def test_a_probe_claimed_on_a_clock_set_back_is_not_shut_out_when_the_clock_is_right_again() -> None:
    breaker = claimed(fail(Breaker(), T0), T0 - 1, lease=600)
    assert breaker is not None
    assert breaker.state(T0 + 1) is BreakerState.PROBING
    assert breaker.state(T0 + 600) is HALF_OPEN


def test_remembers_why_it_opened() -> None:
    """Cause, words and model of the call that opened it are kept, for the refusals and the probe."""
    breaker = fail(Breaker(), T0)
    assert (breaker.cause, breaker.detail, breaker.model) == (
        Cause.OVERLOADED,
        "The model is overloaded.",
        "pro",
    )


def test_failed_probes_double_the_wait_up_to_the_longest() -> None:
    """30 s, then 60, then no more than the longest."""
    breaker, now, waits = Breaker(), T0, []
    for _ in range(4):
        breaker = fail(breaker, now, rule(longest=100))
        waits.append(breaker.wait(now))
        now += waits[-1] or 0
    assert waits == [30, 60, 100, 100]


def test_one_caller_probes() -> None:
    """Of two callers one gets the probe; for the other it is as good as open, until the claim lapses."""
    due = fail(Breaker(), T0)
    mine = claimed(due, T0 + 30, lease=600)
    assert mine is not None
    assert mine.state(T0 + 31) is PROBING
    assert claimed(mine, T0 + 31, lease=600) is None
    assert mine.wait(T0 + 31) == 599
    assert mine.state(T0 + 631) is HALF_OPEN


def test_nobody_probes_what_is_open() -> None:
    """A circuit that is open gives no probe away."""
    assert claimed(fail(Breaker(), T0), T0 + 29, lease=600) is None


def test_probe_that_succeeds_closes() -> None:
    """After a successful probe nothing is remembered."""
    mine = claimed(fail(Breaker(), T0), T0 + 30, lease=600)
    assert mine is not None
    assert succeeded(mine, T0 + 40) == Breaker()


def test_probe_that_tells_nothing_leaves_it_due() -> None:
    """A probe that was never sent gives the next caller the chance, without growing the wait."""
    due = fail(Breaker(), T0)
    mine = claimed(due, T0 + 30, lease=600)
    assert mine is not None
    assert undecided(mine) == due


def test_free_probe_that_tells_nothing_is_repeated() -> None:
    """An undecided free probe postpones the next one, and counts as no failure."""
    later = delayed(fail(Breaker(), T0), T0 + 30, seconds=300)
    assert later.wait(T0 + 30) == 300
    assert later.trips == 1


def test_late_answers_change_nothing_while_open() -> None:
    """Answers to calls sent before the opening neither close it nor prolong it."""
    breaker = fail(Breaker(), T0)
    assert succeeded(breaker, T0 + 10) == breaker
    assert fail(breaker, T0, rule(seconds=10)) == breaker


def test_worse_news_prolongs() -> None:
    """A key found leaked while its circuit was open for minutes stays out for good."""
    breaker = failed(fail(Breaker(), T0), FOR_EVER, outcome=LEAKED, model="pro", now=T0 + 1)
    assert breaker.state(T0 + 10**9) is OPEN
    assert breaker.wait(T0 + 10**9) is None
    assert fail(breaker, T0 + 2) == breaker


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-11-22T03:00", "2026-11-23T00:00"),
        ("2026-11-22T23:59", "2026-11-23T00:00"),
        ("2026-03-08T01:00", "2026-03-09T00:00"),  # 23 hours long
        ("2026-11-01T00:30", "2026-11-02T00:00"),  # 25 hours long
    ],
)
def test_midnight_is_pacific(now: str, midnight: str) -> None:
    """A daily quota is due at the next midnight in Los Angeles, also on the days the clocks change."""
    zone = ZoneInfo(ZONE)
    at = datetime.fromisoformat(now).replace(tzinfo=zone).timestamp()
    assert next_midnight(at, ZONE) == datetime.fromisoformat(midnight).replace(tzinfo=zone).timestamp()


def test_daily_quota_is_asked_again_soon_after_midnight() -> None:
    """A probe that fails just after midnight (clocks differ) waits minutes, not another day."""
    daily = rule(open_for=OpenFor.MIDNIGHT, seconds=900, longest=7_200)
    breaker = fail(Breaker(), T0, daily)
    assert breaker.until == next_midnight(T0, ZONE)
    again = fail(breaker, breaker.until, daily)
    assert again.wait(breaker.until) == 900


@pytest.mark.parametrize(
    ("kind", "health"),
    [
        (Kind.IMAGE, True),
        (Kind.REFUSED, True),
        (Kind.NO_IMAGE, True),
        (Kind.FAILED, False),
        (Kind.AMBIGUOUS, False),
    ],
)
def test_an_answer_proves_health(kind: Kind, health: bool) -> None:
    """Whatever the model itself answered shows that it is well; errors and silence do not."""
    assert proves_health(Outcome(kind=kind)) is health


def test_first_rule_that_names_the_cause() -> None:
    """The first rule in order counts; a cause no rule names opens nothing."""
    rules = (FOR_EVER, rule())
    assert rule_of(OVERLOADED, rules) is FOR_EVER
    assert rule_of(replace(OVERLOADED, cause=Cause.REGION), rules) is None


def test_circuits_of_a_call() -> None:
    """A call depends on its key, its project, its model there, and its model everywhere."""
    route = Route(project="shop", key="k1", model="pro")
    assert [str(circuit) for circuit in route.circuits] == [
        "project shop, key k1",
        "project shop",
        "project shop, model pro",
        "model pro",
    ]
    assert route.circuit(Place.MODEL) == Circuit(model="pro")


Step = tuple[str, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fail", "success", "claim", "undecided"]),
        st.floats(min_value=-3_600, max_value=200_000),
    ),
    max_size=40,
)
RULES = st.builds(
    lambda after, seconds, more, kind: rule(
        after=after, seconds=seconds, longest=seconds + more, open_for=kind
    ),
    after=st.integers(1, 6),
    seconds=st.integers(1, 100_000),
    more=st.integers(0, 100_000),
    kind=st.sampled_from([OpenFor.SECONDS, OpenFor.MIDNIGHT]),
)


def walk(by: TripRule, steps: list[Step]) -> tuple[Breaker, float]:
    """The circuit after what happened, on a clock that may be set back by an hour."""
    breaker, now = Breaker(), T0
    for what, pause in steps:
        now += pause
        match what:
            case "fail":
                breaker = fail(breaker, now, by)
            case "success":
                breaker = succeeded(breaker, now)
            case "claim":
                breaker = claimed(breaker, now, lease=600) or breaker
            case _:
                breaker = undecided(breaker)
    return breaker, now


@given(by=RULES, steps=STEPS)
def test_always_probes_in_the_end(by: TripRule, steps: list[Step]) -> None:
    """Whatever happened, and whatever the clock did, a circuit not shut for ever gives a probe away within
    its longest span (a day to midnight) and one lapsed claim."""
    breaker, now = walk(by, steps)
    if breaker.state(now) is not CLOSED:
        bound = max(by.longest, 90_000) + 600
        assert claimed(breaker, now + bound, lease=600) is not None


@given(by=RULES, steps=STEPS)
def test_wait_is_honest(by: TripRule, steps: list[Step]) -> None:
    """After the wait it names, a circuit is neither open nor somebody else's."""
    breaker, now = walk(by, steps)
    wait = breaker.wait(now)
    assert wait is not None
    assert wait >= 0
    assert breaker.state(now + wait + 1e-6) in (CLOSED, HALF_OPEN)


@given(by=RULES, steps=STEPS)
def test_closed_exactly_when_never_tripped(by: TripRule, steps: list[Step]) -> None:
    """A closed circuit remembers at most a row shorter than its rule, and an open one knows its cause."""
    breaker, now = walk(by, steps)
    if breaker.state(now) is CLOSED:
        assert breaker.streak < by.after
        assert breaker.until is None
    else:
        assert breaker.cause is Cause.OVERLOADED
