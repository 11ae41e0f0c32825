"""What the money commands share: opened books, amounts and days from words, tables and CSV."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from image_router.cli import completing
from image_router.cli.options import Names, every, home_option, json_option, offline_option, settings_from
from image_router.core.errors import InvalidRequest
from image_router.core.money import Nanos, parse_usd
from image_router.core.statement import Period, period_of
from image_router.engine.statement_views import csv_text

# Opening the books takes half a second to import: reading --help or pressing Tab must not.
if TYPE_CHECKING:
    from image_router.books import Books

T = TypeVar("T")

books_options = every(offline_option, home_option)

scope_filter = click.option(
    "--scope",
    metavar="SCOPE",
    shell_complete=completing.scopes,
    help="This scope and all below it. Default: every scope.",
)

who_option = click.option(
    "--who", metavar="NAME", help="Who does this, for the record. Default: your user and host."
)

zone_option = click.option(
    "--zone", default="UTC", show_default=True, metavar="ZONE", help="Whose days, as Europe/Berlin."
)

period_options = every(
    click.option("--from", "first", metavar="DATE", help="First day that counts, as 2026-11-01."),
    click.option("--to", "last", metavar="DATE", help="Last day that counts."),
    zone_option,
)

format_options = every(
    click.option("--format", "form", type=Names(("table", "json", "csv")), help="Default: table."),
    json_option,
)


def with_books(options: dict[str, Any], work: Callable[[Books], Awaitable[T]]) -> T:
    """Run a command's work on the books its settings name."""
    from image_router.books import open_books

    settings = settings_from(options)

    async def opened() -> T:
        async with open_books(settings) as books:
            return await work(books)

    return asyncio.run(opened())


def who_of(said: str | None) -> str:
    """Who is written down. Raises InvalidRequest for an empty name."""
    from image_router.books import somebody

    if said is not None and not said.strip():
        raise InvalidRequest("--who is empty; name a person or a program, or leave it out")
    return said.strip() if said else somebody()


def amount_of(words: str, flag: str) -> Nanos:
    """Dollars as the command line has them. Raises InvalidRequest naming the flag."""
    return parse_usd(words, name=flag)


def take_period(options: dict[str, Any], *, scope: str | None = None) -> tuple[Period, str]:
    """The period of a command's options, and its time zone."""
    first, last, zone = options.pop("first"), options.pop("last"), options.pop("zone")
    return period_of(_day(first, "--from"), _day(last, "--to"), zone=zone, scope=scope), zone


def take_form(options: dict[str, Any]) -> str:
    """table, json or csv. Raises InvalidRequest where --json and another --format are both given."""
    form, as_json = options.pop("form"), options.pop("as_json")
    if as_json and form not in (None, "json"):
        raise InvalidRequest(f"--json and --format {form} are both given; choose one")
    return "json" if as_json else form or "table"


def show_json(view: Any) -> None:
    click.echo(json.dumps(view, indent=2, ensure_ascii=False))


def show_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    click.echo(csv_text(head, rows), nl=False)


def show_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1, sum_row: bool = False
) -> None:
    """A plain table; the first `left` columns are words, the others figures. `sum_row`: the last is bold."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, name in enumerate(head):
        table.add_column(name, justify="left" if place < left else "right", overflow="fold")
    rows = list(rows)
    for place, row in enumerate(rows):
        table.add_row(*row, style="bold" if sum_row and place == len(rows) - 1 else None)
    Console(width=_width(head, rows), highlight=False, soft_wrap=True).print(table)


def _width(head: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    columns = zip(head, *rows, strict=True)
    return max(100, sum(max(map(len, column)) + 2 for column in columns))


def _day(words: str | None, flag: str) -> date | None:
    if words is None:
        return None
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise InvalidRequest(f"{flag} {words!r} is no day; write it like 2026-11-22") from None
