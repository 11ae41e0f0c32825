"""Recorded Gemini API traffic as one kind of value, whatever recorder wrote it.

The recordings are not part of the project. They are looked for in `$IMAGE_ROUTER_RECORDINGS`, else in
`../shared/recordings` beside the project root; a test that needs them is skipped when they are absent.

    for exchange in exchanges("crmne__ruby_llm/batch_lifecycle_inline.yaml"):
        exchange.method, exchange.url, exchange.request_body      # what was sent (None where not recorded)
        exchange.status, exchange.headers, exchange.body          # what came back, JSON parsed
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

ROOT = Path(os.environ.get("IMAGE_ROUTER_RECORDINGS") or Path(__file__).parents[2] / "shared" / "recordings")
needs_recordings = pytest.mark.skipif(
    not ROOT.is_dir(), reason=f"no recordings at {ROOT}; set IMAGE_ROUTER_RECORDINGS to their folder"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One recorded request and its answer. `method`, `url` and `request_body` are None where only the
    answer was kept; `headers` have lower-case names and one list of values each; `body` is parsed JSON,
    a list of parsed events for a recorded stream, or text; `fidelity` is the recorder's own remark."""

    file: str
    status: int
    body: Any
    method: str | None = None
    url: str | None = None
    request_headers: Mapping[str, list[str]] = field(default_factory=dict)
    request_body: Any = None
    headers: Mapping[str, list[str]] = field(default_factory=dict)
    raw: str | None = None
    fidelity: str | None = None

    @property
    def error(self) -> Mapping[str, Any]:
        """The Google error object of a failed answer, out of its array form if need be."""
        body = self.body[0] if isinstance(self.body, list) else self.body
        error: Mapping[str, Any] = body["error"]
        return error


@cache
def exchanges(name: str) -> tuple[Exchange, ...]:
    """Every exchange of one recording file, named relative to the recordings folder."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"recording {name} is absent from {ROOT}")
    return tuple(_read(name, _parse(path)))


def exchange(name: str) -> Exchange:
    """The only (or first) exchange of a recording file."""
    return exchanges(name)[0]


def issue_body(name: str) -> Exchange:
    """A body quoted in an issue, by its short name: `issue_body("503_overloaded_image")`."""
    return exchange(f"issue_bodies/{name}.json")


def names(pattern: str = "**/*") -> list[str]:
    """Recording files that match, as names for `exchanges`; the `*.facts.json` notes are left out."""
    found = (path for path in ROOT.glob(pattern) if path.suffix in {".json", ".yaml"})
    skipped = {"GROUND_TRUTH.json"}
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in found
        if not path.name.endswith(".facts.json") and path.name not in skipped
    )


def _parse(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return yaml.load(text, Loader=loader)  # safe: both loaders build plain data only
    return json.loads(text)


def _read(name: str, document: Any) -> Iterator[Exchange]:
    if isinstance(document, dict):
        if "interactions_elided" in document:
            yield from _read(name, document["interactions_elided"])
            return
        if "interactions" in document or "http_interactions" in document:
            for item in document.get("interactions") or document["http_interactions"]:
                yield _from_cassette(name, item)
            return
        if {"when", "then"} <= document.keys():
            yield _from_when_then(name, document)
            return
        if "fidelity" in document:
            yield Exchange(
                file=name,
                status=document["http_status"] or 0,
                body=_quoted_response(document["body"]),
                request_body=_quoted_request(document["body"]),
                fidelity=document["fidelity"],
            )
            return
        if "chunks" in document:
            yield Exchange(
                file=name,
                status=_status_of(document["chunks"][0]),
                body=document["chunks"],
                headers={"content-type": [document["content_type"]]},
                raw=document["raw"],
            )
            return
        if {"source", "content"} <= document.keys():
            yield from _from_content(name, document["content"])
            return
    yield Exchange(file=name, status=_status_of(document), body=document)


def _from_content(name: str, content: Any) -> Iterator[Exchange]:
    if isinstance(content, dict) and {"request", "response"} <= content.keys():
        yield _from_cassette(name, content)
    elif isinstance(content, dict) and "capturedAt" in content:
        for body in content.values():
            if isinstance(body, dict) and "error" in body:
                yield Exchange(file=name, status=_status_of(body), body=body)
    else:
        yield Exchange(file=name, status=_status_of(content), body=content)


def _from_cassette(name: str, item: dict[str, Any]) -> Exchange:
    request, response = item["request"], item["response"]
    raw = _text_of(response)
    return Exchange(
        file=name,
        method=request["method"].upper() if "method" in request else None,
        url=request["uri"],
        request_headers=_headers(request.get("headers", {})),
        request_body=_json_or_text(request["parsed_body"] if "parsed_body" in request else _text_of(request)),
        status=response["status"]["code"],
        headers=_headers(response.get("headers", {})),
        body=response["parsed_body"] if "parsed_body" in response else _json_or_text(raw),
        raw=raw if isinstance(raw, str) else None,
    )


def _from_when_then(name: str, document: dict[str, Any]) -> Exchange:
    when, then = document["when"], document["then"]
    query = urlencode([(pair["name"], pair["value"]) for pair in when.get("query_param") or []])
    return Exchange(
        file=name,
        method=when["method"],
        url=f"https://generativelanguage.googleapis.com{when['path']}" + (f"?{query}" if query else ""),
        request_headers=_headers({pair["name"]: pair["value"] for pair in when.get("header") or []}),
        request_body=_json_or_text(when.get("body")),
        status=then["status"],
        headers=_headers({pair["name"]: pair["value"] for pair in then.get("header") or []}),
        body=_json_or_text(then["body"]),
        raw=then["body"],
    )


def _text_of(message: dict[str, Any]) -> Any:
    body = message.get("body", message.get("content"))
    if isinstance(body, dict) and set(body) <= {"encoding", "string", "base64_string"}:
        body = body.get("string")
    if isinstance(body, bytes):
        body = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        return body.decode("utf-8", "replace")
    return body


def _json_or_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.startswith("data: "):
        return [json.loads(line[6:]) for line in value.splitlines() if line.startswith("data: ")]
    try:
        return json.loads(value) if value else None
    except json.JSONDecodeError:
        return value


def _headers(headers: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name.lower(): value if isinstance(value, list) else [value] for name, value in headers.items()}


def _quoted_response(body: Any) -> Any:
    return body["response"] if isinstance(body, dict) and {"request", "response"} <= body.keys() else body


def _quoted_request(body: Any) -> Any:
    return body["request"] if isinstance(body, dict) and {"request", "response"} <= body.keys() else None


def _status_of(body: Any) -> int:
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return int(body["error"].get("code", 500))
    return 200
