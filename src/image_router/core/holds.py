"""The ledger's values: holds, attempts, settlements, entries. What may be done with them is core/book.

Amounts are nano-dollars, moments microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Final

from image_router.core.budget import Micros, check_amount
from image_router.core.causes import Billed, Cause
from image_router.core.errors import InvalidRequest
from image_router.core.money import Nanos
from image_router.core.rates import Cost
from image_router.core.scopes import scope_path
from image_router.core.types import Lane, Purpose, Size, Tier, Usage

LEASE: Final = 90.0
"""Seconds a hold lives without a heartbeat, and at least this long past its owner's deadline."""

LONGEST: Final = 30 * 86_400.0
"""Seconds the owner of a hold may take: a month."""


class EntryKind(StrEnum):
    """What an entry does to the two running sums, spent and held."""

    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    EXPIRE = "expire"
    """Sent, and nobody said what came of it: counted as spent at the attempt's amount at risk."""
    ADJUST = "adjust"
    """A correction of an attempt that was already counted."""


class HoldState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    EXPIRED = "expired"


class SendState(StrEnum):
    """What is known of a call."""

    SENT = "sent"
    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """Money wanted for a request, a chunk or a batch job: at most `amount`, at most `per_image` an image."""

    request_id: str
    owner: str
    """The process that works on it, for people."""
    scope: str
    amount: Nanos
    per_image: Nanos
    model: str
    tier: Tier | None
    purpose: Purpose
    lane: Lane = Lane.INTERACTIVE
    deadline: float | None = None
    """Seconds its owner may work on it."""

    def __post_init__(self) -> None:
        scope_path(self.scope)
        check_amount(self.amount, "the amount to hold")
        check_amount(self.per_image, "the amount for one image")
        if self.deadline is not None and not 0 < self.deadline <= LONGEST:
            raise InvalidRequest(f"deadline {self.deadline} s must be above 0 and at most {LONGEST:,.0f}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Money set aside. The receipt its owner keeps; its running sums are in the database."""

    id: str
    request_id: str
    owner: str
    scope: str
    amount: Nanos
    taken_at: Micros


PROMPT_INDEX: Final = -1
"""In place of an image's: the text call that shortens the prompt of all images."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class AttemptKey:
    """One call within a hold."""

    number: int
    index: int = 0
    """Which of the n images."""
    request_id: str = ""
    """A row of a chunk; empty: the hold's own request."""

    def __str__(self) -> str:
        what = "the prompt's compression" if self.index == PROMPT_INDEX else f"image {self.index}"
        return f"attempt {self.number} of {what}" + (f" of {self.request_id}" if self.request_id else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A call about to be made, and the most it may cost."""

    attempt: AttemptKey
    at_risk: Nanos
    model: str | None = None
    """None: the hold's."""
    tier: Tier | None = None

    def __post_init__(self) -> None:
        check_amount(self.at_risk, "the amount at risk", least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of one attempt. `cost` is what was charged; where `billed` is unknown, `at_risk` counts."""

    attempt: AttemptKey
    billed: Billed
    cost: Cost = field(default_factory=Cost)
    at_risk: Nanos | None = None
    """None: the amount given when it was sent."""
    response_id: str | None = None
    outcome: Cause = Cause.OK
    model: str | None = None
    """None: the one it was sent to."""
    tier: Tier | None = None
    images: int = 0
    """Pictures that came of it."""
    size: Size | None = None
    usage: Usage | None = None

    def __post_init__(self) -> None:
        check_amount(self.cost.total, "the cost", least=0)
        if self.at_risk is not None:
            check_amount(self.at_risk, "the amount at risk", least=0)
        if self.billed is not Billed.YES and self.cost.total:
            raise InvalidRequest(f"a settlement with billed={self.billed} has a cost; it must be empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """What an attempt really cost, as the provider's bill or a person says it."""

    attempt: AttemptKey
    amount: Nanos
    billed: Billed = Billed.YES
    who: str
    reason: str
    response_id: str | None = None

    def __post_init__(self) -> None:
        check_amount(self.amount, "the adjusted amount", least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger, never changed. `spent` and `held` are what it adds to the running sums."""

    hold_id: str
    number: int
    """Within its hold, from 1."""
    kind: EntryKind
    at: Micros
    request_id: str
    scope: str
    model: str
    tier: Tier | None
    purpose: Purpose
    lane: Lane
    spent: Nanos = 0
    held: Nanos = 0
    attempt: AttemptKey | None = None
    card: str | None = None
    lines: str = "[]"
    """JSON: [{"what", "unit", "units", "rate", "amount"}, …]."""
    usage: str | None = None
    """JSON of the reply's usage."""
    images: int = 0
    size: Size | None = None
    billed: Billed | None = None
    outcome: str = ""
    response_id: str | None = None
    note: str = ""
    """Who adjusted, and why."""
    digest: str = ""
    id: int = 0
    """Place in the ledger, from 1 without gaps; 0 until stored."""

    @property
    def amount(self) -> Nanos:
        """What the entry is about: held for a hold, given back for a release, else spent."""
        return abs(self.held) if self.kind in (EntryKind.HOLD, EntryKind.RELEASE) else self.spent

    @property
    def overrun(self) -> Nanos:
        """What was spent beyond what was held; only a settlement or an expiry can have one."""
        return max(0, self.spent + self.held) if self.kind in (EntryKind.SETTLE, EntryKind.EXPIRE) else 0


_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# For ever: another order, or one name more, and no ledger written before would verify.
SIGNED: Final = (
    *("hold_id", "number", "kind", "at", "request_id", "scope", "model", "tier", "purpose", "lane"),
    *("spent", "held", "card", "lines", "usage", "images", "size", "billed", "outcome"),
    *("response_id", "note"),
)
_SIGNED_VALUES: Final = attrgetter(*SIGNED)


def signed(entry: Entry, previous: str) -> Entry:
    """The entry with its digest, which depends on the digest before it in the same hold."""
    # A copy by dataclasses.replace costs more than all the rest of writing an entry.
    object.__setattr__(entry, "digest", digest_of(entry, previous))
    return entry


def digest_of(entry: Entry, previous: str) -> str:
    """sha256 over everything the entry says and the digest before it in the same hold, hexadecimal."""
    key = entry.attempt
    attempt = (key.request_id, key.index, key.number) if key else None
    return digest_of_values(_SIGNED_VALUES(entry), attempt, previous=previous)


def digest_of_values(values: tuple[object, ...], attempt: tuple[object, ...] | None, *, previous: str) -> str:
    """digest_of an entry whose values come as they are stored: in the order of SIGNED, then the attempt's
    request, index and number."""
    return hashlib.sha256(_ENCODE((*values, attempt, previous)).encode()).hexdigest()


def lines_json(cost: Cost) -> str:
    """A cost's lines as the ledger keeps them."""
    return _ENCODE(
        [
            {
                "what": line.kind,
                "unit": line.unit,
                "units": line.units,
                "rate": line.rate,
                "amount": line.amount,
            }
            for line in cost.lines
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What recording did. `kind` is None where the same settlement was recorded before."""

    kind: EntryKind | None
    spent: Nanos
    overrun: Nanos = 0
