"""`budget`: caps of organisations, projects and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from image_router.cli import completing
from image_router.cli.failures import OK
from image_router.cli.gauges import show_gauges
from image_router.cli.ledgers import (
    amount_of,
    books_options,
    show_json,
    show_table,
    who_of,
    who_option,
    with_books,
)
from image_router.cli.options import json_option
from image_router.cli.other_books import look
from image_router.core.budget import Budget, moment_text
from image_router.core.errors import InvalidRequest
from image_router.core.money import show_usd
from image_router.core.pressure import Standing
from image_router.engine.budget_views import CAPS, budget_view, change_view

if TYPE_CHECKING:
    from image_router.books import Books
    from image_router.storage.budgets import BudgetChange

_NONE: Final = "none"


@click.group()
def budget() -> None:
    """Caps of organisations, projects and keys. A hold must fit every scope above it.

    \b
    image-router budget set acme --month 100 --zone Europe/Berlin --alert 50 --alert 80
    image-router budget set acme/studio-a --day 5 --per-request 0.30 --guard-percent 90
    image-router budget show acme/studio-a
    image-router budget set acme/events --total 500 --prepaid
    image-router budget top-up acme/events 100
    """


@budget.command("set")
@click.argument("scope", shell_complete=completing.scopes)
@click.option("--day", metavar="USD", help="Cap of a day, as 5; `none` takes it away.")
@click.option("--month", metavar="USD", help="Cap of a month; or none.")
@click.option("--total", metavar="USD", help="Cap for ever; or none.")
@click.option("--per-request", metavar="USD", help="Most that one image may cost; or none.")
@click.option("--zone", metavar="ZONE", help="Whose days and months, as Europe/Berlin. Default: UTC.")
@click.option("--guard-percent", metavar="PERCENT", help="Where the guard acts; `none`: as the policy says.")
@click.option("--alert", "alerts", multiple=True, metavar="PERCENT", help="Announce it. Repeatable; or none.")
@click.option(
    "--prepaid/--resetting", "prepaid", default=None, help="A total that top-ups raise; no windows."
)
@who_option
@json_option
@books_options
def set_budget(scope: str, as_json: bool, who: str | None, **options: Any) -> int:
    """Set some caps of SCOPE; what is not named stays as it is.

    \b
    image-router budget set acme --day 5 --month 100
    image-router budget set acme --day none --alert 50 --alert 80
    image-router budget set acme/events --total 500 --prepaid --who "Ann, finance"

    A cap may be lowered below what is spent or held: nothing running is stopped, and nothing new is held
    until it fits again.
    """
    changes = _changes(options)
    if not changes:
        raise InvalidRequest("nothing to set: name a cap, such as --day 5, or another property of the budget")

    async def work(books: Books) -> tuple[Budget, tuple[Standing, ...]]:
        new = await books.budgets.set(scope, who=who_of(who), **changes)
        return new, await books.budgets.standing(scope)

    return _changed(*with_books(options, work), as_json=as_json)


@budget.command("top-up")
@click.argument("scope", shell_complete=completing.scopes)
@click.argument("amount")
@who_option
@json_option
@books_options
def top_up(scope: str, amount: str, as_json: bool, who: str | None, **options: Any) -> int:
    """Add AMOUNT dollars to the prepaid budget of SCOPE.

    \b
    image-router budget top-up acme/events 100
    """
    more = amount_of(amount, "AMOUNT")

    async def work(books: Books) -> tuple[Budget, tuple[Standing, ...]]:
        new = await books.budgets.top_up(scope, more, who=who_of(who))
        return new, await books.budgets.standing(scope)

    return _changed(*with_books(options, work), as_json=as_json)


@budget.command("remove", short_help="Take all caps of SCOPE away; its history stays.")
@click.argument("scope", shell_complete=completing.scopes)
@who_option
@json_option
@books_options
def remove(scope: str, as_json: bool, who: str | None, **options: Any) -> int:
    """Take all caps of SCOPE away; what it spent and the history of its caps stay.

    \b
    image-router budget remove acme/events
    """
    with_books(options, lambda books: books.budgets.remove(scope, who=who_of(who)))
    if as_json:
        show_json({"removed": scope})
    else:
        click.echo(f"{scope} has no caps of its own any more")
    return OK.status


@budget.command("show", short_help="How the caps stand that bind SCOPE.")
@click.argument("scope", shell_complete=completing.scopes)
@json_option
@books_options
def show(scope: str, as_json: bool, **options: Any) -> int:
    """How every cap stands that binds SCOPE, those of the scopes above it included.

    \b
    image-router budget show acme/studio-a
    image-router budget show acme --json
    """

    async def work(books: Books) -> tuple[tuple[Budget, ...], tuple[Standing, ...]]:
        found = await books.budgets.path(scope)
        if not found:
            known = ", ".join(one.scope for one in await books.budgets.all()) or "none"
            raise InvalidRequest(
                f"no budget binds {scope!r}: its spending is unlimited, and accounted all the same; scopes "
                f"with a budget: {known}"
            )
        return found, await books.budgets.standing(scope)

    found, standing = look(options, work, scope=scope)
    if as_json:
        show_json({"scope": scope, "budgets": [budget_view(one, standing) for one in found]})
    else:
        show_gauges(found, standing)
    return OK.status


@budget.command("list")
@json_option
@books_options
def list_budgets(as_json: bool, **options: Any) -> int:
    """Every budget and its caps.

    \b
    image-router budget list
    """
    found = look(options, lambda books: books.budgets.all())
    if as_json:
        show_json({"budgets": [budget_view(one) for one in found]})
    elif found:
        head = ("scope", "day", "month", "total", "per request", "zone", "guard", "alerts", "kind")
        show_table(head, [_row(one) for one in found])
    else:
        click.echo("no budget is set: spending is unlimited, and accounted all the same")
    return OK.status


@budget.command("history", short_help="Every change of caps: when, by whom, from what to what.")
@click.argument("scope", required=False, shell_complete=completing.scopes)
@json_option
@books_options
def history(scope: str | None, as_json: bool, **options: Any) -> int:
    """Every change of a budget, or of all: when, by whom, from what to what.

    \b
    image-router budget history
    image-router budget history acme --json
    """
    found = look(options, lambda books: books.budgets.history(scope), scope=scope)
    if as_json:
        show_json({"changes": [change_view(one) for one in found]})
        return OK.status
    rows = [
        (moment_text(one.at), one.who, one.scope, one.field, _said(one, one.old), _said(one, one.new))
        for one in found
    ]
    if rows:
        show_table(("at", "who", "scope", "what", "from", "to"), rows, left=4)
    else:
        click.echo(
            "no budget was ever changed" if scope is None else f"no budget of {scope} was ever changed"
        )
    return OK.status


def _changes(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a Budget that the command line names, taken out of its options."""
    changes: dict[str, Any] = {}
    for name in CAPS:
        words = options.pop(name)
        if words is not None:
            flag = f"--{name.replace('_', '-')}"
            changes[name] = None if words == _NONE else amount_of(words, flag)
    guard, alerts = options.pop("guard_percent"), options.pop("alerts")
    if guard is not None:
        changes["guard_percent"] = None if guard == _NONE else _percent(guard, "--guard-percent")
    if alerts:
        changes["alerts"] = () if alerts == (_NONE,) else tuple(_percent(one, "--alert") for one in alerts)
    given = {name: options.pop(name) for name in ("zone", "prepaid")}
    return changes | {name: value for name, value in given.items() if value is not None}


def _percent(words: str, flag: str) -> int:
    text = words.removesuffix("%").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise InvalidRequest(f"{flag} {words!r} is no whole percent; write it like 80, or none")
    return int(text)


def _changed(new: Budget, standing: tuple[Standing, ...], *, as_json: bool) -> int:
    own = tuple(one for one in standing if one.scope == new.scope)
    if as_json:
        show_json(budget_view(new, own))
        return OK.status
    show_gauges((new,), own)
    for one in own:
        if one.left < 0:
            click.echo(
                f"note: {show_usd(-one.left)} more than the {one.window} cap is already spent or held; "
                f"nothing new is held until it fits again",
                err=True,
            )
    return OK.status


def _row(one: Budget) -> tuple[str, ...]:
    caps = (getattr(one, name) for name in CAPS)
    return (
        one.scope,
        *("–" if cap is None else show_usd(cap) for cap in caps),
        one.zone,
        "policy" if one.guard_percent is None else f"{one.guard_percent} %",
        ", ".join(f"{percent} %" for percent in one.alerts) or "–",
        "prepaid" if one.prepaid else "resetting",
    )


def _said(one: BudgetChange, value: str | None) -> str:
    if value is None:
        return "–"
    return show_usd(int(value)) if one.field in CAPS else value
