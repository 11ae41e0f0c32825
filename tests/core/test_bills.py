"""Bills as text: both forms read, everything odd refused with its place."""

from __future__ import annotations

import json

import pytest

from image_router.core.bills import read_bill
from image_router.core.errors import InvalidRequest
from image_router.core.reconcile import Charge

NOON = 1_795_348_800_000_000  # 2026-11-22T12:00Z
ENTRY = {"id": "r1", "time": "2026-11-22T12:00:00.000000000Z", "model": "model-a", "total": 134_400_000}


def bill(*entries: object, **more: object) -> str:
    sums = sum(e["total"] for e in entries if isinstance(e, dict) and isinstance(e.get("total"), int))
    return json.dumps({"currency": "USD", "unit": "nano", "entries": entries, "total": sums} | more)


def test_the_emulators_bill_is_read() -> None:
    """Each entry is a charge with id, model, nano-dollars and moment."""
    assert read_bill(bill(ENTRY), name="bill") == [
        Charge(model="model-a", amount=134_400_000, id="r1", at=NOON)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "response_id,time,model,amount_usd\nr1,2026-11-22T12:00:00Z,models/model-a,0.1344\n",
        "\ufeffModel,Cost,ID,Date,SKU\r\nmodel-a,$0.1344,r1,2026-11-22T12:00:00,anything\r\n",
        "cost_usd,model,id,time\n0.134400000,publishers/google/models/model-a,r1,2026-11-22T13:00:00+01:00\n",
    ],
)
def test_csv_is_read_by_its_columns(text: str) -> None:
    """Columns may stand in any order and case, with a byte order mark, dollar signs and further columns."""
    assert read_bill(text, name="bill") == [Charge(model="model-a", amount=134_400_000, id="r1", at=NOON)]


def test_id_and_time_may_be_missing() -> None:
    """A bill that names neither is read all the same."""
    assert read_bill("model,cost\nmodel-a,1\n", name="bill") == [Charge(model="model-a", amount=10**9)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column model and no amount_usd"),
        ("model,price\nmodel-a,1\n", "no column amount_usd; its first line names model, price"),
        ("model,cost\nmodel-a,nan\n", "line 2: cost nan must be between"),
        ("model,cost\nmodel-a,-1\n", "line 2: cost -1 must be between"),
        ("model,cost\nmodel-a,1e30\n", "line 2: cost 1e30 must be between"),
        ("model,cost\nmodel-a,\n", "line 2: cost '' is not an amount"),
        ("model,cost\n\nmodel-a,0.0000000001\n", "line 3: .* finer than a nano-dollar"),
        ("model,cost\nmodel-a\n", "line 2: cost '' is not an amount"),
        ("model,cost\n,1\n", "line 2: the model is empty"),
        ("model,cost,time\nmodel-a,1,yesterday\n", "line 2: 'yesterday' is no time"),
        ('model,cost\n"model-a,1\n', "this is no CSV"),
        ("{", "is no bill"),
        ("{}", "is no bill"),
        (bill(ENTRY, total=1), "says its total is 1 nano-dollars, and its entries are 134400000"),
        (bill(ENTRY, currency="EUR"), "counts in nano EUR"),
        (bill(ENTRY | {"total": 0.5}), "must be whole nano-dollars"),
        (bill(ENTRY | {"total": -5}), "entry 1: its total is"),
        (bill(ENTRY | {"time": 5}), "must be texts"),
        (bill("entry"), "entry 1: it needs id"),
    ],
)
def test_odd_bills_are_refused_with_the_place(text: str, said: str) -> None:
    """What is no amount, no time or no bill is named with its line."""
    with pytest.raises(InvalidRequest, match=said):
        read_bill(text, name="bill")
