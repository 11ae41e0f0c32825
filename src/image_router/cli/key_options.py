"""What the rules of a router key are called on the command line, and how the words become rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any, Final

import click

from image_router.cli.ledgers import amount_of
from image_router.cli.options import Names, every
from image_router.core.budget import SECOND, Micros, to_micros
from image_router.core.errors import InvalidRequest
from image_router.core.router_keys import DollarLimit, tiers_of
from image_router.core.types import RetiredPolicy, Size, Tier

NONE: Final = "none"
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WINDOWS: Final = {"minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800, "month": 30 * 86_400}
_SPAN: Final = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_COUNTS: Final = ("requests_per_minute", "images_per_minute", "in_flight")

rule_options = every(
    click.option(
        "--tier", "tiers", multiple=True, type=Names((*Tier, NONE)), help="Allow this tier alone. Repeatable."
    ),
    click.option(
        "--model", "models", multiple=True, metavar="ID", help="Allow this model alone. Repeatable."
    ),
    click.option("--max-size", type=Names((*Size, NONE)), help="Largest picture it may ask for."),
    click.option("--requests-per-minute", metavar="COUNT", help="In any sixty seconds."),
    click.option("--images-per-minute", metavar="COUNT", help="In any sixty seconds."),
    click.option(
        "--dollars", metavar="USD/WINDOW", help="In any such window: 5/hour, 20/day, 100/30d, 0.50/10m."
    ),
    click.option("--in-flight", metavar="COUNT", help="Requests under way at once."),
    click.option(
        "--expires", metavar="WHEN", help="A day in UTC, as 2027-01-31, or a time from now, as 90d."
    ),
    click.option("--admin/--no-admin", default=None, help="Whether it may manage keys and budgets."),
    click.option("--retired", type=Names(RetiredPolicy), help="What a request for a retired model id gets."),
)


def take_rules(options: dict[str, Any], *, now: Micros) -> dict[str, Any]:
    """The rules that the command line names, taken out of its options; `none` takes one away.

    Raises InvalidRequest naming the flag.
    """
    readers: dict[str, Callable[[Any], Any]] = {
        "tiers": tiers_of,
        "models": frozenset,
        "max_size": Size,
        "dollars": _dollars,
        "expires": partial(_expires, now=now),
        "admin": bool,
        "retired": RetiredPolicy,
        **{name: partial(_count, flag=_flag(name)) for name in _COUNTS},
    }
    given = {name: options.pop(name) for name in readers}
    return {
        name: None if words in (NONE, (NONE,)) else readers[name](words)
        for name, words in given.items()
        if words not in (None, ())
    }


def seconds_of(words: str, flag: str) -> int:
    """A length of time, as 90s, 10m, 24h, 30d or 2w, in seconds. Raises InvalidRequest naming the flag."""
    found = _SPAN.fullmatch(words)
    if found is None:
        raise InvalidRequest(f"{flag} {words!r} is no length of time; write it like 90s, 10m, 24h, 30d or 2w")
    return int(found[1]) * _UNITS[found[2]]


def _dollars(words: str) -> DollarLimit:
    amount, slash, window = words.partition("/")
    if not slash:
        raise InvalidRequest(f"--dollars {words!r} names no window; write it like 5/hour, 20/day or 100/30d")
    seconds = _WINDOWS[window] if window in _WINDOWS else seconds_of(window, "the window of --dollars")
    return DollarLimit(amount=amount_of(amount, "--dollars"), seconds=seconds)


def _expires(words: str, *, now: Micros) -> Micros:
    if _SPAN.fullmatch(words):
        return now + seconds_of(words, "--expires") * SECOND
    try:
        day = date.fromisoformat(words)
    except ValueError:
        raise InvalidRequest(
            f"--expires {words!r} is neither a day, as 2027-01-31, nor a time from now, as 90d"
        ) from None
    moment = to_micros(datetime.combine(day, time(), UTC))
    if moment <= now:
        raise InvalidRequest(f"--expires {words} has begun in UTC; to end a key now, use `keys revoke`")
    return moment


def _count(words: str, *, flag: str) -> int:
    if not (words.isascii() and words.isdecimal() and len(words) <= 9):
        raise InvalidRequest(f"{flag} {words!r} is no whole number; write it like 60, or none")
    return int(words)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
