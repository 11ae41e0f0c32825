"""What a caller of our own API may see and change: an admin everything, others their scope and below."""

from __future__ import annotations

from image_router.core.scopes import scope_path
from image_router.gateway.app import Visit


def seen_scope(visit: Visit, asked: str | None) -> str | None:
    """The scope whose things are shown; None: every scope. Raises KeyForbids for somebody else's."""
    if asked is not None:
        scope_path(asked)
    if visit.caller.admin:
        return asked
    return visit.caller.paying(asked)


def owns(visit: Visit, scope: str) -> bool:
    """Whether something of this scope is the caller's."""
    return visit.caller.admin or visit.caller.scope in scope_path(scope)


def bound_by(visit: Visit, scope: str) -> bool:
    """Whether caps of this scope are the caller's concern: its own, those below, and those it must fit."""
    return owns(visit, scope) or scope in scope_path(visit.caller.scope)


def who(visit: Visit) -> str:
    """Who changes something, for the record."""
    return str(visit.caller.key) if visit.caller.key else "whoever reached the open gateway"
