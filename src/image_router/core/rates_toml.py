"""Rate card files → RateCard. Prices are quoted text, exact to the nano-dollar for one token, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from image_router.core.money import Nanos, parse_usd
from image_router.core.rates import ModelRates, RateCard, TextRates, TokenRates
from image_router.core.toml_table import Table, TomlFile, day, keyed, text
from image_router.core.types import Lane, Size

T = TypeVar("T")


def parse_card(file: TomlFile) -> RateCard:
    """One rate card. Raises ConfigError naming file, line, key and reason."""
    top = file.read()
    card = RateCard(
        day=top.take("day", day),
        models={name: _model(table) for name, table in top.tables("models")},
        texts={name: _text_rates(table) for name, table in top.tables("text_models")},
        search=top.take("search_per_1000", _shared_by(1_000)),
        source=top.take("source", text),
        checked=top.take("checked", day),
    )
    top.done()
    return card


def _model(table: Table) -> ModelRates:
    per_size = keyed(Lane, keyed(Size, _dollars))
    per_image: Mapping[Lane, Mapping[Size, Nanos]] = table.get("per_image", per_size, default={})
    rates = ModelRates(
        tokens=_by_lane(table.table("tokens"), _tokens),
        per_image=per_image,
        list_price=table.get("list", per_size, default=per_image),
        list_reference=table.get("list_reference", keyed(Lane, _dollars), default={}),
    )
    table.done()
    if bool(rates.tokens) == bool(rates.per_image):
        raise table.error("tokens", "a model is priced either by tokens or by per_image")
    if missing := (rates.tokens.keys() | rates.per_image.keys()) - rates.list_price.keys():
        raise table.error("list", f"has no price for {', '.join(sorted(missing))}")
    return rates


def _text_rates(table: Table) -> TextRates:
    per_million = _shared_by(1_000_000)
    rates = TextRates(input=table.take("input", per_million), output=table.take("output", per_million))
    table.done()
    return rates


def _by_lane(table: Table, read: Callable[[Table], T]) -> Mapping[Lane, T]:
    return {lane: read(table.table(key)) for key, lane in table.names(Lane)}


def _tokens(table: Table) -> TokenRates:
    per_million = _shared_by(1_000_000)
    rates = TokenRates(
        input=table.take("input", per_million),
        text_output=table.take("text_output", per_million),
        image_output=table.take("image_output", per_million),
    )
    table.done()
    return rates


def _dollars(value: Any) -> Nanos:
    return parse_usd(text(value))


def _shared_by(units: int) -> Callable[[Any], Nanos]:
    """Dollars for so many units → nano-dollars for one, which must be a whole number."""

    def convert(value: Any) -> Nanos:
        one, rest = divmod(_dollars(value), units)
        if rest:
            raise ValueError(f"{value!r} for {units:,} is no whole number of nano-dollars for one")
        return one

    return convert
