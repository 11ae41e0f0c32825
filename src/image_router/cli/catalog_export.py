"""`catalog export`: what a run made, in a folder or a bucket."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from image_router.bulk.exporting import Exported
from image_router.cli.catalog_runs import catalog
from image_router.cli.failures import FINDINGS, OK
from image_router.cli.ledgers import show_json
from image_router.cli.options import json_option, settings_from, settings_options
from image_router.runs import open_runs

__all__ = ["catalog"]


@catalog.command()
@click.argument("run_id", metavar="RUN")
@click.option("--to", required=True, metavar="FOLDER|URL", help="A folder, s3://…, gs://… or az://…")
@click.option("--no-sheets", is_flag=True, help="Draw no contact sheets.")
@click.option("--no-parquet", is_flag=True, help="Write the manifest as JSON lines alone.")
@json_option
@settings_options
def export(run_id: str, to: str, *, no_sheets: bool, no_parquet: bool, as_json: bool, **options: Any) -> int:
    """Write the pictures of a run, with a manifest of every row.

    \b
    image-router catalog export products --to pictures/
    image-router catalog export products --to s3://shop/autumn

    Pictures are named by subject and picture, are as their models made them, and nothing is written over
    another picture; again writes what is missing. The manifest says where each row's picture is, what it was
    made from, what it cost, and why a row has none.
    """
    settings = settings_from(options)

    async def work() -> Exported:
        async with open_runs(settings) as runs:
            return await runs.export(run_id, to, sheets=not no_sheets, parquet=not no_parquet)

    done = asyncio.run(work())
    if as_json:
        show_json(
            {
                "rows": done.rows,
                "pictures": done.pictures,
                "sheets": done.sheets,
                "manifests": list(done.manifests),
                "without": done.without,
            }
        )
    else:
        click.echo(
            f"{done.pictures:,} pictures of {done.rows:,} rows in {to}, described in "
            f"{' and '.join(done.manifests)}; {done.sheets:,} contact sheets"
        )
        for problem in done.without:
            click.echo(f"note: {problem}", err=True)
    return FINDINGS.status if done.without else OK.status
