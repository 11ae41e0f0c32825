"""`statement` and `usage`: what was spent, on what, and whether it was well spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import click

from image_router.cli.ink import ink
from image_router.cli.ledgers import (
    books_options,
    format_options,
    period_options,
    scope_filter,
    show_csv,
    show_json,
    show_table,
    take_form,
    take_period,
)
from image_router.cli.options import Names, as_of_option
from image_router.cli.other_books import look
from image_router.core.economics import usd
from image_router.core.errors import InvalidRequest
from image_router.core.money import show_usd
from image_router.core.spending import AllPro, Spending
from image_router.core.statement import By, Line, Period, total_of
from image_router.engine.statement_views import MONEY, line_sums, spending_view, statement_view, sum_names

if TYPE_CHECKING:
    from image_router.books import Books

_BAR: Final = 24


@click.command()
@scope_filter
@period_options
@click.option(
    "--by", "by", multiple=True, type=Names(By), help="One line for each. Repeatable. Default: tier."
)
@format_options
@books_options
def statement(**options: Any) -> None:
    """What was spent, in lines that add up. Each line's spent contains what follows it in the same line.

    \b
    image-router statement
    image-router statement --from 2026-11-01 --to 2026-11-30 --by day --by tier
    image-router statement --scope acme --by scope --format csv

    Unconfirmed: counted for calls of unknown outcome (`ledger unknowns`). For nothing: charged for calls that
    brought no picture. Overrun: charged beyond what was held.
    """
    form = take_form(options)
    by = tuple(By(name) for name in options.pop("by")) or (By.TIER,)
    if len(set(by)) < len(by):
        raise InvalidRequest(f"--by names a column twice: {', '.join(by)}")
    period, zone = take_period(options, scope=options.pop("scope"))

    async def work(books: Books) -> tuple[Line, ...]:
        await books.scope(period.scope)
        return await books.statement(by, period, zone=zone)

    lines = look(options, work, scope=period.scope)
    if form == "csv":
        show_csv([*by, *sum_names()], [(*line.of, *line_sums(line)) for line in lines])
    elif form == "json":
        show_json(statement_view(by, lines))
    else:
        _show_statement(by, lines)


@click.command()
@scope_filter
@period_options
@format_options
@as_of_option
@books_options
def usage(**options: Any) -> None:
    """The traffic's mix beside the target blend, spend by day, savings against all-Pro, cost of failures.

    \b
    image-router usage
    image-router usage --from 2026-11-01 --to 2026-11-30 --scope acme
    image-router usage --json
    image-router usage --format csv > days.csv

    The target blend is <home>/economics.toml. All-Pro counts the same pictures at nano_banana_pro's price,
    without prompts, references, thinking and failures: what was saved is a lower bound. CSV has the days.
    """
    form = take_form(options)
    period, zone = take_period(options, scope=options.pop("scope"))
    report = look(options, _reporting(period, zone), scope=period.scope)
    if form == "csv":
        show_csv(["day", *sum_names()], [(*line.of, *line_sums(line)) for line in report.days])
    elif form == "json":
        show_json(spending_view(report))
    else:
        _show_usage(report)


def _reporting(period: Period, zone: str) -> Callable[[Books], Any]:
    async def work(books: Books) -> Spending:
        await books.scope(period.scope)
        return await books.usage(period, zone=zone)

    return work


def _show_statement(by: Sequence[By], lines: Sequence[Line]) -> None:
    total = total_of(lines, of=("total", *("" for _ in by[1:])))
    head = [*by, "calls", "images", "spent", "unconfirmed", "for nothing", "overrun"]
    rows = [
        (
            *(value or "–" for value in line.of[:-1]),
            line.of[-1] or ("–" if line is not total else ""),
            *_figures(line),
        )
        for line in (*lines, total)
    ]
    show_table(head, rows, left=len(by), sum_row=True)


def _figures(line: Line) -> tuple[str, ...]:
    return (f"{line.calls:,}", f"{line.images:,}", *(_money(getattr(line, name)) for name in MONEY))


def _money(amount: int) -> str:
    return show_usd(amount) if amount else "–"


def _show_usage(report: Spending) -> None:
    total = report.total
    each = f", {show_usd(report.per_image, decimals=5)} an image" if report.per_image is not None else ""
    click.echo(f"{total.images:,} images in {total.calls:,} calls for {show_usd(total.spent)}{each}")
    click.echo(f"\n{ink('Mix', bold=True)}  pictures, beside the target blend{_blend_words(report)}")
    show_table(
        ("tier", "images", "share", "target", "spent"),
        [
            (
                one.tier or "pinned",
                f"{one.images:,}",
                _percent(one.share),
                _percent(one.wished),
                _money(one.spent),
            )
            for one in report.mix
        ],
    )
    if report.days:
        click.echo(f"\n{ink('Days', bold=True)}")
        most = max(line.spent for line in report.days) or 1
        for line in report.days:
            bar = "█" * max(0, line.spent * _BAR // most)
            click.echo(f"{line.of[0]}  {bar:<{_BAR}}  {show_usd(line.spent)}, {line.images:,} images")
    click.echo(f"\n{ink('All on nano_banana_pro', bold=True)}  {_all_pro_words(report.all_pro)}")
    _show_failures(report)


def _show_failures(report: Spending) -> None:
    total = report.total
    lost = total.for_nothing + total.unconfirmed
    part = f", {_percent(Fraction(lost, total.spent))} of what was spent" if total.spent else ""
    click.echo(
        f"\n{ink('Failures', bold=True)}  {show_usd(total.for_nothing)} for nothing, "
        f"{show_usd(total.unconfirmed)} unconfirmed{part}"
    )
    for line in report.failures:
        said = [f"{show_usd(line.for_nothing)} for nothing" if line.for_nothing else ""]
        said += [f"{show_usd(line.unconfirmed)} unconfirmed" if line.unconfirmed else ""]
        click.echo(f"  {line.of[0] or 'corrected later'}: {', '.join(filter(None, said))}")


def _blend_words(report: Spending) -> str:
    if report.wished_per_image is None:
        return ""
    return f" of {usd(report.wished_per_image, decimals=5)} a picture at list prices"


def _all_pro_words(plan: AllPro | None) -> str:
    if plan is None:
        return "not compared: no living model serves it on that day; choose another with --as-of"
    if plan.saved < 0:
        return f"{show_usd(plan.cost)} for the pictures; {show_usd(-plan.saved)} less than was spent"
    return f"{show_usd(plan.cost)} for the pictures: {show_usd(plan.saved)} saved (prices of {plan.card})"


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.1f} %"
