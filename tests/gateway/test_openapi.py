"""The OpenAPI document: complete, valid, true to the code, and readable as a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest

from gateway.talk import Talk, holder
from image_router.gateway import openai_asks, router_asks
from image_router.gateway.api import ENTRIES
from image_router.gateway.openapi import document, is_page, told_of
from image_router.gateway.openapi_openai import OPENAI_FIELDS, PICTURES

DOCUMENT = document(ENTRIES, address="http://127.0.0.1:8080")
_UNTAKEN = {"mask", "markup", "style", "complexity", "svg", "frame_count", "frame_duration_ms"}


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, told in item.items():
            yield f"{method.upper()} {path}", told


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": DOCUMENT["components"]}


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""


def test_every_operation_is_told_of() -> None:
    """An endpoint without documentation is unfinished: add it to an openapi_*.py table."""
    assert [f"{one.method} {one.path}" for one in ENTRIES if not is_page(one) and not told_of(one)] == []


def test_the_document_is_valid() -> None:
    """By the published rules of OpenAPI 3.1, and each operation's id is its own."""
    openapi_spec_validator.validate(DOCUMENT)
    ids = [told["operationId"] for _, told in _operations()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("name", "told"), list(_operations()), ids=_name)
def test_an_operation_says_what_may_go_wrong(name, told) -> None:
    """Every one documents errors as JSON; whoever needs a key documents 401."""
    assert {"400", "500"} <= told["responses"].keys()
    assert ("401" in told["responses"]) == (told.get("security") != [])


@pytest.mark.parametrize(("name", "told"), list(_operations()), ids=_name)
def test_examples_are_what_they_are_examples_of(name, told) -> None:
    """Each example of a body is valid by the body's schema."""
    for content in told.get("requestBody", {}).get("content", {}).values():
        for example in content.get("examples", {}).values():
            jsonschema.Draft202012Validator(_resolved(content["schema"])).validate(example["value"])


def test_the_fields_are_those_that_are_read() -> None:
    """Neither a field too many nor one too few, for our own requests and for OpenAI's."""
    own = DOCUMENT["components"]["schemas"]["Request"]["properties"].keys()
    assert own == router_asks.FIELDS | router_asks.MANNER | {"cache", "response_format"}
    assert OPENAI_FIELDS.keys() | PICTURES.keys() - {"image"} == openai_asks.KNOWN - _UNTAKEN


async def test_every_operation_asks_for_a_key(locked) -> None:
    """401 without one; with a key that is no admin's, 403 for what admins do."""
    stranger, holding = Talk(locked.url), await holder(locked)
    for entry in ENTRIES:
        path = re.sub(r"\{[^}]+\}", "x", entry.path)
        if not entry.public:
            assert (await stranger(entry.method, path)).status == 401, path
        if entry.admin:
            assert (await holding(entry.method, path)).status == 403, path


async def test_it_is_served_without_a_key(locked) -> None:
    """With the address under which it was asked for."""
    told = await Talk(locked.url)("GET", "/openapi.json")
    assert told.json["servers"] == [{"url": locked.url}]
    assert told.json["paths"].keys() == DOCUMENT["paths"].keys()


async def test_the_page_needs_nothing_from_elsewhere(locked) -> None:
    """No script, no address outside; every operation is on it; the browser is told to load nothing."""
    told = await Talk(locked.url)("GET", "/docs")
    page = told.body.decode()
    assert told.headers["content-type"].startswith("text/html")
    assert told.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    assert all(f'id="{operation["operationId"]}"' in page for _, operation in _operations())
