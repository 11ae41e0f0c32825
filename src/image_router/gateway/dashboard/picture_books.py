"""What the ledger says of one picture: what was set aside, each call, and its charges line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from image_router.core.budget import Micros
from image_router.core.holds import PROMPT_INDEX, Entry, EntryKind
from image_router.core.money import Nanos
from image_router.core.types import Tier
from image_router.gateway.app import Visit
from image_router.storage.asset_values import Asset

_COUNTED: Final = (EntryKind.SETTLE, EntryKind.EXPIRE, EntryKind.ADJUST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One line of a bill."""

    what: str
    units: int
    unit: str
    rate: Nanos
    amount: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that was made for the picture, as it was counted."""

    number: int
    at: Micros
    tier: Tier | None
    model: str
    outcome: str
    billed: str
    spent: Nanos
    charges: tuple[Charge, ...]
    shortening: bool
    """It shortened the prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """Of the picture's request: what was set aside for all its pictures, and the calls for this one."""

    held: Nanos
    calls: tuple[Call, ...]

    @property
    def spent(self) -> Nanos:
        return sum(call.spent for call in self.calls)


async def booked_for(visit: Visit, asset: Asset) -> Booked:
    """Empty for a picture that cost nothing because it was kept from before."""
    entries = await visit.parts.books.ledger.entries_of(asset.request_id)
    return Booked(
        held=sum(entry.amount for entry in entries if entry.kind is EntryKind.HOLD),
        calls=tuple(_calls(entries, asset.index)),
    )


def _calls(entries: Iterable[Entry], index: int) -> Iterable[Call]:
    for entry in entries:
        key = entry.attempt
        if key is None or entry.kind not in _COUNTED or key.index not in (index, PROMPT_INDEX):
            continue
        yield Call(
            number=key.number,
            at=entry.at,
            tier=entry.tier,
            model=entry.model,
            outcome=entry.note or entry.outcome or str(entry.kind),
            billed=str(entry.billed or ""),
            spent=entry.spent,
            charges=tuple(_charge(line) for line in json.loads(entry.lines)),
            shortening=key.index == PROMPT_INDEX,
        )


def _charge(line: dict[str, Any]) -> Charge:
    return Charge(
        what=line["what"],
        units=line["units"],
        unit=line["unit"],
        rate=line["rate"],
        amount=line["amount"],
    )
