"""Every recording of real traffic against the outcome it must be judged as; none may be forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import pytest

from image_router.core.outcome import Billed, Cause, Expected, FailureScope, Kind, Outcome, Retry, classify
from image_router.core.types import Usage
from image_router.engine.media import inspect, inspected
from image_router.providers import gemini_wire, imagen_wire
from image_router.providers.error_wire import error_of, parse_error
from pictures import with_pictures
from recordings import ROOT, Exchange, exchange, exchanges, names, needs_recordings

pytestmark = needs_recordings

FIREBASE = "FirebaseExtended__vertexai-sdk-test-data/"
ISSUE = "issue_bodies/"
IMAGEN_FILES = ("imagen", "generate-images")

Row = tuple[Kind, Cause, Billed, Retry, FailureScope]


def _row(
    kind: Kind, cause: Cause, billed: Billed, retry: Retry, scope: FailureScope = FailureScope.REQUEST
) -> Row:
    return kind, cause, billed, retry, scope


def _failed(cause: Cause, scope: FailureScope, retry: Retry = Retry.NEVER) -> Row:
    return _row(Kind.FAILED, cause, Billed.NO, retry, scope)


IMAGE = _row(Kind.IMAGE, Cause.OK, Billed.YES, Retry.NEVER)
BAD_KEY = _failed(Cause.BAD_KEY, FailureScope.KEY)
NOT_FOUND = _failed(Cause.MODEL_NOT_FOUND, FailureScope.MODEL, Retry.FAILOVER)
BAD_PARAMETER = _failed(Cause.BAD_PARAMETER, FailureScope.REQUEST)
BAD_REFERENCE = _failed(Cause.BAD_REFERENCE, FailureScope.REQUEST)
REGION = _failed(Cause.REGION, FailureScope.PROJECT)
NO_QUOTA = _failed(Cause.NO_QUOTA, FailureScope.PROJECT)
RATE_LIMIT = _failed(Cause.RATE_LIMIT, FailureScope.MODEL, Retry.CAPACITY)
INTERNAL = _failed(Cause.INTERNAL, FailureScope.MODEL, Retry.CAPACITY)
OVERLOADED = _failed(Cause.OVERLOADED, FailureScope.MODEL, Retry.CAPACITY)
BLOCKED_UNREAD = _row(Kind.REFUSED, Cause.PROMPT_BLOCKED, Billed.NO, Retry.NEVER)
BLOCKED_READ = _row(Kind.REFUSED, Cause.PROMPT_BLOCKED, Billed.YES, Retry.NEVER)
REFUSED = _row(Kind.REFUSED, Cause.OUTPUT_REFUSED, Billed.NO, Retry.CONTENT)
PAID = _row(Kind.NO_IMAGE, Cause.PAID_WITHOUT_IMAGE, Billed.YES, Retry.CONTENT)
WORDS = _row(Kind.NO_IMAGE, Cause.TEXT_INSTEAD, Billed.YES, Retry.CONTENT)
EMPTY = _row(Kind.NO_IMAGE, Cause.EMPTY, Billed.UNKNOWN, Retry.CONTENT)


def _ambiguous(cause: Cause) -> Row:
    return _row(Kind.AMBIGUOUS, cause, Billed.UNKNOWN, Retry.AMBIGUOUS, FailureScope.MODEL)


REPLIES: dict[str, Row | tuple[Row, ...]] = {
    "0xPlaygrounds__rig/error_400_bad_key.yaml": BAD_KEY,
    "0xPlaygrounds__rig/error_404_generateContent.yaml": NOT_FOUND,
    "0xPlaygrounds__rig/error_404_provider.yaml": NOT_FOUND,
    f"{FIREBASE}googleai_streaming-failure-image-rejected.json": BAD_PARAMETER,
    f"{FIREBASE}googleai_streaming-failure-prompt-blocked-safety.json": BLOCKED_UNREAD,
    f"{FIREBASE}googleai_streaming-failure-recitation-no-content.json": _row(
        Kind.REFUSED, Cause.COPYRIGHT, Billed.NO, Retry.NEVER
    ),
    f"{FIREBASE}googleai_streaming-success-empty-parts.json": IMAGE,
    f"{FIREBASE}googleai_streaming-success-finish-message.json": _row(
        Kind.NO_IMAGE, Cause.TEXT_INSTEAD, Billed.UNKNOWN, Retry.CONTENT
    ),
    f"{FIREBASE}googleai_unary-failure-api-key.json": BAD_KEY,
    f"{FIREBASE}googleai_unary-failure-finish-reason-safety.json": REFUSED,
    f"{FIREBASE}googleai_unary-failure-generativelanguage-api-not-enabled.json": _failed(
        Cause.KEY_RESTRICTED, FailureScope.PROJECT
    ),
    f"{FIREBASE}googleai_unary-failure-only-prompt-feedback.json": BLOCKED_UNREAD,
    f"{FIREBASE}googleai_unary-failure-unknown-model.json": NOT_FOUND,
    f"{FIREBASE}vertexai_streaming-failure-empty-content.json": EMPTY,
    f"{FIREBASE}vertexai_streaming-failure-invalid-json.json": _ambiguous(Cause.MALFORMED),
    f"{FIREBASE}vertexai_streaming-failure-malformed-content.json": EMPTY,
    f"{FIREBASE}vertexai_streaming-failure-prompt-blocked-safety-with-message.json": BLOCKED_UNREAD,
    f"{FIREBASE}vertexai_streaming-success-image-invalid-safety-ratings.json": IMAGE,
    f"{FIREBASE}vertexai_unary-failure-api-key.json": BAD_KEY,
    f"{FIREBASE}vertexai_unary-failure-finish-reason-safety-no-content.json": REFUSED,
    f"{FIREBASE}vertexai_unary-failure-generate-images-base64-some-filtered.json": IMAGE,
    f"{FIREBASE}vertexai_unary-failure-generate-images-gcs-some-filtered.json": PAID,
    f"{FIREBASE}vertexai_unary-failure-generate-images-prompt-blocked.json": BLOCKED_UNREAD,
    f"{FIREBASE}vertexai_unary-failure-http-error.json": REGION,
    f"{FIREBASE}vertexai_unary-failure-iam-permission-denied.json": _failed(
        Cause.KEY_RESTRICTED, FailureScope.KEY
    ),
    f"{FIREBASE}vertexai_unary-failure-image-rejected.json": BAD_REFERENCE,
    f"{FIREBASE}vertexai_unary-failure-prompt-blocked-safety-with-message.json": BLOCKED_UNREAD,
    f"{FIREBASE}vertexai_unary-failure-quota-exceeded.json": NO_QUOTA,
    f"{FIREBASE}vertexai_unary-failure-unknown-enum-finish-reason.json": _row(
        Kind.NO_IMAGE, Cause.UNKNOWN_FINISH, Billed.UNKNOWN, Retry.CONTENT
    ),
    f"{FIREBASE}vertexai_unary-failure-unsupported-user-location.json": REGION,
    f"{FIREBASE}vertexai_unary-success-generate-images-base64.json": IMAGE,
    f"{FIREBASE}vertexai_unary-success-generate-images-gcs.json": PAID,
    f"{FIREBASE}vertexai_unary-success-image-invalid-safety-ratings.json": IMAGE,
    "braintrustdata__braintrust-sdk-python/error_404_model.json": NOT_FOUND,
    "braintrustdata__braintrust-sdk-python/gemini_2_5_flash_image_text_image.json": IMAGE,
    "braintrustdata__braintrust-sdk-python/imagen4_fast_generate_images.json": IMAGE,
    "crmne__ruby_llm/error_400_api_key_invalid.yaml": BAD_KEY,
    "crmne__ruby_llm/error_429_paid_tier_input_tokens.yaml": RATE_LIMIT,
    "crmne__ruby_llm/gemini_3_1_flash_lite_image_paint.yaml": IMAGE,
    f"{ISSUE}200_1k_success_usage.json": PAID,
    f"{ISSUE}200_512_success.json": IMAGE,
    f"{ISSUE}200_block_reason_other.json": BLOCKED_READ,
    f"{ISSUE}200_image_prohibited_third_party.json": _ambiguous(Cause.TRUNCATED),
    f"{ISSUE}200_image_safety_children.json": REFUSED,
    f"{ISSUE}200_image_safety_policy.json": REFUSED,
    f"{ISSUE}200_refusal_text_only.json": WORDS,
    f"{ISSUE}200_stream_json_array.json": IMAGE,
    f"{ISSUE}200_thought_true_parts.json": EMPTY,
    f"{ISSUE}400_api_key_expired.json": BAD_KEY,
    f"{ISSUE}400_aspect_ratio_must_be_one_of.json": BAD_PARAMETER,
    f"{ISSUE}400_aspect_ratio_not_enabled.json": BAD_PARAMETER,
    f"{ISSUE}400_contents_not_specified.json": BAD_PARAMETER,
    f"{ISSUE}400_file_not_active.json": _failed(Cause.FILE_NOT_READY, FailureScope.REQUEST, Retry.CAPACITY),
    f"{ISSUE}400_imagen_billed_users_only.json": _failed(Cause.BILLING_REQUIRED, FailureScope.PROJECT),
    f"{ISSUE}400_imagen_prompt_blocked.json": BLOCKED_UNREAD,
    f"{ISSUE}400_imagen_safety_setting.json": BAD_PARAMETER,
    f"{ISSUE}400_inline_mime_type.json": BAD_REFERENCE,
    f"{ISSUE}400_input_tokens_32768.json": _failed(Cause.TOO_LONG, FailureScope.REQUEST, Retry.FAILOVER),
    f"{ISSUE}400_media_resolution.json": BAD_PARAMETER,
    f"{ISSUE}400_multiple_candidates.json": BAD_PARAMETER,
    f"{ISSUE}400_openai_compat_mime.json": _row(
        Kind.FAILED, Cause.BAD_PARAMETER, Billed.UNKNOWN, Retry.NEVER
    ),
    f"{ISSUE}400_provided_image_not_valid.json": BAD_REFERENCE,
    f"{ISSUE}400_response_modalities.json": BAD_PARAMETER,
    f"{ISSUE}400_unable_to_process_input_image.json": BAD_REFERENCE,
    f"{ISSUE}400_unknown_field_size.json": BAD_PARAMETER,
    f"{ISSUE}400_user_location.json": REGION,
    f"{ISSUE}403_api_key_service_blocked.json": _failed(Cause.KEY_RESTRICTED, FailureScope.KEY),
    f"{ISSUE}403_key_leaked.json": _failed(Cause.KEY_LEAKED, FailureScope.KEY),
    f"{ISSUE}404_gemini_image_on_predict.json": NOT_FOUND,
    f"{ISSUE}404_imagen_on_generateContent.json": NOT_FOUND,
    f"{ISSUE}404_retired_preview.json": NOT_FOUND,
    f"{ISSUE}429_batch_help_only.json": RATE_LIMIT,
    f"{ISSUE}429_free_tier_2025_no_limit_text.json": _failed(
        Cause.DAILY_QUOTA, FailureScope.MODEL, Retry.FAILOVER
    ),
    f"{ISSUE}429_free_tier_limit_0.json": NO_QUOTA,
    f"{ISSUE}500_internal.json": INTERNAL,
    f"{ISSUE}500_internal_encountered.json": INTERNAL,
    f"{ISSUE}503_overloaded_image.json": OVERLOADED,
    f"{ISSUE}504_deadline_exceeded.json": _ambiguous(Cause.SERVER_DEADLINE),
    "prism-php__prism/generate_image_text_plus_png.json": IMAGE,
    "pydantic__pydantic-ai/error_404_model_name.yaml": NOT_FOUND,
    "pydantic__pydantic-ai/files_uri_image_input.yaml": (
        _row(Kind.NO_IMAGE, Cause.EMPTY, Billed.YES, Retry.CONTENT),
        WORDS,
    ),
    "pydantic__pydantic-ai/image_and_text_output.yaml": IMAGE,
    "pydantic__pydantic-ai/image_generation_with_web_search.yaml": IMAGE,
    "pydantic__pydantic-ai/model_max_tokens_thinking_model_empty_response.yaml": _row(
        Kind.NO_IMAGE, Cause.OUT_OF_TOKENS, Billed.YES, Retry.CONTENT
    ),
    "pydantic__pydantic-ai/stream_usage_is_live_mid_stream.yaml": WORDS,
    "vercel__ai/error_429_retry_info.json": RATE_LIMIT,
    "vercel__ai/gemini_3_1_flash_image_success.json": IMAGE,
    "vercel__ai/prompt_block_live.json": BLOCKED_READ,
    "vercel__ai/thinking_config_400_live.json": (BAD_PARAMETER, BAD_PARAMETER),
    "wandb__weave/imagen3_predict_facts.json": IMAGE,
}
"""One row for each exchange of each file that holds answers to image calls."""


@dataclass(frozen=True)
class Other:
    """A file that is no answer to one image call: what it is, and what must nevertheless be read from it."""

    what: str
    check: Callable[[str], None] | None = None


def _lists_models(name: str) -> None:
    for recorded in exchanges(name):
        models, _ = gemini_wire.parse_models(orjson.dumps(recorded.body))
        assert models
        assert all(model.id and "/" not in model.id and model.methods for model in models)


def _says_bad_key(name: str) -> None:
    recorded = exchange(name)
    error = parse_error(recorded.status, {}, body=orjson.dumps(recorded.body))
    assert "API_KEY_INVALID" in error.reasons


def _says_not_found(name: str) -> None:
    recorded = exchange(name)
    assert parse_error(recorded.status, {}, body=orjson.dumps(recorded.body)).status == "NOT_FOUND"


def _rows_are_replies(name: str) -> None:
    done = [e.body for e in exchanges(name) if e.body.get("done")]
    rows = done[-1]["response"]["inlinedResponses"]["inlinedResponses"]
    replies = [gemini_wire.reply_of(row["response"]) for row in rows]
    assert rows
    assert all(reply.text and reply.usage and reply.usage.prompt_tokens for reply in replies)


def _notebook_row_is_a_reply(name: str) -> None:
    row = json.loads((ROOT / name).read_text())["content"]["jsonl_output"][0]
    assert gemini_wire.reply_of(row["response"]).usage == Usage(
        prompt_tokens=8, candidates_tokens=11, thoughts_tokens=829, total_tokens=848
    )


def _row_error_is_an_overload(name: str) -> None:
    error = error_of({"code": 13, "message": exchange(name).body})
    assert (error.status, error.message) == ("UNAVAILABLE", "The service is currently unavailable.")


def _armor_blocks(name: str) -> None:
    recorded = exchanges(name)[1]
    outcome = classify(_reply(recorded), Expected())
    assert (outcome.cause, outcome.reason, outcome.billed) == (
        Cause.PROMPT_BLOCKED,
        "MODEL_ARMOR",
        Billed.NO,
    )


def _whole_of(notes: str) -> str | None:
    """The recording beside its notes, where it was kept whole."""
    return next((name for name in REPLIES if name.startswith(notes.removesuffix("facts.json"))), None)


def _pictures_as_noted(name: str) -> None:
    """Our own reading of the pictures equals what was noted when they were decoded."""
    whole = _whole_of(name)
    assert whole is not None
    noted = [
        (i["size"][0], i["size"][1], i["sha256"]) for i in json.loads((ROOT / name).read_text())["images"]
    ]
    facts = [inspect(image.data) for image in _reply(exchange(whole)).images]
    assert [(f.pixels.width, f.pixels.height, f.digest) for f in facts] == noted


OTHERS: dict[str, Other] = {
    "INDEX.md": Other("the index of the recordings"),
    "GROUND_TRUTH.json": Other("a table of the decoded pictures"),
    "0xPlaygrounds__rig/models_list.yaml": Other("models.list", _lists_models),
    "0xPlaygrounds__rig/error_400_models_list_bad_key.yaml": Other("models.list refused", _says_bad_key),
    "crmne__ruby_llm/batch_lifecycle_inline.yaml": Other("a batch job's life", _rows_are_replies),
    "crmne__ruby_llm/files_upload_resumable.yaml": Other("a file upload; calls here carry bytes inline"),
    "google-gemini__cookbook/batch_file_mode_outputs.json": Other(
        "files of a batch job", _notebook_row_is_a_reply
    ),
    "google-gemini__cookbook/notebook_output_image_sizes.json": Other("sizes noted from notebooks"),
    f"{ISSUE}200_batch_all_rows_failed.json": Other("a statement about batch jobs"),
    f"{ISSUE}200_batch_out_of_order.json": Other("a statement about batch jobs"),
    f"{ISSUE}200_imagen_all_filtered_sdk.json": Other("an object of the JavaScript SDK, not of the wire"),
    f"{ISSUE}503_batch_get_inline_images.json": Other("facts about a batch job"),
    f"{ISSUE}503_service_unavailable_batch_row.json": Other(
        "the error text of one batch row", _row_error_is_an_overload
    ),
    f"{ISSUE}model_lifecycle_notices.json": Other("shutdown dates"),
    f"{ISSUE}sdk_chunk_too_big.json": Other("an exception of another client"),
    f"{ISSUE}sdk_mime_mismatch.json": Other("program output; see test_outcome for the declared type"),
    f"{ISSUE}sdk_retry_stream_429_headers.json": Other("headers of a 429 without its body"),
    "pydantic__pydantic-ai/error_404_countTokens.yaml": Other("countTokens refused", _says_not_found),
    "pydantic__pydantic-ai/model_armor_prompt_template_text_gets_blocked.yaml": Other(
        "a login, then a blocked prompt on Vertex", _armor_blocks
    ),
    "simonw__llm-gemini/models_list_httpx.yaml": Other("models.list in pages", _lists_models),
}


def _all_files() -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file())


def _notes() -> list[str]:
    return [name for name in _all_files() if name.endswith(".facts.json")]


def _raw(recorded: Exchange) -> bytes:
    if isinstance(recorded.body, str):
        return recorded.body.encode()
    if recorded.raw and not isinstance(recorded.body, dict):
        return recorded.raw.encode()
    return orjson.dumps(with_pictures(recorded.body))


def _reply(recorded: Exchange) -> gemini_wire.Reply:
    place = (recorded.url or "") + recorded.file
    wire = imagen_wire if ":predict" in place or any(sign in place for sign in IMAGEN_FILES) else gemini_wire
    headers = {name: values[0] for name, values in recorded.headers.items()}
    return inspected(wire.parse_reply(recorded.status, headers, body=_raw(recorded)))


def _judged(recorded: Exchange) -> Outcome:
    return classify(_reply(recorded), Expected())


def test_every_recording_is_accounted_for() -> None:
    """Each file has a row, or says why it is no answer to one image call; no row is left over."""
    listed = {*REPLIES, *OTHERS, *_notes()}
    assert listed == set(_all_files())
    assert not REPLIES.keys() & OTHERS.keys()
    assert set(names()) <= listed


@pytest.mark.parametrize("name", sorted(REPLIES))
def test_recorded_reply_is_judged(name: str) -> None:
    """A recorded answer has the kind, cause, bill, retry and scope of its row."""
    rows = REPLIES[name]
    expected = rows if isinstance(rows[0], tuple) else (rows,)
    judged = [_judged(recorded) for recorded in exchanges(name)]
    assert tuple((o.kind, o.cause, o.billed, o.retry, o.scope) for o in judged) == expected


@pytest.mark.parametrize("name", sorted(name for name, other in OTHERS.items() if other.check))
def test_other_recording_is_read(name: str) -> None:
    """What is no answer to an image call is still read by the function that fits it."""
    check = OTHERS[name].check
    assert check is not None
    check(name)


@pytest.mark.parametrize("name", [name for name in _notes() if _whole_of(name)])
def test_pictures_are_what_was_noted(name: str) -> None:
    """Format, pixels and digest of a whole recorded picture equal the notes beside it."""
    _pictures_as_noted(name)


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        (
            "pydantic__pydantic-ai/image_generation_with_web_search.yaml",
            Usage(
                prompt_tokens=33,
                candidates_tokens=1780,
                image_tokens=1120,
                thoughts_tokens=529,
                total_tokens=2342,
                searches=1,
            ),
        ),
        (
            f"{ISSUE}200_image_safety_policy.json",
            Usage(prompt_tokens=464, thoughts_tokens=291, total_tokens=755, prompt_image_tokens=258),
        ),
        ("braintrustdata__braintrust-sdk-python/imagen4_fast_generate_images.json", Usage(images=1)),
        (
            f"{ISSUE}200_stream_json_array.json",
            Usage(prompt_tokens=4, candidates_tokens=1535, image_tokens=1120, total_tokens=1539),
        ),
    ],
)
def test_recorded_usage_is_read(name: str, usage: Usage) -> None:
    """Usage is taken token by token; an empty search query and an empty last usage change nothing."""
    assert _judged(exchange(name)).usage == usage


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("crmne__ruby_llm/error_429_paid_tier_input_tokens.yaml", 48.0),
        ("vercel__ai/error_429_retry_info.json", 34.4),
        (f"{ISSUE}429_free_tier_limit_0.json", None),
        (f"{ISSUE}429_free_tier_2025_no_limit_text.json", None),
        (f"{ISSUE}429_batch_help_only.json", 60.0),
        (f"{ISSUE}503_overloaded_image.json", None),
    ],
)
def test_recorded_wait_is_read(name: str, seconds: float | None) -> None:
    """RetryInfo counts for a limit per minute, never for a quota that is used up or zero."""
    assert _judged(exchange(name)).retry_after == seconds
