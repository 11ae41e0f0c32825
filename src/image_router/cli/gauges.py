"""How budgets stand, as bars: spent, held, left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import click

from image_router.cli.ink import ink
from image_router.core.budget import Budget, moment_text
from image_router.core.money import Nanos, show_usd
from image_router.core.pressure import Standing

_WIDTH: Final = 24
_SPENT, _HELD, _LEFT = "█", "▒", "·"
_GUARD: Final = 90


def show_gauges(budgets: Iterable[Budget], standing: Iterable[Standing]) -> None:
    """Each budget with a line for each of its caps."""
    gauges = tuple(standing)
    for budget in budgets:
        click.echo(f"{ink(budget.scope, bold=True)}  {_terms(budget)}")
        for one in gauges:
            if one.scope == budget.scope:
                click.echo(_line(one, budget))


def _terms(budget: Budget) -> str:
    said = [
        "prepaid" if budget.prepaid else f"days of {budget.zone}",
        "" if budget.per_request is None else f"an image at most {show_usd(budget.per_request)}",
        "" if budget.guard_percent is None else f"guard from {budget.guard_percent} %",
        "alerts at " + ", ".join(f"{percent} %" for percent in budget.alerts) if budget.alerts else "",
        "" if budget.caps or budget.per_request else "no caps",
    ]
    return "; ".join(word for word in said if word)


def _line(one: Standing, budget: Budget) -> str:
    end = "for ever" if one.span.end is None else f"resets {moment_text(one.span.end, budget.zone)}"
    guard = budget.guard_percent or _GUARD
    colour = "red" if one.percent >= 100 else "yellow" if one.percent >= guard else "green"
    held = f", {show_usd(one.held)} held" if one.held else ""
    return (
        f"  {one.window:<6} {ink(_bar(one), colour=colour)} {one.percent:>3} %  "
        f"{show_usd(one.settled)} of {show_usd(one.cap)} spent{held}, {show_usd(one.left)} left; {end}"
    )


def _bar(one: Standing) -> str:
    """Rounded down, but what is there is seen."""
    spent = _blocks(one.settled, one.cap, most=_WIDTH)
    held = _blocks(one.held, one.cap, most=_WIDTH - spent)
    return _SPENT * spent + _HELD * held + _LEFT * (_WIDTH - spent - held)


def _blocks(amount: Nanos, cap: Nanos, *, most: int) -> int:
    if amount <= 0:
        return 0
    return max(0, min(most, max(1, amount * _WIDTH // cap)))
