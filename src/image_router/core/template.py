"""A template: how a line of somebody's table becomes the pictures that are made of it.

Words in braces are columns: "a {colour} mug"; "{colour?}" may be missing or empty. An `Expander` turns lines
into rows, or says which column is wrong and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from string import Formatter
from typing import Any, Final, Self

from image_router.core.errors import ConfigError
from image_router.core.runs import RowAsk, Stage
from image_router.core.types import AspectRatio, Lane, Purpose, Size, Tier

SEPARATOR: Final = "|"
"""Between the parts of a cell that names several things."""
EACH: Final = "each"
"""The column that a picture made for each part of a cell finds its part in."""
PICTURE: Final = "picture"
"""Among a row's fields: which of its line's pictures it is."""
ASKED: Final = tuple(one.name for one in fields(RowAsk) if one.name != "fields")
"""What a template may say of a picture's request."""

Cells = Mapping[str, str]


class BadLine(Exception):
    """A line that cannot be made into rows."""

    def __init__(self, reason: str, *, column: str | None = None) -> None:
        super().__init__(reason)
        self.column = column


@dataclass(frozen=True, slots=True)
class _Piece:
    literal: str
    column: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text with columns in braces."""

    pieces: tuple[_Piece, ...]
    optional: str | None = None
    """The column that it is and that may be missing, where it is nothing else."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises ConfigError for braces that do not match or hold more than a column's name."""
        try:
            parsed = list(Formatter().parse(text))
        except ValueError as problem:
            raise ConfigError(f"{text!r}: {problem}; write {{{{ for a brace of its own") from None
        pieces = tuple(_piece(text, *piece) for piece in parsed)
        alone = len(pieces) == 1 and pieces[0].optional and not pieces[0].literal
        return cls(pieces, pieces[0].column if alone else None)

    @property
    def constant(self) -> str | None:
        """What it says where no column is in it."""
        words = [piece.literal for piece in self.pieces]
        return None if any(piece.column for piece in self.pieces) else "".join(words).strip()

    @property
    def columns(self) -> Iterator[str]:
        """Those that a table must have."""
        return (piece.column for piece in self.pieces if piece.column and not piece.optional)

    def fill(self, cells: Cells) -> str:
        """Without the second of two spaces around a column that is empty.

        Raises BadLine where a column that is needed is missing or empty.
        """
        if len(self.pieces) == 1:
            return _said(self.pieces[0], cells).strip()
        words, empty = "", False
        for piece in self.pieces:
            said = _said(piece, cells)
            words += said[1:] if empty and words.endswith(" ") and said.startswith(" ") else said
            empty = piece.optional and said == piece.literal
        return words.strip()


def _piece(text: str, literal: str, name: str | None, form: str | None, conversion: str | None) -> _Piece:
    if name is None:
        return _Piece(literal)
    if not name.rstrip("?") or form or conversion:
        raise ConfigError(f"{text!r}: between braces stands a column's name, with ? where it may be empty")
    return _Piece(literal, name.removesuffix("?"), name.endswith("?"))


def _said(piece: _Piece, cells: Cells) -> str:
    if piece.column is None:
        return piece.literal
    value = cells.get(piece.column, "").strip()
    if not value and not piece.optional:
        raise BadLine("is empty", column=piece.column)
    return piece.literal + value


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTemplate:
    """One picture of a line, or several that differ in `each`."""

    name: str
    reference: bool = False
    """The line's other pictures are conditioned on it."""
    given: Pattern | None = None
    """Where this is filled, it is the reference: a path or URL, and nothing is made."""
    each: Pattern | None = None
    """A cell of several parts: one picture for each, {each} in its texts."""
    key: Pattern | None = None
    """None: the line's key with its own name. What follows its last slash names the picture."""
    asked: Mapping[str, Pattern] = field(default_factory=dict)
    """By fields of RowAsk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What is made of every line of a table."""

    name: str
    description: str
    pictures: tuple[PictureTemplate, ...]
    subject: Pattern
    key: Pattern | None = None
    """None: equal rows have equal keys."""
    carry: tuple[str, ...] = ()
    """Columns that go along into the manifest."""

    def missing(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Columns that it needs and a table does not have, in order."""
        patterns = [self.subject, *([self.key] if self.key else [])]
        for picture in self.pictures:
            patterns += picture.asked.values()
            patterns += [one for one in (picture.given, picture.each, picture.key) if one]
        needed = [column for pattern in patterns for column in pattern.columns]
        there = {*columns, EACH}
        return tuple(dict.fromkeys(name for name in (*needed, *self.carry) if name not in there))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A row before it is decided."""

    subject: str
    stage: Stage
    name: str
    """Of the picture, within its line."""
    key: str | None
    """As the template names it; None: by what it asks."""
    ask: RowAsk


class Expander:
    """Makes rows of lines by one template. Raises ConfigError where what it says is wrong for every line."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._pictures = tuple(_Prepared.of(picture) for picture in template.pictures)

    def __call__(self, cells: Cells, *, line: int) -> list[Drafted]:
        """The rows of one line, its reference first. Raises BadLine."""
        template = self._template
        subject = template.subject.fill(cells) or f"line {line}"
        key = template.key.fill(cells) if template.key else ""
        carried = {name: cells.get(name, "") for name in template.carry}
        drafted: list[Drafted] = []
        given: tuple[str, ...] = ()
        stage = Stage.FIRST
        for prepared in self._pictures:
            picture = prepared.picture
            source = picture.given.fill(cells) if picture.given else ""
            if source:
                given = (source,)
                continue
            for each, shown in _each(picture, cells):
                own = picture.key.fill(shown) if picture.key else ""
                name = own.rpartition("/")[2] or each
                drafted.append(
                    Drafted(
                        subject=subject,
                        stage=stage,
                        name=name,
                        key=own or (f"{key}/{each}" if key and picture.key is None else None),
                        ask=prepared.ask(shown, given=given, stage=stage, fields={**carried, PICTURE: name}),
                    )
                )
            if picture.reference and drafted:
                stage = Stage.SECOND
        if not drafted:
            raise BadLine("asks for no picture")
        return drafted


def _each(picture: PictureTemplate, cells: Cells) -> Iterator[tuple[str, Cells]]:
    """The pictures that one template makes of a line, by name, with what each finds in its columns."""
    if picture.each is None:
        yield picture.name, cells
        return
    for number, part in enumerate(_parts(picture.each.fill(cells)), 1):
        yield f"{picture.name}-{number:03d}", {**cells, EACH: part}


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(SEPARATOR) if part.strip()]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A picture's template with what it says of every line worked out."""

    picture: PictureTemplate
    fixed: Mapping[str, Any]
    varying: tuple[tuple[str, Pattern], ...]

    @classmethod
    def of(cls, picture: PictureTemplate) -> Self:
        fixed, varying = {}, []
        for name, pattern in picture.asked.items():
            if pattern.constant is None or name == "references":
                varying.append((name, pattern))
            elif pattern.constant:
                try:
                    fixed[name] = _value(name, pattern.constant)
                except BadLine as problem:
                    raise ConfigError(f"picture {picture.name}, {name}: {problem}") from None
        return cls(picture, fixed, tuple(varying))

    def ask(self, cells: Cells, *, given: tuple[str, ...], stage: Stage, fields: Cells) -> RowAsk:
        values: dict[str, Any] = {"fields": fields, "references": given}
        if stage is Stage.SECOND or given:
            values["purpose"] = Purpose.CHARACTER_LOCK
        values.update(self.fixed)
        for name, pattern in self.varying:
            # Of many optional columns most are not there.
            if pattern.optional is not None and not cells.get(pattern.optional):
                continue
            if said := pattern.fill(cells):
                value = _value(name, said)
                values[name] = (*given, *value) if name == "references" else value
        if "prompt" not in values:
            raise BadLine("has no words for the picture", column="prompt")
        return RowAsk(**values)


_NAMES: Final[Mapping[str, Mapping[str, StrEnum]]] = {
    name: {str(member): member for member in kind}
    for name, kind in (
        ("purpose", Purpose),
        ("size", Size),
        ("aspect", AspectRatio),
        ("lane", Lane),
        ("tier", Tier),
    )
}


def _value(name: str, said: str) -> Any:
    if name in _NAMES:
        member = _NAMES[name].get(said)
        if member is None:
            raise BadLine(f"{said!r} is not one of {', '.join(_NAMES[name])}", column=name)
        return member
    if name == "references":
        return tuple(_parts(said))
    if name == "seed":
        try:
            return int(said)
        except ValueError:
            raise BadLine(f"{said!r} is no whole number", column=name) from None
    return said
