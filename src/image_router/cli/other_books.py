"""Reading the books, with a word where nothing is found here and the books of the other mode have something.

Offline and real money are kept apart, so the commonest mistake is to look in the wrong place. Nothing is made
and no host is asked: only a database file that is there already is looked into.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from image_router.cli.ledgers import with_books
from image_router.cli.options import settings_from
from image_router.config import Settings
from image_router.core.errors import ImageRouterError, InvalidRequest
from image_router.wiring import database_of

if TYPE_CHECKING:
    from image_router.books import Books

T = TypeVar("T")


def look(options: dict[str, Any], work: Callable[[Books], Awaitable[T]], *, scope: str | None = None) -> T:
    """Run a reading command's work; where its books are empty, or know no such scope, say who knows more."""
    settings = settings_from(dict(options))

    async def told(books: Books) -> T:
        try:
            found = await work(books)
        except InvalidRequest:
            await _say(settings, scope)
            raise
        if (await books.condition()).entries == 0 and not await books.budgets.all():
            await _say(settings, scope)
        return found

    return with_books(options, told)


async def _say(settings: Settings, scope: str | None) -> None:
    from image_router.books import open_books, there_are_books
    from image_router.storage import statements

    other = replace(settings, offline=not settings.offline)
    if not isinstance(database_of(other), Path) or not there_are_books(other):
        return
    try:
        async with open_books(other) as books:
            known = await books.db.read(statements.scopes)
    except ImageRouterError:  # a hint that cannot be given must not hide what was asked for
        return
    if any(scope is None or one == scope or one.startswith(f"{scope}/") for one in known):
        here, there = ("emulator's", "real") if settings.offline else ("real", "emulator's")
        flag = "--online" if settings.offline else "--offline"
        what = f"know {scope}" if scope else "have entries"
        click.echo(f"note: these are the {here} books; the {there} books {what}: add {flag}", err=True)
