"""Tables of meters, circuits and bindings, and their rows as values; migration 3 makes them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, RowMapping, Table, Text

from image_router.core.breaker import Breaker, Circuit
from image_router.core.causes import Cause
from image_router.core.pacing import Meter, MeterKey
from image_router.storage.schema import metadata

MAX_DETAIL = 500
"""Characters of the provider's words that are kept."""

meters = Table(
    "traffic_meters",
    metadata,
    Column("project", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("limit_name", Text, primary_key=True),
    Column("state", Text, nullable=False),
)

circuits = Table(
    "traffic_circuits",
    metadata,
    Column("project", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("called", Text, nullable=False),
    Column("trips", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("probe_from", BigInteger, nullable=False),
    Column("probe_until", BigInteger, nullable=False),
)

bindings = Table(
    "traffic_bindings",
    metadata,
    Column("resource", Text, primary_key=True),
    Column("member", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)


def meter_key(row: RowMapping) -> MeterKey:
    return MeterKey(project=row["project"], model=row["model"], limit=row["limit_name"])


def meter_of(row: RowMapping) -> Meter:
    state = json.loads(row["state"])
    return Meter(
        used=_slots(state["used"]),
        refused=_slots(state["refused"]),
        learned=state["learned"],
        learned_at=state["learned_at"],
        held_from=state["held_from"],
        held_until=state["held_until"],
    )


def meter_row(key: MeterKey, meter: Meter) -> dict[str, Any]:
    state = {
        "used": list(meter.used.items()),
        "refused": list(meter.refused.items()),
        "learned": meter.learned,
        "learned_at": meter.learned_at,
        "held_from": meter.held_from,
        "held_until": meter.held_until,
    }
    words = json.dumps(state, separators=(",", ":"))
    return {"project": key.project, "model": key.model, "limit_name": key.limit, "state": words}


def circuit_of(row: RowMapping) -> Circuit:
    return Circuit(project=row["project"], key=row["key"], model=row["model"])


def breaker_of(row: RowMapping) -> Breaker:
    """The breaker of a row. A cause that a newer program wrote and this one does not know is unknown."""
    return Breaker(
        rule=row["rule"],
        trips=row["trips"],
        opened_at=_seconds(row["opened_at"]),
        until=None if row["until"] is None else _seconds(row["until"]),
        probe_from=_seconds(row["probe_from"]),
        probe_until=_seconds(row["probe_until"]),
        cause=Cause(row["cause"]) if row["cause"] in set(Cause) else Cause.UNKNOWN_ERROR,
        detail=row["detail"],
        model=row["called"],
    )


def breaker_row(circuit: Circuit, breaker: Breaker) -> dict[str, Any]:
    return {
        "project": circuit.project,
        "key": circuit.key,
        "model": circuit.model,
        "rule": breaker.rule,
        "cause": breaker.cause,
        # PostgreSQL stores no NUL in a text.
        "detail": breaker.detail.replace("\0", "")[:MAX_DETAIL],
        "called": breaker.model,
        "trips": breaker.trips,
        "opened_at": micros(breaker.opened_at),
        "until": None if breaker.until is None else micros(breaker.until),
        "probe_from": micros(breaker.probe_from),
        "probe_until": micros(breaker.probe_until),
    }


def micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _seconds(moment: int) -> float:
    return moment / 1_000_000


def _slots(pairs: list[tuple[int, int]]) -> dict[int, int]:
    return dict(pairs)
