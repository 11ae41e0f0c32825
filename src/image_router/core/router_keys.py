"""Router keys as values: who may call, for whose money, and how much. What they allow is core/key_permits.

Reads no clock and no table. Moments are microseconds since 1970-01-01 UTC, amounts nano-dollars.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from image_router.core.budget import Micros, check_amount, from_micros
from image_router.core.errors import InvalidRequest, KeyInvalid
from image_router.core.key_secret import PREFIX
from image_router.core.money import Nanos, show_usd
from image_router.core.scopes import scope_path
from image_router.core.types import RetiredPolicy, Size, Tier

LONGEST_WINDOW: Final = 366 * 86_400
"""Seconds."""
LONGEST_NAME: Final = 100
_MOST: Final = 1_000_000
_SECONDS: Final = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class DollarLimit:
    """At most so many nano-dollars in any so many seconds. Raises InvalidRequest."""

    amount: Nanos
    seconds: int

    def __post_init__(self) -> None:
        check_amount(self.amount, "the dollar limit of a key")
        if not 1 <= self.seconds <= LONGEST_WINDOW:
            raise InvalidRequest(
                f"the window of a dollar limit is {self.seconds} seconds; choose 1 to "
                f"{LONGEST_WINDOW:,} (a year)"
            )

    def __str__(self) -> str:
        return f"{show_usd(self.amount)} per {window_text(self.seconds)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRules:
    """What a key may do. None: any, or no limit. Raises InvalidRequest for rules that make no sense."""

    name: str
    """For people: who or what holds it."""
    scope: str
    """Who pays: this scope, or one below it that a request names."""
    tiers: frozenset[Tier] | None = None
    models: frozenset[str] | None = None
    """Model ids. Where tiers are set too, both must fit."""
    max_size: Size | None = None
    requests_per_minute: int | None = None
    images_per_minute: int | None = None
    dollars: DollarLimit | None = None
    in_flight: int | None = None
    """Requests under way at once."""
    expires: Micros | None = None
    admin: bool = False
    """Whether it may manage keys and budgets, and see everybody's."""
    retired: RetiredPolicy = RetiredPolicy.REFUSE
    """What a request for a retired model id gets: a refusal that names the successor, or the successor."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        scope_path(self.scope)
        for field in ("tiers", "models"):
            if getattr(self, field) is not None and not getattr(self, field):
                raise InvalidRequest(f"the {field} of a key are an empty list; name some, or none for any")
        if any(not model.strip() for model in self.models or ()):
            raise InvalidRequest("a model id is empty; write it like gemini-3-pro-image")
        for field in ("requests_per_minute", "images_per_minute", "in_flight"):
            limit = getattr(self, field)
            if limit is not None and not 1 <= limit <= _MOST:
                raise InvalidRequest(
                    f"{field} is {limit}; choose 1 to {_MOST:,}, or revoke the key to stop everything"
                )

    @property
    def counted(self) -> bool:
        """Whether requests must be counted at all: a key without limits costs no database access."""
        limits = (self.requests_per_minute, self.images_per_minute, self.dollars, self.in_flight)
        return any(limit is not None for limit in limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterKey:
    """A key without its secret, of which only a digest is stored."""

    id: str
    rules: KeyRules
    hint: str
    """The last four characters of its secret."""
    created_at: Micros
    created_by: str
    rotated_at: Micros | None = None
    old_until: Micros | None = None
    """Until then the secret before the last rotation is accepted too."""
    revoked_at: Micros | None = None
    revoked_by: str | None = None

    @property
    def display(self) -> str:
        """How lists and logs name it."""
        return f"{PREFIX}{self.id}_…{self.hint}"

    def __str__(self) -> str:
        return f"router key {PREFIX}{self.id} ({self.rules.name})"

    def check_alive(self, now: Micros) -> None:
        """Raises KeyInvalid when it is revoked or expired. For holders of the secret only: it says why."""
        if self.revoked_at is not None:
            raise KeyInvalid(
                f"{self} was revoked on {_day(self.revoked_at)}; ask whoever issued it for another",
                field="revoked",
                key_id=self.id,
            )
        expires = self.rules.expires
        if expires is not None and expires <= now:
            raise KeyInvalid(
                f"{self} expired on {_day(expires)}; ask whoever issued it for a later end or another key",
                field="expires",
                key_id=self.id,
                limit=from_micros(expires).isoformat(timespec="seconds"),
            )


def window_text(seconds: int) -> str:
    """90 → '90 seconds', 3600 → 'hour', 172800 → '2 days'."""
    unit, size = next((unit, size) for unit, size in _SECONDS.items() if seconds % size == 0)
    count = seconds // size
    return unit if count == 1 else f"{count} {unit}s"


def tiers_of(names: Iterable[str]) -> frozenset[Tier]:
    """Tiers by name. Raises InvalidRequest for an unknown one."""
    try:
        return frozenset(Tier(name) for name in names)
    except ValueError as error:
        raise InvalidRequest(f"{error}; tiers are {', '.join(Tier)}") from None


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            f"the name of a key is {name[:LONGEST_NAME]!r}; give 1 to {LONGEST_NAME} printable characters "
            f"that say who holds it"
        )


def _day(moment: Micros) -> str:
    return f"{from_micros(moment):%Y-%m-%d}"
