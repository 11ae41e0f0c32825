"""`keys`: who may call the gateway, for whose money, and how much."""

from __future__ import annotations

import json
import time
from shlex import quote
from typing import Any

import click

from image_router.books import Books
from image_router.cli.failures import OK
from image_router.cli.key_options import rule_options, seconds_of, take_rules
from image_router.cli.ledgers import (
    books_options,
    scope_filter,
    show_json,
    show_table,
    who_of,
    who_option,
    with_books,
)
from image_router.cli.options import json_option, scope_option, settings_from
from image_router.config import Settings
from image_router.core.budget import Micros, moment_text
from image_router.core.errors import InvalidRequest
from image_router.core.money import show_usd
from image_router.core.pacing import Resource
from image_router.core.router_keys import DollarLimit, KeyRules, RouterKey
from image_router.engine.key_views import change_view, key_view, state_of, use_view
from image_router.storage.key_tables import KeyChange, rules_view
from image_router.storage.router_keys import KeyUse, NewKey


def first_admin_key(settings: Settings) -> str:
    """What `serve` says while no admin key exists: the command that makes one for these settings."""
    home = f" --home {quote(str(settings.home))}" if "home" in settings.origins else ""
    offline = " --offline" if settings.offline else ""
    return (
        "no admin key exists yet, so nobody can manage keys or budgets over HTTP; make one on this machine:\n"
        f"  image-router keys create admin --admin{offline}{home}\n"
        "and one for each program that calls, with no more rights than it needs:\n"
        f"  image-router keys create my-app --scope acme/my-app --dollars 20/day{offline}{home}"
    )


@click.group("keys")
def keys() -> None:
    """Router keys: who may call the gateway, for whose money, and how much.

    \b
    image-router keys create admin --admin
    image-router keys create shop --scope acme/shop --tier nano_banana --max-size 2K --dollars 20/day
    image-router keys list --scope acme
    image-router keys rotate k7f2m4qa --grace 24h
    image-router keys revoke k7f2m4qa

    Running gateways notice every change within a second.
    """


@keys.command("create")
@click.argument("name")
@scope_option
@rule_options
@who_option
@json_option
@books_options
def create(name: str, as_json: bool, who: str | None, **options: Any) -> int:
    """Make a key and print its secret this one time.

    \b
    image-router keys create admin --admin
    image-router keys create shop --scope acme/shop --requests-per-minute 60 --dollars 20/day
    image-router keys create trial --scope acme/trial --max-size 1K --in-flight 2 --expires 30d
    ROUTER_KEY=$(image-router keys create ci --scope acme/ci)

    NAME says who holds it, --scope who pays; the secret is all that stdout gets. Without a rule everything is
    allowed and nothing limited; budgets of the scope count in any case.
    """
    if "/" in name and not options["scope"]:
        raise InvalidRequest(
            f"{name!r} stands for the key's name and reads like a scope: say who pays with --scope {name}, "
            f"and give the key a name, such as {name.rpartition('/')[2] or 'shop'}"
        )
    rules = take_rules(options, now=_now())
    scope = options["scope"] or settings_from(dict(options)).scope
    asked = KeyRules(name=name, scope=scope, **rules)
    new = with_books(options, lambda books: books.keys.create(asked, who=who_of(who)))
    return _shown_once(new, as_json=as_json, done=f"{new.key} was made")


@keys.command("list")
@scope_filter
@click.option("--all", "everything", is_flag=True, help="Revoked ones too.")
@json_option
@books_options
def list_keys(scope: str | None, everything: bool, as_json: bool, **options: Any) -> int:
    """The keys and what they may do; never their secrets.

    \b
    image-router keys list
    image-router keys list --scope acme --all --json
    """
    found = with_books(options, lambda books: books.keys.all(scope=scope))
    shown = [key for key in found if everything or key.revoked_at is None]
    if as_json:
        show_json({"keys": [key_view(key, now=_now()) for key in shown]})
    elif shown:
        head = ("key", "name", "scope", "rules", "expires", "state")
        show_table(head, [_row(key) for key in shown], left=6)
    elif found:
        click.echo(f"no living key; {len(found)} revoked: add --all")
    else:
        click.echo("no router key was made here; `image-router keys create NAME` makes one")
    return OK.status


@keys.command("show")
@click.argument("key_id", metavar="KEY")
@json_option
@books_options
def show(key_id: str, as_json: bool, **options: Any) -> int:
    """One KEY: rules, use of its limits now, every change.

    \b
    image-router keys show k7f2m4qa
    image-router keys show ir_k7f2m4qa --json
    """

    async def work(books: Books) -> tuple[RouterKey, KeyUse, tuple[KeyChange, ...]]:
        key = await books.keys.get(key_id)
        return key, await books.keys.use(key.id), await books.keys.history(key.id)

    key, use, changes = with_books(options, work)
    if as_json:
        told = [change_view(one) for one in changes]
        show_json({**key_view(key, now=_now()), "use": use_view(use), "history": told})
        return OK.status
    show_table(("", ""), [*_details(key), *_use_rows(use)], left=2)
    show_table(("at", "who", "what"), [_change_row(one) for one in changes], left=3)
    return OK.status


@keys.command("set")
@click.argument("key_id", metavar="KEY")
@click.option("--name", help="Who holds it.")
@click.option("--scope", metavar="SCOPE", help="Who pays, as organisation/project/key.")
@rule_options
@who_option
@json_option
@books_options
def set_rules(key_id: str, as_json: bool, who: str | None, **options: Any) -> int:
    """Change some rules of KEY; `none` takes one away.

    \b
    image-router keys set k7f2m4qa --dollars 50/day --max-size 4K
    image-router keys set k7f2m4qa --tier none --in-flight none --who "Ann, platform"

    What is not named stays, and the secret stays the same.
    """
    given = {name: options.pop(name) for name in ("name", "scope")}
    rules = take_rules(options, now=_now()) | {k: v for k, v in given.items() if v is not None}
    if not rules:
        raise InvalidRequest("nothing to set: name a rule, such as --dollars 20/day")
    key = with_books(options, lambda books: books.keys.set(key_id, who=who_of(who), **rules))
    if as_json:
        show_json(key_view(key, now=_now()))
    else:
        show_table(("", ""), _details(key), left=2)
    return OK.status


@keys.command("rotate")
@click.argument("key_id", metavar="KEY")
@click.option(
    "--grace", metavar="TIME", help="How long the old secret still works, as 24h. Default: not at all."
)
@who_option
@json_option
@books_options
def rotate(key_id: str, grace: str | None, as_json: bool, who: str | None, **options: Any) -> int:
    """Give KEY a new secret and print it this one time.

    \b
    image-router keys rotate k7f2m4qa
    image-router keys rotate k7f2m4qa --grace 24h

    The secret is all that stdout gets. Rules, limits and history stay.
    """
    seconds = 0 if grace is None else seconds_of(grace, "--grace")
    new = with_books(options, lambda books: books.keys.rotate(key_id, who=who_of(who), grace=seconds))
    until = new.key.old_until
    old = f"the old one works until {moment_text(until)}" if seconds and until else "the old one is dead"
    return _shown_once(new, as_json=as_json, done=f"{new.key} has a new secret; {old}")


@keys.command("revoke")
@click.argument("key_id", metavar="KEY")
@who_option
@json_option
@books_options
def revoke(key_id: str, as_json: bool, who: str | None, **options: Any) -> int:
    """End KEY for ever.

    \b
    image-router keys revoke k7f2m4qa --who "Ann, on call"

    Running gateways refuse it within a second.
    """
    key = with_books(options, lambda books: books.keys.revoke(key_id, who=who_of(who)))
    if as_json:
        show_json(key_view(key, now=_now()))
    else:
        click.echo(f"{key} is revoked: gateways refuse it within a second")
    return OK.status


def _shown_once(new: NewKey, *, as_json: bool, done: str) -> int:
    if as_json:
        show_json({"secret": new.secret.text, "key": key_view(new.key, now=_now())})
        return OK.status
    click.echo(
        f"{done}. Its secret follows and is shown only now: only a digest is stored. Keep it where secrets "
        f"are kept, and send it as `Authorization: Bearer …` or `x-goog-api-key`.",
        err=True,
    )
    click.echo(new.secret.text)
    return OK.status


def _details(key: RouterKey) -> list[tuple[str, str]]:
    rows = [("key", key.display), ("name", key.rules.name), ("state", state_of(key, now=_now()))]
    rules = rules_view(key.rules)
    rows += [(name.replace("_", " "), _said(name, value)) for name, value in rules.items() if name != "name"]
    return [*rows, ("made", f"{moment_text(key.created_at)} by {key.created_by}")]


def _use_rows(use: KeyUse) -> list[tuple[str, str]]:
    rows = [("in flight now", str(use.in_flight))]
    for limit, amount in use.used:
        most = limit.amount or 0
        money = limit.resource is Resource.DOLLARS
        text = f"{show_usd(amount)} of {show_usd(most)}" if money else f"{amount:,} of {most:,}"
        rows.append((f"{limit.resource} now", text))
    return rows


def _row(key: RouterKey) -> tuple[str, ...]:
    rules = rules_view(key.rules)
    dull = rules_view(KeyRules(name="any", scope="any"))
    told = [
        f"{name.replace('_', ' ')} {_said(name, value)}"
        for name, value in rules.items()
        if name not in ("name", "scope", "expires") and value != dull[name]
    ]
    expires = _said("expires", key.rules.expires)
    return (
        key.display,
        key.rules.name,
        key.rules.scope,
        "; ".join(told) or "–",
        expires,
        state_of(key, now=_now()),
    )


def _said(name: str, value: Any) -> str:
    """One rule as people read it; `value` as rules_view has it."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value)
        case dict():
            return str(DollarLimit(**value))
        case int() if name == "expires":
            return moment_text(value)
        case _:
            return str(value)


def _change_row(one: KeyChange) -> tuple[str, str, str]:
    if one.field is None or one.old is None or one.new is None:
        return moment_text(one.at), one.who, one.what
    old, new = (_said(one.field, json.loads(words)) for words in (one.old, one.new))
    return moment_text(one.at), one.who, f"{one.field.replace('_', ' ')}: {old} → {new}"


def _now() -> Micros:
    return time.time_ns() // 1_000
