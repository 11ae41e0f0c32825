"""What operations are described with: parameters, bodies, answers, and JSON Schemas of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]
JSON: Final = "application/json"


class Group(StrEnum):
    """Headings of the documentation, in their order."""

    IMAGES = "Images"
    DECIDING = "Deciding"
    PICTURES = "Kept pictures"
    MONEY = "Money"
    KEYS = "Keys"
    WORK = "Jobs and chains"
    OPENAI = "OpenAI"
    GEMINI = "Google Gemini"
    HELP = "Health and help"


class Risk(StrEnum):
    """What may go wrong with an operation beyond what may with every one: which errors it documents."""

    BODY = "body"
    """It reads a body."""
    THING = "thing"
    """It names something that may not be there."""
    BYTES = "bytes"
    """Its bytes may be gone."""
    DECIDING = "deciding"
    """A key, a budget or the catalog may forbid all there is."""
    SPENDING = "spending"
    """Limits, budgets, and the provider."""
    LINKED = "linked"
    """A signed link opens it as well as a key."""
    CHANGING = "changing"
    """Somebody else may be at the same thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A value beside the body."""

    name: str
    about: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    where: str = "query"
    example: Any = None

    def view(self) -> Json:
        shown: Json = {
            "name": self.name,
            "in": self.where,
            "required": self.where == "path",
            "description": self.about,
            "schema": dict(self.schema),
        }
        return shown if self.example is None else {**shown, "example": self.example}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes back when it goes well."""

    about: str
    content: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Media type → schema."""
    example: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Name → what it says."""

    def view(self) -> Json:
        content: Json = {kind: {"schema": dict(schema)} for kind, schema in self.content.items()}
        if self.example is not None and JSON in content:
            content[JSON]["example"] = self.example
        shown: Json = {"description": self.about}
        if content:
            shown["content"] = content
        if self.headers:
            told = {"type": "string"}
            shown["headers"] = {
                name: {"description": about, "schema": told} for name, about in self.headers.items()
            }
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is sent."""

    content: Mapping[str, Mapping[str, Any]]
    examples: Mapping[str, Any] = field(default_factory=dict)
    """Of JSON, by name."""
    required: bool = True

    def view(self) -> Json:
        content: Json = {kind: {"schema": dict(schema)} for kind, schema in self.content.items()}
        if self.examples:
            content[JSON]["examples"] = {name: {"value": value} for name, value in self.examples.items()}
        return {"required": self.required, "content": content}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation as its callers read about it."""

    id: str
    group: Group
    summary: str
    about: str = ""
    params: tuple[Param, ...] = ()
    body: Body | None = None
    answers: Mapping[int, Answer]
    risks: frozenset[Risk] = frozenset()
    path: str | None = None
    """Where it is shown, if not at its entry's own path."""


def ok(about: str, schema: Mapping[str, Any], **more: Any) -> dict[int, Answer]:
    """The one good answer, as JSON."""
    return {200: Answer(about=about, content={JSON: schema}, **more)}


def sent(schema: Mapping[str, Any], *, required: bool = True, **examples: Any) -> Body:
    """A JSON body, with examples by name."""
    return Body(content={JSON: schema}, examples=examples, required=required)


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def obj(about: str = "", /, *, need: Iterable[str] | None = None, **fields: Mapping[str, Any]) -> Json:
    """An object; every field is there, unless `need` names those that are."""
    shown: Json = {"type": "object", "properties": {name: dict(each) for name, each in fields.items()}}
    required = sorted(fields if need is None else need)
    if required:
        shown["required"] = required
    return {**shown, "description": about} if about else shown


def text(about: str = "", **more: Any) -> Json:
    return _told({"type": "string", **more}, about)


def whole(about: str = "", **more: Any) -> Json:
    return _told({"type": "integer", **more}, about)


def number(about: str = "", **more: Any) -> Json:
    return _told({"type": "number", **more}, about)


def yes_no(about: str = "") -> Json:
    return _told({"type": "boolean"}, about)


def many(items: Mapping[str, Any], about: str = "", **more: Any) -> Json:
    return _told({"type": "array", "items": dict(items), **more}, about)


def by_name(values: Mapping[str, Any], about: str = "") -> Json:
    """An object whose names are data."""
    return _told({"type": "object", "additionalProperties": dict(values)}, about)


def one_of(words: Iterable[str], about: str = "") -> Json:
    return _told({"type": "string", "enum": [str(word) for word in words]}, about)


def maybe(schema: Mapping[str, Any]) -> Json:
    """The same, or null."""
    if "$ref" in schema or "anyOf" in schema:
        return {"anyOf": [dict(schema), {"type": "null"}]}
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **values, "type": [schema["type"], "null"]}


def _told(schema: Json, about: str) -> Json:
    return {**schema, "description": about} if about else schema
