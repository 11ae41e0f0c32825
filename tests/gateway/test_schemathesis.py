"""Whatever a client sends, the gateway answers as its document says: tried by schemathesis."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from gateway.conftest import DAY, started
from image_router.gateway.api import ENTRIES, gateway
from image_router.gateway.openapi import document
from image_router.gateway.opening import Choices
from image_router.testing import emulated

EXAMPLES = int(os.environ.get("IMAGE_ROUTER_EXAMPLES", "100"))
"""Requests to each operation of the long run, about."""
_CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def _closed(value: Any) -> Any:
    """The same schema, where an object has no field that is not told of."""
    if isinstance(value, list):
        return [_closed(each) for each in value]
    if not isinstance(value, dict):
        return value
    told = {name: _closed(each) for name, each in value.items()}
    if told.get("type") == "object" and isinstance(told.get("properties"), dict):
        told.setdefault("additionalProperties", False)
    return told


def _tried() -> dict[str, Any]:
    """The document as it is tried: closed, and asking for small work."""
    told = document(ENTRIES, address="http://127.0.0.1")
    shapes = copy.deepcopy(told["components"]["schemas"])
    shapes["ChainRequest"]["properties"]["variants"]["maxItems"] = 2
    for name in ("Request", "OpenAIRequest", "OpenAIEdit", "JobRequest"):
        shapes[name]["properties"]["n"]["maximum"] = 2
        shapes[name]["properties"]["size"] = {"enum": ["512", "1K"]}
        shapes[name]["properties"]["deadline"] = {"type": "number", "minimum": 60, "maximum": 600}
    return {
        **told,
        "paths": {
            path: {method: {**each, "responses": _closed(each["responses"])} for method, each in item.items()}
            for path, item in told["paths"].items()
        },
        "components": {**told["components"], "schemas": {n: _closed(each) for n, each in shapes.items()}},
    }


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One gateway for all, in front of the emulator, with no keys to guess."""
    with ExitStack() as stack:
        emulator = stack.enter_context(emulated(as_of=DAY))
        home = tmp_path_factory.mktemp("home")
        given = {"home": home, "offline": True, "emulator_url": emulator.url, "as_of": DAY}
        yield started(partial(gateway, Choices(open=True), **given), stack)


API = schemathesis.openapi.from_dict(_tried())
_PLAIN = settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@API.parametrize()
@settings(_PLAIN, max_examples=3, derandomize=True)
def test_every_answer_is_documented(case: schemathesis.Case, address: str) -> None:
    """No server error, and no status, type, header or field that the document does not tell of."""
    case.call_and_validate(base_url=address, checks=_CHECKS)


@pytest.mark.long
@API.parametrize()
@settings(_PLAIN, max_examples=EXAMPLES)
def test_every_answer_is_documented_at_length(case: schemathesis.Case, address: str) -> None:
    """The same with many more requests, others in each run."""
    case.call_and_validate(base_url=address, checks=_CHECKS)
