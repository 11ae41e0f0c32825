"""`assets rules`: what each scope keeps of its pictures, and for how long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import click

from image_router.books import Books
from image_router.cli import completing
from image_router.cli.ledgers import books_options, show_json, show_table, with_books
from image_router.cli.options import Names, json_option
from image_router.core.errors import InvalidRequest
from image_router.core.storing import StoreMode
from image_router.storage.storing_rules import Counting, StoringRule

_NONE: Final = "none"
_scope = click.option(
    "--scope",
    required=True,
    metavar="SCOPE",
    shell_complete=completing.scopes,
    help="This scope and all below it.",
)


@click.group("rules", short_help="What each scope keeps of its pictures.", invoke_without_command=True)
@click.pass_context
def rules(context: click.Context) -> None:
    """What each scope keeps of its pictures: all, metadata or none, and for how many days.

    \b
    image-router assets rules set --scope acme --store metadata
    image-router assets rules set --scope acme/studio-a --store all --keep-days 30
    image-router assets rules show --scope acme/studio-a/key-7
    image-router assets rules clear --scope acme

    The nearest rule above a scope counts; without any, the setting `store`. Without a subcommand: show.
    """
    if context.invoked_subcommand is None:
        context.invoke(show)


@rules.command("set", short_help="Set the rule of a scope.")
@_scope
@click.option("--store", type=Names(StoreMode), help="Bytes and words, words alone, or nothing.")
@click.option("--keep-days", metavar="DAYS", help="Remove bytes after so many days; `none`: keep them.")
@json_option
@books_options
def set_rule(scope: str, store: str | None, keep_days: str | None, as_json: bool, **options: Any) -> None:
    """Set the rule of a scope; what is not named stays as it counted before.

    \b
    image-router assets rules set --scope acme --store all --keep-days 30

    New pictures follow it, in other processes within five seconds. `assets gc --delete` applies --keep-days
    to older ones, too; `forget` erases what is there already.
    """
    changes: dict[str, Any] = {"store": StoreMode(store)} if store else {}
    if keep_days is not None:
        changes["keep_days"] = None if keep_days == _NONE else _days(keep_days)
    if not changes:
        raise InvalidRequest("nothing to set: name --store, --keep-days, or both")

    async def work(books: Books) -> Counting:
        before = await books.rules.counting(scope)
        await books.rules.set(scope, replace(before.rule, **changes))
        return await books.rules.counting(scope)

    _show_one(scope, with_books(options, work), as_json=as_json)


@rules.command("clear", short_help="Take the own rule of a scope away.")
@_scope
@json_option
@books_options
def clear(scope: str, as_json: bool, **options: Any) -> None:
    """Take the own rule of a scope away: the nearest one above it counts again.

    \b
    image-router assets rules clear --scope acme/studio-a
    """

    async def work(books: Books) -> Counting:
        if scope not in await books.rules.all():
            raise InvalidRequest(f"scope {scope!r} has no rule of its own to clear")
        await books.rules.set(scope, None)
        return await books.rules.counting(scope)

    _show_one(scope, with_books(options, work), as_json=as_json)


@rules.command("show", short_help="Every rule, or the one that counts for a scope.")
@click.option(
    "--scope",
    metavar="SCOPE",
    shell_complete=completing.scopes,
    help="The rule that counts for it. Default: every rule.",
)
@json_option
@books_options
def show(scope: str | None, as_json: bool, **options: Any) -> None:
    """Every rule that was set, or the one that counts for a scope and where it comes from.

    \b
    image-router assets rules show
    image-router assets rules show --scope acme/studio-a --json
    """
    if scope is not None:
        found = with_books(options, lambda books: books.rules.counting(scope))
        _show_one(scope, found, as_json=as_json)
        return
    _show_all(*with_books(options, _all), as_json=as_json)


async def _all(books: Books) -> tuple[dict[str, StoringRule], StoringRule]:
    return await books.rules.all(), books.rules.default


def _show_all(known: dict[str, StoringRule], default: StoringRule, *, as_json: bool) -> None:
    if as_json:
        shown = [{"scope": scope, **_view(rule)} for scope, rule in sorted(known.items())]
        show_json({"rules": shown, "default": _view(default)})
        return
    rows = [(scope, rule.store.value, _kept(rule)) for scope, rule in sorted(known.items())]
    show_table(
        ("scope", "store", "bytes are kept"),
        [*rows, ("(all others)", default.store.value, _kept(default))],
        left=3,
    )


def _show_one(scope: str, found: Counting, *, as_json: bool) -> None:
    if as_json:
        show_json({"scope": scope, "from": found.scope, **_view(found.rule)})
        return
    where = "the setting `store`" if found.scope is None else f"the rule of {found.scope}"
    click.echo(f"{scope} stores {found.rule.store}; bytes are kept {_kept(found.rule)} (by {where})")


def _view(rule: StoringRule) -> dict[str, Any]:
    return {"store": rule.store.value, "keep_days": rule.keep_days}


def _kept(rule: StoringRule) -> str:
    if rule.store is not StoreMode.ALL:
        return "never"
    return "until they are removed" if rule.keep_days is None else f"{rule.keep_days} days"


def _days(words: str) -> int:
    if not (words.isascii() and words.isdecimal() and len(words) <= 5):
        raise InvalidRequest(f"--keep-days {words!r} is no whole number of days; write it like 30, or none")
    return int(words)
