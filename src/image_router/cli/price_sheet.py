"""Every price of a day as a table."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from image_router.core.money import parse_usd, show_usd
from image_router.core.types import Lane
from image_router.engine.model_rows import Known, rows
from image_router.engine.price_views import lane_view


def sheet_table(facts: Known) -> tuple[Table, str]:
    """Rates and what an image is charged, then day and source."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for name in ("model", "lane", "input/M", "text/M", "image/M", "list price", "charged"):
        table.add_column(name, justify="right" if name.endswith("/M") else "left", no_wrap=name == "model")
    for row in rows(facts):
        for lane in Lane:
            if facts.card.has_price(row.model.id, lane):
                table.add_row(row.model.id, lane, *_cells(lane_view(row, lane)))
    return table, f"Day {facts.day}, rate card of {facts.card.day}: {facts.card.source}."


def _cells(lane: dict[str, Any]) -> list[str]:
    tokens = lane.get("usd_per_million_tokens", {})
    rates = [
        show_usd(parse_usd(tokens[name])) if tokens else "–"
        for name in ("input", "text_output", "image_output")
    ]
    return [*rates, _sizes(lane["list_price_usd"]), _sizes(lane["charged_usd"])]


def _sizes(prices: dict[str, str]) -> str:
    return "\n".join(f"{size} ${price}" for size, price in prices.items())
