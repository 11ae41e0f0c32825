"""`ledger`: is it sound, what does it say, and what came of the calls nobody knows about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from image_router.books import Books, name_of
from image_router.cli.failures import FINDINGS, OK
from image_router.cli.ink import ink
from image_router.cli.ledgers import (
    amount_of,
    books_options,
    format_options,
    scope_filter,
    show_csv,
    show_json,
    show_table,
    take_form,
    who_of,
    who_option,
    with_books,
)
from image_router.cli.options import json_option
from image_router.cli.other_books import look
from image_router.core.budget import moment_text
from image_router.core.errors import InvalidRequest
from image_router.core.holds import Entry
from image_router.core.money import show_usd, usd_text
from image_router.core.statement import Unknown
from image_router.storage.verify import Report

_MOST_ENTRIES = 100_000


@click.group()
def ledger() -> None:
    """Verify the ledger, read its entries, and say what came of calls of unknown outcome.

    \b
    image-router ledger verify
    image-router ledger entries --scope acme --limit 20
    image-router ledger unknowns
    image-router ledger resolve hold_1c0ffee:0:1 --cost 0.134 --reason "invoice of November"
    """


@ledger.command("verify", short_help="Add every sum up again, and make every digest again.")
@json_option
@books_options
def verify(as_json: bool, **options: Any) -> int:
    """Add every sum up again from the entries, and make every digest again.

    \b
    image-router ledger verify
    image-router ledger verify --json

    Exit code 1 when something does not fit; each discrepancy names its entry. Whoever can rewrite the whole
    database can also make it fit: keep the number of entries and the last digest elsewhere.
    """
    report = with_books(options, lambda books: books.ledger.verify())
    if as_json:
        show_json(_report_view(report))
    else:
        _show_report(report)
    return OK.status if report.sound else FINDINGS.status


@ledger.command("entries", short_help="The newest entries, or all of one request or hold.")
@scope_filter
@click.option("--request", metavar="ID", help="One request's entries, oldest first.")
@click.option("--hold", metavar="ID", help="One hold's entries, oldest first.")
@click.option(
    "--limit", type=click.IntRange(1, _MOST_ENTRIES), default=50, show_default=True, help="The newest."
)
@format_options
@books_options
def entries(scope: str | None, request: str | None, hold: str | None, limit: int, **options: Any) -> None:
    """The ledger's entries, newest first, or all that it says about one request or hold.

    \b
    image-router ledger entries
    image-router ledger entries --scope acme/studio-a --limit 200 --format csv
    image-router ledger entries --request req_0123456789ab --json
    """
    if sum(one is not None for one in (scope, request, hold)) > 1:
        raise InvalidRequest("choose one of --scope, --request and --hold")
    form = take_form(options)

    async def work(books: Books) -> list[Entry]:
        if request is not None:
            return _some(await books.ledger.entries_of(request), f"request {request}")
        if hold is not None:
            return _some(await books.ledger.entries_of_hold(hold), f"hold {hold}")
        return await books.ledger.recent(limit=limit, scope=await books.scope(scope))

    found = look(options, work, scope=scope)
    views = [_entry_view(one) for one in found]
    if form == "json":
        show_json({"entries": views})
    elif form == "csv":
        head = [name for name in _entry_view(found[0]) if name != "lines"] if found else []
        show_csv(head, [[view[name] for name in head] for view in views])
    elif found:
        head = ["id", "at", "kind", "scope", "model", "spent", "held", "outcome", "hold"]
        show_table(head, [_entry_row(one) for one in found], left=0)
    else:
        click.echo("the ledger has no entries yet")


@ledger.command("unknowns", short_help="Calls of which nobody knows whether they were billed.")
@scope_filter
@json_option
@books_options
def unknowns(scope: str | None, as_json: bool, **options: Any) -> None:
    """Calls that were sent and of which nobody knows whether they were billed, with the amount at risk.

    \b
    image-router ledger unknowns
    image-router ledger unknowns --scope acme --json

    What is at risk counts as spent until `ledger resolve` or `reconcile --adjust` says better.
    """

    async def work(books: Books) -> list[Unknown]:
        return await books.unknowns(await books.scope(scope))

    found = look(options, work, scope=scope)
    at_risk = sum(one.at_risk for one in found)
    if as_json:
        show_json({"unknowns": [_unknown_view(one) for one in found], "at_risk_usd": usd_text(at_risk)})
        return
    if found:
        rows = [
            (name_of(one), moment_text(one.sent_at), one.scope, one.model, show_usd(one.at_risk))
            for one in found
        ]
        show_table(("call", "sent", "scope", "model", "at risk"), rows, left=4)
    click.echo(f"{len(found)} calls of unknown outcome, {show_usd(at_risk)} at risk")


@ledger.command("resolve", short_help="Count an unknown CALL at what it did cost.")
@click.argument("call")
@click.option("--cost", metavar="USD", help="What the call did cost.")
@click.option("--not-billed", is_flag=True, help="It was not charged.")
@click.option("--reason", required=True, metavar="TEXT", help="How that is known; kept with the entry.")
@who_option
@json_option
@books_options
def resolve(
    call: str, cost: str | None, not_billed: bool, reason: str, who: str | None, **options: Any
) -> None:
    """Count an unknown CALL (as `ledger unknowns` names it) at what it did cost.

    \b
    image-router ledger resolve hold_1c0ffee:0:1 --cost 0.134 --reason "invoice of November"
    image-router ledger resolve hold_1c0ffee:0:1 --not-billed --reason "support case 4711"
    """
    if (cost is None) == (not not_billed):
        raise InvalidRequest("say what the call did cost: either --cost USD or --not-billed")
    as_json = options.pop("as_json")
    amount = 0 if cost is None else amount_of(cost, "--cost")
    was = with_books(options, lambda books: books.resolve(call, amount, who=who_of(who), reason=reason))
    if as_json:
        show_json({**_unknown_view(was), "cost_usd": usd_text(amount)})
    else:
        click.echo(
            f"{name_of(was)}: {show_usd(amount)} instead of {show_usd(was.at_risk)} counted for {was.scope}"
        )


def _some(found: list[Entry], what: str) -> list[Entry]:
    if not found:
        raise InvalidRequest(f"the ledger has no {what}; `ledger entries` shows the newest")
    return found


def _report_view(report: Report) -> dict[str, Any]:
    return {
        "sound": report.sound,
        "entries": report.entries,
        "holds": report.holds,
        "open_holds": report.open_holds,
        "last_digest": report.last_digest,
        "discrepancies": [{"entry": one.entry, "what": one.what} for one in report.discrepancies],
    }


def _show_report(report: Report) -> None:
    for one in report.discrepancies:
        where = "ledger" if one.entry is None else f"entry {one.entry}"
        click.echo(f"{ink(where, colour='red', bold=True)}: {one.what}")
    word = ink("sound", colour="green") if report.sound else ink("not sound", colour="red", bold=True)
    click.echo(
        f"{word}: {report.entries:,} entries, {report.holds:,} holds, {report.open_holds:,} of them open, "
        f"{len(report.discrepancies):,} discrepancies"
    )
    click.echo(f"last digest {report.last_digest or '–'}")


def _entry_view(one: Entry) -> dict[str, Any]:
    key = one.attempt
    return {
        "id": one.id,
        "at": moment_text(one.at),
        "kind": one.kind,
        "hold": one.hold_id,
        "number": one.number,
        "request": one.request_id,
        "image": key.index if key else None,
        "attempt": key.number if key else None,
        "scope": one.scope,
        "model": one.model,
        "tier": one.tier,
        "purpose": one.purpose,
        "lane": one.lane,
        "spent_usd": usd_text(one.spent),
        "held_usd": usd_text(one.held),
        "overrun_usd": usd_text(one.overrun),
        "images": one.images,
        "size": one.size,
        "billed": one.billed,
        "outcome": one.outcome,
        "response_id": one.response_id,
        "rate_card": one.card,
        "lines": json.loads(one.lines),
        "note": one.note,
        "digest": one.digest,
    }


def _entry_row(one: Entry) -> Sequence[str]:
    said = one.note or one.outcome
    return (
        f"{one.id}",
        moment_text(one.at),
        one.kind,
        one.scope,
        one.model,
        _signed(one.spent),
        _signed(one.held),
        said if len(said) <= 40 else f"{said[:39]}…",
        one.hold_id,
    )


def _signed(amount: int) -> str:
    return f"+{show_usd(amount)}" if amount > 0 else show_usd(amount) if amount else "–"


def _unknown_view(one: Unknown) -> dict[str, Any]:
    return {
        "call": name_of(one),
        "request": one.request_id,
        "scope": one.scope,
        "model": one.model,
        "tier": one.tier,
        "at_risk_usd": usd_text(one.at_risk),
        "sent_at": moment_text(one.sent_at),
        "response_id": one.response_id,
    }
