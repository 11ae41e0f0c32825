"""Sums beside sums, by day and model."""

from __future__ import annotations

from image_router.core.bill_totals import reconcile_totals
from image_router.core.bills import read_bill
from image_router.core.budget import SECOND
from image_router.core.holds import AttemptKey, SendState
from image_router.core.money import USD
from image_router.core.reconcile import Call, Finding

NIGHT = 1_795_305_600 * SECOND + 3 * 3600 * SECOND  # 2026-11-22T03:00Z, still the 21st in Los Angeles
BILL = """\
date,sku,model,cost
2026-11-21,images,model-a,2
2026-11-21,text,model-a,1
2026-11-22,images,model-b,5
"""


def call(dollars: int, model: str = "model-a", *, state: SendState = SendState.KNOWN) -> Call:
    return Call(
        hold_id="hold_1",
        attempt=AttemptKey(number=1),
        request_id="req_1",
        scope="acme",
        model=model,
        state=state,
        amount=dollars * USD,
        sent_at=NIGHT,
        response_id=None,
    )


def test_sums_are_compared_by_day_and_model() -> None:
    """A day is one of the zone's; equal sums fit, each other one is named with its day."""
    charges = read_bill(BILL, name="bill")
    pacific = reconcile_totals([call(1), call(2)], charges, zone="America/Los_Angeles")
    assert pacific.fitting == 1
    (one,) = pacific.differences
    assert (one.kind, one.model, one.ours, one.theirs) == (Finding.MISSING_HERE, "model-b", 0, 5 * USD)
    assert "2026-11-22" in one.detail
    kinds = [one.kind for one in reconcile_totals([call(3)], charges).differences]
    assert kinds == [Finding.MISSING_HERE, Finding.MISSING_THERE, Finding.MISSING_HERE]


def test_what_is_unknown_is_named_beside_the_sum() -> None:
    """Sums resolve nothing, but say how much of ours is a guess."""
    charges = read_bill("model,cost\nmodel-a,3\n", name="bill")
    found = reconcile_totals([call(3), call(1, state=SendState.UNKNOWN)], charges)
    (one,) = found.differences
    assert (one.kind, found.theirs - found.ours, found.resolved) == (Finding.AMOUNT, -USD, ())
    assert "all days; $1.00 of ours are calls of unknown outcome" in one.detail


def test_a_bill_without_days_is_compared_by_model() -> None:
    """Where some line has no day, sums are over all days."""
    charges = read_bill("model,cost,time\nmodel-a,1,2026-11-01\nmodel-a,2,\n", name="bill")
    assert reconcile_totals([call(3)], charges).differences == ()
