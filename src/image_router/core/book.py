"""The laws of the ledger as a state machine: what a step does to holds, sends and balances, entry by entry.

A Book is what one transaction has loaded; storage loads it and stores what changed. It reads no clock and no
table, so all of money's rules are tested with plain values. A step either happens whole or raises.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from image_router.core import gate
from image_router.core.budget import SECOND, Budget, BudgetAlert, check_amount
from image_router.core.causes import Billed
from image_router.core.errors import HoldExpired, InvalidRequest
from image_router.core.gate import Balances
from image_router.core.holds import (
    LEASE,
    Adjustment,
    AttemptKey,
    Entry,
    EntryKind,
    Hold,
    HoldRequest,
    HoldState,
    Sending,
    SendState,
    Settled,
    Settlement,
    lines_json,
    signed,
)
from image_router.core.money import Nanos, show_usd
from image_router.core.running import HoldRecord, Now, Send
from image_router.core.scopes import scope_path
from image_router.core.types import Tier

ABANDONED = "abandoned"
LEASE_ENDED = "lease_ended"


@dataclass(slots=True, kw_only=True)
class Book:
    """What is loaded, and what the steps so far have changed."""

    now: Now
    budgets: dict[str, Budget] = field(default_factory=dict)
    balances: Balances = field(default_factory=dict)
    """Every current window of every capped scope the steps touch, and all older ones their holds are in."""
    holds: dict[str, HoldRecord] = field(default_factory=dict)
    sends: dict[tuple[str, AttemptKey], Send] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    alerts: list[BudgetAlert] = field(default_factory=list)

    def hold(self, asked: HoldRequest, hold_id: str) -> Hold:
        """Set money aside in every scope and window at once, or raise BudgetExceeded.

        The same id again is the same hold: a step whose confirmation was lost may be repeated.
        """
        if hold_id in self.holds:
            return self.holds[hold_id].receipt()
        budgets = self._budgets(asked.scope)
        gate.allow_image(budgets, asked.per_image)
        gate.allow(budgets, self.balances, amount=asked.amount, moment=self.now.wall, now=self.now.wall)
        length = round(max(LEASE, (asked.deadline or 0) + LEASE) * SECOND)
        record = HoldRecord(
            id=hold_id,
            request_id=asked.request_id,
            owner=asked.owner,
            scope=asked.scope,
            model=asked.model,
            tier=asked.tier,
            purpose=asked.purpose,
            lane=asked.lane,
            amount=0,
            taken_at=self.now.wall,
            lease_until=self.now.lease + length,
            lease_epoch=self.now.epoch,
            lease_length=length,
        )
        self.holds[hold_id] = record
        self._set_aside(record, asked.amount)
        return record.receipt()

    def grow(self, hold_id: str, amount: Nanos) -> Hold:
        """More money for the same hold, in the windows in which it was taken, or BudgetExceeded."""
        check_amount(amount, "the amount to add")
        record = self._open(hold_id)
        budgets, now = self._budgets(record.scope), self.now.wall
        gate.allow(budgets, self.balances, amount=amount, moment=record.taken_at, now=now)
        self._set_aside(record, amount)
        return record.receipt()

    def sent(self, hold_id: str, call: Sending) -> None:
        """Note that a call is about to be made. What the hold lacks to cover it is held in the same step.

        Raises HoldExpired for a hold that is no longer open, BudgetExceeded when the missing part does not
        fit: then nothing may be sent.
        """
        record, key, at_risk = self._open(hold_id), call.attempt, call.at_risk
        before = self.sends.get((hold_id, key))
        if before is not None:
            if before.state is SendState.SENT and before.at_risk == at_risk:
                return
            raise InvalidRequest(f"{key} of hold {hold_id} was sent before; name the next attempt")
        missing = self._outstanding(hold_id) + at_risk - record.remainder
        if missing > 0:
            self.grow(hold_id, missing)
        self.sends[hold_id, key] = _send(record, key, at_risk, model=call.model, tier=call.tier)
        self._renew(record)

    def settle(self, hold_id: str, done: Settlement) -> Settled:
        """Record what an attempt cost; always possible. More than is left of the hold is an overrun.

        On a hold that was given up, or for an attempt counted before as unknown, the difference is an
        adjust entry. The same settlement again records nothing; another one for the same attempt is
        InvalidRequest, since it would hide a payment.
        """
        record = self._known(hold_id)
        send = self.sends.get((hold_id, done.attempt))
        if send is None:
            send = _send(record, done.attempt, done.at_risk or 0)
        if done.model is not None:
            send = replace(send, model=done.model, tier=done.tier)
        unknown = done.billed is Billed.UNKNOWN
        spent = _counted(done, send)
        if send.state is SendState.KNOWN:
            return self._repeated(send, done, spent)
        if unknown and send.state is SendState.UNKNOWN:
            return Settled(kind=None, spent=send.counted)
        late = record.state is not HoldState.OPEN or send.state is SendState.UNKNOWN
        delta = spent - send.counted
        taken = 0 if late else min(spent, record.remainder)
        self._write(
            record,
            EntryKind.ADJUST if late else EntryKind.SETTLE,
            spent=delta,
            held=-taken,
            note="settled late" if late else "",
            **_said(done, record, send),
        )
        self.sends[hold_id, done.attempt] = replace(
            send,
            state=SendState.UNKNOWN if unknown else SendState.KNOWN,
            counted=spent,
            response_id=done.response_id,
        )
        return Settled(
            kind=EntryKind.ADJUST if late else EntryKind.SETTLE,
            spent=spent,
            overrun=0 if late else spent - taken,
        )

    def adjust(self, hold_id: str, told: Adjustment) -> Settled:
        """Correct what is counted for an attempt; always possible, and nothing when it is right already."""
        record = self._known(hold_id)
        send = self.sends.get((hold_id, told.attempt)) or _send(record, told.attempt, told.amount)
        state = SendState.UNKNOWN if told.billed is Billed.UNKNOWN else SendState.KNOWN
        if send.state is state and send.counted == told.amount:
            return Settled(kind=None, spent=told.amount)
        self._write(
            record,
            EntryKind.ADJUST,
            spent=told.amount - send.counted,
            attempt=told.attempt,
            request_id=told.attempt.request_id or record.request_id,
            model=send.model,
            tier=send.tier,
            billed=told.billed,
            response_id=told.response_id or send.response_id,
            note=f"{told.who}: {told.reason}",
        )
        self.sends[hold_id, told.attempt] = replace(send, state=state, counted=told.amount)
        return Settled(kind=EntryKind.ADJUST, spent=told.amount)

    def close(self, hold_id: str) -> Nanos:
        """End a hold and give back what is left; how much. Calls of unknown outcome are counted first."""
        record = self._known(hold_id)
        return self._give_up(record, HoldState.CLOSED) if record.state is HoldState.OPEN else 0

    def renew(self, hold_id: str) -> bool:
        """A heartbeat: whether the hold is still open."""
        record = self.holds.get(hold_id)
        if record is None or record.state is not HoldState.OPEN:
            return False
        self._renew(record)
        return True

    def expire(self, hold_id: str) -> bool:
        """Give up a hold whose owner has been silent for its whole lease; whether it was one."""
        record = self._known(hold_id)
        silent = record.lease_epoch != self.now.epoch or record.lease_until < self.now.lease
        if record.state is not HoldState.OPEN or not silent:
            return False
        self._give_up(record, HoldState.EXPIRED)
        return True

    def _give_up(self, record: HoldRecord, state: HoldState) -> Nanos:
        for send in [s for s in self.sends.values() if s.hold_id == record.id and s.state is SendState.SENT]:
            self._write(
                record,
                EntryKind.EXPIRE,
                spent=send.at_risk,
                held=-min(send.at_risk, record.remainder),
                attempt=send.key,
                request_id=send.key.request_id or record.request_id,
                model=send.model,
                tier=send.tier,
                billed=Billed.UNKNOWN,
                outcome=ABANDONED if state is HoldState.CLOSED else LEASE_ENDED,
            )
            self.sends[record.id, send.key] = replace(send, state=SendState.UNKNOWN, counted=send.at_risk)
        left = record.remainder
        if left:
            self._write(record, EntryKind.RELEASE, held=-left)
        record.state = state
        return left

    def _budgets(self, scope: str) -> list[Budget]:
        return [self.budgets[name] for name in scope_path(scope) if name in self.budgets]

    def _outstanding(self, hold_id: str) -> Nanos:
        return sum(
            send.at_risk
            for send in self.sends.values()
            if send.hold_id == hold_id and send.state is SendState.SENT
        )

    def _known(self, hold_id: str) -> HoldRecord:
        if hold_id not in self.holds:
            raise InvalidRequest(f"the ledger has no hold {hold_id}")
        return self.holds[hold_id]

    def _open(self, hold_id: str) -> HoldRecord:
        record = self._known(hold_id)
        if record.state is not HoldState.OPEN:
            raise HoldExpired(
                f"hold {hold_id} of {show_usd(record.amount)} is {record.state}: send nothing more on it, "
                f"take a new hold; what it already sent can still be settled"
            )
        return record

    def _renew(self, record: HoldRecord) -> None:
        record.lease_until = self.now.lease + record.lease_length
        record.lease_epoch = self.now.epoch

    def _set_aside(self, record: HoldRecord, amount: Nanos) -> None:
        record.amount += amount
        self._write(record, EntryKind.HOLD, held=amount)

    def _write(
        self, record: HoldRecord, kind: EntryKind, *, spent: Nanos = 0, held: Nanos = 0, **said: Any
    ) -> None:
        facts = {
            "request_id": record.request_id,
            "model": record.model,
            "tier": record.tier,
        } | said
        entry = Entry(
            hold_id=record.id,
            number=record.entries + 1,
            kind=kind,
            at=self.now.wall,
            scope=record.scope,
            purpose=record.purpose,
            lane=record.lane,
            spent=spent,
            held=held,
            **facts,
        )
        self.entries.append(signed(entry, record.digest))
        record.entries, record.digest = entry.number, entry.digest
        record.settled += spent
        record.remainder += held
        self._move(record, spent, held)

    def _move(self, record: HoldRecord, spent: Nanos, held: Nanos) -> None:
        path = scope_path(record.scope)
        for balance in self.balances.values():
            if balance.scope in path and record.taken_at in balance.span:
                balance.settled += spent
                balance.held += held
                budget = self.budgets.get(balance.scope)
                if spent + held > 0 and budget is not None:
                    self.alerts += gate.thresholds_passed(balance, budget, now=self.now.wall)

    @staticmethod
    def _repeated(send: Send, done: Settlement, spent: Nanos) -> Settled:
        if send.counted == spent and send.response_id in (None, done.response_id):
            return Settled(kind=None, spent=spent)
        raise InvalidRequest(
            f"{done.attempt} of hold {send.hold_id} is already settled at {show_usd(send.counted)} "
            f"(response {send.response_id}), not at {show_usd(spent)} (response {done.response_id}); name "
            f"the next attempt for another call, or adjust this one"
        )


def _counted(done: Settlement, send: Send) -> Nanos:
    if done.billed is Billed.UNKNOWN:
        return send.at_risk if done.at_risk is None else done.at_risk
    return done.cost.total


def _send(
    record: HoldRecord,
    key: AttemptKey,
    at_risk: Nanos,
    *,
    model: str | None = None,
    tier: Tier | None = None,
) -> Send:
    return Send(
        hold_id=record.id,
        key=key,
        at_risk=at_risk,
        model=model or record.model,
        tier=tier if model else record.tier,
    )


def _said(done: Settlement, record: HoldRecord, send: Send) -> dict[str, Any]:
    return {
        "attempt": done.attempt,
        "request_id": done.attempt.request_id or record.request_id,
        "model": send.model,
        "tier": send.tier,
        "card": done.cost.card.isoformat() if done.cost.card else None,
        "lines": lines_json(done.cost),
        "usage": json.dumps(asdict(done.usage), separators=(",", ":")) if done.usage else None,
        "images": done.images,
        "size": done.size,
        "billed": done.billed,
        "outcome": done.outcome,
        "response_id": done.response_id,
    }
