"""Catalog files → Catalog.

Later files add to earlier ones and replace models, lineages and pixel tables of the same name, so a user's
file can correct one fact of the shipped catalog. A file holds any of `[pixels.<name>]` (output shapes),
`[models."<id>"]`, `[[lineages.<tier>]]` and `[text_models."<id>"]`; its top-level `source` and `checked`
stand for every model that names none. A model written `like` another starts from that one's facts, except
name, aliases, notes, life.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from image_router.core.catalog import (
    Catalog,
    Confidence,
    Grade,
    Life,
    LineageEntry,
    Model,
    ModelState,
    Overhead,
    ReferenceLimits,
    SizeTolerance,
    TextModel,
)
from image_router.core.toml_table import (
    Table,
    TomlFile,
    day,
    flag,
    keyed,
    many,
    one_of,
    text,
    whole,
)
from image_router.core.types import (
    AspectRatio,
    Dialect,
    Grounding,
    PersonGeneration,
    Pixels,
    ReferenceRole,
    Size,
    ThinkingLevel,
    Tier,
)

Shapes = Mapping[AspectRatio, Mapping[Size, Pixels]]
_NOT_INHERITED = {"name", "aliases", "notes", "life"}


@dataclass(frozen=True, slots=True)
class _Gathered:
    """All files laid over each other, not yet checked against each other."""

    shapes: dict[str, Shapes] = field(default_factory=dict)
    models: dict[str, Table] = field(default_factory=dict)
    texts: dict[str, Table] = field(default_factory=dict)
    lineages: dict[Tier, tuple[Table, ...]] = field(default_factory=dict)

    def add(self, file: TomlFile) -> None:
        top = file.read()
        shared: dict[str, Any] = {
            key: top.values.pop(key) for key in ("source", "checked") if key in top.values
        }
        for name, table in top.tables("pixels"):
            self.shapes[name] = _shapes(table)
        for name, table in top.tables("models"):
            self.models[name] = Table(file, table.place, {**shared, **table.values})
        for name, table in top.tables("text_models"):
            self.texts[name] = Table(file, table.place, {**shared, **table.values})
        lineages = top.table("lineages")
        for name, tier in lineages.names(Tier):
            self.lineages[tier] = lineages.rows(name)
        top.done()

    def written_out(self, table: Table) -> Table:
        """A model's own facts on top of those of the model it is `like`."""
        if "like" not in table.values:
            return Table(table.file, table.place, dict(table.values))
        base = self.models.get(table.values["like"])
        if base is None or "like" in base.values:
            raise table.error("like", f"{table.values['like']!r} is not a model written out in full")
        facts = {key: value for key, value in base.values.items() if key not in _NOT_INHERITED}
        own = {key: value for key, value in table.values.items() if key != "like"}
        return Table(table.file, table.place, facts | own)


def parse_catalog(files: Iterable[TomlFile], overrides: Mapping[str, ModelState] | None = None) -> Catalog:
    """The catalog of all files together. Raises ConfigError naming file, line, key and reason."""
    gathered = _Gathered()
    for file in files:
        gathered.add(file)
    models = {name: _model(name, table, gathered) for name, table in gathered.models.items()}
    _check_names(models, gathered)
    lineages = {tier: tuple(_entry(row, models) for row in rows) for tier, rows in gathered.lineages.items()}
    texts = {name: _text_model(name, table) for name, table in gathered.texts.items()}
    return Catalog(models=models, lineages=lineages, texts=texts, overrides=overrides or {})


def _text_model(name: str, written: Table) -> TextModel:
    table = Table(written.file, written.place, dict(written.values))
    model = TextModel(
        id=name,
        name=table.take("name", text),
        prompt_tokens=table.take("prompt_tokens", whole),
        output_tokens=table.take("output_tokens", whole),
        thinking=table.get("thinking", text, default=None),
        overhead=_overhead(table.table("overhead")),
        target=table.take("target", whole),
        life=_life(table.table("life")),
        source=table.take("source", text),
        checked=table.take("checked", day),
        notes=table.get("notes", many(text), default=()),
    )
    table.done()
    return model


def _model(name: str, written: Table, gathered: _Gathered) -> Model:
    table = gathered.written_out(written)
    sizes = table.take("sizes", many(one_of(Size)))
    model = Model(
        id=name,
        name=table.take("name", text),
        dialect=table.take("dialect", one_of(Dialect)),
        aliases=table.get("aliases", many(text), default=()),
        pixels=_pixels(table, sizes, gathered.shapes),
        sizes=sizes,
        default_size=table.take("default_size", one_of(Size)),
        sends_size=table.take("sends_size", flag),
        default_pixels=table.get("default_pixels", _shape, default=None),
        default_media_type=table.take("default_media_type", text),
        tokens_per_image=table.get("tokens_per_image", keyed(Size, whole), default={}),
        references=_references(table.table("references")),
        prompt_tokens=table.take("prompt_tokens", whole),
        output_tokens=table.take("output_tokens", whole),
        languages=table.get("languages", many(text), default=None),
        thinking=table.get("thinking", many(one_of(ThinkingLevel)), default=()),
        default_thinking=table.get("default_thinking", one_of(ThinkingLevel), default=None),
        overheads={level: _overhead(row) for level, row in table.tables("overheads")},
        grounding=table.get("grounding", many(one_of(Grounding)), default=()),
        search_ceiling=table.get("search_ceiling", whole, default=0),
        batch=table.take("batch", flag),
        system_instruction=table.take("system_instruction", flag),
        seed=table.take("seed", flag),
        safety_settings=table.take("safety_settings", flag),
        person_generation=table.get("person_generation", many(one_of(PersonGeneration)), default=()),
        conversation=table.take("conversation", flag),
        drafts=table.get("drafts", flag, default=False),
        family=table.take("family", text),
        text_rendering=table.take("text_rendering", one_of(Grade)),
        context=table.take("context", text),
        watermark=table.take("watermark", text),
        claimed_size=table.get("claimed_size", one_of(Size), default=None),
        tolerance=_tolerance(table.table("tolerance")),
        life=_life(table.table("life")),
        source=table.take("source", text),
        checked=table.take("checked", day),
        notes=table.get("notes", many(text), default=()),
    )
    table.done()
    _check_model(model, table)
    return model


def _check_model(model: Model, table: Table) -> None:
    by_tokens = bool(model.tokens_per_image)
    levels = {str(level) for level in model.thinking} or {"default"}
    wrong = {
        "default_size": model.default_size not in model.sizes,
        "tokens_per_image": by_tokens and set(model.tokens_per_image) != set(model.sizes),
        "default_thinking": (model.default_thinking is None) != (not model.thinking)
        or (model.default_thinking is not None and model.default_thinking not in model.thinking),
        "overheads": set(model.overheads) != (levels if by_tokens else set()),
        "search_ceiling": bool(model.grounding) != bool(model.search_ceiling),
    }
    for key, is_wrong in wrong.items():
        if is_wrong:
            raise table.error(key, _MUST[key])


_MUST = {
    "default_size": "must be one of the model's sizes",
    "tokens_per_image": "must name exactly the model's sizes (or be left out for a price per image)",
    "default_thinking": "must be one of the model's thinking levels, and be left out when it has none",
    "overheads": "must name exactly the thinking levels, or `default` when there are none;"
    " a model priced per image has none",
    "search_ceiling": "must be given, above 0, for a model with grounding, and only for such a model",
}


def _check_names(models: Mapping[str, Model], gathered: _Gathered) -> None:
    taken = dict.fromkeys(models, "a model id")
    for model in models.values():
        table = gathered.models[model.id]
        for alias in model.aliases:
            if alias in taken:
                raise table.error("aliases", f"{alias!r} is already {taken[alias]}")
            taken[alias] = f"an alias of {model.id}"
        heir = model.life.replacement
        if heir is not None and heir not in models:
            raise table.error("life", f"replacement {heir!r} is not a model of the catalog")


def _entry(table: Table, models: Mapping[str, Model]) -> LineageEntry:
    row = Table(table.file, table.place, dict(table.values))
    entry = LineageEntry(
        model=row.take("model", text),
        since=row.take("from", day),
        until=row.get("until", day, default=None),
        confidence=row.get("confidence", one_of(Confidence), default=Confidence.CONFIRMED),
        thinking=row.get("thinking", one_of(ThinkingLevel), default=None),
        note=row.get("note", text, default=""),
    )
    row.done()
    if entry.model not in models:
        raise table.error("model", f"{entry.model!r} is not a model of the catalog")
    if entry.thinking is not None and entry.thinking not in models[entry.model].thinking:
        raise table.error("thinking", f"{entry.model} has no level {entry.thinking}")
    return entry


def _shapes(table: Table) -> Shapes:
    scale = table.take("scale", keyed(Size, _fraction))
    rows = table.table("rows")
    shapes = {ratio: _row(rows, key, scale) for key, ratio in rows.names(AspectRatio)}
    table.done()
    return shapes


def _row(rows: Table, key: str, scale: Mapping[Size, tuple[int, int]]) -> Mapping[Size, Pixels]:
    if isinstance(rows.values[key], dict):
        return rows.take(key, keyed(Size, _shape))
    base = rows.take(key, _shape)
    for size, (times, parts) in scale.items():
        if base.width * times % parts or base.height * times % parts:
            raise rows.error(
                key, f"{base} times {times}/{parts} is no whole pixel at {size}; spell the sizes out"
            )
    return {
        size: Pixels(base.width * times // parts, base.height * times // parts)
        for size, (times, parts) in scale.items()
    }


def _pixels(table: Table, sizes: tuple[Size, ...], known: Mapping[str, Shapes]) -> Shapes:
    shapes: dict[AspectRatio, Mapping[Size, Pixels]] = {}
    for name in table.take("pixels", many(text)):
        if name not in known:
            raise table.error("pixels", f"{name!r} is not a table of shapes; there are {', '.join(known)}")
        for ratio, row in known[name].items():
            if missing := set(sizes) - set(row):
                raise table.error("pixels", f"{name!r} has no {', '.join(sorted(missing))} for {ratio}")
            shapes[ratio] = {size: row[size] for size in sizes}
    return shapes


def _references(table: Table) -> ReferenceLimits:
    limits = ReferenceLimits(
        total=table.take("total", whole),
        by_role={role: table.take(role, whole) for role in ReferenceRole if role in table.values},
        tokens=table.get("tokens", whole, default=0),
        tokens_ceiling=table.get("tokens_ceiling", whole, default=0),
    )
    table.done()
    if limits.tokens_ceiling < limits.tokens:
        raise table.error("tokens_ceiling", f"{limits.tokens_ceiling} is below tokens, {limits.tokens}")
    return limits


def _overhead(table: Table) -> Overhead:
    overhead = Overhead(expected=table.take("expected", whole), allowance=table.take("allowance", whole))
    table.done()
    if overhead.allowance < overhead.expected:
        raise table.error("allowance", f"{overhead.allowance} is below expected, {overhead.expected}")
    return overhead


def _tolerance(table: Table) -> SizeTolerance:
    usual = SizeTolerance()
    tolerance = SizeTolerance(
        ratio_percent=table.get("ratio_percent", whole, default=usual.ratio_percent),
        area_percent=table.get("area_percent", whole, default=usual.area_percent),
    )
    table.done()
    return tolerance


def _life(table: Table) -> Life:
    life = Life(
        released=table.take("released", day),
        deprecated=table.get("deprecated", day, default=None),
        shutdown=table.get("shutdown", day, default=None),
        confidence=table.get("confidence", one_of(Confidence), default=Confidence.CONFIRMED),
        uncertain_from=table.get("uncertain_from", day, default=None),
        replacement=table.get("replacement", text, default=None),
        note=table.get("note", text, default=""),
    )
    table.done()
    return life


def _shape(value: Any) -> Pixels:
    width, _, height = text(value).partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError(f"must be a shape such as '1024x1024', not {value!r}")
    return Pixels(int(width), int(height))


def _fraction(value: Any) -> tuple[int, int]:
    times, _, parts = text(value).partition("/")
    if not (times.isdecimal() and (parts or "1").isdecimal() and int(parts or 1)):
        raise ValueError(f"must be a multiple such as '2' or '1/2', not {value!r}")
    return int(times), int(parts or 1)
