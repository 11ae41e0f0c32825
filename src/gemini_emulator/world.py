"""The models of the emulated world: what each can do, when it lives, what it costs on a day."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from math import log
from typing import Any, Literal

from gemini_emulator.text_models import TextModel

NANO = 10**9
Dialect = Literal["generateContent", "predict"]
Lane = Literal["interactive", "batch"]
Span = tuple[int, int]

METHODS: Mapping[Dialect, tuple[str, ...]] = {
    "generateContent": ("generateContent", "countTokens", "batchGenerateContent"),
    "predict": ("predict",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One id of models.list. Pixel tables are width and height at 1K; spans are inclusive ranges.

    `canonical` is the id an alias stands for, `quota` the line of limits.toml that counts it.
    """

    id: str
    dialect: Dialect
    description: str
    display_name: str
    version: str
    released: date
    input_limit: int
    output_limit: int
    pixels: Mapping[str, Span]
    measured: Mapping[str, Span]
    edges: Mapping[str, int]
    ratios: tuple[str, ...]
    image_tokens: Mapping[str, int]
    default_pixels: Span
    media_type: Literal["image/png", "image/jpeg"]
    signed: bool
    text_grade: int
    latency_ms: Mapping[str, Span]
    canonical: str
    quota: str
    shutdown: date | None = None
    unlisted: date | None = None
    vertex_shutdown: date | None = None
    closed_to_new_users: date | None = None
    image_size_field: bool = True
    max_references: int | None = None
    input_image_tokens: int = 0
    vertex_image_tokens: int | None = None
    thinking: str = "none"
    extra_out: Mapping[str, Span] = field(default_factory=dict)
    thoughts: Mapping[str, Span] = field(default_factory=dict)
    thought_images: Mapping[str, int] = field(default_factory=dict)
    grounding: tuple[str, ...] = ()
    system_instruction: bool = True
    media_resolution: bool = True
    json_mode: bool = True
    video_input: bool = False
    max_images: int = 1

    @property
    def sizes(self) -> tuple[str, ...]:
        return tuple(self.image_tokens)

    @property
    def methods(self) -> tuple[str, ...]:
        return METHODS[self.dialect]

    @property
    def thinks(self) -> bool:
        return self.thinking != "none"

    @property
    def thinking_levels(self) -> tuple[str, ...]:
        """Levels a caller may ask for; a model that always thinks has none to choose."""
        return tuple(level for level in self.extra_out if level not in {"none", "always"})

    def lives(self, day: date, *, vertex: bool = False) -> bool:
        end = (self.vertex_shutdown if vertex else None) or self.shutdown
        return self.released <= day and (end is None or day < end)

    def listed(self, day: date) -> bool:
        end = self.unlisted or self.shutdown
        return self.released <= day and (end is None or day < end)

    def frame(self, ratio: str | None, size: str) -> Span:
        """Width and height of a picture; no ratio gives the model's own default shape."""
        if ratio is not None and size == "1K" and ratio in self.measured:
            return self.measured[ratio]
        width, height = self.default_pixels if ratio is None else self.pixels[ratio]
        edge = self.edges[size]
        return width * edge // 1024, height * edge // 1024

    def nearest_ratio(self, width: int, height: int) -> str:
        """The supported ratio closest to a picture's shape, by the logarithm of width over height."""
        wanted = log(width / height)
        return min(
            self.ratios, key=lambda ratio: abs(log(self.pixels[ratio][0] / self.pixels[ratio][1]) - wanted)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Nano-dollars per token and lane, or per picture returned."""

    input: int = 0
    text_out: int = 0
    image_out: int = 0
    per_image: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Every model and price known, whatever the day."""

    models: tuple[Model, ...]
    texts: tuple[TextModel, ...]
    prices: tuple[Mapping[str, Any], ...]
    grounding: tuple[Mapping[str, Any], ...]
    extra_tokens: Mapping[str, int]

    def find(self, model_id: str) -> Model | None:
        return next((model for model in self.models if model.id == model_id), None)

    def find_text(self, model_id: str) -> TextModel | None:
        return next((model for model in self.texts if model.id == model_id), None)

    def listed(self, day: date) -> tuple[Model | TextModel, ...]:
        """What models.list tells on a day."""
        drawing = (model for model in self.models if model.listed(day))
        return (*drawing, *(model for model in self.texts if model.lives(day)))

    def rates(self, model: Model | TextModel, lane: Lane, *, day: date) -> Rates:
        """The rates in force on a day: the latest entry that had begun."""
        lane_name = "standard" if lane == "interactive" else "batch"
        known = [
            entry
            for entry in self.prices
            if model.canonical in entry["models"] and entry["since"] <= day and lane_name in entry
        ]
        if not known:
            raise LookupError(
                f"prices.toml has no {lane_name} rates for {model.canonical} on {day}; add an entry"
            )
        dollars = max(known, key=lambda entry: entry["since"])[lane_name]
        return Rates(**{name: _nano(amount, name) for name, amount in dollars.items()})

    def search_rate(self, day: date) -> int:
        """Nano-dollars per grounding query."""
        known = [entry for entry in self.grounding if entry["since"] <= day]
        newest = max(known, key=lambda entry: entry["since"])
        return int(Decimal(newest["per_thousand_queries"]) * NANO / 1000)


@cache
def world() -> World:
    """The world as shipped in the package's data files."""
    book, prices = load("models.toml"), load("prices.toml")
    models = [_model(entry, book) for entry in book["models"]]
    aliases = [
        replace(model, id=alias)
        for model, entry in zip(models, book["models"], strict=True)
        for alias in entry.get("aliases", ())
    ]
    return World(
        models=tuple(models + aliases),
        texts=tuple(
            TextModel(**{name: _frozen(value) for name, value in entry.items()})
            for entry in load("texts.toml")["models"]
        ),
        prices=tuple(prices["rates"]),
        grounding=tuple(prices["grounding"]),
        extra_tokens=book["extra_tokens"],
    )


def _nano(dollars: str, name: str) -> int:
    per = 1 if name == "per_image" else 1_000_000
    nano = Decimal(dollars) * NANO / per
    if nano != int(nano):
        raise ValueError(f"{dollars} USD is no whole number of nano-dollars per {name}; refine the unit")
    return int(nano)


def load(name: str) -> dict[str, Any]:
    """One of the package's data files."""
    return tomllib.loads((files("gemini_emulator") / "data" / name).read_text(encoding="utf-8"))


def _model(entry: Mapping[str, Any], book: Mapping[str, Any]) -> Model:
    line = {**book["lines"][entry["line"]], **entry}
    table = line.pop("pixels")
    known = {spec.name for spec in fields(Model)}
    values = {name: _frozen(value) for name, value in line.items() if name in known}
    return Model(
        **values,
        canonical=entry["id"],
        quota=entry.get("quota_line", entry["line"]),
        pixels=_frozen(book["pixels"][table]),
        measured=_frozen(book["measured_1k"].get(table, {})),
        edges=book["edges"],
    )


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {name: _frozen(inner) for name, inner in value.items()}
    return value
