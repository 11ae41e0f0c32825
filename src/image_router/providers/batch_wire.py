"""Values ⇄ the JSON of batchGenerateContent in file mode, of its operations, and of the Files API. Pure.

Format: https://ai.google.dev/gemini-api/docs/batch-api and /docs/files, read 2026-11-22, and recorded jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from image_router.core.budget import Micros, to_micros
from image_router.core.reply import ApiError, Reply
from image_router.providers import json_text
from image_router.providers.base import Call
from image_router.providers.error_wire import error_of
from image_router.providers.gemini_body import request_body
from image_router.providers.gemini_wire import reply_of
from image_router.providers.lenient import JsonObject, count, obj, objs, some_text, text

METHOD = "batchGenerateContent"
JSONL = "application/jsonl"
_PREFIXES = ("BATCH_STATE_", "JOB_STATE_")


class JobState(StrEnum):
    """Where a remote job is, as the API says it without its prefixes."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    OTHER = "OTHER"
    """A state of a later API. Over, if the operation says so."""

    @property
    def active(self) -> bool:
        return self in (JobState.PENDING, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the provider says of a remote job."""

    name: str
    """batches/…"""
    display_name: str
    state: JobState
    over: bool
    model: str = ""
    rows: int = 0
    succeeded: int = 0
    failed: int = 0
    result_file: str | None = None
    """files/…"""
    error: ApiError | None = None
    created_at: Micros | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of the Files API."""

    name: str
    """files/…"""
    uri: str
    media_type: str
    bytes: int
    active: bool
    """Ready to be referred to."""
    expires_at: Micros | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRef:
    """How a request refers to a picture that was uploaded."""

    uri: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAnswer:
    """One line of a result."""

    key: str
    """Empty: the line names none."""
    reply: Reply = field(repr=False)


def create_body(display_name: str, input_file: str) -> bytes:
    """The body that creates a job whose rows are in an uploaded file."""
    return json_text.dumps({"batch": {"displayName": display_name, "inputConfig": {"fileName": input_file}}})


def row_line(key: str, call: Call, *, files: Mapping[str, FileRef]) -> bytes:
    """One line of the input file, with its end. References whose digest is in `files` are named, not sent."""
    references = call.request.references
    slim = tuple(replace(one, data=b"") if one.digest in files else one for one in references)
    body = request_body(replace(call, request=replace(call.request, references=slim)))
    parts = body["contents"][-1]["parts"]
    # The new turn begins with its references, one part each.
    for place, reference in enumerate(references):
        if file := files.get(reference.digest):
            parts[place] = {"fileData": {"mimeType": file.media_type, "fileUri": file.uri}}
    return json_text.dumps({"key": key, "request": body}) + b"\n"


def parse_operation(operation: JsonObject) -> Operation:
    """What an operation says, whichever of its two halves says it. Never raises."""
    metadata = obj(operation.get("metadata"))
    output = obj(operation.get("response")) or obj(metadata.get("output"))
    stats = obj(metadata.get("batchStats"))
    state = _state(metadata.get("state") or operation.get("state"))
    error = operation.get("error")
    return Operation(
        name=text(operation.get("name")) or text(metadata.get("name")),
        display_name=text(metadata.get("displayName")),
        state=state,
        over=not state.active and (state is not JobState.OTHER or operation.get("done") is True),
        model=text(metadata.get("model")).removeprefix("models/"),
        rows=count(stats.get("requestCount")),
        succeeded=count(stats.get("successfulRequestCount")),
        failed=count(stats.get("failedRequestCount")),
        result_file=some_text(output.get("responsesFile")),
        error=error_of(error) if isinstance(error, dict) else None,
        created_at=moment(metadata.get("createTime")),
    )


def parse_operations(body: bytes) -> tuple[tuple[Operation, ...], str | None]:
    """One page of the list of jobs, and the token of the next. Raises ValueError for what is no JSON."""
    page = obj(json_text.loads(body))
    found = tuple(parse_operation(one) for one in objs(page.get("operations")))
    return found, some_text(page.get("nextPageToken"))


def parse_file(body: bytes) -> RemoteFile:
    """The file of an answer to an upload or a look. Raises ValueError where there is none."""
    answer = obj(json_text.loads(body))
    file = obj(answer.get("file")) or answer
    if not some_text(file.get("name")):
        raise ValueError("the answer names no file")
    return RemoteFile(
        name=text(file["name"]),
        uri=text(file.get("uri")),
        media_type=text(file.get("mimeType")),
        bytes=count(file.get("sizeBytes")),
        active=text(file.get("state")) in ("ACTIVE", ""),
        expires_at=moment(file.get("expirationTime")),
    )


def parse_row(line: bytes) -> RowAnswer:
    """One line of a result: an answer or an error, both as a Reply. Raises ValueError for what is no row."""
    row = obj(json_text.loads(line))
    if not ("response" in row or "error" in row):
        raise ValueError(f"a line of {len(line):,} bytes holds neither response nor error")
    answer = obj(row.get("response")) if "response" in row else {"error": row["error"]}
    return RowAnswer(key=text(row.get("key")), reply=reply_of(answer))


def moment(value: object) -> Micros | None:
    """A time of the API; nanoseconds are cut off. None for what is none."""
    try:
        return to_micros(datetime.fromisoformat(text(value)))
    except (ValueError, TypeError):
        return None


def _state(value: object) -> JobState:
    name = text(value)
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    if name in ("", "UNSPECIFIED", "QUEUED"):
        return JobState.PENDING
    return JobState(name) if name in list(JobState) else JobState.OTHER
