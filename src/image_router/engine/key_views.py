"""Router keys as plain JSON: money in dollars as text, moments as ISO 8601; never a secret."""

from __future__ import annotations

import json
from typing import Any

from image_router.core.budget import Micros, moment_text
from image_router.core.money import usd_text
from image_router.core.pacing import Resource
from image_router.core.router_keys import RouterKey
from image_router.storage.key_tables import KeyChange, rules_view
from image_router.storage.router_keys import KeyUse


def key_view(key: RouterKey, *, now: Micros) -> dict[str, Any]:
    """A key, its rules, and whether it lives at this moment."""
    rules = {name: _plain(name, value) for name, value in rules_view(key.rules).items()}
    return {
        "id": key.id,
        "display": key.display,
        **rules,
        "state": state_of(key, now=now),
        "created_at": _moment(key.created_at),
        "created_by": key.created_by,
        "rotated_at": _moment(key.rotated_at),
        "old_secret_until": _moment(key.old_until),
        "revoked_at": _moment(key.revoked_at),
        "revoked_by": key.revoked_by,
    }


def use_view(use: KeyUse) -> dict[str, Any]:
    """What counts against each limit now."""
    view: dict[str, Any] = {"in_flight": use.in_flight}
    for limit, amount in use.used:
        money = limit.resource is Resource.DOLLARS
        view["dollars_usd" if money else f"{limit.resource}_per_minute"] = (
            usd_text(amount) if money else amount
        )
    return view


def _plain(name: str, value: Any) -> Any:
    """One rule for programs: money in dollars as text, moments as ISO 8601."""
    if name == "dollars" and value is not None:
        return {"amount_usd": usd_text(value["amount"]), "seconds": value["seconds"]}
    return moment_text(value) if name == "expires" and value is not None else value


def state_of(key: RouterKey, *, now: Micros) -> str:
    """living, expired or revoked."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.rules.expires is not None and key.rules.expires <= now else "living"


def change_view(one: KeyChange) -> dict[str, Any]:
    """What was done to a key, by whom, from what to what."""
    old, new = (None if words is None else json.loads(words) for words in (one.old, one.new))
    if one.field is not None:
        old, new = _plain(one.field, old), _plain(one.field, new)
    elif isinstance(new, dict):
        new = {name: _plain(name, value) for name, value in new.items()}
    head = {"at": moment_text(one.at), "who": one.who, "what": one.what, "field": one.field}
    return {**head, "old": old, "new": new}


def _moment(moment: Micros | None) -> str | None:
    return None if moment is None else moment_text(moment)
