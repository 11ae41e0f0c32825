"""The OpenAPI document as one page of HTML, with nothing from elsewhere: no script, no font, no picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, Final

from image_router.gateway.openapi_words import Json

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_PREFIX: Final = "#/components/schemas/"
_DEEP: Final = 2
"""Objects within objects that are spelled out in a table; deeper ones are named."""


def page(document: Json, style: str) -> str:
    """The whole page."""
    info = document["info"]
    groups, shapes = list(_groups(document)), document["components"]["schemas"]
    words = "".join(f"<p>{_prose(part)}</p>" for part in info["description"].strip().split("\n\n"))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{style}</style></head><body>"
        f'<a class="skip" href="#main">To the operations</a>'
        f"<header><h1>{escape(info['title'])} <small>API {escape(info['version'])}</small></h1>{words}"
        f'<p class="links"><a href="/openapi.json">openapi.json</a><a href="/llms.txt">llms.txt</a></p>'
        f"</header>"
        f"{_start(document['servers'][0]['url'])}"
        f'<div class="sheet"><nav aria-label="Operations">{_contents(groups)}</nav>'
        f'<main id="main">{"".join(_section(name, found, shapes) for name, found in groups)}'
        f"{_shapes(shapes)}</main></div></body></html>"
    )


def _start(address: str) -> str:
    asked = json.dumps({"prompt": "a red mug on an oak table", "purpose": "hero", "max_cost": "0.10"})
    said = (
        f"curl {address}/router/v1/images \\\n"
        f'  -H "Authorization: Bearer $ROUTER_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d '{asked}'"
    )
    return (
        f'<section class="start"><h2>First picture</h2><pre tabindex="0">{escape(said)}</pre>'
        f"<p>Make keys with <code>image-router keys create NAME</code> or <code>POST /router/v1/keys</code>."
        f" OpenAI's clients take <code>{escape(address)}/v1</code> as their base URL, Google's "
        f"<code>{escape(address)}</code>.</p></section>"
    )


Operations = list[tuple[str, str, Json]]
Shapes = Mapping[str, Json]


def _groups(document: Json) -> Iterator[tuple[str, Operations]]:
    """The operations under each heading, as method, path and operation."""
    for tag in document["tags"]:
        found = [
            (method, path, item[method])
            for path, item in document["paths"].items()
            for method in _METHODS
            if method in item and tag["name"] in item[method]["tags"]
        ]
        if found:
            yield tag["name"], found


def _contents(groups: Iterable[tuple[str, Operations]]) -> str:
    return "".join(
        f'<h2><a href="#{_anchor(name)}">{escape(name)}</a></h2><ul>'
        + "".join(
            f'<li><a href="#{escape(each["operationId"])}">{escape(each["summary"])}</a></li>'
            for _, _, each in found
        )
        + "</ul>"
        for name, found in groups
    )


def _section(name: str, found: Operations, shapes: Shapes) -> str:
    shown = "".join(_operation(method, path, told=told, shapes=shapes) for method, path, told in found)
    return f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>{shown}</section>'


def _anchor(name: str) -> str:
    return f"group-{name.lower().replace(' ', '-')}"


def _operation(method: str, path: str, *, told: Json, shapes: Shapes) -> str:
    about = f"<p>{_prose(told['description'])}</p>" if "description" in told else ""
    lock = '<p class="quiet">No key is needed.</p>' if told.get("security") == [] else ""
    return (
        f'<details class="operation" id="{escape(told["operationId"])}"><summary>'
        f'<span class="method {method}">{method.upper()}</span><code>{_breakable(path)}</code>'
        f"<span>{escape(told['summary'])}</span></summary>"
        f'<div class="told">{about}{lock}{_params(told)}{_body(told, shapes)}{_answers(told)}</div></details>'
    )


def _params(told: Json) -> str:
    if not told.get("parameters"):
        return ""
    rows = (
        (f"<code>{escape(each['name'])}</code>", each["in"], _type(each["schema"]), _about(each))
        for each in told["parameters"]
    )
    return f"<h3>Parameters</h3>{_table(('name', 'in', 'type', ''), rows)}"


def _about(param: Json) -> str:
    example = f" <code>{escape(str(param['example']))}</code>" if "example" in param else ""
    return _prose(param["description"]) + example


def _body(told: Json, shapes: Shapes) -> str:
    if "requestBody" not in told:
        return ""
    shown = []
    for kind, content in told["requestBody"]["content"].items():
        shown.append(
            f"<h3>Body <small>{escape(kind)}</small></h3>{_fields(_spelled(content['schema'], shapes))}"
        )
        for name, example in content.get("examples", {}).items():
            shown.append(f"<h4>{escape(name)}</h4>{_code(example['value'])}")
    return "".join(shown)


def _answers(told: Json) -> str:
    rows = []
    for status, answer in told["responses"].items():
        kinds = "<br>".join(
            f"{escape(kind)} {_type(content['schema'])}"
            for kind, content in answer.get("content", {}).items()
        )
        rows.append((f'<b class="s{status[0]}">{status}</b>', _prose(answer["description"]), kinds))
    return f"<h3>Answers</h3>{_table(('status', '', 'body'), rows)}"


def _shapes(schemas: Mapping[str, Json]) -> str:
    shown = "".join(
        f'<details class="shape" id="shape-{escape(name)}"><summary><code>{escape(name)}</code>'
        f"<span>{_prose(schema.get('description', ''))}</span></summary>"
        f'<div class="told">{_fields(schema)}</div></details>'
        for name, schema in schemas.items()
    )
    return f"<section><h2>Shapes</h2>{shown}</section>"


def _spelled(schema: Json, shapes: Shapes) -> Json:
    """What a reference stands for, with what stands beside it."""
    named = shapes.get(schema.get("$ref", "").removeprefix(_PREFIX), {})
    return {**named, **{name: each for name, each in schema.items() if name != "$ref"}}


def _fields(schema: Json) -> str:
    """The fields of an object as a table; anything else as its type."""
    rows = list(_rows(schema, depth=0))
    return _table(("field", "type", ""), rows) if rows else f"<p>{_type(schema)}</p>"


def _rows(schema: Json, *, depth: int, before: str = "") -> Iterator[tuple[str, str, str]]:
    needed = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        star = '<i title="required">*</i>' if name in needed and depth == 0 else ""
        yield (
            f"<code>{escape(before + name)}</code>{star}",
            _type(each),
            _prose(each.get("description", "")),
        )
        inner = each.get("items", each)
        if depth < _DEEP and "properties" in inner:
            mark = "[]" if "items" in each else ""
            yield from _rows(inner, depth=depth + 1, before=f"{before}{name}{mark}.")


def _type(schema: Json) -> str:
    """One schema in a few words, linked where it has a name."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_PREFIX))
        return f'<a href="#shape-{name}">{name}</a>'
    for way in ("anyOf", "oneOf"):
        if way in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[way])))
    if "enum" in schema:
        return " · ".join(f"<code>{escape(_word(value))}</code>" for value in schema["enum"])
    kinds = schema.get("type", "anything")
    words = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict) and "properties" not in schema:
        return f"{words} of {_type(schema['additionalProperties'])}"
    return f"{words}{_bounds(schema)}"


def _word(value: Any) -> str:
    return "null" if value is None else str(value)


def _bounds(schema: Json) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" {least:,} to {most:,}"
    return f" ({schema['format']})" if "format" in schema else ""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _code(value: Any) -> str:
    return f'<pre tabindex="0">{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>'


def _breakable(path: str) -> str:
    return escape(path).replace("/", "/<wbr>")


def _prose(words: str) -> str:
    """Text with `code` in it."""
    pieces = escape(words, quote=False).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))
