"""Notices of money and keys, posted in the very transaction of what they tell."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from image_router.core.budget import BudgetAlert, from_micros
from image_router.core.money import usd_text
from image_router.core.router_keys import RouterKey
from image_router.storage.database import Transaction
from image_router.storage.webhooks import post
from image_router.storage.webhooks_tables import HookEvent, Notice


def tell_alerts(tx: Transaction, alerts: Iterable[BudgetAlert]) -> None:
    """Budgets passed thresholds."""
    for alert in alerts:
        data = {
            "scope": alert.scope,
            "window": alert.window,
            "percent": alert.percent,
            "cap_usd": usd_text(alert.cap),
            "spent_usd": usd_text(alert.spent),
            "held_usd": usd_text(alert.held),
        }
        _tell(tx, HookEvent.BUDGET_ALERT, data, scope=alert.scope, subject=alert.scope)


def tell_revoked(tx: Transaction, key: RouterKey, *, who: str) -> None:
    """A router key was revoked."""
    data = {"id": key.id, "name": key.rules.name, "scope": key.rules.scope, "revoked_by": who}
    _tell(tx, HookEvent.KEY_REVOKED, data, scope=key.rules.scope, subject=key.id)


def _tell(tx: Transaction, event: HookEvent, data: dict[str, Any], *, scope: str, subject: str) -> None:
    moment = from_micros(tx.now.wall).isoformat(timespec="milliseconds")
    payload = json.dumps({"type": event, "timestamp": moment, "data": data}, ensure_ascii=False)
    post(tx, Notice(scope=scope, event=event, subject=subject, payload=payload))
