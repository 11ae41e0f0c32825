"""The ledger's values as rows of its tables, and back."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import RowMapping

from image_router.core.budget import Budget, Span, Window
from image_router.core.causes import Billed
from image_router.core.holds import AttemptKey, Entry, EntryKind, HoldState, SendState
from image_router.core.running import Balance, HoldRecord, Send
from image_router.core.types import Lane, Purpose, Size, Tier
from image_router.storage.schema import NEVER


def budget_of(row: RowMapping) -> Budget:
    return Budget(
        scope=row["scope"],
        day=row["day"],
        month=row["month"],
        total=row["total"],
        per_request=row["per_request"],
        zone=row["zone"],
        guard_percent=row["guard_percent"],
        alerts=tuple(json.loads(row["alerts"])),
        prepaid=row["prepaid"],
    )


def budget_row(budget: Budget) -> dict[str, Any]:
    return {
        "scope": budget.scope,
        "day": budget.day,
        "month": budget.month,
        "total": budget.total,
        "per_request": budget.per_request,
        "zone": budget.zone,
        "guard_percent": budget.guard_percent,
        "alerts": json.dumps(budget.alerts),
        "prepaid": budget.prepaid,
    }


def balance_of(row: RowMapping) -> Balance:
    return Balance(
        scope=row["scope"],
        window=Window(row["window"]),
        span=Span(row["starts_at"], None if row["ends_at"] == NEVER else row["ends_at"]),
        settled=row["settled"],
        held=row["held"],
        alerted=row["alerted"],
    )


def balance_row(balance: Balance) -> dict[str, Any]:
    return {
        "scope": balance.scope,
        "window": balance.window,
        "starts_at": balance.span.start,
        "ends_at": NEVER if balance.span.end is None else balance.span.end,
        "settled": balance.settled,
        "held": balance.held,
        "alerted": balance.alerted,
    }


def hold_of(row: RowMapping) -> HoldRecord:
    return HoldRecord(
        id=row["id"],
        request_id=row["request_id"],
        owner=row["owner"],
        scope=row["scope"],
        model=row["model"],
        tier=_tier(row),
        purpose=Purpose(row["purpose"]),
        lane=Lane(row["lane"]),
        amount=row["amount"],
        remainder=row["remainder"],
        settled=row["settled"],
        state=HoldState(row["state"]),
        taken_at=row["taken_at"],
        lease_until=row["lease_until"],
        lease_epoch=row["lease_epoch"],
        lease_length=row["lease_length"],
        entries=row["entries"],
        digest=row["digest"],
    )


def hold_row(hold: HoldRecord) -> dict[str, Any]:
    return {
        "id": hold.id,
        "request_id": hold.request_id,
        "owner": hold.owner,
        "scope": hold.scope,
        "model": hold.model,
        "tier": hold.tier,
        "purpose": hold.purpose,
        "lane": hold.lane,
        "amount": hold.amount,
        "remainder": hold.remainder,
        "settled": hold.settled,
        "state": hold.state,
        "taken_at": hold.taken_at,
        "lease_until": hold.lease_until,
        "lease_epoch": hold.lease_epoch,
        "lease_length": hold.lease_length,
        "entries": hold.entries,
        "digest": hold.digest,
    }


def send_of(row: RowMapping) -> Send:
    return Send(
        hold_id=row["hold_id"],
        key=AttemptKey(number=row["attempt"], index=row["image_index"], request_id=row["request_id"]),
        at_risk=row["at_risk"],
        model=row["model"],
        tier=_tier(row),
        state=SendState(row["state"]),
        counted=row["counted"],
        response_id=row["response_id"],
    )


def send_row(send: Send) -> dict[str, Any]:
    return {
        "hold_id": send.hold_id,
        "request_id": send.key.request_id,
        "image_index": send.key.index,
        "attempt": send.key.number,
        "at_risk": send.at_risk,
        "model": send.model,
        "tier": send.tier,
        "state": send.state,
        "counted": send.counted,
        "response_id": send.response_id,
    }


def entry_of(row: RowMapping) -> Entry:
    key = (
        None
        if row["attempt"] is None
        else AttemptKey(number=row["attempt"], index=row["image_index"], request_id=row["attempt_request"])
    )
    return Entry(
        id=row["id"],
        hold_id=row["hold_id"],
        number=row["number"],
        kind=EntryKind(row["kind"]),
        at=row["at"],
        request_id=row["request_id"],
        scope=row["scope"],
        model=row["model"],
        tier=_tier(row),
        purpose=Purpose(row["purpose"]),
        lane=Lane(row["lane"]),
        spent=row["spent"],
        held=row["held"],
        attempt=key,
        card=row["card"],
        lines=row["lines"],
        usage=row["usage"],
        images=row["images"],
        size=Size(row["size"]) if row["size"] else None,
        billed=Billed(row["billed"]) if row["billed"] else None,
        outcome=row["outcome"],
        response_id=row["response_id"],
        note=row["note"],
        digest=row["digest"],
    )


def entry_row(entry: Entry, entry_id: int) -> dict[str, Any]:
    key = entry.attempt
    return {
        "id": entry_id,
        "hold_id": entry.hold_id,
        "number": entry.number,
        "kind": entry.kind,
        "at": entry.at,
        "request_id": entry.request_id,
        "scope": entry.scope,
        "model": entry.model,
        "tier": entry.tier,
        "purpose": entry.purpose,
        "lane": entry.lane,
        "spent": entry.spent,
        "held": entry.held,
        "attempt_request": key.request_id if key else None,
        "image_index": key.index if key else None,
        "attempt": key.number if key else None,
        "card": entry.card,
        "lines": entry.lines,
        "usage": entry.usage,
        "images": entry.images,
        "size": entry.size,
        "billed": entry.billed,
        "outcome": entry.outcome,
        "response_id": entry.response_id,
        "note": entry.note,
        "digest": entry.digest,
    }


def _tier(row: RowMapping) -> Tier | None:
    return Tier(row["tier"]) if row["tier"] else None
