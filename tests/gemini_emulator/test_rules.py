"""What a request may hold: refused as the provider refuses it, or answered in the size that was asked."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pybase64
import pytest
from PIL import Image

PRO, LITE, NEW = "gemini-3-pro-image", "gemini-3.1-flash-lite-image", "gemini-nano-banana-2.1"
OLD = "gemini-2.5-flash-image"
FOX = {"role": "user", "parts": [{"text": "a red fox"}]}


def _inline(data: bytes, kind: str = "image/png", **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": kind, "data": pybase64.b64encode(data).decode()}, **more}


def _sizes(answer: Any) -> list[tuple[int, int]]:
    sizes = []
    for part in answer.json()["candidates"][0]["content"]["parts"]:
        if "inlineData" in part:
            with Image.open(io.BytesIO(pybase64.b64decode(part["inlineData"]["data"]))) as opened:
                sizes.append(opened.size)
    return sizes


REFUSED = [
    (PRO, {"imageConfig": {"aspectRatio": "1:4"}}, "Aspect ratio 1:4 is not supported for this model"),
    (LITE, {"imageConfig": {"imageSize": "2K"}}, "Image size 2K is not supported for this model"),
    (NEW, {"imageConfig": {"imageSize": "512"}}, "Image size 512 is not supported for this model"),
    (PRO, {"imageConfig": {"imageSize": "2k"}}, "image_size must be one of '1K', '2K', '4K', '512'"),
    (PRO, {"imageConfig": {"imageSize": "0.5K"}}, "'512P', '512PX'"),
    (OLD, {"imageConfig": {"imageSize": "1K"}}, "Image size is not enabled for this model"),
    (LITE, {"thinkingConfig": {"thinkingLevel": "MEDIUM"}}, "Thinking level MEDIUM is not supported"),
    (OLD, {"thinkingConfig": {"includeThoughts": True}}, "only enabled when thinking is enabled"),
    (NEW, {"candidateCount": 2}, "Multiple candidates is not enabled for this model"),
    (PRO, {"responseModalities": ["BANANA"]}, "generation_config.response_modalities[0]"),
    (PRO, {"responseMimeType": "image/png"}, "response_mime_type: allowed mimetypes"),
    (OLD, {"responseMimeType": "application/json"}, "JSON mode is not enabled"),
    (PRO, {"maxOutputTokens": 0}, "max_output_tokens must be positive"),
]


@pytest.mark.parametrize(("model", "config", "words"), REFUSED)
def test_a_setting_the_model_lacks_is_refused(
    now: Any, model: str, config: dict[str, Any], words: str
) -> None:
    """400 INVALID_ARGUMENT that names what is wrong, and nothing is charged."""
    answer = now.generate(model, **config)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer.json()["error"]["message"]
    assert now.emulator.bill().entries == ()


UNKNOWN = [
    ({"size": "1K"}, 'Unknown name "size": Cannot find field.', None),
    ({"generationConfig": {"imageConfig": {"outputMimeType": "image/png"}}},
     'Unknown name "outputMimeType" at \'generation_config.image_config\': Cannot find field.',
     "generation_config.image_config"),
    ({"contents": [{"parts": [{"txt": "a"}]}]}, 'Unknown name "txt" at \'contents[0].parts[0]\'',
     "contents[0].parts[0]"),
    ({"generationConfig": {"candidateCount": "many"}}, "Invalid value at 'generation_config.candidate_count'",
     "generation_config.candidate_count"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "words", "path"), UNKNOWN)
def test_an_unknown_field_is_named_with_its_path(now: Any, more: Any, words: str, path: str | None) -> None:
    """400 with BadRequest.fieldViolations."""
    answer = now.post(f"/v1beta/models/{PRO}:generateContent", {"contents": [FOX], **more})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert words in error["message"]
    assert error["details"][0]["@type"].endswith("google.rpc.BadRequest")
    assert error["details"][0]["fieldViolations"][0].get("field") == path


@pytest.mark.parametrize("spelling", ["camel", "snake"])
def test_camel_and_snake_case_are_the_same(now: Any, spelling: str) -> None:
    """The API reads both spellings, nulls as absent, and a lone object where a list is wanted."""
    config = {"imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}, "stopSequences": None}
    body: dict[str, Any] = {"contents": FOX, "generationConfig": config}
    if spelling == "snake":
        snake = {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}, "stop_sequences": None}
        body = {"contents": FOX, "generation_config": snake}
    assert _sizes(now.post(f"/v1/models/{PRO}:generateContent", body)) == [(2752, 1536)]


def test_the_newer_response_format_means_the_same(now: Any) -> None:
    """generationConfig.responseFormat.image and its enum spellings ask for the same picture."""
    for image in (
        {"aspectRatio": "16:9", "imageSize": "2K"},
        {"aspectRatio": "ASPECT_RATIO_SIXTEEN_BY_NINE", "imageSize": "IMAGE_SIZE_TWO_K"},
    ):
        assert _sizes(now.generate(PRO, responseFormat={"image": image})) == [(2752, 1536)]


SIZES = [
    (PRO, "3:4", "4K", (3584, 4800)),
    (PRO, "21:9", "1K", (1584, 672)),
    (LITE, "1:8", "1K", (352, 2928)),
    (NEW, "8:1", "4K", (12288, 1536)),
    (OLD, "4:3", None, (1184, 864)),
    (PRO, None, "2K", (2816, 1536)),
    (OLD, None, None, (1024, 1024)),
]


@pytest.mark.parametrize(("model", "ratio", "size", "pixels"), SIZES)
def test_a_picture_has_the_pixels_of_the_models_own_table(
    now: Any, model: str, ratio: str | None, size: str | None, pixels: tuple[int, int]
) -> None:
    """Documented cells, the measured extreme ratios at 1K, and the default shape without a ratio."""
    image = {name: value for name, value in (("aspectRatio", ratio), ("imageSize", size)) if value}
    assert _sizes(now.generate(model, imageConfig=image)) == [pixels]


@pytest.mark.parametrize(("given", "pixels"), [((128, 128), (1024, 1024)), ((300, 170), (1376, 768))])
def test_an_edit_follows_the_shape_of_the_input(
    now: Any, picture: Callable[..., bytes], given: tuple[int, int], pixels: tuple[int, int]
) -> None:
    """Without an aspect ratio the nearest supported shape of the input picture is used."""
    contents = [{"role": "user", "parts": [_inline(picture(given)), {"text": "make it blue"}]}]
    answer = now.post(f"/v1beta/models/{PRO}:generateContent", {"contents": contents})
    assert _sizes(answer) == [pixels]
    assert {"modality": "IMAGE", "tokenCount": 258} in answer.json()["usageMetadata"]["promptTokensDetails"]


BAD_PARTS: list[tuple[dict[str, Any], str]] = [
    ({"inlineData": {"mimeType": "image/png", "data": "%%%"}}, "Base64 decoding failed"),
    ({"fileData": {"fileUri": "https://example.com/fox.png"}}, "Cannot fetch content from the provided URL."),
    ({}, "required oneof field 'data'"),
]


@pytest.mark.parametrize(("part", "words"), BAD_PARTS)
def test_a_part_that_holds_nothing_readable_is_refused(now: Any, part: dict[str, Any], words: str) -> None:
    """Broken base64, a foreign URL, no data at all."""
    answer = now.post(f"/v1beta/models/{PRO}:generateContent", {"contents": [{"parts": [part]}]})
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


BAD_TURNS: list[tuple[dict[str, Any], str]] = [
    (
        {"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]},
        "Please use a valid role: user, model.",
    ),
    ({"contents": [{"role": "user", "parts": []}]}, "contents.parts must not be empty"),
    ({"contents": [FOX], "tools": [{"functionDeclarations": []}]}, "Function calling is not enabled"),
    ({"contents": [FOX], "serviceTier": "flex"}, "Service tier flex is not supported"),
    ({"contents": ["a red fox"]}, "Invalid value at 'contents[0]'"),
]


@pytest.mark.parametrize(("body", "words"), BAD_TURNS)
def test_a_request_of_the_wrong_form_is_refused(now: Any, body: dict[str, Any], words: str) -> None:
    """A foreign role, an empty turn, functions, a service tier no image model has, a bare string."""
    answer = now.post(f"/v1beta/models/{PRO}:generateContent", body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


BAD_INPUTS = [
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", "Unable to process input image."),
    (b"\xff\xd8\xff\xe0 broken", "image/jpeg", "Unable to process input image."),
    (
        b"anything",
        "image/jpg",
        "MIME type must be image/png, image/jpeg, image/webp, image/heic, or image/heif.",
    ),
]


@pytest.mark.parametrize(("data", "kind", "words"), BAD_INPUTS)
def test_an_input_picture_that_cannot_be_read_is_refused(
    now: Any, data: bytes, kind: str, words: str
) -> None:
    """Bytes that are no picture, and types the API does not take."""
    contents = [{"role": "user", "parts": [_inline(data, kind), {"text": "make it blue"}]}]
    answer = now.post(f"/v1beta/models/{PRO}:generateContent", {"contents": contents})
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_a_bitmap_is_refused_without_a_reason(now: Any, picture: Callable[..., bytes]) -> None:
    """BMP declared as PNG: the bare invalid argument."""
    contents = [{"role": "user", "parts": [_inline(picture(kind="BMP")), {"text": "make it blue"}]}]
    answer = now.post(f"/v1beta/models/{PRO}:generateContent", {"contents": contents})
    assert answer.json()["error"]["message"] == "Request contains an invalid argument."


def test_too_many_references_are_refused(now: Any, picture: Callable[..., bytes]) -> None:
    """Fourteen inputs are answered, fifteen are not."""
    part = _inline(picture((16, 16)))
    for count, status in ((14, 200), (15, 400)):
        contents = [{"role": "user", "parts": [*[part] * count, {"text": "together"}]}]
        assert now.post(f"/v1beta/models/{PRO}:generateContent", {"contents": contents}).status_code == status


@pytest.mark.parametrize(("model", "limit"), [(OLD, 32768), (NEW, 65536), (PRO, 131072)])
def test_a_prompt_over_the_token_limit_is_refused(now: Any, model: str, limit: int) -> None:
    """The message counts what was sent and names the model's limit."""
    answer = now.generate(model, "fox " * limit)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        f"The input token count ({limit + 1}) exceeds the maximum number of tokens allowed ({limit})."
    )


def test_a_model_picture_in_the_history_needs_its_signature(now: Any) -> None:
    """The signature of the last answer is accepted, none is refused by position, a false one as corrupt."""
    first = now.generate(PRO).json()["candidates"][0]["content"]
    unsigned = {"role": "model", "parts": [{"inlineData": first["parts"][0]["inlineData"]}]}
    forged = {"role": "model", "parts": [{**first["parts"][0], "thoughtSignature": "Zm9yZ2Vk"}]}
    again = {"role": "user", "parts": [{"text": "make it blue"}]}
    answers = [
        now.post(f"/v1beta/models/{PRO}:generateContent", {"contents": [FOX, turn, again]})
        for turn in (first, unsigned, forged)
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 400]
    assert (
        answers[1]
        .json()["error"]["message"]
        .startswith("Image part is missing a thought_signature in content position 2, part position 1.")
    )


def test_the_oldest_model_takes_no_system_instruction(now: Any) -> None:
    """2.5 refuses it, 3.x counts its words."""
    body = {"contents": [FOX], "systemInstruction": {"parts": [{"text": "be brief"}]}}
    refused = now.post(f"/v1beta/models/{OLD}:generateContent", body)
    assert refused.json()["error"]["message"] == f"Developer instruction is not enabled for models/{OLD}"
    counted = now.post(f"/v1beta/models/{PRO}:generateContent", body).json()["usageMetadata"]
    assert counted["promptTokenCount"] == 4 + 2


def test_thoughts_come_before_the_picture_when_asked_for(now: Any) -> None:
    """includeThoughts adds a thought text and unsigned interim pictures; the last part is the result."""
    parts = now.generate(
        NEW,
        thinkingConfig={"includeThoughts": True, "thinking_level": "HIGH"},
        imageConfig={"imageSize": "2K"},
    ).json()["candidates"][0]["content"]["parts"]
    assert [part.get("thought", False) for part in parts] == [True, True, True, False]
    assert [("thoughtSignature" in part) for part in parts] == [False, False, False, True]


def test_a_prompt_that_asks_for_words_gets_words_and_a_picture(now: Any) -> None:
    """TEXT and IMAGE gives both for a story, IMAGE alone gives the picture."""
    kinds = []
    for modalities in (["TEXT", "IMAGE"], ["IMAGE"]):
        answer = now.generate(LITE, "Tell me a story about a fox", responseModalities=modalities)
        kinds.append([set(part) for part in answer.json()["candidates"][0]["content"]["parts"]])
    signed = {"thoughtSignature"}
    assert kinds == [[{"text"} | signed, {"inlineData"} | signed], [{"inlineData"} | signed]]


def test_the_same_question_counts_the_same_tokens(now: Any) -> None:
    """Usage depends on prompt, model, seed and level alone; a higher level counts more."""
    usages = [
        now.generate(LITE, seed=seed, thinkingConfig={"thinkingLevel": level}).json()["usageMetadata"]
        for seed, level in ((7, "MINIMAL"), (7, "MINIMAL"), (7, "HIGH"))
    ]
    assert usages[0] == usages[1]
    assert usages[2]["totalTokenCount"] > usages[0]["totalTokenCount"]


@pytest.mark.parametrize(("category", "status"), [("HATE_SPEECH", 200), ("IMAGE_HATE", 400)])
def test_picture_harm_categories_belong_to_the_enterprise_service(
    now: Any, category: str, status: int
) -> None:
    """The usual categories are taken, those of pictures refused on the Gemini API."""
    setting = {"category": f"HARM_CATEGORY_{category}", "threshold": "BLOCK_ONLY_HIGH"}
    body = {"contents": [FOX], "safetySettings": [setting]}
    assert now.post(f"/v1beta/models/{PRO}:generateContent", body).status_code == status


def test_the_last_usage_of_a_stream_counts(now: Any) -> None:
    """Thinking is counted differently under way; the last event agrees with the bill."""
    answer = now.post(f"/v1beta/models/{PRO}:streamGenerateContent", {"contents": [FOX]}).json()
    thoughts = [event["usageMetadata"]["thoughtsTokenCount"] for event in answer]
    hidden = answer[-1]["usageMetadata"]["candidatesTokenCount"] - 1120
    assert thoughts[0] > thoughts[-1]
    assert now.emulator.bill().entries[-1].lines[-1].units == hidden + thoughts[-1]


def test_grounding_lists_its_queries(now: Any) -> None:
    """googleSearch on Pro gives groundingMetadata with an empty query beside the real one; Lite refuses."""
    body = {"contents": [FOX], "tools": [{"googleSearch": {}}]}
    found = now.post(f"/v1beta/models/{PRO}:generateContent", body).json()["candidates"][0]
    assert found["groundingMetadata"]["webSearchQueries"] == ["", "a red fox"]
    assert now.post(f"/v1beta/models/{LITE}:generateContent", body).status_code == 400


def test_a_body_over_the_inline_limit_is_refused(now: Any) -> None:
    """More than 100 MB is an invalid argument."""
    answer = now.http.post(f"/v1beta/models/{PRO}:generateContent", content=b" " * (104_857_600 + 1))
    assert answer.status_code == 400
    assert "payload size exceeds the limit" in answer.json()["error"]["message"]


def test_what_is_not_json_is_refused(now: Any) -> None:
    """A broken body is a 400, as is a list."""
    for content in (b"{", b"[]"):
        answer = now.http.post(f"/v1beta/models/{PRO}:generateContent", content=content)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("Invalid JSON payload received.")
