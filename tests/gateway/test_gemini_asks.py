"""Google's fields where the router chooses: each is served, refused by name, or listed as ignored."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from image_router.gateway.gemini_asks import asked_of, asked_of_predict
from image_router.gateway.surfaces import Refusal

DATA = bytes(range(256))
TEXT = {"text": "a fox"}


def part(data: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": data}}


def asked(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts or (TEXT,))}], **more}


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({"generationConfig": {"imageConfig": {"aspectRatio": "16:9"}}}, "aspect", "16:9"),
        ({"generation_config": {"image_config": {"image_size": "2K"}}}, "size", "2K"),
        ({"generationConfig": {"seed": 7}}, "seed", 7),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}, "thinking", "high"),
        (
            {"generationConfig": {"imageConfig": {"personGeneration": "ALLOW_ALL"}}},
            "person_generation",
            "allow_all",
        ),
        ({"systemInstruction": {"parts": [{"text": "be brief"}]}}, "system_instruction", "be brief"),
        ({"tools": [{"googleSearch": {}}]}, "grounding", ["web"]),
        (
            {"tools": [{"google_search": {"search_types": {"webSearch": {}, "imageSearch": {}}}}]},
            "grounding",
            ["web", "image"],
        ),
        (
            {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
            "safety",
            [("HARM_CATEGORY_HARASSMENT", "BLOCK_NONE")],
        ),
    ],
)
def test_what_the_router_knows_is_served(more, field, value) -> None:
    """Under the router's own names, in both spellings of Google's."""
    assert asked_of(asked(**more)).fields[field] == value


@pytest.mark.parametrize(
    "config",
    [
        {"temperature": 1},
        {"topP": 0.9},
        {"max_output_tokens": 9},
        {"thinkingConfig": {"includeThoughts": True}},
    ],
)
def test_what_has_no_effect_is_listed(config) -> None:
    """With the reason."""
    (reason,) = asked_of(asked(generationConfig=config)).ignored.values()
    assert reason


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (asked(toolConfig={}), "toolConfig"),
        (asked(generationConfig={"responseSchema": {}}), "generationConfig.responseSchema"),
        (asked(generationConfig={"candidateCount": 2}), "generationConfig.candidateCount"),
        (asked(generationConfig={"responseModalities": ["TEXT"]}), "generationConfig.responseModalities"),
        (asked(tools=[{"functionDeclarations": []}]), "tools"),
        (asked(TEXT, {"functionCall": {}}), "contents.parts"),
        (asked({"fileData": {"fileUri": "https://x.y/v1beta/files/abc"}}, TEXT), "fileData.fileUri"),
        (asked({"fileData": {"fileUri": "gs://bucket/a"}}, TEXT), "fileData.fileUri"),
        (asked(part("@@@"), TEXT), "inlineData.data"),
        (asked(part("AAAA")), "contents"),
        ({"contents": []}, "contents"),
        ({"contents": [{"role": "model", "parts": [TEXT]}]}, "contents"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(message, param) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(Refusal) as caught:
        asked_of(message)
    assert caught.value.problem.param == param


@pytest.mark.parametrize(
    "encode", [base64.b64encode, base64.urlsafe_b64encode, lambda data: base64.b64encode(data).rstrip(b"=")]
)
def test_pictures_come_in_either_alphabet(encode) -> None:
    """google-genai writes the one for URLs; protobuf's JSON reads both, padded or not."""
    assert asked_of(asked(part(encode(DATA).decode()), TEXT)).references == (DATA,)


def test_a_conversation_begins_where_the_model_has_drawn() -> None:
    """Then the last turn is the request; else all turns together say what is wanted."""
    drawn = {"role": "model", "parts": [{**part("AAAA"), "thoughtSignature": "sig"}]}
    said = {"role": "model", "parts": [{"text": "which fox?"}]}
    first, last = {"role": "user", "parts": [TEXT]}, {"role": "user", "parts": [{"text": "a red one"}]}
    talk = asked_of({"contents": [first, drawn, last]})
    assert (talk.prompt, len(talk.turns)) == ("a red one", 2)
    assert talk.turns[1].parts[0].signature == "sig"
    words = asked_of({"contents": [first, said, last]})
    assert (words.prompt, words.turns) == ("a fox\n\nwhich fox?\n\na red one", ())


def test_predict_is_read() -> None:
    """Imagen's own fields; four pictures unless said."""
    ask = asked_of_predict(
        {"instances": [{"prompt": "a fox"}], "parameters": {"aspectRatio": "1:1", "sampleImageSize": "2K"}}
    )
    assert (ask.prompt, ask.fields) == ("a fox", {"n": 4, "aspect": "1:1", "size": "2K"})


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"instances": []}, "instances"),
        ({"instances": [{"prompt": "a", "image": {}}]}, "instances[0].image"),
        (
            {"instances": [{"prompt": "a"}], "parameters": {"negativePrompt": "b"}},
            "parameters.negativePrompt",
        ),
    ],
)
def test_predict_refuses_by_name(message, param) -> None:
    """What no model here serves."""
    with pytest.raises(Refusal) as caught:
        asked_of_predict(message)
    assert caught.value.problem.param == param
