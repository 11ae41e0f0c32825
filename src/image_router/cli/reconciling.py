"""`reconcile`: the ledger beside a provider's bill, call by call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import click

from image_router.books import Books, name_of
from image_router.cli.failures import FINDINGS, OK
from image_router.cli.ink import ink
from image_router.cli.ledgers import (
    books_options,
    format_options,
    period_options,
    show_csv,
    show_json,
    take_form,
    take_period,
    who_of,
    who_option,
    with_books,
)
from image_router.config import load_settings
from image_router.core.bills import read_bill, read_json
from image_router.core.budget import moment_text
from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.money import show_usd, usd_text
from image_router.core.reconcile import Charge, Difference, Reconciliation

_LARGEST: Final = 512 * 1024 * 1024
_SECONDS: Final = 30
_COLUMNS: Final = (
    "kind", "model", "ours_usd", "theirs_usd", "response_id", "call", "scope", "request", "sent_at", "detail",
)  # fmt: skip


@click.command()
@click.option("--bill", "file", metavar="FILE", help="The provider's export: CSV, or the emulator's JSON.")
@click.option("--emulator", "url", metavar="URL", help="Ask a running emulator for its bill.")
@click.option("--complete", is_flag=True, help="The bill names every call: what is not on it cost nothing.")
@click.option(
    "--totals", is_flag=True, help="The bill has sums by day and model, as Google Cloud's export has."
)
@click.option("--adjust", is_flag=True, help="Count unknown calls at what the bill says.")
@who_option
@period_options
@format_options
@books_options
def reconcile(**options: Any) -> int:
    """Compare the ledger with a bill and list every difference.

    \b
    image-router reconcile --bill november.csv --from 2026-11-01 --to 2026-11-30
    image-router reconcile --bill november.csv --complete --adjust
    image-router reconcile --bill cloud.csv --totals --zone America/Los_Angeles
    image-router reconcile --emulator http://127.0.0.1:8099 --offline

    Calls are found by response id; those without one by model and amount, or by model and time. Exit code 1
    while anything differs. --from and --to choose the ledger's calls by when they were sent; give a bill of
    the same days. CSV columns: model and amount_usd, and where known response_id and time.
    """
    file, url, totals = options.pop("file"), options.pop("url"), options.pop("totals")
    complete, adjust = options.pop("complete"), options.pop("adjust")
    if (file is None) == (url is None):
        raise InvalidRequest("name the bill once: --bill FILE, or --emulator URL")
    if totals and (complete or adjust):
        raise InvalidRequest(
            "sums cannot say what came of a call: --totals goes without --complete and --adjust"
        )
    form, who = take_form(options), who_of(options.pop("who"))
    period, zone = take_period(options)
    name = str(file or url)
    charges = _charges_of_file(name) if file else asyncio.run(_charges_of_emulator(name))

    async def work(books: Books) -> tuple[Reconciliation, Reconciliation]:
        if totals:
            found = await books.reconcile_totals(charges, period, zone=zone)
        else:
            found = await books.reconcile(charges, period, complete=complete or url is not None)
        return found, await books.adopt(found, who=who, bill=name) if adjust else found

    found, left = with_books(options, work)
    if form == "csv":
        show_csv(_COLUMNS, [[view[name] for name in _COLUMNS] for view in map(_view, found.differences)])
    elif form == "json":
        show_json(_report(found, left))
    else:
        _show(found, left)
    return FINDINGS.status if left.differences else OK.status


def _charges_of_file(name: str) -> list[Charge]:
    try:
        with Path(name).open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise InvalidRequest(f"{name} is larger than {_LARGEST:,} bytes; split it by days")
        return read_bill(data.decode("utf-8-sig"), name=name)
    except OSError as error:
        raise AssetError(f"the bill {name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name} is not UTF-8 text (byte {error.start})") from error


async def _charges_of_emulator(url: str) -> list[Charge]:
    import aiohttp  # heavy; needed for this alone

    address = load_settings(base_url=url).base_url  # checked and trimmed like any other host
    try:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{address}/emulator/bill") as reply,
        ):
            text = await reply.text()
    except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
        raise AssetError(
            f"{address} gives no bill: {error or type(error).__name__}; is it an emulator?"
        ) from error
    if reply.status != 200:
        raise AssetError(f"{address} gives no bill (HTTP {reply.status}); is it an emulator?")
    return read_json(text, name=f"the bill of {address}")


def _view(one: Difference) -> dict[str, Any]:
    call, charge = one.call, one.charge
    return {
        "kind": one.kind,
        "model": one.model,
        "ours_usd": usd_text(one.ours),
        "theirs_usd": usd_text(one.theirs),
        "response_id": (charge.id if charge else None) or (call.response_id if call else None),
        "call": name_of(call) if call else None,
        "scope": call.scope if call else None,
        "request": call.request_id if call else None,
        "sent_at": moment_text(call.sent_at) if call else None,
        "detail": one.detail,
    }


def _report(found: Reconciliation, left: Reconciliation) -> dict[str, Any]:
    return {
        "fitting": found.fitting,
        "ledger_usd": usd_text(found.ours),
        "bill_usd": usd_text(found.theirs),
        "difference_usd": usd_text(found.theirs - found.ours),
        "differences": [_view(one) for one in found.differences],
        "adjusted": len(found.differences) - len(left.differences),
        "ledger_after_usd": usd_text(left.ours),
        "open": len(left.differences),
    }


def _show(found: Reconciliation, left: Reconciliation) -> None:
    for one in found.differences:
        settled = one not in left.differences
        word = ink(f"{one.kind:<17}", colour="green" if settled else "yellow")
        view = _view(one)
        click.echo(
            f"{word} {one.model}: {show_usd(one.ours)} here, {show_usd(one.theirs)} there; {one.detail}"
        )
        where = "  ".join(str(view[name]) for name in ("call", "scope", "response_id") if view[name])
        if where:
            click.echo(f"{'':17} {where}")
    click.echo(
        f"{found.fitting:,} fit, {len(found.differences):,} differ; the ledger counts "
        f"{show_usd(found.ours)}, the bill {show_usd(found.theirs)}"
    )
    if adjusted := len(found.differences) - len(left.differences):
        click.echo(f"{adjusted:,} adjusted: the ledger now counts {show_usd(left.ours)}")
    elif found.resolved:
        click.echo("--adjust counts the resolved ones at what the bill says")
