"""By when rows of the batch lane must be there, as people say it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

import click

from image_router.cli.options import every
from image_router.core.budget import to_micros
from image_router.core.errors import InvalidRequest
from image_router.core.money import parse_usd

_SPAN: Final = re.compile(r"(\d+)\s*(m|h|d)")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


promise_options = every(
    click.option("--by", metavar="TIME", help="When batch rows must be there: 06:00, or 2026-12-24T06:00."),
    click.option("--within", metavar="SPAN", help="The same as a span: 90m, 8h, 2d."),
    click.option(
        "--replacement", metavar="DOLLARS", help="The most a picture may cost that replaces a late one."
    ),
)


def promise_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take the promise out of a command's options: fields of RunTerms."""
    most = options.pop("replacement")
    by = promised(options.pop("by"), options.pop("within"), now=datetime.now().astimezone())
    return {
        "replacement": None if most is None else parse_usd(most, name="replacement"),
        "by": None if by is None else to_micros(by),
    }


def promised(by: str | None, within: str | None, *, now: datetime) -> datetime | None:
    """The moment that was said, of day or of the clock. Raises InvalidRequest for none, and for the past."""
    if by is not None and within is not None:
        raise InvalidRequest("--by and --within both say when it must be there; give one of them")
    if within is not None:
        found = _SPAN.fullmatch(within.strip())
        if found is None:
            raise InvalidRequest(f"--within {within!r} is no span; write it like 90m, 8h or 2d")
        return now + int(found[1]) * _UNITS[found[2]]
    if by is None:
        return None
    try:
        moment = datetime.fromisoformat(by if len(by) > 5 else f"{now:%Y-%m-%d}T{by}")
    except ValueError:
        raise InvalidRequest(f"--by {by!r} is no time; write it like 06:00 or 2026-12-24T06:00") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
    if moment <= now and len(by) <= 5:
        moment += timedelta(days=1)
    if moment <= now:
        raise InvalidRequest(f"--by {by} is past")
    return moment
