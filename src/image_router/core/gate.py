"""The money gate: whether an amount fits every cap it touches, and which thresholds it passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeAlias

from image_router.core.budget import (
    SECOND,
    Budget,
    BudgetAlert,
    Micros,
    Shortfall,
    Window,
    from_micros,
    percent_used,
    span_of,
    zone_of,
)
from image_router.core.money import Nanos
from image_router.core.running import Balance

Balances: TypeAlias = dict[tuple[str, Window, Micros], Balance]
"""By scope, window and its start."""


def allow_image(budgets: Iterable[Budget], per_image: Nanos) -> None:
    """Raises BudgetExceeded for an image dearer than a cap per request."""
    for budget in budgets:
        cap = budget.per_request
        if cap is not None and per_image > cap:
            raise Shortfall(
                scope=budget.scope, window="request", cap=cap, spent=0, held=0, asked=per_image
            ).error()


def allow(
    budgets: Iterable[Budget], balances: Balances, *, amount: Nanos, moment: Micros, now: Micros
) -> None:
    """Raises BudgetExceeded, for the cap that is hardest to wait for, unless the amount fits the windows of
    `moment` in every budget."""
    lacking = [
        Shortfall(
            scope=budget.scope,
            window=balance.window,
            cap=cap,
            spent=balance.settled,
            held=balance.held,
            asked=amount,
            window_end=_end(balance, budget),
            resets_in=None if balance.span.end is None else max(0, balance.span.end - now) / SECOND,
        )
        for budget, cap, balance in _touched(budgets, balances, moment)
        if balance.settled + balance.held + amount > cap
    ]
    if lacking:
        raise max(lacking, key=_hardness).error()


def thresholds_passed(balance: Balance, budget: Budget, *, now: Micros) -> Iterator[BudgetAlert]:
    """Alerts for thresholds reached for the first time in the current window; the balance remembers them."""
    cap = budget.caps.get(balance.window)
    if cap is None or balance.span != span_of(balance.window, now, zone=budget.zone):
        return
    used = percent_used(balance.settled, balance.held, cap=cap)
    for percent in sorted(budget.alerts):
        if balance.alerted < percent <= used:
            balance.alerted = percent
            yield BudgetAlert(
                scope=balance.scope,
                window=balance.window,
                percent=percent,
                cap=cap,
                spent=balance.settled,
                held=balance.held,
            )


def _touched(
    budgets: Iterable[Budget], balances: Balances, moment: Micros
) -> Iterator[tuple[Budget, Nanos, Balance]]:
    for budget in budgets:
        for window, cap in budget.caps.items():
            span = span_of(window, moment, zone=budget.zone)
            yield budget, cap, balances[budget.scope, window, span.start]


def _end(balance: Balance, budget: Budget) -> datetime | None:
    end = balance.span.end
    return None if end is None else from_micros(end).astimezone(zone_of(budget.zone))


def _hardness(lacking: Shortfall) -> tuple[bool, bool, float]:
    return lacking.hopeless, lacking.resets_in is None, lacking.resets_in or 0.0
