"""`cache`: what equal requests are answered with for free."""

from __future__ import annotations

from typing import Any

import click

from image_router.books import Books
from image_router.cli.ledgers import books_options, scope_filter, show_json, with_books
from image_router.cli.options import json_option
from image_router.cli.other_books import look
from image_router.core.money import show_usd, usd_text
from image_router.storage.cache import Stats


@click.group("cache")
def cache() -> None:
    """What equal requests are answered with for free, where --cache use asks for it.

    \b
    image-router cache stats --scope acme
    image-router cache clear --scope acme/studio-a
    """


@cache.command("stats", short_help="How much is remembered, and what that saved.")
@scope_filter
@json_option
@books_options
def stats(scope: str | None, as_json: bool, **options: Any) -> None:
    """How much is remembered, how often it was used, and what that saved.

    \b
    image-router cache stats --json
    """

    async def work(books: Books) -> Stats:
        return await books.cache.stats(scope)

    found = look(options, work, scope=scope)
    if as_json:
        show_json(
            {
                "entries": found.entries,
                "bytes": found.bytes,
                "hits": found.hits,
                "saved_usd": usd_text(found.saved),
            }
        )
    else:
        click.echo(
            f"{found.entries} pictures, {found.bytes:,} bytes; used {found.hits} times, "
            f"{show_usd(found.saved)} saved"
        )


@cache.command("clear", short_help="Forget what is remembered; the pictures stay.")
@scope_filter
@json_option
@books_options
def clear(scope: str | None, as_json: bool, **options: Any) -> None:
    """Forget which pictures answer which requests; the pictures themselves stay.

    \b
    image-router cache clear --scope acme/studio-a
    """

    async def work(books: Books) -> int:
        return await books.cache.clear(scope)

    count = with_books(options, work)
    if as_json:
        show_json({"cleared": count})
    else:
        click.echo(f"{count} entries forgotten; their pictures stay (image-router assets list)")
