"""Budgets, how they stand, and their changes as plain JSON. Money is exact dollars as text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from image_router.core.budget import Budget, moment_text
from image_router.core.money import Nanos, usd_text
from image_router.core.pressure import Standing

if TYPE_CHECKING:
    from image_router.storage.budgets import BudgetChange

CAPS: Final = ("day", "month", "total", "per_request")
"""The fields of a budget that are amounts."""


def gauge_view(one: Standing, zone: str) -> dict[str, Any]:
    """One cap for programs."""
    return {
        "window": one.window,
        "cap_usd": usd_text(one.cap),
        "spent_usd": usd_text(one.settled),
        "held_usd": usd_text(one.held),
        "left_usd": usd_text(one.left),
        "percent": one.percent,
        "resets_at": None if one.span.end is None else moment_text(one.span.end, zone),
    }


def budget_view(one: Budget, standing: Iterable[Standing] = ()) -> dict[str, Any]:
    """A budget, with how those of its caps stand that are given."""
    return {
        "scope": one.scope,
        **{f"{name}_usd": _usd(getattr(one, name)) for name in CAPS},
        "zone": one.zone,
        "guard_percent": one.guard_percent,
        "alerts": list(one.alerts),
        "prepaid": one.prepaid,
        "windows": [gauge_view(each, one.zone) for each in standing if each.scope == one.scope],
    }


def _usd(amount: Nanos | None) -> str | None:
    return None if amount is None else usd_text(amount)


def change_view(one: BudgetChange) -> dict[str, Any]:
    """One field of one budget, from and to, and who changed it."""
    money = one.field in CAPS
    return {
        "at": moment_text(one.at),
        "who": one.who,
        "scope": one.scope,
        "field": f"{one.field}_usd" if money else one.field,
        "old": _plain(one, one.old),
        "new": _plain(one, one.new),
    }


def _plain(one: BudgetChange, value: str | None) -> Any:
    if value is None or one.field not in (*CAPS, "alerts", "prepaid"):
        return value
    if one.field == "alerts":
        return json.loads(value)
    return value == "True" if one.field == "prepaid" else usd_text(int(value))
