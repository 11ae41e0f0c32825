"""What the gateway takes: `[limits]` of image-router.toml, or one line in IMAGE_ROUTER_LIMITS."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process of the gateway takes; sizes in bytes, times in seconds. All hold for each process."""

    json_body: int = 128 << 20
    """References travel as base64 in JSON: 14 of 7 MB each."""
    small_body: int = 1 << 20
    """A JSON body that has no place for a picture."""
    json_values: int = 200_000
    """Values in one JSON body: four bytes of it can become an object of sixty."""
    form_body: int = 128 << 20
    bodies: int = 512 << 20
    """All request bodies that are held at once; the next one waits, unread."""
    body_wait: float = 10.0
    """How long it waits before it is told to come back."""
    replies: int = 3 << 30
    """Pictures on their way from the provider to callers, at the most they may take; the next one waits."""
    reply_wait: float = 60.0
    """How long it waits before it is told to come back."""
    body_time: float = 300.0
    """A whole body, however busily it trickles."""
    body_silence: float = 30.0
    """Without a byte of a body."""
    head: int = 32 << 10
    """Request line and headers together."""
    headers: int = 100
    """Headers of one request."""
    head_time: float = 15.0
    """From the first byte of a request, or from the opening of the connection, to the end of its headers."""
    write_silence: float = 60.0
    """Without a byte of the reply being taken."""
    in_flight: int = 1000
    """Requests under way; health is always answered."""
    jobs: int = 8
    """Jobs done at once."""
    jobs_waiting: int = 1000
    """Jobs of one scope that are not over; the pictures of running chains count."""
    jobs_kept: float = 7 * 86_400.0
    """How long a job that is over can be fetched, and what webhooks were told."""
    connections: int = 4096
    drain: float = 120.0
    """How long requests under way may take after a stop was asked for."""


_SIZES: Final = frozenset({"json_body", "small_body", "form_body", "bodies", "replies", "head"})
_COUNTS: Final = frozenset({"json_values", "headers", "in_flight", "jobs", "jobs_waiting", "connections"})
_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
)
_NAMES: Final = tuple(field.name for field in fields(Limits))


def limits(raw: Any) -> Limits:
    """Limits from a table, or from "bodies=1GiB, in_flight=200"; what is not named keeps its default.

    Raises ValueError naming the limit.
    """
    if isinstance(raw, Limits):
        return raw
    given = dict(map(_pair, filter(None, re.split(r"[,\s]+", raw)))) if isinstance(raw, str) else raw
    if not isinstance(given, Mapping):  # a setting's parser raises ValueError
        raise ValueError(  # noqa: TRY004
            'limits are a table, or a text such as "bodies=1GiB, in_flight=200"'
        )
    if unknown := sorted(given.keys() - set(_NAMES)):
        raise ValueError(f"there is no limit {unknown[0]}; there are {', '.join(_NAMES)}")
    found = Limits(**{name: _value(name, value) for name, value in given.items()})
    _check(found)
    return found


def _pair(word: str) -> tuple[str, str]:
    name, stated, value = word.partition("=")
    if not stated:
        raise ValueError(f"{word!r} is no limit; write it like in_flight=200")
    return name, value


def _value(name: str, raw: Any) -> Any:
    if name in _SIZES:
        return _size(name, raw)
    return _count(name, raw) if name in _COUNTS else _seconds(name, raw)


def _size(name: str, raw: Any) -> int:
    found = re.fullmatch(r"(\d{1,15})\s*([KMG]i?B)?", str(raw), re.IGNORECASE)
    size = int(found[1]) * _UNITS[(found[2] or "").upper()] if found else 0
    if isinstance(raw, bool) or size <= 0:
        raise ValueError(f"{name} {raw!r} is no size; write it in bytes, or like 64MB or 64MiB")
    return size


def _count(name: str, raw: Any) -> int:
    if isinstance(raw, bool) or not re.fullmatch(r"0*[1-9]\d{0,8}", str(raw)):
        raise ValueError(f"{name} {raw!r} is no whole number above 0")
    return int(raw)


def _seconds(name: str, raw: Any) -> float:
    try:
        seconds = math.nan if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name} {raw!r} is no number of seconds above 0")
    return seconds


def _check(found: Limits) -> None:
    largest = max(found.json_body, found.form_body)
    if found.bodies < largest:
        raise ValueError(
            f"bodies {found.bodies:,} is less than the {largest:,} bytes that one body may have; raise it, "
            f"or lower json_body and form_body"
        )
