"""`batch`: plain lists of requests, made overnight at half price."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any, Final

import click

from image_router.bulk.orchestrator import check_installed
from image_router.bulk.parts import Bulk, opened
from image_router.bulk.planning import RowProblem
from image_router.bulk.run_views import run_line, run_view
from image_router.bulk.runs import new_run
from image_router.bulk.tables import open_table
from image_router.bulk.working import working
from image_router.cli.batch_lines import list_lines, list_template
from image_router.cli.batch_times import promise_of, promise_options
from image_router.cli.batch_views import (
    as_openai,
    each_row,
    file_name,
    job_line,
    job_view,
    picture_of,
    row_view,
)
from image_router.cli.catalog import planner, template_named
from image_router.cli.catalog_runs import allowed
from image_router.cli.failures import INTERRUPTED, OK, PARTIAL
from image_router.cli.options import (
    every,
    json_option,
    scope_option,
    settings_from,
    settings_options,
)
from image_router.cli.spending import Manner
from image_router.config import Settings
from image_router.core.money import parse_usd
from image_router.core.run_plan import Sums
from image_router.core.runs import OVER, RowState, Run, RunKind, RunState, RunTerms
from image_router.core.types import Lane
from image_router.engine.media import save
from image_router.runs import bulk_of, rows_to_make
from image_router.storage.remote_jobs import RemoteJobs
from image_router.storage.remote_jobs_tables import AT_PROVIDER

LOOK: Final = 1.0
FORGETS: Final = (
    "note: the emulator ends with this command and forgets the jobs; stay with --wait, or start "
    "`image-router emulator` and name it with IMAGE_ROUTER_EMULATOR_URL"
)
Work = Callable[[Bulk], Awaitable[Run]]


@click.group()
def batch() -> None:
    """Plain lists of requests at half price, within a day, or by the time you say.

    \b
    image-router batch submit prompts.csv --within 8h
    image-router batch results prompts --output pictures/
    """


@batch.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Of the batch, for people. Default: the file's.")
@promise_options
@click.option("--max-cost", metavar="DOLLARS", help="Pause before the whole batch would spend more.")
@click.option("--yes", is_flag=True, help="Spend without asking, whatever the quote.")
@click.option("--detach", is_flag=True, help="Leave all of it to workers (`image-router worker`).")
@click.option("--wait", is_flag=True, help="Stay until it is over.")
@scope_option
@settings_options
@json_option
def submit(file: Path, as_json: bool, detach: bool, wait: bool, **options: Any) -> int:
    """Hand a list to the provider's Batch API.

    \b
    image-router batch submit prompts.csv --max-cost 20
    image-router batch submit openai-batch.jsonl --by 06:00 --replacement 0.14

    FILE is .csv, .tsv, .parquet or .jsonl with columns as `image-router generate` has options (prompt,
    purpose, size, aspect, tier, model, text, seed, references, key), or OpenAI's Batch JSONL of image
    requests. The command ends when the provider has the jobs; `batch watch` or `batch results` fetch what
    they made, within two days. With --by or --within, jobs that are late are cancelled in time and their
    rows made at once.
    """
    terms = _terms(options)
    manner = Manner(yes=options.pop("yes"), preview=False, as_json=as_json)
    name = options.pop("name") or file.stem
    settings = settings_from(options)
    if not detach:
        check_installed()

    async def work(bulk: Bulk) -> Run:
        sums, problems = Sums(), list[RowProblem]()
        new = new_run(name, RunKind.BATCH, scope=settings.scope, profile=settings.profile, terms=terms)
        template = list_template(template_named("plain", settings))
        async with planner(settings, template, table=file, lane=Lane.BATCH) as ready:
            with open_table(file) as source:
                planned = ready.plan(list_lines(source.lines), sums)
                rows = rows_to_make(planned, problems=problems)
                run = await bulk.runs.plan(new, rows)
        for problem in problems:
            click.echo(f"left out: {problem}", err=True)
        if run.state is RunState.PLANNED:
            await allowed(bulk, run, sums=sums, settings=settings, manner=manner)
        run = await bulk.runs.go(run.id)
        if detach:
            return run
        async with working(bulk):
            run = await _until(bulk, run.id, _over if wait else _handed_over)
        if settings.offline and settings.emulator_url is None and run.state is RunState.RUNNING:
            click.echo(FORGETS, err=True)
        return run

    return _told(settings, work, as_json=as_json)


def _terms(options: dict[str, Any]) -> RunTerms:
    cap = options.pop("max_cost")
    return RunTerms(max_cost=None if cap is None else parse_usd(cap, name="max-cost"), **promise_of(options))


batch_argument = every(click.argument("batch_id", metavar="BATCH"), json_option, settings_options)


@batch.command()
@batch_argument
def status(batch_id: str, as_json: bool, **options: Any) -> int:
    """How far a batch is, job by job.

    \b
    image-router batch status prompts
    """
    return _told(settings_from(options), lambda bulk: bulk.runs.get(batch_id), as_json=as_json, jobs=True)


@batch.command()
@batch_argument
def watch(batch_id: str, as_json: bool, **options: Any) -> int:
    """Stay with a batch and fetch what comes.

    \b
    image-router batch watch prompts
    """

    async def work(bulk: Bulk) -> Run:
        run = await bulk.runs.get(batch_id)
        async with working(bulk):
            return await _until(bulk, run.id, _over)

    return _told(settings_from(options), work, as_json=as_json)


@batch.command()
@batch_argument
def cancel(batch_id: str, as_json: bool, **options: Any) -> int:
    """Cancel a batch; what it made is kept.

    \b
    image-router batch cancel prompts
    """

    async def work(bulk: Bulk) -> Run:
        run = await bulk.runs.cancel(batch_id)
        async with working(bulk):
            return await _until(bulk, run.id, _nothing_out)

    return _told(settings_from(options), work, as_json=as_json)


@batch.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
@settings_options
def list_batches(limit: int, as_json: bool, **options: Any) -> int:
    """The newest batches.

    \b
    image-router batch list
    """

    async def work() -> int:
        async with opened(bulk_of(settings_from(options))) as bulk:
            runs = await bulk.runs.listed(kind=RunKind.BATCH, limit=limit)
            told = [(each, await bulk.runs.progress(each.id)) for each in runs]
        if as_json:
            click.echo(json.dumps([run_view(*each) for each in told], indent=2, ensure_ascii=False))
        for run, progress in () if as_json else told:
            click.echo(f"{run.name}: {run_line(run, progress)}")
        return OK.status

    return asyncio.run(work())


@batch.command()
@batch_argument
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Save the pictures there.")
@click.option(
    "--openai", type=click.File("w", encoding="utf-8"), help="Write OpenAI's Batch output to a file."
)
def results(batch_id: str, as_json: bool, output: Path | None, openai: IO[str] | None, **options: Any) -> int:
    """What came of every row, as lines of JSON.

    \b
    image-router batch results prompts --output pictures/
    image-router batch results prompts --openai answers.jsonl
    """

    async def work(bulk: Bulk) -> Run:
        run = await bulk.runs.get(batch_id)
        if run.ended_at is None:
            async with working(bulk):
                await _until(bulk, run.id, _handed_over)
        async for row in each_row(bulk, run):
            data = await picture_of(bulk, row) if output or openai else None
            path = save(data, output / file_name(row), overwrite=True) if output and data else None
            click.echo(json.dumps(row_view(row, path), ensure_ascii=False))
            if openai is not None:
                openai.write(json.dumps(as_openai(row, data)) + "\n")
        return await bulk.runs.get(run.id)

    return _told(settings_from(options), work, as_json=as_json, quiet=True)


Ready = Callable[[Bulk, Run], Awaitable[bool]]


async def _until(bulk: Bulk, run_id: str, ready: Ready) -> Run:
    """Take part until then, or until the run stands still and would not go on by itself."""
    while True:
        run = await bulk.runs.get(run_id)
        stands = run.state is RunState.PAUSED and run.resumes_at is None
        if stands or await ready(bulk, run):
            return run
        await asyncio.sleep(LOOK)


async def _over(bulk: Bulk, run: Run) -> bool:
    return run.state in (RunState.DONE, RunState.CANCELLED)


async def _handed_over(bulk: Bulk, run: Run) -> bool:
    """Nothing is left to do but to wait for the provider."""
    if await _over(bulk, run):
        return True
    now, jobs = await RemoteJobs(bulk.db).now(), await RemoteJobs(bulk.db).of_run(run.id)
    out = [job for job in jobs if job.ended_at is None]
    states = (await bulk.runs.progress(run.id)).states
    moving = sum(count for state, count in states.items() if state not in OVER and state is not RowState.SENT)
    return bool(out) and not moving and all(job.state in AT_PROVIDER and job.look_at > now for job in out)


async def _nothing_out(bulk: Bulk, run: Run) -> bool:
    jobs = await RemoteJobs(bulk.db).of_run(run.id)
    return all(job.ended_at is not None or (job.given_up_at and job.looks) for job in jobs)


def _told(settings: Settings, work: Work, *, as_json: bool, jobs: bool = False, quiet: bool = False) -> int:
    """Do it and say how the batch stands; what failed shows in the exit code."""

    async def told() -> int:
        async with opened(bulk_of(settings)) as bulk:
            run = await work(bulk)
            progress = await bulk.runs.progress(run.id)
            out = await RemoteJobs(bulk.db).of_run(run.id) if jobs else []
        if as_json and not quiet:
            view = run_view(run, progress) | ({"jobs": [job_view(job) for job in out]} if jobs else {})
            click.echo(json.dumps(view, indent=2, ensure_ascii=False))
        else:
            click.echo(run_line(run, progress), err=quiet)
            for job in out:
                click.echo(f"  {job_line(job)}")
        missing = progress.states.keys() & {RowState.FAILED, RowState.UNKNOWN}
        return PARTIAL.status if missing and run.state is RunState.DONE else OK.status

    try:
        return asyncio.run(told())
    except KeyboardInterrupt:
        click.echo("stopped; nothing is lost: `batch watch` or `batch results` goes on", err=True)
        raise click.exceptions.Exit(INTERRUPTED.status) from None
