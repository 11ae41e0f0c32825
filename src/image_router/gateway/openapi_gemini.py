"""What is told of Google's API as it is served here. Bodies and answers are Google's own, and stay open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from image_router.gateway.openapi_params import A_THING, IDEMPOTENCY, PREFER, SPENDING
from image_router.gateway.openapi_words import (
    JSON,
    Answer,
    Body,
    Group,
    Operation,
    Param,
    many,
    obj,
    ok,
    ref,
    text,
    whole,
)

_OPEN: Final = {"type": "object", "additionalProperties": True}
_MODEL: Final = Param(
    name="model",
    where="path",
    about="auto, a tier, a purpose as auto:hero, or a model id.",
    schema=text(pattern="^[A-Za-z0-9._:-]+$"),
    example="auto",
)
_ALT: Final = Param(
    name="alt", about="sse: events; otherwise a JSON array.", schema=text(enum=["sse", "json"])
)
_PART: Final = {**obj(need=(), text=text()), "additionalProperties": True}
_CONTENTS: Final = many(
    {
        **obj(need=("parts",), role=text(enum=["user", "model"]), parts=many(_PART)),
        "additionalProperties": True,
    }
)
_ASKED: Final = {
    **obj(need=("contents",), contents=_CONTENTS, generationConfig=_OPEN),
    "additionalProperties": True,
}
_PREDICT: Final = {
    **obj(need=("instances",), instances=many(_OPEN), parameters=_OPEN),
    "additionalProperties": True,
}
_ANSWER: Final = {**_OPEN, "description": "Google's GenerateContentResponse."}
_FOX: Final[dict[str, Any]] = {"contents": [{"role": "user", "parts": [{"text": "a red fox"}]}]}
_SHAPED: Final[dict[str, Any]] = {
    **_FOX,
    "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9"}},
}
_ABOUT: Final = (
    "A concrete model's request passes through as it is, within the key's rules, budgets and ledger; auto, "
    "tiers and purposes are decided here."
)


_WRITTEN: Final = (_ASKED, {"fox": _FOX, "shaped": _SHAPED})
_PREDICTED: Final = {"instances": [{"prompt": "a red fox"}], "parameters": {"sampleCount": 1}}
_SHAPES: Final[Mapping[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "generateContent": _WRITTEN,
    "streamGenerateContent": _WRITTEN,
    "predict": (_PREDICT, {"fox": _PREDICTED}),
    "countTokens": _WRITTEN,
}
_BATCH: Final = {**obj(need=("batch",), batch=_OPEN), "additionalProperties": True}
_FOXES: Final = {
    "batch": {"inputConfig": {"requests": {"requests": [{"request": _FOX, "metadata": {"key": "1"}}]}}}
}


def _method(root: str, method: str) -> Operation:
    streaming = method == "streamGenerateContent"
    schema, examples = _SHAPES.get(method, (_BATCH, {"foxes": _FOXES}))
    answers = {JSON: many(_ANSWER), "text/event-stream": {}} if streaming else {JSON: _ANSWER}
    return Operation(
        id=f"gemini{root[1].upper()}{root[2:]}{method[0].upper()}{method[1:]}",
        group=Group.GEMINI,
        summary=f"{method}, {root[1:]}",
        about=_ABOUT,
        params=(_MODEL, IDEMPOTENCY, PREFER, *((_ALT,) if streaming else ())),
        body=Body(
            content={JSON: schema},
            examples=examples,
        ),
        answers={200: Answer(about="Google's answer.", content=answers)},
        risks=SPENDING,
        path=f"{root}/models/{{model}}:{method}",
    )


_ROOTS: Final = ("/v1beta", "/v1")
_METHODS: Final = (*_SHAPES, "batchGenerateContent")
_LISTED: Final = Operation(
    id="geminiModels",
    group=Group.GEMINI,
    summary="List models",
    params=(
        Param(name="pageSize", about="How many.", schema=whole(minimum=1, maximum=1000)),
        Param(name="pageToken", about="`nextPageToken` of the page before."),
    ),
    answers=ok("The models.", ref("GeminiModels")),
)
_SHOWN: Final = Operation(
    id="geminiModel",
    group=Group.GEMINI,
    summary="One model",
    params=(Param(name="name", where="path", about="As listed, without models/.", example="auto"),),
    answers=ok("The model.", ref("GeminiModel")),
    risks=A_THING,
)

_FILE: Final = Param(name="name", where="path", about="As Google named it, without files/.", example="abc123")
_UPLOAD: Final = (
    Param(name="X-Goog-Upload-Protocol", where="header", about="resumable", schema=text(enum=["resumable"])),
    Param(name="X-Goog-Upload-Command", where="header", about="start; upload, finalize; query; cancel"),
)


def _files(root: str) -> dict[tuple[str, str], Operation]:
    version = f"{root[1].upper()}{root[2:]}"

    def told(name: str, summary: str, **more: Any) -> Operation:
        answers = {200: Answer(about="Google's answer.", content={JSON: _OPEN})}
        return Operation(
            id=f"gemini{version}{name}",
            group=Group.GEMINI,
            summary=f"{summary}, {root[1:]}",
            answers=answers,
            risks=SPENDING,
            **more,
        )

    begin = told(
        "Upload",
        "Upload a file",
        about="Google's resumable protocol. The address in X-Goog-Upload-URL is ours, and needs no key.",
        params=_UPLOAD,
        body=Body(content={JSON: _OPEN}, examples={"fox": {"file": {"displayName": "fox"}}}, required=False),
    )
    binary = {"application/octet-stream": text(format="binary")}
    go_on = told(
        "UploadOn", "Go on with an upload", params=_UPLOAD, body=Body(content=binary, required=False)
    )
    page = (
        Param(name="pageSize", about="How many.", schema=whole(minimum=1, maximum=100)),
        Param(name="pageToken", about="`nextPageToken` of the page before."),
    )
    file = f"{root}/files/{{name}}"
    return {
        ("POST", f"/upload{root}/files"): begin,
        ("PUT", f"/upload{root}/files"): go_on,
        ("GET", f"{root}/files"): told("Files", "List your files", params=page),
        ("GET", file): told("File", "One file", params=(_FILE,)),
        ("DELETE", file): told("DropFile", "Delete a file", params=(_FILE,)),
    }


_BATCHED: Final = (
    "Inline rows are held before, and booked by the gateway when the batch is over, whoever fetches it. Each "
    "caller sees its own scope's batches."
)


def _batches(root: str) -> dict[tuple[str, str], Operation]:
    name = Param(name="name", where="path", about="As Google named it, without batches/; :cancel behind it.")
    page = Param(name="pageToken", about="`nextPageToken` of the page before.")

    def told(method: str, tail: str) -> Operation:
        return Operation(
            id=f"gemini{root[1].upper()}{root[2:]}{method.capitalize()}Batch{'One' if tail else ''}",
            group=Group.GEMINI,
            summary=f"{method} batches, {root[1:]}",
            about=_BATCHED,
            params=(name,) if tail else (page,),
            answers={200: Answer(about="Google's answer.", content={JSON: _OPEN})},
            risks=SPENDING,
        )

    one = {
        (method, f"{root}/batches/{{name}}"): told(method, "/{name}") for method in ("GET", "POST", "DELETE")
    }
    return {("GET", f"{root}/batches"): told("GET", ""), **one}


OPERATIONS: Final[Mapping[tuple[str, str], Operation | tuple[Operation, ...]]] = {
    ("GET", "/v1beta/models"): _LISTED,
    ("GET", "/v1beta/models/{name}"): _SHOWN,
    **{
        ("POST", f"{root}/models/{{name}}"): tuple(_method(root, method) for method in _METHODS)
        for root in _ROOTS
    },
    **{key: told for root in _ROOTS for table in (_files, _batches) for key, told in table(root).items()},
}
