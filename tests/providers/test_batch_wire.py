"""The Batch API's JSON, held against recorded jobs and what clients reported."""

from __future__ import annotations

import json

import pytest

from image_router.core.decision import Parameters
from image_router.core.outcome import Billed, Expected, Kind, Retry, classify
from image_router.core.types import AspectRatio, ImageRequest, Size
from image_router.engine.media import load_reference
from image_router.facts import load_catalog
from image_router.providers.base import Call
from image_router.providers.batch_wire import (
    FileRef,
    JobState,
    create_body,
    moment,
    parse_file,
    parse_operation,
    parse_operations,
    parse_row,
    row_line,
)
from pictures import picture
from recordings import exchange, exchanges, issue_body, needs_recordings

LIFE_CYCLE = "crmne__ruby_llm/batch_lifecycle_inline.yaml"


def _call(**fields: object) -> Call:
    return Call(
        request=ImageRequest(prompt="a fox", **fields),  # type: ignore[arg-type]
        model=load_catalog(None).models["gemini-3-pro-image"],
        parameters=Parameters(thinking=None, size=Size.K2, aspect=AspectRatio.R1_1),
        max_output_tokens=900,
    )


@needs_recordings
def test_a_recorded_job_is_read_from_its_creation_to_its_end() -> None:
    told = [parse_operation(one.body) for one in exchanges(LIFE_CYCLE)]
    states = [one.state for one in told]
    assert states[0] is JobState.PENDING
    assert list(dict.fromkeys(states)) == [JobState.PENDING, JobState.RUNNING, JobState.SUCCEEDED]
    assert [one.over for one in told] == [state is JobState.SUCCEEDED for state in states]
    last = told[-1]
    assert last.name == "batches/31u18uq6dr4ods3957z38i1mbfa581k01xcq"
    assert last.display_name == "ruby_llm_bf7406835d85c375"
    assert last.model == "gemini-2.5-flash"
    assert (last.rows, last.succeeded, last.failed, last.error) == (2, 2, 0, None)
    assert last.created_at == moment("2026-08-19T14:34:12.267870Z")


@needs_recordings
def test_recorded_rows_are_answers_like_any_other() -> None:
    last = exchanges(LIFE_CYCLE)[-1].body
    rows = last["response"]["inlinedResponses"]["inlinedResponses"]
    replies = [parse_row(json.dumps(row).encode()).reply for row in rows]
    assert [reply.text for reply in replies] == ["4", "Jupiter"]
    assert all(reply.usage and reply.usage.total_tokens for reply in replies)


@needs_recordings
def test_recorded_files_of_rows_and_results_have_the_fields_that_are_read() -> None:
    recorded = exchange("google-gemini__cookbook/batch_file_mode_outputs.json").body
    [line] = recorded["jsonl_output"]
    row = parse_row(json.dumps(line).encode())
    assert row.key == "request_1"
    assert row.reply.text.startswith("AI learns")
    [asked] = recorded["jsonl_input"]
    ours = json.loads(row_line("image_request_1", _call(), files={}))
    assert set(ours) == set(asked)
    assert set(ours["request"]) >= {"contents"}
    file = recorded["uploaded_jsonl_file"]
    wire = {
        "name": file["name"],
        "uri": file["uri"],
        "mimeType": file["mime_type"],
        "sizeBytes": str(file["size_bytes"]),
        "expirationTime": file["expiration_time"],
        "state": file["state"],
    }
    read = parse_file(json.dumps({"file": wire}).encode())
    assert (read.name, read.bytes, read.active) == ("files/t5snrshrqff1", 202, True)
    assert read.expires_at == moment(file["expiration_time"])


@needs_recordings
def test_a_recorded_upload_ends_with_a_file_that_is_read() -> None:
    [begun, done] = exchanges("crmne__ruby_llm/files_upload_resumable.yaml")
    assert begun.headers["x-goog-upload-status"] == ["active"]
    read = parse_file(json.dumps(done.body).encode())
    assert read.active
    assert read.bytes == 18810
    assert read.uri.endswith(read.name)
    assert read.expires_at is not None


@needs_recordings
def test_a_row_that_failed_for_overload_is_told_from_one_that_was_refused() -> None:
    words = issue_body("503_service_unavailable_batch_row").body
    failed = parse_row(json.dumps({"key": "1", "error": {"code": 13, "message": words}}).encode())
    outcome = classify(failed.reply, Expected())
    assert (outcome.kind, outcome.retry, outcome.billed) == (Kind.FAILED, Retry.CAPACITY, Billed.NO)
    assert "unavailable" in outcome.detail


@pytest.mark.parametrize(
    ("said", "state", "over"),
    [
        ("BATCH_STATE_PENDING", JobState.PENDING, False),
        ("JOB_STATE_RUNNING", JobState.RUNNING, False),
        ("JOB_STATE_QUEUED", JobState.PENDING, False),
        ("BATCH_STATE_EXPIRED", JobState.EXPIRED, True),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", JobState.PARTIALLY_SUCCEEDED, True),
        ("BATCH_STATE_CANCELLED", JobState.CANCELLED, True),
        ("BATCH_STATE_UNSPECIFIED", JobState.PENDING, False),
        (None, JobState.PENDING, False),
        ("BATCH_STATE_HIBERNATING", JobState.OTHER, False),
    ],
)
def test_states_are_read_with_either_prefix(said: str | None, state: JobState, over: bool) -> None:
    told = parse_operation({"name": "batches/1", "metadata": {"state": said}})
    assert (told.state, told.over) == (state, over)


def test_a_state_of_a_later_api_is_over_when_the_operation_says_so() -> None:
    assert parse_operation({"metadata": {"state": "BATCH_STATE_HIBERNATING"}, "done": True}).over


@pytest.mark.parametrize("half", ["response", "metadata"])
def test_the_result_file_is_found_in_either_half(half: str) -> None:
    output = {"responsesFile": "files/batch-1"}
    both = {"response": {"response": output}, "metadata": {"metadata": {"output": output}}}
    assert parse_operation(both[half]).result_file == "files/batch-1"


def test_a_failed_job_says_why() -> None:
    told = parse_operation(
        {"metadata": {"state": "BATCH_STATE_FAILED"}, "error": {"code": 13, "message": "x"}}
    )
    assert told.error is not None
    assert (told.error.http_status, told.error.message) == (500, "x")


def test_pages_of_the_list_carry_their_token() -> None:
    page = {"operations": [{"name": "batches/1"}, "odd"], "nextPageToken": "50"}
    found, token = parse_operations(json.dumps(page).encode())
    assert [one.name for one in found] == ["batches/1"]
    assert token == "50"
    assert parse_operations(b"{}") == ((), None)


def test_a_reference_that_was_uploaded_is_named_and_any_other_is_sent() -> None:
    first, second = load_reference(picture()), load_reference(picture(width=80))
    files = {first.digest: FileRef(uri="https://host/v1beta/files/a", media_type="image/png")}
    line = row_line("row 7", _call(references=(first, second)), files=files)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    row = json.loads(line)
    named, sent, words = row["request"]["contents"][0]["parts"]
    assert row["key"] == "row 7"
    assert named == {"fileData": {"mimeType": "image/png", "fileUri": "https://host/v1beta/files/a"}}
    assert sent["inlineData"]["mimeType"] == "image/png"
    assert words == {"text": "a fox"}
    assert row["request"]["generationConfig"]["imageConfig"] == {"aspectRatio": "1:1", "imageSize": "2K"}


def test_a_job_is_created_of_a_file_under_its_name() -> None:
    assert json.loads(create_body("job 1", "files/x")) == {
        "batch": {"displayName": "job 1", "inputConfig": {"fileName": "files/x"}}
    }


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"key": "1"}'])
def test_what_is_no_row_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the JSON parser's own words or ours
        parse_row(line)
