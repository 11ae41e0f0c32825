"""`assets` and `forget`: the kept pictures, what is known of them, and how they are erased."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from image_router.books import Books
from image_router.cli import completing
from image_router.cli.ledgers import (
    books_options,
    scope_filter,
    show_json,
    show_table,
    with_books,
)
from image_router.cli.options import Names, json_option
from image_router.cli.storing import rules
from image_router.core.budget import moment_text
from image_router.core.errors import InvalidRequest
from image_router.core.money import show_usd
from image_router.core.types import Purpose, Tier
from image_router.engine.asset_views import asset_view, family_view
from image_router.storage.asset_queries import Query
from image_router.storage.asset_values import Asset
from image_router.storage.exporting import Exported, export
from image_router.storage.keeping import GRACE, Forgotten, Garbage

_PROMPT_SHOWN = 60


@click.group("assets")
def assets() -> None:
    """The kept pictures: list them, look at one, take them out, throw away what nobody needs.

    \b
    image-router assets list --scope acme --limit 20
    image-router assets show req_1c0ffee.0
    image-router assets export pictures/ --scope acme
    image-router assets gc
    image-router assets rules set --scope acme --store metadata
    """


assets.add_command(rules)


@assets.command("list")
@scope_filter
@click.option("--tier", type=Names(Tier), help="Made by this tier.")
@click.option("--model", metavar="ID", shell_complete=completing.models, help="Made by this model.")
@click.option("--purpose", type=Names(Purpose), help="Made for this purpose.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--before", metavar="ID", help="Only older ones than this: the last of the page before.")
@json_option
@books_options
def list_assets(as_json: bool, limit: int, before: str | None, **options: Any) -> None:
    """Kept pictures, newest first, with what they cost.

    \b
    image-router assets list --scope acme/studio-a --tier nano_banana_pro
    """
    query = _query(options, limit=limit, before=before)
    found = with_books(options, lambda books: books.assets.list(query))
    if as_json:
        show_json({"assets": [asset_view(asset) for asset in found]})
    elif not found:
        click.echo("no picture is known; every generate and edit adds its own")
    else:
        show_table(("id", "made at", "scope", "model", "size", "cost", "prompt"), map(_row, found), left=5)


@assets.command("show")
@click.argument("name", metavar="ID")
@json_option
@books_options
def show(name: str, as_json: bool, **options: Any) -> None:
    """All that is known of one picture. ID may be the beginning of its sha256 (8 digits or more).

    \b
    image-router assets show req_1c0ffee.0 --json
    """
    family = with_books(options, lambda books: books.assets.family(name))
    view = family_view(family)
    if as_json:
        show_json(view)
        return
    for field, value in view.items():
        click.echo(f"{field:>12}  {_in_words(value)}")


@assets.command("export", short_help="Write pictures into FOLDER, with a manifest.")
@click.argument("folder", type=click.Path(path_type=Path))
@scope_filter
@click.option("--tier", type=Names(Tier), help="Made by this tier.")
@click.option("--model", metavar="ID", shell_complete=completing.models, help="Made by this model.")
@click.option("--purpose", type=Names(Purpose), help="Made for this purpose.")
@json_option
@books_options
def export_assets(folder: Path, as_json: bool, **options: Any) -> None:
    """Write pictures into FOLDER, bytes unchanged, with a manifest.jsonl that says what each one is.

    \b
    image-router assets export pictures/ --scope acme

    Running it again writes what is missing and overwrites nothing.
    """
    query = _query(options)

    async def work(books: Books) -> Exported:
        return await export(books.assets, folder, query=query)

    done = with_books(options, work)
    if as_json:
        show_json({"pictures": done.pictures, "without": done.without, "manifest": str(done.manifest)})
        return
    click.echo(f"{done.pictures} pictures in {folder}, described in {done.manifest}")
    for problem in done.without:
        click.echo(f"note: {problem}", err=True)


@assets.command("gc", short_help="Delete bytes that nobody needs any more.")
@click.option("--delete", is_flag=True, help="Do it; without this it is only counted.")
@click.option(
    "--grace", type=float, default=GRACE, show_default=True, metavar="SECONDS", help="Leave what is younger."
)
@json_option
@books_options
def gc(delete: bool, grace: float, as_json: bool, **options: Any) -> None:
    """Let go of pictures whose scope keeps them no longer, and delete bytes that no picture needs.

    \b
    image-router assets gc
    image-router assets gc --delete
    """
    if not 0 <= grace < float("inf"):
        raise InvalidRequest(f"--grace {grace} must be 0 seconds or more")

    async def work(books: Books) -> tuple[int, Garbage]:
        expired = await books.keeper.retain() if delete else 0
        return expired, await books.keeper.gc(grace=grace, dry_run=not delete)

    expired, found = with_books(options, work)
    if as_json:
        show_json(_garbage_view(expired, found))
        return
    did = "deleted" if delete else "to delete (nothing was touched: add --delete)"
    click.echo(f"{found.blobs} files, {found.bytes:,} bytes {did}; {found.waiting} more wait for their grace")
    if expired:
        click.echo(f"{expired} pictures had been kept as long as their scope wants")


@click.command()
@click.option(
    "--scope",
    "erased",
    required=True,
    metavar="SCOPE",
    shell_complete=completing.scopes,
    help="This scope and all below it.",
)
@click.option("--yes", "sure", is_flag=True, help="Erase without asking.")
@json_option
@books_options
def forget(erased: str, sure: bool, as_json: bool, **options: Any) -> None:
    """Erase the prompts and pictures of a scope for ever; the ledger keeps its amounts.

    \b
    image-router forget --scope acme/studio-a

    Exports, run folders and the conversations of the command line are not touched. Run it when the scope is
    quiet: pictures under way stay.
    """
    if not sure and not sys.stdin.isatty():
        raise InvalidRequest("forget asks before it erases, and nobody can answer here: add --yes")
    if not sure:
        click.confirm(f"Erase the prompts and pictures of {erased} and all below it for ever?", abort=True)

    async def work(books: Books) -> Forgotten:
        return await books.keeper.forget(erased)

    done = with_books(options, work)
    if as_json:
        show_json({"scope": erased, "assets": done.assets, "works": done.works, "blobs": done.blobs})
    else:
        click.echo(
            f"{erased}: {done.assets} pictures and {done.works} keys forgotten, {done.blobs} files deleted"
        )


def _garbage_view(expired: int, found: Garbage) -> dict[str, Any]:
    return {
        "dry_run": found.dry_run,
        "expired": expired,
        "blobs": found.blobs,
        "bytes": found.bytes,
        "waiting": found.waiting,
        "taken_back": found.taken_back,
        "leftovers": found.leftovers,
    }


def _query(options: dict[str, Any], **page: Any) -> Query:
    tier, purpose = options.pop("tier"), options.pop("purpose")
    return Query(
        scope=options.pop("scope"),
        tier=Tier(tier) if tier else None,
        model=options.pop("model"),
        purpose=Purpose(purpose) if purpose else None,
        **page,
    )


def _row(asset: Asset) -> Sequence[str]:
    prompt = asset.details.prompt.replace("\n", " ") if asset.details else "(forgotten)"
    shown = prompt if len(prompt) <= _PROMPT_SHOWN else f"{prompt[:_PROMPT_SHOWN]}…"
    day = moment_text(asset.made_at)
    return asset.id, day, asset.scope, asset.model, str(asset.pixels), show_usd(asset.cost), shown


def _in_words(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_parent(each) if isinstance(each, dict) else str(each) for each in value) or "–"
    return str(value)


def _parent(parent: dict[str, Any]) -> str:
    return " ".join(filter(None, (parent["role"], parent["name"], parent["sha256"][:12])))
