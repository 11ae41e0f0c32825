"""Statements and usage as plain JSON and as CSV. Money is exact dollars as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Final

from image_router.core.money import usd_text
from image_router.core.spending import Share, Spending
from image_router.core.statement import SUMS, By, Line, total_of

MONEY: Final = ("spent", "unconfirmed", "for_nothing", "overrun")
"""The sums of a line that are amounts."""


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as comma-separated values, each ending with a line feed."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([head, *rows])
    return out.getvalue()


def sum_names() -> list[str]:
    """The columns of a line's sums, as `line_sums` answers them."""
    return [f"{name}_usd" if name in MONEY else name for name in SUMS]


def line_sums(line: Line) -> list[Any]:
    """The sums of a line in the order of `sum_names`."""
    return list(_sums_view(line).values())


def _sums_view(line: Line) -> dict[str, Any]:
    return {
        f"{name}_usd" if name in MONEY else name: usd_text(value) if name in MONEY else value
        for name in SUMS
        for value in (getattr(line, name),)
    }


def statement_view(by: Sequence[By], lines: Sequence[Line]) -> dict[str, Any]:
    """The lines of a statement and their sum."""
    return {
        "by": list(by),
        "lines": [{**dict(zip(by, line.of, strict=True)), **_sums_view(line)} for line in lines],
        "total": _sums_view(total_of(lines)),
    }


def spending_view(report: Spending) -> dict[str, Any]:
    """Mix, days, savings and the cost of failures."""
    plan = report.all_pro
    return {
        "total": _sums_view(report.total),
        "per_image_usd": None if report.per_image is None else usd_text(report.per_image),
        "target_per_image_usd": _fraction_text(report.wished_per_image),
        "mix": [_share_view(one) for one in report.mix],
        "days": [{"day": line.of[0], **_sums_view(line)} for line in report.days],
        "all_pro": None
        if plan is None
        else {
            "cost_usd": usd_text(plan.cost),
            "saved_usd": usd_text(plan.saved),
            "rate_card": plan.card.isoformat(),
        },
        "failures": [{"outcome": line.of[0], **_sums_view(line)} for line in report.failures],
    }


def _share_view(one: Share) -> dict[str, Any]:
    return {
        "tier": one.tier or None,
        "images": one.images,
        "share_percent": f"{float(100 * one.share):.4f}",
        "target_percent": f"{float(100 * one.wished):.4f}",
        "spent_usd": usd_text(one.spent),
    }


def _fraction_text(amount: Fraction | None) -> str | None:
    return None if amount is None else usd_text(int((2 * amount + 1) // 2))
