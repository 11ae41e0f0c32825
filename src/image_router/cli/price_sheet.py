"""Every price of a day: the machine-readable sheet of constants, and the same as tables."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from image_router.cli.facts_of import Known
from image_router.cli.model_rows import Row, rows
from image_router.core.money import parse_usd, show_usd, usd_text
from image_router.core.types import Lane

_PER_MILLION = 1_000_000


def sheet(facts: Known) -> dict[str, Any]:
    """All rates as exact dollars in text, with day and source. Tokens are priced per million."""
    return {
        "currency": "USD",
        "as_of": facts.day.isoformat(),
        "rate_card": facts.card.day.isoformat(),
        "source": facts.card.source,
        "checked": facts.card.checked.isoformat(),
        "rule": "charged = tokens x rate (Imagen: per image); list_price is the published figure, rounded",
        "grounding_search_usd": usd_text(facts.card.search),
        "models": [_priced(row, facts) for row in rows(facts) if row.rates.list_price],
    }


def _priced(row: Row, facts: Known) -> dict[str, Any]:
    lanes = [lane for lane in Lane if facts.card.has_price(row.model.id, lane)]
    return {
        "id": row.model.id,
        "state": row.state,
        "serves": [str(tier) for tier in facts.catalog.tiers_served_by(row.model.id, facts.day)],
        "tokens_per_image": dict(row.model.tokens_per_image),
        "reference_tokens": row.model.references.tokens,
        "lanes": {lane: _lane(row, lane) for lane in lanes},
        "source": row.model.source,
        "checked": row.model.checked.isoformat(),
    }


def _lane(row: Row, lane: Lane) -> dict[str, Any]:
    rates = row.rates
    view: dict[str, Any] = {
        "list_price_usd": {size: usd_text(price) for size, price in rates.list_price.get(lane, {}).items()}
    }
    if tokens := rates.tokens.get(lane):
        view["usd_per_million_tokens"] = {
            "input": usd_text(tokens.input * _PER_MILLION),
            "text_output": usd_text(tokens.text_output * _PER_MILLION),
            "image_output": usd_text(tokens.image_output * _PER_MILLION),
        }
        charged = {size: count * tokens.image_output for size, count in row.model.tokens_per_image.items()}
    else:
        charged = dict(rates.per_image.get(lane, {}))
    view["charged_usd"] = {size: usd_text(price) for size, price in charged.items()}
    if lane in rates.list_reference:
        view["list_reference_usd"] = usd_text(rates.list_reference[lane])
    return view


def sheet_table(facts: Known) -> tuple[Table, str]:
    """Rates and what an image is charged, then day and source."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for name in ("model", "lane", "input/M", "text/M", "image/M", "list price", "charged"):
        table.add_column(name, justify="right" if name.endswith("/M") else "left", no_wrap=name == "model")
    for row in rows(facts):
        for lane in Lane:
            if facts.card.has_price(row.model.id, lane):
                table.add_row(row.model.id, lane, *_cells(_lane(row, lane)))
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
