"""The emulator beside recorded traffic: same request, same shape of answer, same words where verbatim."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pybase64
import pytest
from PIL import Image

from gemini_emulator import serve
from recordings import Exchange, exchange, exchanges, issue_body, needs_recordings

pytestmark = needs_recordings

# written by the recorder or the front end of the day, no part of the API
_FOREIGN_HEADERS = {"content-length", "content-encoding", "transfer-encoding", "date"}


@contextmanager
def _world(day: str) -> Iterator[httpx2.Client]:
    with (
        serve(as_of=day, pictures="flat", signature_bytes=600) as emulator,
        httpx2.Client(base_url=emulator.url, headers={"x-goog-api-key": "k"}) as client,
    ):
        yield client


def _replay(client: httpx2.Client, recorded: Exchange, fault: str | None = None) -> httpx2.Response:
    assert recorded.method is not None
    assert recorded.url is not None
    parts = urlsplit(recorded.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = {"x-emulator-fault": fault} if fault else {}
    return client.request(recorded.method, target, json=recorded.request_body, headers=headers)


def _shape(value: Any) -> Any:
    """Keys and types; every list as the set of its members' shapes."""
    if isinstance(value, dict):
        return {name: _shape(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return sorted({repr(_shape(inner)) for inner in value})
    return type(value).__name__


def _without_tier(body: dict[str, Any]) -> dict[str, Any]:
    """Answers of 2025 do not name the tier, those of 2026 do."""
    usage = {name: value for name, value in body["usageMetadata"].items() if name != "serviceTier"}
    return {**body, "usageMetadata": usage}


def _picture_size(body: dict[str, Any]) -> tuple[int, int]:
    parts = [part for part in body["candidates"][0]["content"]["parts"] if "inlineData" in part]
    with Image.open(io.BytesIO(pybase64.b64decode(parts[-1]["inlineData"]["data"]))) as picture:
        return picture.size


GENERATED = [
    ("pydantic__pydantic-ai/image_and_text_output.yaml", "2025-10-03", (1024, 1024)),
    ("pydantic__pydantic-ai/image_generation_with_text.facts.json", "2025-11-27", (1408, 768)),
    ("pydantic__pydantic-ai/image_generation_with_web_search.yaml", "2025-11-27", (1408, 768)),
    ("crmne__ruby_llm/gemini_3_1_flash_lite_image_paint.yaml", "2026-08-19", (1408, 768)),
    (
        "braintrustdata__braintrust-sdk-python/gemini_2_5_flash_image_text_image.json",
        "2026-08-10",
        (1024, 1024),
    ),
]


@pytest.mark.parametrize(("name", "day", "size"), GENERATED)
def test_a_generated_picture_has_the_recorded_shape(name: str, day: str, size: tuple[int, int]) -> None:
    """The same request gives the same keys, prompt tokens, picture tokens, type and pixels."""
    recorded = exchange(name)
    with _world(day) as client:
        answer = _replay(client, recorded).json()
    assert _shape(_without_tier(answer)) == _shape(_without_tier(recorded.body))
    for counted in ("promptTokenCount", "promptTokensDetails", "candidatesTokensDetails"):
        assert answer["usageMetadata"][counted] == recorded.body["usageMetadata"][counted]
    assert answer["modelVersion"] == recorded.body["modelVersion"]
    assert _picture_size(answer) == size


def test_a_picture_without_words_is_counted_to_the_token() -> None:
    """2.5 Flash Image with no words to say: the recorded usageMetadata, key by key."""
    recorded = exchange("braintrustdata__braintrust-sdk-python/gemini_2_5_flash_image_text_image.json")
    with _world("2026-08-10") as client:
        answer = _replay(client, recorded).json()
    assert answer["usageMetadata"] == recorded.body["usageMetadata"]


def test_lite_hides_as_many_tokens_as_recorded() -> None:
    """candidatesTokenCount exceeds the picture's by the recorded 398 to 417 tokens at the default level."""
    recorded = exchange("crmne__ruby_llm/gemini_3_1_flash_lite_image_paint.yaml")
    with _world("2026-08-19") as client:
        usage = _replay(client, recorded).json()["usageMetadata"]
    assert 398 <= usage["candidatesTokenCount"] - 1120 <= 417
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]


def test_the_flash_image_fixture_has_the_shape_of_ours() -> None:
    """A live 3.1 Flash Image answer of 2026-09-17 and ours have the same keys."""
    recorded = exchange("vercel__ai/gemini_3_1_flash_image_success.json")
    with _world("2026-09-17") as client:
        body = {"contents": [{"parts": [{"text": "a small blue bird on a snowy branch"}]}]}
        answer = client.post("/v1beta/models/gemini-3.1-flash-image:generateContent", json=body).json()
    assert _shape(answer) == _shape(recorded.body)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("braintrustdata__braintrust-sdk-python/imagen4_fast_generate_images.json", "2026-08-10"),
        ("wandb__weave/imagen3_predict_facts.json", "2026-04-09"),
    ],
)
def test_imagen_predictions_have_the_recorded_shape(name: str, day: str) -> None:
    """predict answers mimeType and bytes for every picture, whether instances came as a list or an object."""
    recorded = exchange(name)
    with _world(day) as client:
        answer = client.post(
            "/v1beta/models/imagen-4.0-fast-generate-001:predict", json=recorded.request_body
        ).json()
    assert _shape(answer) == _shape(recorded.body)
    assert len(answer["predictions"]) == recorded.request_body["parameters"]["sampleCount"]


REFUSED = [
    ("braintrustdata__braintrust-sdk-python/error_404_model.json", "2026-10-05"),
    ("pydantic__pydantic-ai/error_404_countTokens.yaml", "2026-04-09"),
    ("pydantic__pydantic-ai/error_404_model_name.yaml", "2026-10-05"),
    ("0xPlaygrounds__rig/error_404_generateContent.yaml", "2026-10-05"),
    ("0xPlaygrounds__rig/error_404_provider.yaml", "2026-10-05"),
]


@pytest.mark.parametrize(("name", "day"), REFUSED)
def test_an_unknown_model_is_refused_word_for_word(name: str, day: str) -> None:
    """404 NOT_FOUND with the recorded body."""
    recorded = exchange(name)
    with _world(day) as client:
        answer = _replay(client, recorded)
    assert (answer.status_code, answer.json()) == (recorded.status, recorded.body)


@pytest.mark.parametrize(
    "name",
    [
        "crmne__ruby_llm/error_400_api_key_invalid.yaml",
        "0xPlaygrounds__rig/error_400_bad_key.yaml",
        "0xPlaygrounds__rig/error_400_models_list_bad_key.yaml",
    ],
)
def test_a_bad_key_is_refused_word_for_word(name: str) -> None:
    """400 API_KEY_INVALID with both details, on a call and on models.list."""
    recorded = exchange(name)
    with _world("2026-08-19") as client:
        client.headers["x-goog-api-key"] = "bad-key"
        url = urlsplit(recorded.url or "").path
        answer = client.request(recorded.method or "", url, json=recorded.request_body)
    assert (answer.status_code, answer.json()) == (recorded.status, recorded.body)


VERBATIM = [
    ("429_free_tier_limit_0", "quota_zero", "gemini-2.5-flash-image"),
    ("429_batch_help_only", "rate_limit_help_only", "gemini-2.5-flash-image"),
    ("503_overloaded_image", "overloaded", "gemini-3-pro-image"),
    ("500_internal", "internal", "gemini-3-pro-image"),
    ("500_internal_encountered", "internal_encountered", "gemini-3-pro-image"),
    ("504_deadline_exceeded", "deadline", "gemini-3-pro-image"),
    ("400_imagen_billed_users_only", "imagen_billing", "gemini-3-pro-image"),
    ("400_imagen_prompt_blocked", "imagen_prompt_block", "gemini-3-pro-image"),
    ("400_user_location", "region", "gemini-3-pro-image"),
    ("400_unable_to_process_input_image", "input_image_unreadable", "gemini-3-pro-image"),
    ("400_provided_image_not_valid", "input_image_invalid", "gemini-3-pro-image"),
    ("400_openai_compat_mime", "compat_mime", "gemini-3-pro-image"),
    ("400_unknown_field_size", "unknown_field", "gemini-3-pro-image"),
    ("400_file_not_active", "file_not_active", "gemini-3-pro-image"),
    ("400_aspect_ratio_not_enabled", "aspect_ratio_not_enabled", "gemini-3-pro-image"),
    ("403_key_leaked", "key_leaked", "gemini-3-pro-image"),
    ("403_api_key_service_blocked", "key_blocked", "gemini-3-pro-image"),
]


@pytest.mark.parametrize(("name", "fault", "model"), VERBATIM)
def test_a_quoted_error_body_is_reproduced(name: str, fault: str, model: str) -> None:
    """The fault answers with the status and the whole body quoted in the report."""
    recorded = issue_body(name)
    with _world("2026-11-22") as client:
        answer = client.post(
            f"/v1beta/models/{model}:generateContent", json={}, headers={"x-emulator-fault": fault}
        )
    assert (answer.status_code, answer.json()) == (recorded.status, recorded.body)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("crmne__ruby_llm/error_429_paid_tier_input_tokens.yaml", "rate_limit_tokens"),
        ("vercel__ai/error_429_retry_info.json", "rate_limit_retry_info"),
        (
            "FirebaseExtended__vertexai-sdk-test-data/googleai_unary-failure-generativelanguage-api-not-enabled.json",
            "service_disabled",
        ),
    ],
)
def test_a_recorded_error_has_the_shape_of_the_fault(name: str, fault: str) -> None:
    """Status, keys, types and the order of details agree with the recording."""
    recorded = exchange(name)
    with _world("2026-08-19") as client:
        answer = client.post(
            "/v1beta/models/gemini-2.5-flash-image:generateContent",
            json={},
            headers={"x-emulator-fault": fault},
        )
    assert answer.status_code == recorded.status
    assert _shape(answer.json()) == _shape(recorded.body)
    kinds = [detail["@type"] for detail in answer.json()["error"]["details"]]
    assert kinds == [detail["@type"] for detail in recorded.error["details"]]


WRONG_METHODS = [
    ("404_imagen_on_generateContent", "imagen-4.0-fast-generate-001", "generateContent", "2026-04-09"),
    ("404_retired_preview", "gemini-2.5-flash-image-preview", "generateContent", "2026-04-16"),
    ("404_gemini_image_on_predict", "gemini-2.5-flash-image", "predict", "2026-11-22"),
]


@pytest.mark.parametrize(("name", "model", "method", "day"), WRONG_METHODS)
def test_a_model_called_by_the_wrong_method_or_too_late_is_not_found(
    name: str, model: str, method: str, day: str
) -> None:
    """Imagen on generateContent, Gemini on predict and a retired id all answer the quoted 404."""
    recorded = issue_body(name)
    with _world(day) as client:
        answer = client.post(f"/v1beta/models/{model}:{method}", json={})
    assert (answer.status_code, answer.json()) == (404, recorded.body)


def test_thinking_misuse_is_refused_word_for_word() -> None:
    """A level the model lacks, and level and budget together, answer the recorded 400s."""
    bodies = [one.body["error"]["message"] for one in exchanges("vercel__ai/thinking_config_400_live.json")]
    contents = [{"parts": [{"text": "a fox"}]}]
    answers = []
    with _world("2026-10-09") as client:
        for thinking in ({"thinkingLevel": "MINIMAL"}, {"thinkingLevel": "HIGH", "thinkingBudget": 5}):
            body = {"contents": contents, "generationConfig": {"thinkingConfig": thinking}}
            answers.append(client.post("/v1beta/models/gemini-3-pro-image:generateContent", json=body))
    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.json()["error"]["message"] for answer in answers] == bodies


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("400_multiple_candidates", {"candidateCount": 2}),
        ("400_media_resolution", {"mediaResolution": "MEDIA_RESOLUTION_HIGH"}),
        ("400_response_modalities", {"responseModalities": ["TEXT"]}),
        ("400_aspect_ratio_must_be_one_of", {"imageConfig": {"aspectRatio": "7:3"}}),
    ],
)
def test_a_bad_setting_is_refused_in_quoted_words(name: str, config: dict[str, Any]) -> None:
    """The message begins as the quoted one, model names aside."""
    recorded = issue_body(name).body
    quoted = recorded if isinstance(recorded, str) else recorded["error"]["message"]
    body = {"contents": [{"parts": [{"text": "a fox"}]}], "generationConfig": config}
    with _world("2026-11-22") as client:
        error = client.post("/v1beta/models/gemini-2.5-flash-image:generateContent", json=body).json()[
            "error"
        ]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["message"].split(" for ")[0].split(". models/")[0] in quoted or quoted[60:190] in repr(error)


def test_a_blocked_prompt_has_the_recorded_shape() -> None:
    """No candidates key, promptFeedback.blockReason, prompt tokens alone."""
    recorded = exchange("vercel__ai/prompt_block_live.json")
    with _world("2026-06-01") as client:
        body = {"contents": [{"parts": [{"text": "one two three four five six seven eight"}]}]}
        answer = client.post(
            "/v1beta/models/gemini-3.1-flash-image-preview:generateContent",
            json=body,
            headers={"x-emulator-fault": "prompt_blocked"},
        ).json()
    assert {**answer, "responseId": ""} == {**recorded.body, "responseId": ""}


def test_a_filtered_picture_has_the_quoted_message() -> None:
    """IMAGE_SAFETY: no parts, the provider's words, thinking still counted in the total."""
    recorded = issue_body("200_image_safety_policy").body
    with _world("2026-02-01") as client:
        answer = client.post(
            "/v1beta/models/gemini-3-pro-image-preview:generateContent",
            json={"contents": [{"parts": [{"text": "a fox"}]}]},
            headers={"x-emulator-fault": "image_safety;parts=null"},
        ).json()
    assert answer["candidates"] == recorded["candidates"]
    assert answer["usageMetadata"]["candidatesTokenCount"] == 0
    assert answer["usageMetadata"]["totalTokenCount"] == (
        answer["usageMetadata"]["promptTokenCount"] + answer["usageMetadata"]["thoughtsTokenCount"]
    )


def test_a_third_party_refusal_begins_as_quoted() -> None:
    """IMAGE_PROHIBITED_CONTENT in the quoted words and key order, as far as the quotation goes."""
    quoted = issue_body("200_image_prohibited_third_party").body
    with _world("2026-02-01") as client:
        answer = client.post(
            "/v1beta/models/gemini-3-pro-image-preview:generateContent",
            json={"contents": [{"parts": [{"text": "a fox"}]}]},
            headers={"x-emulator-fault": "image_prohibited;message=third_party"},
        )
    assert json.dumps(answer.json(), separators=(",", ":")).startswith(quoted)


def test_no_room_for_the_picture_ends_as_recorded() -> None:
    """maxOutputTokens of 5: an empty model turn, MAX_TOKENS, 2 thinking tokens, no candidatesTokenCount."""
    recorded = exchange("pydantic__pydantic-ai/model_max_tokens_thinking_model_empty_response.yaml").body
    body = {"contents": [{"parts": [{"text": "a fox"}]}], "generationConfig": {"maxOutputTokens": 5}}
    with _world("2025-11-27") as client:
        answer = client.post("/v1beta/models/gemini-3-pro-image-preview:generateContent", json=body).json()
    assert answer["candidates"] == recorded["candidates"]
    assert _shape(answer) == _shape(recorded)
    assert answer["usageMetadata"]["thoughtsTokenCount"] == recorded["usageMetadata"]["thoughtsTokenCount"]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("0xPlaygrounds__rig/models_list.yaml", "2026-08-05"),
        ("simonw__llm-gemini/models_list_httpx.yaml", "2026-08-05"),
    ],
)
def test_models_are_listed_as_recorded(name: str, day: str) -> None:
    """Every image model of the recorded list is in ours, field by field; of the others, a text model."""
    everything = {model["name"]: model for model in exchange(name).body["models"]}
    recorded = {known: it for known, it in everything.items() if "image" in known or "banana" in known}
    with _world(day) as client:
        ours = {model["name"]: model for model in client.get("/v1beta/models").json()["models"]}
    text = ours.pop("models/gemini-3.1-flash-lite")
    assert ours == recorded
    assert text == everything.get(text["name"], text)


def test_a_batch_lives_as_recorded() -> None:
    """PENDING at creation, RUNNING while polled, then SUCCEEDED with the answers twice, key by key."""
    recorded = exchanges("crmne__ruby_llm/batch_lifecycle_inline.yaml")
    request = recorded[0].request_body
    with _world("2026-08-19") as client:
        created = client.post("/v1beta/models/gemini-3-pro-image:batchGenerateContent", json=request).json()
        running = client.get(f"/v1beta/{created['name']}").json()
        client.post("/emulator/clock", json={"advance_seconds": 400})
        done = client.get(f"/v1beta/{created['name']}").json()
    assert _shape(created) == _shape(recorded[0].body)
    assert _shape(running) == _shape(recorded[1].body)
    assert list(done["metadata"]) == list(recorded[-1].body["metadata"])
    for ours, theirs in ((done["metadata"]["output"], recorded[-1].body["metadata"]["output"]),):
        assert [row["metadata"] for row in ours["inlinedResponses"]["inlinedResponses"]] == [
            row["metadata"] for row in theirs["inlinedResponses"]["inlinedResponses"]
        ]
    assert done["done"] is True
    assert done["response"]["@type"] == recorded[-1].body["response"]["@type"]
    assert done["response"]["inlinedResponses"] == done["metadata"]["output"]["inlinedResponses"]
    assert done["metadata"]["batchStats"] == recorded[-1].body["metadata"]["batchStats"]
    assert [created["metadata"]["state"], running["metadata"]["state"], done["metadata"]["state"]] == [
        recorded[index].body["metadata"]["state"] for index in (0, 1, -1)
    ]


def test_a_file_is_uploaded_as_recorded() -> None:
    """Both steps of the resumable upload give the recorded headers and the recorded File."""
    start, finish = exchanges("crmne__ruby_llm/files_upload_resumable.yaml")
    with _world("2026-08-19") as client:
        headers = {name: values[0] for name, values in start.request_headers.items() if "upload" in name}
        begun = client.post("/upload/v1beta/files", json=start.request_body, headers=headers)
        url = begun.headers["x-goog-upload-url"]
        sent = {name: values[0] for name, values in finish.request_headers.items() if "upload" in name}
        ended = client.post(url, content=b"x" * 18810, headers=sent)
    assert (begun.status_code, begun.content) == (start.status, b"")
    for name in ("x-goog-upload-status", "x-goog-upload-chunk-granularity", "content-type"):
        assert begun.headers[name] == start.headers[name][0]
    assert ended.headers["x-goog-upload-status"] == finish.headers["x-goog-upload-status"][0]
    assert _shape(ended.json()) == _shape(finish.body)
    assert list(ended.json()["file"]) == list(finish.body["file"])


def test_an_answer_carries_the_recorded_headers() -> None:
    """Name for name, with vary three times; no request id, no rate limit header, chunked."""
    recorded = exchange("crmne__ruby_llm/gemini_3_1_flash_lite_image_paint.yaml")
    with _world("2026-08-19") as client:
        answer = _replay(client, recorded)
    assert set(answer.headers) - _FOREIGN_HEADERS == set(recorded.headers) - _FOREIGN_HEADERS
    for name in set(recorded.headers) - _FOREIGN_HEADERS - {"server-timing"}:
        assert sorted(answer.headers.get_list(name)) == sorted(recorded.headers[name])
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["date"].startswith("Wed, 19 Aug 2026")


def test_a_response_id_tells_the_time() -> None:
    """Its first four bytes are the unix time, little-endian, as in recorded ids of known date."""
    with _world("2026-08-19") as client:
        body = {"contents": [{"parts": [{"text": "a fox"}]}]}
        response_id = client.post("/v1beta/models/gemini-2.5-flash-image:generateContent", json=body).json()[
            "responseId"
        ]
    recorded = exchange("crmne__ruby_llm/gemini_3_1_flash_lite_image_paint.yaml").body["responseId"]
    day = 86_400
    moments = [
        int.from_bytes(pybase64.urlsafe_b64decode(one + "=" * (-len(one) % 4))[:4], "little")
        for one in (response_id, recorded)
    ]
    assert moments[0] // day == moments[1] // day
    assert len(response_id) == len(recorded)


def test_a_stream_without_sse_is_an_array_as_reported() -> None:
    """The picture comes whole without a finishReason; STOP follows with an empty text part."""
    recorded = issue_body("200_stream_json_array").body
    body = {"contents": [{"parts": [{"text": "a fox"}]}]}
    with _world("2026-06-01") as client:
        answer = client.post("/v1beta/models/gemini-3.1-flash-image-preview:streamGenerateContent", json=body)
    first, last = answer.json()
    assert set(first["candidates"][0]) == set(recorded[0]["candidates"][0])
    assert last["candidates"][0]["content"]["parts"] == recorded[1]["candidates"][0]["content"]["parts"]
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert set(recorded[0]["usageMetadata"]) <= set(first["usageMetadata"])


def test_a_partly_filtered_imagen_answer_has_the_vendor_shape() -> None:
    """Fewer pictures than asked, and one entry with only raiFilteredReason."""
    folder = "FirebaseExtended__vertexai-sdk-test-data"
    recorded = exchange(f"{folder}/vertexai_unary-failure-generate-images-base64-some-filtered.json").body
    with _world("2026-04-09") as client:
        answer = client.post(
            "/v1beta/models/imagen-4.0-generate-001:predict",
            json={"instances": [{"prompt": "a fox"}]},
            headers={"x-emulator-fault": "imagen_some_filtered;count=2"},
        ).json()
    assert _shape(answer) == _shape(recorded)
    assert len(answer["predictions"]) == len(recorded["predictions"])
    assert answer["predictions"][-1] == recorded["predictions"][-1]
