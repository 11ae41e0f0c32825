"""`cost` and `pricing`: what a volume costs on each tier and on a mix, and every price as a sheet."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from image_router.cli import completing
from image_router.cli.charts import png, sparkline, svg
from image_router.cli.facts_of import known
from image_router.cli.mixes import mix_of
from image_router.cli.options import Names, day_options, json_option, settings_from
from image_router.cli.price_sheet import sheet_table
from image_router.core.dominance import Dominated, dominated
from image_router.core.economics import Basis, Market, Projection, TierPrice, projection, usd
from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.types import Lane, Size
from image_router.engine.price_views import sheet
from image_router.engine.projection_views import batch_saving, projection_csv, projection_view, share_percent
from image_router.storage.files import write_new, write_whole

_MOST_IMAGES = 1_000_000_000_000
_COUNT = re.compile(r"[0-9]+|[0-9]{1,3}([,_ ' ])[0-9]{3}(\1[0-9]{3})*")


class Count(click.ParamType[int]):
    """How many, with or without marks between thousands: 10000, 10,000, 10_000."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip()
        count = int(re.sub(r"[^0-9]", "", text)) if _COUNT.fullmatch(text) and text.isascii() else None
        if count is None or count > _MOST_IMAGES:
            self.fail(
                f"{text!r} is no whole number from 0 to {_MOST_IMAGES:,}; write it like 10000", param, ctx
            )
        return count


@click.command()
@click.option(
    "--images",
    type=Count(),
    metavar="COUNT",
    default=10_000,
    show_default=True,
    help="How many, such as a month's; also written 10,000.",
)
@click.option(
    "--mix",
    default="default",
    metavar="MIX",
    shell_complete=completing.mixes,
    help="default, a profile, one tier or purpose, or percentages as nano_banana=65,imagen_4_fast=35.",
)
@click.option(
    "--size",
    type=Names(Size),
    default="1K",
    show_default=True,
    help="Tiers without it are priced at the nearest size they make.",
)
@click.option(
    "--lane",
    type=Names(Lane),
    default="interactive",
    show_default=True,
    help="Models without batch keep their full price.",
)
@click.option(
    "--basis",
    type=Names(Basis),
    default="list",
    show_default=True,
    help="Published prices, interactive ones halved for batch, or what is charged.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--chart", metavar="FILE", help="Also draw bars into FILE.svg or FILE.png.")
@click.option("--overwrite", is_flag=True, help="Replace an existing chart.")
@json_option
@day_options
def cost(**options: Any) -> None:
    """What a volume costs on each tier alone and on the mix, and which tiers are not worth their price.

    \b
    image-router cost --images 10,000
    image-router cost --images 10000 --as-of 2026-04-09
    image-router cost --images 50000 --lane batch --mix content_studio
    image-router cost --mix hero
    image-router cost --mix nano_banana=80,imagen_4_ultra=20 --size 2K --chart month.svg

    Pictures only, at list prices unless --basis says otherwise: prompt, references and thinking come on
    top (see `explain`). A mix of one purpose is the tier that serves it.
    """
    as_json, as_csv = options.pop("as_json"), options.pop("as_csv")
    settings = settings_from(options)
    if as_json and as_csv:
        raise InvalidRequest("--json and --csv are both given; choose one")
    facts_known = known(settings)
    market = Market(
        catalog=facts_known.catalog,
        card=facts_known.card,
        day=facts_known.day,
        size=Size(options["size"]),
        lane=Lane(options["lane"]),
        basis=Basis(options["basis"]),
    )
    plan = projection(options["images"], mix_of(options["mix"], settings), market=market)
    beaten = dominated(market)
    if options["chart"]:
        _draw(plan, Path(options["chart"]), overwrite=options["overwrite"])
    if as_json:
        click.echo(json.dumps(projection_view(plan, market, beaten=beaten), indent=2))
    elif as_csv:
        click.echo(projection_csv(plan), nl=False)
    else:
        _print(plan, market, beaten)


@click.command()
@json_option
@day_options
def pricing(as_json: bool, **options: Any) -> None:
    """Every price of the day with its source, for people or (--json) for programs and agents.

    \b
    image-router pricing
    image-router pricing --json
    image-router pricing --as-of 2026-04-09 --json
    """
    facts_known = known(settings_from(options))
    if as_json:
        click.echo(json.dumps(sheet(facts_known), indent=2, ensure_ascii=False))
    else:
        Console(width=100, highlight=False).print(*sheet_table(facts_known), sep="\n")


def _draw(plan: Projection, path: Path, *, overwrite: bool) -> None:
    kinds = {".svg": lambda: svg(plan).encode(), ".png": lambda: png(plan)}
    if path.suffix.lower() not in kinds:
        raise InvalidRequest(f"chart {path} is neither .svg nor .png; name it so")
    data = kinds[path.suffix.lower()]()
    try:
        if overwrite:
            write_whole(path, data)
        elif not write_new(path, data):
            raise AssetError(f"{path} exists; use --overwrite to replace it, or another name")
    except OSError as error:
        raise AssetError(f"chart {path} cannot be written: {error.strerror}") from error
    click.echo(f"note: drew {path}", err=True)


def _batch_words(plan: Projection, market: Market) -> str:
    saved, percent = batch_saving(plan, market)
    verb = "saves" if market.lane is Lane.BATCH else "would save"
    return f"The batch lane {verb} {usd(saved, decimals=2)} ({float(percent):.1f} %) on the mix."


def _print(plan: Projection, market: Market, beaten: tuple[Dominated, ...]) -> None:
    console = Console(width=100, highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("tier", "model", "share", "an image", f"{plan.images:,} images"):
        table.add_column(name, justify="left" if name in ("tier", "model") else "right", no_wrap=True)
    for row in plan.tiers:
        share = f"{share_percent(plan, row.tier):.4g} %"
        table.add_row(row.tier, row.model.id, share, _each(row), usd(plan.total(row.price), decimals=2))
    table.add_row(
        "mix", "", "100 %", usd(plan.blend, decimals=5), usd(plan.total(plan.blend), decimals=2), style="bold"
    )
    console.print(table)
    console.print(f"{sparkline(plan)}  the column of sums, in the order of the rows")
    console.print(f"All on nano_banana_pro would cost {float(plan.saving):.2f} times as much as the mix.")
    console.print(_batch_words(plan, market))
    for row in plan.tiers:
        if row.note:
            console.print(f"{row.tier}: {row.note}")
    for one in beaten:
        better = ", ".join(one.better)
        console.print(f"{one.tier} is dominated: {one.by.id} matches {one.model.id}, better in {better}.")
    console.print(
        f"{market.basis} prices of {market.card.day}, {market.lane} lane, {market.size}; day {market.day}."
    )


def _each(row: TierPrice) -> str:
    return usd(row.price, decimals=5)
