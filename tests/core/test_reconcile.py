"""The ledger's calls beside a bill: what fits, and every way to differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from image_router.core.budget import SECOND
from image_router.core.holds import AttemptKey, SendState
from image_router.core.reconcile import Call, Charge, Finding, reconcile

MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


def call(amount: int = 100, *, name: str | None = "r1", **more: Any) -> Call:
    return Call(
        **(
            {
                "hold_id": "hold_1",
                "attempt": AttemptKey(number=1),
                "request_id": "req_1",
                "scope": "acme",
                "model": "model-a",
                "state": SendState.KNOWN,
                "amount": amount,
                "sent_at": DAY,
                "response_id": name,
            }
            | more
        )
    )


def lost(amount: int = 100, **more: Any) -> Call:
    """A call whose reply never came."""
    return call(amount, **({"name": None, "state": SendState.UNKNOWN} | more))


def charge(amount: int = 100, name: str | None = "r1", *, model: str = "model-a", at: int = DAY) -> Charge:
    return Charge(model=model, amount=amount, id=name, at=at)


def kinds(calls: Sequence[Call], charges: Sequence[Charge], **how: bool) -> list[Finding]:
    return [one.kind for one in reconcile(calls, charges, **how).differences]


def test_the_same_on_both_sides_is_no_difference() -> None:
    """A call found by its response id at the same amount fits."""
    found = reconcile([call()], [charge()])
    assert (found.fitting, found.ours, found.theirs, found.differences) == (1, 100, 100, ())


def test_lines_of_one_response_are_added_up() -> None:
    """A bill may name a response several times."""
    assert reconcile([call()], [charge(60), charge(40)]).fitting == 1


def test_every_way_to_differ() -> None:
    """Missing here, missing there, and another amount, each with both amounts."""
    calls = [call(name="mine"), call(70, name="both")]
    found = reconcile(calls, [charge(50, "theirs"), charge(71, "both")]).differences
    assert [(one.kind, one.ours, one.theirs) for one in found] == [
        (Finding.AMOUNT, 70, 71),
        (Finding.MISSING_THERE, 100, 0),
        (Finding.MISSING_HERE, 0, 50),
    ]


def test_nothing_on_one_side_alone_is_no_difference() -> None:
    """Refused calls cost nothing and need not be on the bill, nor free answers in the ledger."""
    assert kinds([call(0, name="refused"), call(0, name=None)], [charge(0, "free")]) == []


def test_without_id_the_exact_amount_fits() -> None:
    """Imagen gives no response id: its calls are found by model and amount."""
    calls = [call(40, name=None), call(40, name=None), call(20, name=None)]
    charges = [charge(40, "bill-1"), charge(20, "bill-2"), charge(40, "bill-3")]
    found = reconcile(calls, charges)
    assert (found.fitting, found.differences) == (3, ())
    assert kinds([call(40, name=None)], [charge(40, "bill-1", model="model-b")]) == [
        Finding.MISSING_THERE,
        Finding.MISSING_HERE,
    ]


def test_a_lost_reply_is_found_on_the_bill() -> None:
    """An unknown call takes the charge of its model that nobody else claims, whatever its amount."""
    found = reconcile([call(), lost(120)], [charge(), charge(97, "r2")])
    (one,) = found.differences
    assert (one.kind, one.ours, one.theirs) == (Finding.RESOLVED, 120, 97)
    assert one.charge is not None
    assert one.charge.id == "r2"
    assert found.resolved == (one,)


def test_an_unknown_call_with_an_id_is_found_by_it() -> None:
    """A torn reply may have told its id; then no other charge is taken for it."""
    torn = lost(120, name="r9")
    assert [one.theirs for one in reconcile([torn], [charge(97, "r9")]).differences] == [97]
    assert kinds([torn], [charge(97, "r8")]) == [Finding.STILL_UNKNOWN, Finding.MISSING_HERE]


def test_a_strangers_charge_is_not_taken_for_a_lost_call() -> None:
    """Two days away, or far above what was at risk, it belongs to somebody else who uses the project."""
    for other in (charge(100, None, at=3 * DAY), charge(201, None)):
        assert kinds([lost()], [other]) == [Finding.STILL_UNKNOWN, Finding.MISSING_HERE]
    assert kinds([lost()], [charge(200, None)]) == [Finding.RESOLVED]


def test_only_a_complete_bill_says_that_nothing_was_charged() -> None:
    """Not on the bill means free where the bill is complete, and nothing where it is not."""
    assert kinds([lost()], []) == [Finding.STILL_UNKNOWN]
    (one,) = reconcile([lost()], [], complete=True).differences
    assert (one.kind, one.ours, one.theirs) == (Finding.RESOLVED, 100, 0)


def test_a_call_under_way_is_named_only_when_billed() -> None:
    """A call without a settlement is no difference until the bill has it; it is never resolved."""
    running = lost(0, state=SendState.SENT)
    assert kinds([running], [], complete=True) == []
    found = reconcile([running], [charge()], complete=True)
    assert [one.kind for one in found.differences] == [Finding.UNDER_WAY]
    assert found.resolved == ()


def test_the_nearest_in_time_is_taken_on_clocks_that_differ() -> None:
    """The provider's clock is a year behind; of two lost calls the one beside the charge is resolved."""
    behind = -365 * DAY
    calls = [
        call(sent_at=500 * DAY),
        lost(120, scope="early", sent_at=500 * DAY + MINUTE),
        lost(120, scope="late", sent_at=500 * DAY + 9 * MINUTE),
    ]
    charges = [charge(at=500 * DAY + behind), charge(97, "r2", at=500 * DAY + behind + 8 * MINUTE)]
    found = {one.call.scope: one.kind for one in reconcile(calls, charges).differences if one.call}
    assert found == {"early": Finding.STILL_UNKNOWN, "late": Finding.RESOLVED}


ids = st.none() | st.sampled_from(["r1", "r2", "r3", "r4"])
models = st.sampled_from(["model-a", "model-b"])
amounts = st.integers(0, 3)
times = st.integers(0, 10 * MINUTE)
some_calls = st.lists(
    st.builds(
        call,
        amounts,
        name=ids,
        model=models,
        sent_at=times,
        state=st.sampled_from([SendState.KNOWN, SendState.UNKNOWN]),
    ),
    max_size=8,
)
some_charges = st.lists(
    st.builds(Charge, model=models, amount=amounts, id=ids, at=st.none() | times), max_size=8
)


@given(some_calls, some_charges, st.booleans())
def test_the_differences_explain_the_sums(calls: list[Call], charges: list[Charge], complete: bool) -> None:
    """What the bill is dearer by is the sum of the differences, and no call or charge is told twice."""
    found = reconcile(calls, charges, complete=complete)
    assert found.theirs - found.ours == sum(one.theirs - one.ours for one in found.differences)
    told = [id(one.call) for one in found.differences if one.call]
    assert len(told) == len(set(told))
    named = [one.charge.id for one in found.differences if one.charge and one.charge.id]
    assert len(named) == len(set(named))


@given(some_calls)
def test_a_bill_made_of_the_ledger_fits(calls: list[Call]) -> None:
    """A bill of exactly what the ledger knows leaves nothing but the unknown to tell."""
    known = [one for one in calls if one.state is SendState.KNOWN]
    alone = [
        one
        for n, one in enumerate(known)
        if one.response_id not in {c.response_id for c in known[:n]} - {None}
    ]
    bill = [Charge(model=one.model, amount=one.amount, id=one.response_id) for one in alone]
    assert reconcile(alone, bill).differences == ()
