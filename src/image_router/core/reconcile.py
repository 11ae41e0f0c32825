"""The ledger's calls beside a provider's charges: what fits, and every difference.

A call is found on the bill by its response id. Where the ledger has none (Imagen gives none, and a reply
that was lost told none) calls of the same model are paired: known ones by their exact amount, then unknown
ones, each with the charge nearest in time, within bounds. The two clocks may differ: how far is seen from the
calls that were found by id.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import median_low
from typing import Final

from image_router.core.budget import SECOND, Micros
from image_router.core.holds import AttemptKey, SendState
from image_router.core.money import Nanos, show_usd

APART: Final = 25 * 3600 * SECOND
"""How far a call and its charge may lie apart: some bills tell the day alone."""
EXCESS: Final = 2
"""How many times what was at risk a charge may be: thinking beyond its allowance is billed too."""


class Finding(StrEnum):
    """How a call and the bill differ."""

    MISSING_HERE = "missing here"
    """Billed, and the ledger knows no such call."""
    MISSING_THERE = "missing there"
    """Paid by the ledger, and not on the bill."""
    AMOUNT = "amount differs"
    RESOLVED = "unknown resolved"
    """The ledger did not know what came of the call; the bill does."""
    STILL_UNKNOWN = "still unknown"
    """Not on the bill, and the bill does not claim to be complete."""
    UNDER_WAY = "under way"
    """Sent, and not settled yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as the ledger has it."""

    hold_id: str
    attempt: AttemptKey
    request_id: str
    scope: str
    model: str
    state: SendState
    amount: Nanos
    """Counted for it now; for an unknown one what is at risk."""
    sent_at: Micros
    response_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One line of a provider's bill."""

    model: str
    amount: Nanos
    id: str | None = None
    """The response id, or the provider's own."""
    at: Micros | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing to look at. `ours` and `theirs` are what ledger and bill count for it."""

    kind: Finding
    model: str
    ours: Nanos
    theirs: Nanos
    detail: str
    call: Call | None = None
    charge: Charge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """`theirs` less `ours` is the sum of what the differences differ by."""

    fitting: int
    """Calls that are the same on both sides."""
    ours: Nanos
    theirs: Nanos
    differences: tuple[Difference, ...]

    @property
    def resolved(self) -> tuple[Difference, ...]:
        """Unknown calls whose cost the bill tells."""
        return tuple(one for one in self.differences if one.kind is Finding.RESOLVED)


@dataclass(slots=True)
class _Desk:
    """What is not paired yet, and the pairs so far."""

    calls: list[Call]
    charges: list[Charge]
    pairs: list[tuple[Call, Charge]] = field(default_factory=list)

    def take(self, pairs: Iterable[tuple[Call, Charge]]) -> None:
        found = list(pairs)
        calls, charges = {id(call) for call, _ in found}, {id(charge) for _, charge in found}
        self.calls = [call for call in self.calls if id(call) not in calls]
        self.charges = [charge for charge in self.charges if id(charge) not in charges]
        self.pairs += found


def reconcile(calls: Iterable[Call], charges: Iterable[Charge], *, complete: bool = False) -> Reconciliation:
    """Compare. `complete`: the bill names every call, so what is not on it cost nothing.

    Calls and charges of nothing that have no counterpart are no difference.
    """
    desk = _Desk(list(calls), _merged(charges))
    ours, theirs = sum(call.amount for call in desk.calls), sum(charge.amount for charge in desk.charges)
    desk.take(_by_id(desk))
    offset = _offset(desk.pairs)
    desk.take(_by_amount(desk, offset))
    desk.take(_by_time(desk, offset))
    differences = [
        *(_of_pair(call, charge) for call, charge in desk.pairs),
        *(_of_call(call, complete=complete) for call in desk.calls),
        *(_of_charge(charge) for charge in desk.charges),
    ]
    told = tuple(one for one in differences if one is not None)
    fitting = sum(_of_pair(call, charge) is None for call, charge in desk.pairs)
    return Reconciliation(fitting=fitting, ours=ours, theirs=theirs, differences=told)


def _merged(charges: Iterable[Charge]) -> list[Charge]:
    """A bill may have several lines for one response; those without an id stand alone."""
    alone: list[Charge] = []
    by_id: dict[str, Charge] = {}
    for charge in charges:
        if charge.id is None:
            alone.append(charge)
        elif charge.id in by_id:
            before = by_id[charge.id]
            by_id[charge.id] = replace(before, amount=before.amount + charge.amount)
        else:
            by_id[charge.id] = charge
    return [*by_id.values(), *alone]


def _by_id(desk: _Desk) -> Iterator[tuple[Call, Charge]]:
    there = {charge.id: charge for charge in desk.charges if charge.id is not None}
    for call in desk.calls:
        if call.response_id is not None and (charge := there.pop(call.response_id, None)) is not None:
            yield call, charge


def _offset(pairs: Sequence[tuple[Call, Charge]]) -> Micros:
    """How far the provider's clock is ahead of ours, the time the work takes included."""
    apart = [charge.at - call.sent_at for call, charge in pairs if charge.at is not None]
    return median_low(apart) if apart else 0


def _by_amount(desk: _Desk, offset: Micros) -> Iterator[tuple[Call, Charge]]:
    known = [c for c in desk.calls if c.state is SendState.KNOWN and c.response_id is None and c.amount]
    wanted: dict[tuple[str, Nanos], list[Call]] = {}
    for call in known:
        wanted.setdefault((call.model, call.amount), []).append(call)
    there: dict[tuple[str, Nanos], list[Charge]] = {}
    for charge in desk.charges:
        there.setdefault((charge.model, charge.amount), []).append(charge)
    for key, group in wanted.items():
        yield from _nearest(group, there.get(key, []), offset)


def _by_time(desk: _Desk, offset: Micros) -> Iterator[tuple[Call, Charge]]:
    """Calls of unknown outcome that told no id, and charges that nobody else claimed."""
    open_calls = [c for c in desk.calls if c.state is not SendState.KNOWN and c.response_id is None]
    for model in sorted({call.model for call in open_calls}):
        group = [call for call in open_calls if call.model == model]
        there = [charge for charge in desk.charges if charge.model == model and charge.amount]
        there = [charge for charge in there if any(_may_be(call, charge, offset=offset) for call in group)]
        pairs = _nearest(group, there, offset)
        yield from ((call, charge) for call, charge in pairs if _may_be(call, charge, offset=offset))


def _may_be(call: Call, charge: Charge, *, offset: Micros) -> bool:
    """Others may use the project: what is far in time, or far above what was at risk, is not this call."""
    near = charge.at is None or abs(charge.at - offset - call.sent_at) <= APART
    return near and (call.state is SendState.SENT or charge.amount <= call.amount * EXCESS)


def _nearest(
    calls: Sequence[Call], charges: Sequence[Charge], offset: Micros
) -> Iterator[tuple[Call, Charge]]:
    """Each of the fewer ones with the nearest in time of the more ones."""
    mine = sorted(((call.sent_at + offset, n) for n, call in enumerate(calls)))
    their = sorted(((charge.at or 0, n) for n, charge in enumerate(charges)))
    few, many = (mine, their) if len(mine) <= len(their) else (their, mine)
    for moment, chooser in few:
        place = bisect_left(many, (moment, 0))
        near = [at for at in (place - 1, place) if 0 <= at < len(many)]
        _, chosen = many.pop(min(near, key=lambda at: abs(many[at][0] - moment)))
        call, charge = (chooser, chosen) if few is mine else (chosen, chooser)
        yield calls[call], charges[charge]


def _of_pair(call: Call, charge: Charge) -> Difference | None:
    known = call.state is SendState.KNOWN
    if known and call.amount == charge.amount:
        return None
    if known:
        kind, detail = Finding.AMOUNT, "the ledger and the bill count different amounts"
    elif call.state is SendState.UNKNOWN:
        how = "by its id" if call.response_id else "as the nearest charge of its model"
        kind, detail = Finding.RESOLVED, f"found on the bill {how}"
    else:
        kind, detail = Finding.UNDER_WAY, "billed, and not settled here yet; look again when it has ended"
    return Difference(
        kind=kind,
        model=call.model,
        ours=call.amount,
        theirs=charge.amount,
        detail=detail,
        call=call,
        charge=charge,
    )


def _of_call(call: Call, *, complete: bool) -> Difference | None:
    if call.state is SendState.KNOWN:
        kind, detail = Finding.MISSING_THERE, "paid here, and not on the bill"
    elif call.state is SendState.SENT:
        return None
    elif complete:
        kind, detail = Finding.RESOLVED, "not on the bill, which is complete: it was not charged"
    else:
        kind = Finding.STILL_UNKNOWN
        detail = f"not on the bill; {show_usd(call.amount)} stay counted until a complete bill says better"
    if call.state is SendState.KNOWN and not call.amount:
        return None
    return Difference(kind=kind, model=call.model, ours=call.amount, theirs=0, detail=detail, call=call)


def _of_charge(charge: Charge) -> Difference | None:
    if not charge.amount:
        return None
    detail = f"billed as {charge.id or 'a line without id'}, and the ledger knows no such call"
    return Difference(
        kind=Finding.MISSING_HERE,
        model=charge.model,
        ours=0,
        theirs=charge.amount,
        detail=detail,
        charge=charge,
    )
