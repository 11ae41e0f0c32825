"""The ledger's laws, tried on plain values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core import holds
from image_router.core.book import Book
from image_router.core.budget import SECOND, Budget, Span, Window, span_of
from image_router.core.causes import Billed, Cause
from image_router.core.errors import BudgetExceeded, HoldExpired, InvalidRequest
from image_router.core.holds import (
    LEASE,
    Adjustment,
    AttemptKey,
    Entry,
    EntryKind,
    HoldRequest,
    HoldState,
    Sending,
    Settled,
    Settlement,
    digest_of,
)
from image_router.core.rates import Cost, CostLine, LineKind
from image_router.core.running import Balance, Now
from image_router.core.types import Purpose, Size, Tier

NOON = 1_795_348_800 * SECOND  # 2026-11-22T12:00Z
FIRST = AttemptKey(number=1)
SECOND_TRY = AttemptKey(number=2)


def asked(amount: int = 100, *, scope: str = "acme/studio", **more: Any) -> HoldRequest:
    return HoldRequest(
        request_id="req_1",
        owner="test",
        scope=scope,
        amount=amount,
        per_image=more.pop("per_image", amount),
        model="model-a",
        tier=Tier.NANO_BANANA_PRO,
        purpose=Purpose.HERO,
        **more,
    )


def cost(amount: int) -> Cost:
    line = CostLine(kind=LineKind.IMAGE_OUTPUT, unit="token", rate=1, units=amount)
    return Cost(lines=(line,), card=date(2026, 4, 9))


def paid(amount: int, key: AttemptKey = FIRST, **more: Any) -> Settlement:
    return Settlement(attempt=key, billed=Billed.YES, cost=cost(amount), **({"images": 1} | more))


def book(*budgets: Budget, wall: int = NOON, lease: int = 0, epoch: str = "boot") -> Book:
    made = Book(now=Now(wall=wall, lease=lease, epoch=epoch), budgets={b.scope: b for b in budgets})
    open_windows(made)
    return made


def open_windows(made: Book) -> None:
    """Every window of this moment has its balance, as storage sees to it."""
    for budget in made.budgets.values():
        for window in budget.caps:
            span = span_of(window, made.now.wall, zone=budget.zone)
            made.balances.setdefault(
                (budget.scope, window, span.start),
                Balance(scope=budget.scope, window=window, span=span),
            )


def sums(made: Book) -> dict[str, tuple[int, int]]:
    return {f"{b.scope} {b.window}": (b.settled, b.held) for b in made.balances.values()}


def later(made: Book, *, wall: int = 0, lease: int = 0, epoch: str | None = None) -> Book:
    """The same ledger at another moment."""
    now = made.now
    made.now = Now(wall=now.wall + wall, lease=now.lease + lease, epoch=epoch or now.epoch)
    open_windows(made)
    return made


def test_hold_settle_close() -> None:
    """What is held and not spent goes back; three entries tell the story."""
    made = book(Budget(scope="acme", month=1000), Budget(scope="acme/studio", day=500))
    made.hold(asked(100), "h")
    assert sums(made) == {"acme month": (0, 100), "acme/studio day": (0, 100)}
    made.sent("h", Sending(attempt=FIRST, at_risk=100))
    assert made.settle("h", paid(60)) == Settled(kind=EntryKind.SETTLE, spent=60)
    assert made.close("h") == 40
    assert sums(made) == {"acme month": (60, 0), "acme/studio day": (60, 0)}
    assert [(e.kind, e.spent, e.held) for e in made.entries] == [
        (EntryKind.HOLD, 0, 100),
        (EntryKind.SETTLE, 60, -60),
        (EntryKind.RELEASE, 0, -40),
    ]
    assert made.holds["h"].state is HoldState.CLOSED


def test_settlement_says_what_was_bought() -> None:
    """A settle entry names request, attempt, scope, model, card, lines, outcome and the response's id."""
    made = book()
    made.hold(asked(100), "h")
    made.settle(
        "h",
        paid(60, replace(FIRST, index=3), model="model-b", tier=None, response_id="resp", outcome=Cause.OK),
    )
    entry = made.entries[-1]
    assert (entry.request_id, entry.attempt, entry.scope) == (
        "req_1",
        AttemptKey(number=1, index=3),
        "acme/studio",
    )
    assert (entry.model, entry.tier, entry.card, entry.response_id) == ("model-b", None, "2026-04-09", "resp")
    assert (entry.billed, entry.outcome, entry.images) == (Billed.YES, "ok", 1)
    assert json.loads(entry.lines) == [
        {"what": "image output", "unit": "token", "units": 60, "rate": 1, "amount": 60}
    ]


@pytest.mark.parametrize(
    ("budget", "window", "asked_for"),
    [
        (Budget(scope="acme", day=150), "day", {}),
        (Budget(scope="acme/studio", month=150), "month", {}),
        (Budget(scope="acme", total=150, prepaid=True), "total", {}),
        (Budget(scope="acme", per_request=40), "request", {"per_image": 41}),
    ],
)
def test_a_hold_must_fit_everywhere(budget: Budget, window: str, asked_for: dict[str, int]) -> None:
    """One cap that is too small refuses the hold, and then no other scope holds anything for it."""
    roomy = Budget(scope="acme" if budget.scope != "acme" else "acme/studio", month=10_000)
    made = book(budget, roomy)
    made.hold(asked(100, per_image=40), "first")
    before = sums(made)
    with pytest.raises(BudgetExceeded) as refusal:
        made.hold(asked(100, **({"per_image": 40} | asked_for)), "second")
    assert refusal.value.window == window
    assert refusal.value.scope == budget.scope
    assert sums(made) == before
    assert set(made.holds) == {"first"}


def test_a_hold_may_fill_a_cap_exactly() -> None:
    """The last nano-dollar of a cap can be held, and not one more."""
    made = book(Budget(scope="acme", day=100))
    made.hold(asked(100), "h")
    with pytest.raises(BudgetExceeded):
        made.hold(asked(1), "i")


def test_a_scope_without_caps_is_unlimited_and_accounted() -> None:
    """Without any cap nothing is refused, and every entry is written."""
    made = book()
    made.hold(asked(10**18), "h")
    made.settle("h", paid(7))
    assert [e.spent for e in made.entries] == [0, 7]


def test_siblings_do_not_pay_for_each_other() -> None:
    """A scope's money is not touched by another one below the same parent."""
    made = book(Budget(scope="acme", day=1000), Budget(scope="acme/b", day=10))
    made.hold(asked(100, scope="acme/a"), "h")
    assert sums(made) == {"acme day": (0, 100), "acme/b day": (0, 0)}


def test_the_same_hold_twice_is_one() -> None:
    """A step whose confirmation was lost may be repeated without holding twice."""
    made = book(Budget(scope="acme", day=100))
    assert made.hold(asked(100), "h") == made.hold(asked(100), "h")
    assert sums(made) == {"acme day": (0, 100)}


def test_an_overrun_is_recorded_and_counted() -> None:
    """A reply dearer than its hold is spent past the cap, shown as overrun, and nothing more fits."""
    made = book(Budget(scope="acme", day=100))
    made.hold(asked(100), "h")
    made.sent("h", Sending(attempt=FIRST, at_risk=100))
    assert made.settle("h", paid(130)) == Settled(kind=EntryKind.SETTLE, spent=130, overrun=30)
    assert made.entries[-1].overrun == 30
    assert sums(made) == {"acme day": (130, 0)}
    assert made.close("h") == 0


def test_a_retry_after_a_paid_failure_holds_what_is_missing() -> None:
    """An attempt that was paid for nothing does not leave the next one uncovered."""
    made = book(Budget(scope="acme", day=190))
    made.hold(asked(100), "h")
    made.sent("h", Sending(attempt=FIRST, at_risk=100))
    made.settle("h", paid(90, images=0))
    made.sent("h", Sending(attempt=SECOND_TRY, at_risk=100))
    assert sums(made) == {"acme day": (90, 100)}
    made.settle("h", paid(95, SECOND_TRY))
    with pytest.raises(BudgetExceeded):
        made.sent("h", Sending(attempt=AttemptKey(number=3), at_risk=100))
    assert AttemptKey(number=3) not in {key for _, key in made.sends}


def test_an_ambiguous_attempt_counts_as_spent_and_the_next_needs_new_money() -> None:
    """Unknown billing is counted at the amount at risk, so a second send is held on top."""
    made = book(Budget(scope="acme", day=200))
    made.hold(asked(100), "h")
    made.sent("h", Sending(attempt=FIRST, at_risk=100))
    made.settle("h", Settlement(attempt=FIRST, billed=Billed.UNKNOWN, outcome=Cause.TIMED_OUT))
    assert sums(made) == {"acme day": (100, 0)}
    made.sent("h", Sending(attempt=SECOND_TRY, at_risk=100))
    assert sums(made) == {"acme day": (100, 100)}


def test_the_unknown_is_corrected_by_adjust() -> None:
    """What turns out not to be billed goes back as an adjust entry with who and why."""
    made = book(Budget(scope="acme", day=200))
    made.hold(asked(100), "h")
    made.sent("h", Sending(attempt=FIRST, at_risk=100))
    made.settle("h", Settlement(attempt=FIRST, billed=Billed.UNKNOWN))
    told = Adjustment(attempt=FIRST, amount=0, billed=Billed.NO, who="ann", reason="not on the bill")
    assert made.adjust("h", told).kind is EntryKind.ADJUST
    assert made.entries[-1].spent == -100
    assert made.entries[-1].note == "ann: not on the bill"
    assert sums(made) == {"acme day": (0, 0)}
    assert made.adjust("h", told).kind is None


def test_a_late_settlement_corrects_the_expiry() -> None:
    """An owner that wakes up after its hold expired may not send, and its real cost replaces the guess."""
    made = book(Budget(scope="acme", day=200))
    made.hold(asked(100), "h")
    made.sent("h", Sending(attempt=FIRST, at_risk=80))
    later(made, lease=round(LEASE * SECOND) + 1)
    assert made.expire("h")
    assert [(e.kind, e.spent, e.held) for e in made.entries[1:]] == [
        (EntryKind.EXPIRE, 80, -80),
        (EntryKind.RELEASE, 0, -20),
    ]
    with pytest.raises(HoldExpired):
        made.sent("h", Sending(attempt=SECOND_TRY, at_risk=80))
    assert made.settle("h", paid(60)) == Settled(kind=EntryKind.ADJUST, spent=60)
    assert made.entries[-1].spent == -20
    assert sums(made) == {"acme day": (60, 0)}


def test_an_unsent_hold_expires_for_free() -> None:
    """A hold whose owner died before sending gives everything back."""
    made = book(Budget(scope="acme", day=200))
    made.hold(asked(100), "h")
    assert not made.expire("h")
    later(made, lease=round(LEASE * SECOND) + 1)
    assert made.expire("h")
    assert not made.expire("h")
    assert sums(made) == {"acme day": (0, 0)}


def test_a_heartbeat_keeps_a_hold() -> None:
    """A renewed hold outlives its first lease; one that is gone says so."""
    made = book()
    made.hold(asked(100), "h")
    later(made, lease=round(LEASE * SECOND) - 1)
    assert made.renew("h")
    later(made, lease=round(LEASE * SECOND) - 1)
    assert not made.expire("h")
    made.close("h")
    assert not made.renew("h")
    assert not made.renew("never was")


def test_a_hold_outlives_its_deadline() -> None:
    """The lease is longer than the time its owner has."""
    made = book()
    made.hold(asked(100, deadline=600.0), "h")
    assert not later(made, lease=600 * SECOND).expire("h")


def test_a_reboot_ends_every_lease() -> None:
    """A lease taken before the machine started again has no living owner."""
    made = book()
    made.hold(asked(100), "h")
    assert later(made, lease=-5, epoch="next boot").expire("h")


@pytest.mark.parametrize("jump", [3600 * SECOND, -3600 * SECOND])
def test_the_wall_clock_may_jump(jump: int) -> None:
    """An hour forth or back expires nothing, and what was held goes back to the windows it came from."""
    made = book(Budget(scope="acme", day=200))
    made.hold(asked(100), "h")
    later(made, wall=jump)
    assert not made.expire("h")
    made.settle("h", paid(60))
    made.close("h")
    assert sums(made) == {"acme day": (60, 0)}


def test_a_hold_belongs_to_its_window_for_ever() -> None:
    """What is settled after midnight counts for the day on which it was held."""
    made = book(Budget(scope="acme", day=200))
    made.hold(asked(100), "h")
    later(made, wall=13 * 3600 * SECOND)
    made.settle("h", paid(60))
    assert [(b.settled, b.held) for b in made.balances.values()] == [(60, 40), (0, 0)]


def test_closing_with_a_call_in_flight_counts_it() -> None:
    """Closing a hold while a call is out counts the call's amount as unknown instead of forgetting it."""
    made = book(Budget(scope="acme", day=200))
    made.hold(asked(100), "h")
    made.sent("h", Sending(attempt=FIRST, at_risk=80, model="model-b"))
    assert made.close("h") == 20
    assert made.close("h") == 0
    unknown = made.entries[-2]
    assert (unknown.kind, unknown.model, unknown.billed) == (EntryKind.EXPIRE, "model-b", Billed.UNKNOWN)
    assert sums(made) == {"acme day": (80, 0)}


def test_the_same_settlement_twice_is_one() -> None:
    """Repeating a settlement records nothing; another payment under its name is refused, not hidden."""
    made = book()
    made.hold(asked(100), "h")
    made.settle("h", paid(60, response_id="r1"))
    count = len(made.entries)
    assert made.settle("h", paid(60, response_id="r1")).kind is None
    assert len(made.entries) == count
    for other in (paid(61, response_id="r1"), paid(60, response_id="r2")):
        with pytest.raises(InvalidRequest, match="already settled"):
            made.settle("h", other)


def test_sending_twice_under_one_name() -> None:
    """The same send again is one; a different one needs its own number."""
    made = book()
    made.hold(asked(100), "h")
    made.sent("h", Sending(attempt=FIRST, at_risk=50))
    made.sent("h", Sending(attempt=FIRST, at_risk=50))
    with pytest.raises(InvalidRequest, match="was sent before"):
        made.sent("h", Sending(attempt=FIRST, at_risk=60))


def test_growing() -> None:
    """More money for a hold must fit its windows as well."""
    made = book(Budget(scope="acme", day=150))
    made.hold(asked(100), "h")
    assert made.grow("h", 50).amount == 150
    with pytest.raises(BudgetExceeded):
        made.grow("h", 1)
    made.close("h")
    with pytest.raises(HoldExpired):
        made.grow("h", 1)


@pytest.mark.parametrize(
    "step",
    [
        lambda b: b.settle("x", paid(1)),
        lambda b: b.close("x"),
        lambda b: b.sent("x", Sending(attempt=FIRST, at_risk=1)),
    ],
)
def test_unknown_holds(step: Callable[[Book], object]) -> None:
    """A hold the ledger never saw is an error of the caller, not a silent nothing."""
    with pytest.raises(InvalidRequest, match="no hold x"):
        step(book())


def test_a_lowered_cap() -> None:
    """A cap below what is held refuses new holds, and everything under way can still be settled."""
    made = book(Budget(scope="acme", day=200))
    made.hold(asked(100), "h")
    made.budgets["acme"] = Budget(scope="acme", day=50)
    with pytest.raises(BudgetExceeded):
        made.hold(asked(1), "i")
    made.sent("h", Sending(attempt=FIRST, at_risk=100))
    made.settle("h", paid(100))
    assert sums(made) == {"acme day": (100, 0)}


def test_the_hardest_cap_is_named() -> None:
    """Of several caps in the way, the refusal names the one for which waiting helps least."""
    made = book(
        Budget(scope="acme", day=100, month=100),
        Budget(scope="acme/studio", total=100),
    )
    made.hold(asked(90), "h")
    made.settle("h", paid(90))
    with pytest.raises(BudgetExceeded) as refusal:
        made.hold(asked(20), "i")
    assert (refusal.value.scope, refusal.value.window) == ("acme/studio", "total")


def test_alerts_are_announced_once() -> None:
    """A threshold is announced when it is first passed in a window, and not again when holds come and go."""
    made = book(Budget(scope="acme", day=1000, alerts=(50, 90)))
    made.hold(asked(499), "a")
    assert made.alerts == []
    made.hold(asked(1), "b")
    made.close("b")
    made.hold(asked(450), "c")
    assert [(alert.percent, alert.held) for alert in made.alerts] == [(50, 500), (90, 949)]


def test_a_digest_depends_on_everything_before_it() -> None:
    """Changing any earlier entry of a hold changes every digest after it."""
    made = book()
    made.hold(asked(100), "h")
    made.settle("h", paid(60))
    first, second = made.entries
    assert digest_of(second, first.digest) == second.digest
    forged = replace(first, held=101)
    assert digest_of(second, digest_of(forged, "")) != second.digest


def exact(made: Book) -> dict[tuple[str, Window, int], tuple[int, int]]:
    return {key: (balance.settled, balance.held) for key, balance in made.balances.items()}


KEYS = st.builds(AttemptKey, number=st.integers(1, 3), index=st.integers(0, 1))
AMOUNTS = st.integers(1, 120)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), AMOUNTS, st.sampled_from(["acme", "acme/a", "acme/a/k", "acme/b"])),
        st.tuples(st.just("sent"), KEYS, AMOUNTS),
        st.tuples(st.just("settle"), KEYS, st.integers(0, 200)),
        st.tuples(st.just("unknown"), KEYS),
        st.tuples(st.just("adjust"), KEYS, st.integers(0, 200)),
        st.tuples(st.just("grow"), AMOUNTS),
        st.tuples(st.just("close")),
        st.tuples(st.just("expire")),
        st.tuples(st.just("tick"), st.integers(-3600, 7200)),
    ),
    max_size=60,
)


@given(STEPS, st.data())
def test_no_order_of_steps_breaks_the_sums(steps: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """Whatever happens in whatever order: sums equal their entries, held is never negative, a hold is only
    ever taken under the cap, and only overruns and corrections lead past it."""
    made = book(Budget(scope="acme", day=300), Budget(scope="acme/a", total=200))
    for number, (name, *facts) in enumerate(steps):
        target = data.draw(st.sampled_from(sorted(made.holds))) if made.holds else "none"
        before = exact(made)
        try:
            _take(made, name, facts, target=target, fresh=f"h{number:02}")
        except (BudgetExceeded, HoldExpired, InvalidRequest):
            assert exact(made) == before
            continue
        _check(made)
        if name in ("hold", "grow", "sent"):
            after, caps = exact(made), {Window.DAY: 300, Window.TOTAL: 200}
            grown = [key for key, (_, held) in after.items() if held > before[key][1]]
            assert all(sum(after[key]) <= caps[key[1]] for key in grown)


def _take(made: Book, name: str, facts: list[Any], *, target: str, fresh: str) -> None:
    acts: dict[str, Callable[[], object]] = {
        "hold": lambda: made.hold(asked(facts[0], scope=facts[1]), fresh),
        "sent": lambda: made.sent(target, Sending(attempt=facts[0], at_risk=facts[1])),
        "settle": lambda: made.settle(target, paid(facts[1], facts[0])),
        "unknown": lambda: made.settle(target, Settlement(attempt=facts[0], billed=Billed.UNKNOWN)),
        "adjust": lambda: made.adjust(
            target, Adjustment(attempt=facts[0], amount=facts[1], who="w", reason="r")
        ),
        "grow": lambda: made.grow(target, facts[0]),
        "close": lambda: made.close(target),
        "expire": lambda: made.expire(target),
        "tick": lambda: later(made, lease=facts[0] * SECOND, wall=facts[0]),
    }
    acts[name]()


def _check(made: Book) -> None:
    for hold in made.holds.values():
        told = [entry for entry in made.entries if entry.hold_id == hold.id]
        assert hold.remainder == sum(entry.held for entry in told) >= 0
        assert hold.settled == sum(entry.spent for entry in told) >= 0
        assert hold.state is HoldState.OPEN or hold.remainder == 0
        counted = sum(send.counted for (owner, _), send in made.sends.items() if owner == hold.id)
        assert counted == hold.settled
    for balance in made.balances.values():
        inside = [
            hold
            for hold in made.holds.values()
            if f"{hold.scope}/".startswith(f"{balance.scope}/") and hold.taken_at in balance.span
        ]
        assert balance.settled == sum(hold.settled for hold in inside)
        assert balance.held == sum(hold.remainder for hold in inside)


def test_spans_hold_their_start_and_not_their_end() -> None:
    """Midnight belongs to the new day."""
    assert 5 in Span(5, 10)
    assert 10 not in Span(5, 10)
    assert 10 in Span(5, None)


def test_digests_of_the_past_stay_valid() -> None:
    """The digest of an entry is pinned: a ledger written by this version verifies with every later one."""
    made = book()
    made.hold(asked(100), "h")
    made.settle("h", paid(60, response_id="resp", size=Size.K1))
    assert [entry.digest for entry in made.entries] == [
        "d19c7a769f66147c2e3f010af8645656668568264e76b75ff507c29d0ece15f9",
        "e20d24c8bcd49dfcf624acf86838bcefefa84b030352f0ae5915f2c45b4b6695",
    ]
    signed = {"attempt", "digest", "id", *holds.SIGNED}
    assert signed == {one.name for one in fields(Entry)}
