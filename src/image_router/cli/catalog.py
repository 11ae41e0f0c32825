"""`catalog`: tables of products in, pictures out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from image_router import facts
from image_router.aio import ImageRouter
from image_router.books import open_books, there_are_books
from image_router.bulk.planning import Planner, RowProblem
from image_router.bulk.tables import open_table
from image_router.cli.failures import FINDINGS, OK
from image_router.cli.options import (
    Names,
    every,
    home_option,
    json_option,
    scope_option,
    settings_from,
    settings_options,
)
from image_router.config import Settings
from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.money import show_usd
from image_router.core.run_plan import Estimate, Sums, estimates
from image_router.core.template import Template
from image_router.core.types import Lane
from image_router.engine.plan_views import plan_view
from image_router.engine.pool import UNSTATED
from image_router.wiring import traffic_rules_of

_SHOWN: Final = 10
"""Lines left out that are told one by one."""
_EVERY: Final = 1_000
"""Rows between looks at the progress line."""


@click.group()
def catalog() -> None:
    """Tables of products in, pictures out: planned with a price, run unattended, resumed after anything.

    \b
    image-router catalog plan products.csv --template ecommerce
    image-router catalog run products.csv --template ecommerce --max-cost 40
    image-router catalog status products
    image-router catalog export products --to pictures/
    """


plan_options = every(
    click.argument("table", type=click.Path(path_type=Path)),
    click.option(
        "--template",
        default="plain",
        show_default=True,
        metavar="NAME|FILE",
        help="What is made of each line: see `catalog templates`, or a file of your own.",
    ),
    click.option("--lane", type=Names(Lane), help="Of every row, whatever the table says."),
    scope_option,
    settings_options,
)


@catalog.command()
@plan_options
@click.option("--problems", metavar="FILE", help="Write every line that is left out to FILE, as JSONL.")
@json_option
def plan(
    table: Path, template: str, lane: str | None, problems: str | None, as_json: bool, **options: Any
) -> int:
    """Validate every line, decide and quote every picture. Spends nothing.

    \b
    image-router catalog plan products.csv --template ecommerce
    image-router catalog plan scenes.jsonl --lane batch --problems left-out.jsonl
    image-router catalog plan products.parquet --template mine.toml --json

    TABLE is .csv, .tsv, .jsonl or .parquet. Rows equal to one before them, and rows whose picture was made
    before, are priced at zero. Lines that are wrong are left out and told with their number; the exit code
    says so.
    """
    settings = settings_from(options)
    chosen = template_named(template, settings)
    sums = Sums()
    with _left_out(problems) as note, _progress(as_json) as progress:

        async def work() -> None:
            async with planner(settings, chosen, table=table, lane=lane) as ready:
                with open_table(table) as opened:
                    check_columns(chosen, opened.columns, table=table)
                    async for row in ready.plan(opened.lines, sums):
                        if isinstance(row, RowProblem):
                            note(row)
                        elif row.number % _EVERY == 0:
                            progress(sums)

        asyncio.run(work())
    times = times_of(sums, settings)
    if as_json:
        first = [problem_view(one) for one in note.first]
        click.echo(json.dumps(plan_view(sums, times, problems=first), indent=2, ensure_ascii=False))
    else:
        _print(sums, times, note.first)
    return FINDINGS.status if sums.lines_left_out else OK.status


@catalog.command()
@click.argument("name", required=False)
@json_option
@home_option
def templates(name: str | None, as_json: bool, **options: Any) -> None:
    """The templates there are, or one of them as a file.

    \b
    image-router catalog templates
    image-router catalog templates ecommerce > mine.toml

    A file is how a template of your own begins.
    """
    home = settings_from(options).home
    known = facts.load_templates(home)
    if name is None and as_json:
        view = {
            called: {"description": each.description, "columns": each.missing(())}
            for called, each in known.items()
        }
        click.echo(json.dumps(view, indent=2, ensure_ascii=False))
    elif name is None:
        for called, each in known.items():
            click.echo(click.style(called, bold=True))
            click.echo(
                click.wrap_text(each.description, width=96, initial_indent="  ", subsequent_indent="  ")
            )
    elif name not in known:
        raise InvalidRequest(f"template {name!r} is not one of {', '.join(sorted(known))}")
    else:
        click.echo(facts.template_text(home, name), nl=False)


def template_named(name: str, settings: Settings) -> Template:
    """A shipped or own one by its name, else a file. Raises InvalidRequest, ConfigError."""
    known = facts.load_templates(settings.home)
    if name in known:
        return known[name]
    if not name.endswith(".toml"):
        raise InvalidRequest(
            f"template {name!r} is not one of {', '.join(sorted(known))}, nor a .toml file of your own"
        )
    return facts.load_template(Path(name))


def check_columns(template: Template, columns: tuple[str, ...], *, table: Path) -> None:
    """Refuse a table whose header lacks what every line would need."""
    missing = template.missing(columns) if columns else ()
    if missing:
        raise InvalidRequest(
            f"template {template.name} needs column {', '.join(map(repr, missing))}, and {table} has "
            f"{', '.join(map(repr, columns))}; rename a column, or copy the template "
            f"(`catalog templates {template.name}`) and change it"
        )


@asynccontextmanager
async def planner(
    settings: Settings, template: Template, *, table: Path, lane: str | None
) -> AsyncIterator[Planner]:
    """A planner that knows what was made before, where there are books."""
    async with ImageRouter(settings) as router:
        plain = Planner(
            decider=router,
            template=template,
            scope=settings.scope,
            folder=table.parent,
            lane=Lane(lane) if lane else None,
        )
        if not there_are_books(settings):
            yield plain
            return
        async with open_books(settings) as books:
            yield replace(plain, finished=lambda keys: books.finished(settings.scope, keys))


def times_of(sums: Sums, settings: Settings) -> tuple[Estimate, ...]:
    """How long each way takes at least."""
    rules = traffic_rules_of(settings)
    aim = facts.load_batch_limits(settings.home).aim
    return estimates(sums, lambda model: rules.limits(model, UNSTATED), aim=aim)


class _Notes:
    """Lines that are left out: the first for people, all of them for a file."""

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self.first: list[RowProblem] = []

    def __call__(self, problem: RowProblem) -> None:
        if len(self.first) < _SHOWN:
            self.first.append(problem)
        if self._file is not None:
            self._file.write(json.dumps(problem_view(problem), ensure_ascii=False) + "\n")


def problem_view(problem: RowProblem) -> dict[str, Any]:
    return {"line": problem.line, "column": problem.column, "reason": problem.reason}


@contextmanager
def _left_out(path: str | None) -> Iterator[_Notes]:
    if path is None:
        yield _Notes(None)
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            yield _Notes(file)
    except OSError as problem:
        raise AssetError(f"{path} cannot be written: {problem.strerror or problem}") from problem


@contextmanager
def _progress(silent: bool) -> Iterator[Callable[[Sums], None]]:
    """A line on stderr while somebody watches."""
    shown = Progress(
        SpinnerColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
        disable=silent or not sys.stderr.isatty(),
    )
    with shown:
        task = shown.add_task("reading")

        def tell(sums: Sums) -> None:
            shown.update(task, description=f"{sums.rows:,} rows, {show_usd(sums.quote)}")

        yield tell


def _print(sums: Sums, times: Sequence[Estimate], problems: Sequence[RowProblem]) -> None:
    console = Console(width=100, highlight=False)
    console.print(_ways(sums, times))
    console.print(_quote(sums))
    click.echo(
        f"{sums.rows:,} rows, {sums.priced:,} to make: {show_usd(sums.quote)} expected, "
        f"{show_usd(sums.ceiling)} at most\n"
        f"free: {sums.duplicates:,} that are equal to one before, {sums.finished:,} that were made before"
    )
    for note, rows in sums.notes.most_common():
        click.echo(f"note: {rows:,} rows: {note}")
    if sums.lines_left_out:
        many = sums.lines_left_out > 1
        click.echo(f"{sums.lines_left_out:,} {'lines are' if many else 'line is'} left out:", err=True)
        for problem in problems:
            click.echo(f"  {problem}", err=True)
        if sums.lines_left_out > len(problems):
            click.echo("  … and others; --problems FILE writes down all of them", err=True)


def _ways(sums: Sums, times: Sequence[Estimate]) -> Table:
    table = _table(("tier", "model", "lane"), ("rows", "quote", "takes at least"))
    took = {time.way: time for time in times}
    for share in sums.shares:
        way = share.way
        table.add_row(
            way.tier or "",
            way.model,
            way.lane,
            f"{share.rows:,}",
            show_usd(share.quote),
            _duration(took[way].seconds),
        )
    return table


def _quote(sums: Sums) -> Table:
    table = _table(("model", "what"), ("units", "rate", "amount"))
    for line in sums.lines:
        unit = f"{line.units:,} {line.unit}{'s' * (line.units != 1)}"
        table.add_row(line.model, line.kind, unit, show_usd(line.rate), show_usd(line.amount))
    table.add_row("total", "", "", "", show_usd(sums.quote), style="bold")
    return table


def _table(left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in left:
        table.add_column(name, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    if seconds < 60:
        return "a minute"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02d}" if hours else f"{minutes} min"
