"""What Tab offers where values are not fixed names: models, profiles, mixes, and scopes of the books.

Tab must be quick and change nothing: a database is only looked into where its file is there, without opening
the books. Where anything is in the way, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from image_router.config import Settings, load_settings
from image_router.core.errors import ImageRouterError
from image_router.core.types import Purpose, Tier

# What reads facts or books is imported when Tab is pressed: every command imports this module.

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_SETTINGS: Final = ("home", "offline", "as_of", "policy_file")
_NEWEST_HOLDS: Final = 2000
# Immutable: no lock and no file beside it; what a running process has yet to merge is not seen.
_READ_ONLY: Final = "?mode=ro&immutable=1"
_SCOPES: Final = """
    SELECT scope FROM budgets
    UNION SELECT scope FROM (SELECT scope FROM holds ORDER BY rowid DESC LIMIT ?)
    ORDER BY scope
"""


def _offering(known: Callable[[Settings], Iterable[str]]) -> Complete:
    def _complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        given: dict[str, Any] = {name: context.params.get(name) for name in _SETTINGS}
        try:
            names = known(
                load_settings(**{name: value for name, value in given.items() if value is not None})
            )
            return [CompletionItem(name) for name in names if name.startswith(incomplete)]
        except ImageRouterError:  # an error message in the middle of a line helps nobody
            return []

    return _complete


def _models(settings: Settings) -> Iterable[str]:
    from image_router import facts
    from image_router.wiring import today

    catalog, day = facts.load_catalog(settings.home, settings.model_states), settings.as_of or today()
    return sorted(model for model in catalog.models if catalog.state(model, day).serves)


def _profiles(settings: Settings) -> Iterable[str]:
    from image_router import facts

    return sorted(facts.load_policies(settings.home, settings.policy_file))


def _mixes(settings: Settings) -> Iterable[str]:
    return dict.fromkeys((*_profiles(settings), *Tier, *Purpose))


def _scopes(settings: Settings) -> Iterable[str]:
    import sqlite3

    from image_router.wiring import database_of

    books = database_of(settings)
    if not isinstance(books, Path) or not books.is_file():
        return ()
    try:
        with closing(sqlite3.connect(f"{books.absolute().as_uri()}{_READ_ONLY}", uri=True)) as database:
            return [scope for (scope,) in database.execute(_SCOPES, (_NEWEST_HOLDS,))]
    except sqlite3.Error:  # no books of ours, or in the middle of a change: Tab offers nothing
        return ()


models = _offering(_models)
profiles = _offering(_profiles)
mixes = _offering(_mixes)
scopes = _offering(_scopes)
