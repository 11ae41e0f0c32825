"""`worker`: a process that makes the chunks of all runs of a database, until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import click

from image_router.bulk.executors import TTL
from image_router.bulk.parts import opened
from image_router.bulk.working import DRAIN, SLOTS, Terms, working
from image_router.cli.failures import OK
from image_router.cli.options import settings_from, settings_options
from image_router.config import Settings
from image_router.runs import bulk_of
from image_router.wiring import start_logging


@click.command()
@click.option("--slots", type=click.IntRange(1, 64), default=SLOTS, show_default=True, help="Chunks at once.")
@click.option(
    "--ttl",
    type=click.FloatRange(1.0),
    default=TTL,
    show_default=True,
    help="Seconds of silence after which others take over; the same for all workers.",
)
@click.option(
    "--drain",
    type=click.FloatRange(0.0),
    default=DRAIN,
    show_default=True,
    help="Seconds to finish what is under way after SIGTERM.",
)
@settings_options
def worker(slots: int, ttl: float, drain: float, **options: Any) -> int:
    """Make what runs ask for, with as many other workers as there are, on one machine or many.

    \b
    image-router worker
    IMAGE_ROUTER_DATABASE_URL=postgresql://db/router image-router worker --slots 8

    SIGTERM and Ctrl-C drain: pictures under way are finished and settled, the rest is left to others. A
    worker that stood still for longer than --ttl ends with exit code 70: others do its work by then.
    """
    settings = settings_from(options)
    start_logging(settings)
    asyncio.run(work(settings, Terms(slots=slots, ttl=ttl, drain=drain)))
    return OK.status


async def work(settings: Settings, terms: Terms) -> None:
    """Take part until SIGTERM or SIGINT."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, ending.set)
    async with opened(bulk_of(settings)) as bulk, working(bulk, terms):
        click.echo(f"worker {bulk.executor.id} takes part in {bulk.db.name}", err=True)
        await ending.wait()
        click.echo("draining", err=True)
