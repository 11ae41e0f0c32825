"""`models` and `models check`: what every model can do, costs and how long it lives."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import click
from rich.console import Console, JustifyMethod
from rich.table import Table

from image_router.aio import ImageRouter
from image_router.cli.facts_of import known
from image_router.cli.failures import FINDINGS, OK
from image_router.cli.model_check import Finding, compare, examine
from image_router.cli.model_rows import as_markdown
from image_router.cli.options import day_options, json_option, settings_from, settings_options
from image_router.config import Settings
from image_router.engine.model_rows import Known, Row, matrix_view, rows

_NARROW: Final = ("model", "serves", "list price", "batch", "refs", "text")
_WIDE: Final = ("sizes", "ratios", "context", "thinking", "grounding", "watermark")


@click.group(invoke_without_command=True)
@click.option("--wide", is_flag=True, help="More columns; for terminals wider than 100 characters.")
@click.option("--markdown", is_flag=True, help="Print every column, as Markdown tables.")
@json_option
@day_options
@click.pass_context
def models(ctx: click.Context, /, wide: bool, markdown: bool, as_json: bool, **options: Any) -> None:
    """Capabilities, list prices and life of every model, and the tiers each serves on the day.

    \b
    image-router models
    image-router models --as-of 2026-04-09
    image-router models --wide
    image-router models --json
    image-router models check --offline

    The table has what fits 100 characters; --wide, --markdown and --json tell the rest.
    """
    if ctx.invoked_subcommand:
        return
    facts = known(settings_from(options))
    if as_json:
        click.echo(json.dumps(matrix_view(facts), indent=2, ensure_ascii=False))
    elif markdown:
        click.echo(as_markdown(facts), nl=False)
    else:
        console = Console(width=None if wide else 100, highlight=False)
        console.print(_table(facts, wide=wide))
        console.print(
            f"Day {facts.day}. List prices of the rate card of {facts.card.day}: {facts.card.source}."
        )


@models.command(short_help="Compare the catalog with what your key is served.")
@json_option
@settings_options
def check(as_json: bool, **options: Any) -> int:
    """Compare the catalog with what the provider lists and, by a free probe, serves to your key.

    \b
    image-router models check
    image-router models check --offline --as-of 2026-06-01

    Exit code 1 when a model in use is missing or retired; what lives on or is new leaves it 0. Each finding
    says what to do.
    """
    settings = settings_from(options)
    findings = asyncio.run(_check(settings))
    if as_json:
        click.echo(json.dumps({"findings": [finding.view() for finding in findings]}, indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.kind:<10} {finding.model}: {finding.detail}\n{'':11}{finding.advice}")
        click.echo(_told(len(findings)))
    return FINDINGS.status if any(finding.kind.is_trouble for finding in findings) else OK.status


def _told(count: int) -> str:
    if not count:
        return "the catalog and the provider agree"
    return "1 finding" if count == 1 else f"{count} findings"


async def _check(settings: Settings) -> list[Finding]:
    facts = known(settings)
    async with ImageRouter(settings) as router:
        listed, entitled = await examine(router.provider, facts)
    return compare(facts, listed, entitled=entitled)


def _table(facts: Known, *, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", row_styles=["", "dim"])
    for name in _NARROW + (_WIDE if wide else ()):
        justify: JustifyMethod = "right" if name in ("refs", "ratios") else "left"
        table.add_column(name, justify=justify, no_wrap=name == "model")
    for row in rows(facts):
        heir = f"\n→ {row.successor}" if row.successor else ""
        cells = [
            f"{row.model.id}\n{row.life}{heir}",
            "\n".join(row.serves) or "–",
            row.list_prices.replace("; ", "\n"),
            row.batch_prices.replace("; ", "\n"),
            str(row.model.references.total),
            row.model.text_rendering.value,
        ]
        table.add_row(*cells, *(_more(row) if wide else ()))
    return table


def _more(row: Row) -> tuple[str, ...]:
    model = row.model
    return (
        ", ".join(model.sizes) + (f"\n{row.claimed}" if row.claimed else ""),
        str(len(model.pixels)),
        model.context,
        ", ".join(model.thinking) or "–",
        ", ".join(model.grounding) or "–",
        model.watermark,
    )
