"""`catalog run`, and what is done with runs that there are."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.live import Live

from image_router.bulk.orchestrator import check_installed
from image_router.bulk.parts import Bulk, opened
from image_router.bulk.planning import RowProblem
from image_router.bulk.run_views import run_line, run_view
from image_router.bulk.runs import new_run
from image_router.bulk.tables import open_table
from image_router.bulk.working import working
from image_router.cli.batch_times import promise_of, promise_options
from image_router.cli.catalog import (
    catalog,
    check_columns,
    plan_options,
    planner,
    template_named,
)
from image_router.cli.failures import INTERRUPTED, OK, PARTIAL
from image_router.cli.options import every, json_option, settings_from, settings_options
from image_router.cli.spending import Manner, Price, confirm
from image_router.config import Settings
from image_router.core.errors import InvalidRequest
from image_router.core.money import parse_usd
from image_router.core.run_plan import Sums
from image_router.core.runs import RowState, Run, RunKind, RunState, RunTerms
from image_router.core.types import OnAmbiguous
from image_router.runs import bulk_of, rows_to_make

__all__ = ["catalog"]

LOOK: Final = 1.0
"""Seconds between looks at a run that is watched."""
T = TypeVar("T")


@catalog.command()
@plan_options
@click.option("--name", help="Of the run, for people. Default: the table's.")
@click.option("--max-cost", metavar="DOLLARS", help="Pause before the whole run would spend more.")
@promise_options
@click.option("--yes", is_flag=True, help="Spend without asking, whatever the quote.")
@click.option("--detach", is_flag=True, help="Leave the work to workers (`image-router worker`).")
@click.option("--approve-references", is_flag=True, help="Wait with variants until `catalog approve`.")
@click.option("--priority", type=click.IntRange(1, 2000), default=100, show_default=True, help="Lower first.")
@click.option(
    "--on-ambiguous",
    "unclear",
    type=click.Choice([each.value for each in OnAmbiguous]),
    default=OnAmbiguous.ASK.value,
    show_default=True,
    help="What to do about calls that may have been paid and brought nothing.",
)
@json_option
def run(table: Path, template: str, lane: str | None, as_json: bool, **options: Any) -> int:
    """Make every picture of a table, resumed after anything.

    \b
    image-router catalog run products.csv --template ecommerce --max-cost 40
    image-router catalog run products.csv --template ecommerce --yes --detach

    It is planned first, and asks above a price. The same table again goes on where it was: Ctrl-C, a crash
    or a closed laptop lose nothing. Run it again, or let a worker do it. The run pauses when budget, quota or
    credentials are out, says why, and goes on.
    """
    terms = _terms(options)
    manner = Manner(yes=options.pop("yes"), preview=False, as_json=as_json)
    name, detach = options.pop("name") or table.stem, options.pop("detach")
    settings = settings_from(options)
    chosen = template_named(template, settings)
    if not detach:
        check_installed()

    async def work(bulk: Bulk) -> Run:
        sums, problems = Sums(), list[RowProblem]()
        new = new_run(name, RunKind.CATALOG, scope=settings.scope, profile=settings.profile, terms=terms)
        async with planner(settings, chosen, table=table, lane=lane) as ready:
            with open_table(table) as source:
                check_columns(chosen, source.columns, table=table)
                rows = rows_to_make(ready.plan(source.lines, sums), problems=problems)
                planned = await bulk.runs.plan(new, rows)
        for problem in problems:
            click.echo(f"left out: {problem}", err=True)
        if planned.state is RunState.PLANNED:
            await allowed(bulk, planned, sums=sums, settings=settings, manner=manner)
        going = await bulk.runs.go(planned.id)
        if detach:
            return going
        async with working(bulk):
            return await _watched(bulk, going.id, quiet=as_json)

    return _told(settings, work, as_json=as_json)


async def allowed(bulk: Bulk, run: Run, *, sums: Sums, settings: Settings, manner: Manner) -> None:
    """Ask above a price; a run that nobody wants is forgotten."""
    wanted = False
    try:
        if not sums.rows:
            raise InvalidRequest("no line of it can be made; `catalog plan` says why")
        ceiling = min(sums.ceiling, run.terms.max_cost or sums.ceiling)
        confirm(Price(expected=sums.quote, ceiling=ceiling), above=settings.confirm_above, manner=manner)
        wanted = True
    finally:
        if not wanted:
            await bulk.runs.drop(run.id)


def _terms(options: dict[str, Any]) -> RunTerms:
    cap = options.pop("max_cost")
    return RunTerms(
        max_cost=parse_usd(cap, name="max-cost") if cap is not None else None,
        on_ambiguous=OnAmbiguous(options.pop("unclear")),
        approve_references=options.pop("approve_references"),
        priority=options.pop("priority"),
        **promise_of(options),
    )


run_argument = every(click.argument("run_id", metavar="RUN"), json_option, settings_options)


@catalog.command()
@run_argument
def status(run_id: str, as_json: bool, **options: Any) -> int:
    """How far a run is, what it spent, and why it stands still.

    \b
    image-router catalog status run_1f2e3d4c5b6a
    """
    return _told(settings_from(options), lambda bulk: bulk.runs.get(run_id), as_json=as_json)


@catalog.command()
@run_argument
def watch(run_id: str, as_json: bool, **options: Any) -> int:
    """Show a run live until it is over or stands still.

    \b
    image-router catalog watch products

    It makes nothing itself: `catalog resume`, or workers, do.
    """

    async def work(bulk: Bulk) -> Run:
        return await _watched(bulk, (await bulk.runs.get(run_id)).id, quiet=as_json)

    return _told(settings_from(options), work, as_json=as_json)


@catalog.command()
@run_argument
def pause(run_id: str, as_json: bool, **options: Any) -> int:
    """Finish what is under way and begin nothing more.

    \b
    image-router catalog pause products
    """
    return _told(settings_from(options), lambda bulk: bulk.runs.pause(run_id), as_json=as_json)


@catalog.command()
@run_argument
@click.option("--max-cost", metavar="DOLLARS", help="Another cap for the whole run.")
@click.option("--detach", is_flag=True, help="Leave the work to workers (`image-router worker`).")
def resume(run_id: str, as_json: bool, max_cost: str | None, detach: bool, **options: Any) -> int:
    """Go on with a run, here or in workers.

    \b
    image-router catalog resume products --max-cost 60
    """
    cap = parse_usd(max_cost, name="max-cost") if max_cost is not None else None

    async def work(bulk: Bulk) -> Run:
        run = await bulk.runs.resume(run_id, max_cost=cap)
        return run if detach else await _made_here(bulk, run, quiet=as_json)

    return _told(settings_from(options), work, as_json=as_json)


@catalog.command()
@run_argument
def cancel(run_id: str, as_json: bool, **options: Any) -> int:
    """End a run; what was sent is settled and kept.

    \b
    image-router catalog cancel products

    The rest is never sent.
    """
    return _told(settings_from(options), lambda bulk: bulk.runs.cancel(run_id), as_json=as_json)


@catalog.command("retry-failed")
@run_argument
@click.option("--unknown", is_flag=True, help="Also what may have been paid, and may then be paid twice.")
@click.option("--detach", is_flag=True, help="Leave the work to workers (`image-router worker`).")
def retry_failed(run_id: str, as_json: bool, unknown: bool, detach: bool, **options: Any) -> int:
    """Try once more what failed.

    \b
    image-router catalog retry-failed products
    """

    async def work(bulk: Bulk) -> Run:
        again = await bulk.runs.retry_failed(run_id, unknown=unknown)
        click.echo(f"{again:,} rows are tried again", err=True)
        run = await bulk.runs.get(run_id)
        return run if detach or not again else await _made_here(bulk, run, quiet=as_json)

    return _told(settings_from(options), work, as_json=as_json)


@catalog.command()
@run_argument
@click.option("--reject", multiple=True, metavar="SUBJECT", help="Make no variants of it. Repeatable.")
@click.option("--detach", is_flag=True, help="Leave the work to workers (`image-router worker`).")
def approve(run_id: str, as_json: bool, reject: tuple[str, ...], detach: bool, **options: Any) -> int:
    """The references are as they should be: make their variants.

    \b
    image-router catalog approve products --reject mug-7
    """

    async def work(bulk: Bulk) -> Run:
        run = await bulk.runs.approve(run_id, rejected=reject)
        return run if detach else await _made_here(bulk, run, quiet=as_json)

    return _told(settings_from(options), work, as_json=as_json)


@catalog.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
@settings_options
def list_runs(limit: int, as_json: bool, **options: Any) -> int:
    """The newest runs.

    \b
    image-router catalog list
    """

    async def work(bulk: Bulk) -> int:
        runs = await bulk.runs.listed(kind=RunKind.CATALOG, limit=limit)
        told = [(each, await bulk.runs.progress(each.id)) for each in runs]
        if as_json:
            click.echo(json.dumps([run_view(*each) for each in told], indent=2, ensure_ascii=False))
        for each in () if as_json else told:
            click.echo(f"{each[0].name}: {run_line(*each)}")
        return OK.status

    return asyncio.run(_with(settings_from(options), work))


async def _made_here(bulk: Bulk, run: Run, *, quiet: bool) -> Run:
    async with working(bulk):
        return await _watched(bulk, run.id, quiet=quiet)


async def _watched(bulk: Bulk, run_id: str, *, quiet: bool) -> Run:
    """Until it is over, or stands still and would not go on by itself."""
    stood = False
    with _live(quiet) as tell:
        while True:
            run = await bulk.runs.get(run_id)
            line = run_line(run, await bulk.runs.progress(run_id))
            tell(line)
            if run.state is RunState.PAUSED and not stood and run.resumes_at is not None:
                click.echo(f"{line}; it goes on by itself", err=True)
            stood = run.state is RunState.PAUSED
            waits = run.state is RunState.PAUSED and run.resumes_at is None
            if waits or run.state in (RunState.DONE, RunState.CANCELLED):
                return run
            await asyncio.sleep(LOOK)


class _live:  # noqa: N801 (read as a word of the language)
    """A line that is written over, where somebody watches."""

    def __init__(self, quiet: bool) -> None:
        self._live = Live(console=Console(stderr=True), transient=True, refresh_per_second=4)
        self._shown = not quiet and sys.stderr.isatty()

    def __enter__(self) -> Callable[[str], None]:
        if self._shown:
            self._live.start()
        return lambda line: self._live.update(line) if self._shown else None

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._live.stop()


def _told(settings: Settings, work: Callable[[Bulk], Awaitable[Run]], *, as_json: bool) -> int:
    """Do it and say how the run stands; what failed shows in the exit code."""

    async def told(bulk: Bulk) -> int:
        run = await work(bulk)
        progress = await bulk.runs.progress(run.id)
        if as_json:
            click.echo(json.dumps(run_view(run, progress), indent=2, ensure_ascii=False))
        else:
            click.echo(run_line(run, progress))
        missing = progress.states.keys() & {RowState.FAILED, RowState.UNKNOWN}
        return PARTIAL.status if missing and run.state is RunState.DONE else OK.status

    try:
        return asyncio.run(_with(settings, told))
    except KeyboardInterrupt:
        click.echo("stopped; nothing is lost: `catalog resume`, or the same command, goes on", err=True)
        raise click.exceptions.Exit(INTERRUPTED.status) from None


async def _with(settings: Settings, work: Callable[[Bulk], Coroutine[Any, Any, T]]) -> T:
    async with opened(bulk_of(settings)) as bulk:
        return await work(bulk)
