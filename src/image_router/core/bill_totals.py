"""A bill that has sums instead of calls, as Google Cloud's billing export has: compared by day and model.

A bill whose lines name no day is compared by model alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from image_router.core.budget import Micros, from_micros, zone_of
from image_router.core.holds import SendState
from image_router.core.money import Nanos, show_usd
from image_router.core.reconcile import Call, Charge, Difference, Finding, Reconciliation

_Cell: TypeAlias = tuple[str, str]
"""Day ('' for all of them) and model."""


def reconcile_totals(
    calls: Sequence[Call], charges: Sequence[Charge], *, zone: str = "UTC"
) -> Reconciliation:
    """Compare sums. A call belongs to the day of the zone on which it was sent; Google bills by Pacific days.

    Sums cannot resolve an unknown call: what is unknown in a sum that differs is named beside it.
    """
    dated = all(charge.at is not None for charge in charges)
    ours, theirs, unknown = Counter[_Cell](), Counter[_Cell](), Counter[_Cell]()
    for call in calls:
        cell = (_day(call.sent_at, zone) if dated else "", call.model)
        ours[cell] += call.amount
        unknown[cell] += call.amount if call.state is not SendState.KNOWN else 0
    for charge in charges:
        theirs[_day(charge.at, zone) if dated and charge.at is not None else "", charge.model] += (
            charge.amount
        )
    cells = sorted(cell for cell in ours.keys() | theirs.keys() if ours[cell] or theirs[cell])
    differences = tuple(
        _difference(cell, ours[cell], theirs[cell], unknown=unknown[cell])
        for cell in cells
        if ours[cell] != theirs[cell]
    )
    return Reconciliation(
        fitting=len(cells) - len(differences),
        ours=ours.total(),
        theirs=theirs.total(),
        differences=differences,
    )


def _difference(cell: _Cell, ours: Nanos, theirs: Nanos, *, unknown: Nanos) -> Difference:
    day, model = cell
    kind = Finding.AMOUNT if ours and theirs else Finding.MISSING_HERE if theirs else Finding.MISSING_THERE
    detail = f"the sum of {day or 'all days'}"
    if unknown:
        detail += f"; {show_usd(unknown)} of ours are calls of unknown outcome"
    return Difference(kind=kind, model=model, ours=ours, theirs=theirs, detail=detail)


def _day(moment: Micros, zone: str) -> str:
    return from_micros(moment).astimezone(zone_of(zone)).date().isoformat()
