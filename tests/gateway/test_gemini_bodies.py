"""Reading Google's bodies as far as money and rights need it, in both spellings."""

from __future__ import annotations

from typing import Any

import pytest

from image_router import facts
from image_router.gateway.gemini_bodies import files, last_words, written, written_predict
from image_router.gateway.surfaces import Refusal

MODEL = facts.load_catalog(None).models["gemini-3-pro-image"]
PICTURE = {"inlineData": {"mimeType": "image/png", "data": "A" * 4000}}


def asked(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}], **more}


@pytest.mark.parametrize(
    ("message", "field", "value"),
    [
        (asked({"text": "fox"}), "words", 7),
        (asked({"text": "füchse"}, PICTURE), "words", 11),
        (asked(PICTURE, {"inline_data": {"mime_type": "image/webp", "data": "AAAA"}}), "pictures", 2),
        (asked({"fileData": {"mimeType": "image/png", "fileUri": "files/a"}}), "pictures", 1),
        (asked({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}), "opaque", True),
        (asked({"fileData": {"fileUri": "https://youtu.be/x"}}), "opaque", True),
        (asked(PICTURE), "opaque", False),
        (asked(tools=[{"url_context": {}}]), "opaque", True),
        (asked(tools=[{"googleSearch": {}}]), "searches", True),
        (asked(tools=[{"google_search": {}}]), "searches", True),
        (asked(tools={"google_search_retrieval": {}}), "searches", True),
        (asked(tools=[{"googleSearch": None}]), "searches", False),
        (asked(generationConfig={"imageConfig": {"imageSize": "4K"}}), "size", "4K"),
        (asked(generation_config={"image_config": {"image_size": "2K"}}), "size", "2K"),
        (asked(generationConfig={"responseFormat": {"image": {"imageSize": "4K"}}}), "size", "4K"),
        (
            asked(
                generationConfig={
                    "imageConfig": {"imageSize": "1K"},
                    "responseFormat": {"image": {"imageSize": "4K"}},
                }
            ),
            "size",
            "1K+4K",
        ),
        (asked(generationConfig={"maxOutputTokens": "9000"}), "most_output", 9000),
        (asked(generationConfig={"maxOutputTokens": 9000.0}), "most_output", 9000),
        (asked(generationConfig={"thinkingConfig": {"thinkingBudget": 512}}), "thinking_tokens", 512),
        ({"contents": [{"parts": [{"text": "a"}]}, {"parts": [PICTURE]}, "odd"]}, "pictures", 1),
        ({"contents": {"parts": {"text": "alone"}}}, "words", 5),
    ],
)
def test_what_a_body_can_cost_is_read(message, field, value) -> None:
    """Also what is oddly written, for the provider reads it in its own way."""
    assert getattr(written(message, MODEL), field) == value


@pytest.mark.parametrize(
    "more",
    [
        {"cachedContent": "cachedContents/a"},
        {"cached_content": "cachedContents/a"},
        {"serviceTier": "FLEX"},
        {"service_tier": "SERVICE_TIER_PRIORITY"},
        {"tools": [], "systemInstruction": {}, "system_instruction": {}},
        {"generationConfig": {"imageConfig": {"imageSize": "1K", "image_size": "4K"}}},
    ],
)
def test_what_is_paid_by_other_rules_is_refused(more) -> None:
    """Prices that the card does not have, and a field that two readers could read differently."""
    with pytest.raises(Refusal):
        written(asked({"text": "fox"}, **more), MODEL)


@pytest.mark.parametrize(
    ("message", "images"),
    [
        ({"instances": [{"prompt": "a"}]}, 4),
        ({"instances": [{"prompt": "a"}], "parameters": {"sampleCount": 2}}, 2),
        ({"instances": [{"prompt": "a"}, {"prompt": "b"}], "parameters": {"sample_count": 2}}, 4),
        ({"instances": {"prompt": "a"}, "parameters": {"sampleCount": "many"}}, 4),
        ({"parameters": {"sampleCount": -1}}, 1),
    ],
)
def test_predict_counts_its_pictures(message, images) -> None:
    """Four unless said, as at Google."""
    assert written_predict(message, MODEL).images == images


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("https://generativelanguage.googleapis.com/v1beta/files/abc-1", ("files/abc-1",)),
        ("files/abc-1", ("files/abc-1",)),
        ("https://host/v1beta/files/abc:download?alt=media", ("files/abc",)),
        ("https://example.com/picture.png", ()),
    ],
)
def test_files_are_found_wherever_they_are_named(uri, names) -> None:
    """In contents, in a nested request, in either spelling."""
    assert files(asked({"fileData": {"fileUri": uri}})) == names
    assert files({"generateContentRequest": asked({"file_data": {"file_uri": uri}})}) == names


def test_the_last_words_are_the_users() -> None:
    """For the books and the log."""
    talk = [{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}]
    assert last_words({"contents": talk}) == "a"
    assert last_words({"contents": [{"parts": [PICTURE]}]}) == "(no words)"
