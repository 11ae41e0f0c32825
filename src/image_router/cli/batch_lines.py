"""Lists of plain requests as lines of a table: our own rows, and lines of OpenAI's Batch API for images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from image_router.bulk.tables import Line
from image_router.core.template import ASKED, SEPARATOR, Pattern, Template
from image_router.gateway.openai_asks import Asked, asked_of
from image_router.gateway.surfaces import Refusal

IMAGES: Final = ("/v1/images/generations", "/v1/images/edits")
COPY: Final = "#"
"""Between the custom_id of a line that asks for several pictures and the number of one of them."""


def list_template(plain: Template) -> Template:
    """The template of rows that name their own columns, `key` among them."""
    first, *others = plain.pictures
    named = replace(first, key=Pattern.of("{key?}"))
    return replace(plain, pictures=(named, *others))


def list_lines(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines as they are; those of OpenAI's Batch API with the columns that they stand for."""
    for line in lines:
        if "body" in line.cells and ("url" in line.cells or "custom_id" in line.cells):
            yield from _of_openai(line)
        else:
            yield line


def _of_openai(line: Line) -> Iterator[Line]:
    try:
        body = json.loads(line.cells["body"])
    except ValueError as problem:
        yield replace(line, cells={}, broken=f"has a body that is no JSON: {problem}")
        return
    url, custom = line.cells.get("url", IMAGES[0]), line.cells.get("custom_id", "")
    if url not in IMAGES or not isinstance(body, dict):
        words = f"asks {url or 'nothing'}; lines for {' and '.join(IMAGES)} are made"
        yield replace(line, cells={}, broken=words)
        return
    try:
        asked = asked_of(body, editing=url == IMAGES[1])
        cells, count = _cells(asked), int(asked.fields["n"])
    except (Refusal, ValueError) as refusal:
        yield replace(line, cells={}, broken=f"cannot be made: {refusal}")
        return
    for number in range(1, count + 1):
        key = custom if number == 1 or not custom else f"{custom}{COPY}{number}"
        yield replace(line, cells={**cells, "key": key, "subject": key or cells["prompt"][:60]})


def _cells(asked: Asked) -> dict[str, str]:
    """Columns of one picture. Raises ValueError for what a row of a list cannot say."""
    fields = {name: _plain(value) for name, value in asked.fields.items() if name not in ("n", "lane")}
    beyond = sorted(set(fields) - set(ASKED))
    if beyond:
        raise ValueError(f"{', '.join(beyond)}: a row of a list cannot say that; ask for it by itself")
    sources = [_source(one) for one in asked.references]
    return {"prompt": asked.prompt, **fields, "references": SEPARATOR.join(sources)}


def _source(reference: Any) -> str:
    named = reference.get("image_url") if isinstance(reference, dict) else reference
    if not isinstance(named, str) or named.startswith("data:") or SEPARATOR in named:
        raise ValueError("a picture in a line is named by its URL or path; put its bytes in a file beside it")
    return named


def _plain(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)
