"""What goes over the wire of generateContent, field by field, and what is read from any answer."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.decision import Parameters
from image_router.core.reply import FaultKind, ReplyImage, ReplyText
from image_router.core.types import (
    AspectRatio,
    Conversation,
    Grounding,
    ImageRequest,
    Reference,
    SafetySetting,
    Size,
    ThinkingLevel,
    Turn,
    TurnPart,
)
from image_router.engine.media import load_reference
from image_router.facts import load_catalog
from image_router.providers import gemini_body, gemini_wire
from image_router.providers.base import Call
from pictures import as_base64, picture

MODELS = load_catalog(None).models
JPEG = picture("JPEG")


def call(model: str = "gemini-nano-banana-2.1", **fields: Any) -> Call:
    request = ImageRequest(**{"prompt": "a fox", **fields})
    parameters = Parameters(thinking=request.thinking, size=request.size, aspect=request.aspect)
    return Call(request=request, model=MODELS[model], parameters=parameters, max_output_tokens=None)


def answer(*parts: dict[str, Any], **fields: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}
    return orjson.dumps({"candidates": [candidate], **fields})


def image_part(data: bytes = JPEG, **fields: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/jpeg", "data": as_base64(data)}, **fields}


def test_smallest_request() -> None:
    """A prompt alone is one user turn that asks for an image in the size of the request."""
    assert gemini_body.request_body(call()) == {
        "contents": [{"role": "user", "parts": [{"text": "a fox"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {"imageSize": "1K"}},
    }


def test_size_is_not_sent_to_a_model_without_sizes() -> None:
    """A model that takes no imageSize gets none, and no empty imageConfig."""
    config = gemini_body.request_body(call("gemini-2.5-flash-image"))["generationConfig"]
    assert config == {"responseModalities": ["IMAGE"]}


def test_full_request() -> None:
    """Every field of a request has its place and spelling on the wire."""
    reference = load_reference(JPEG)
    whole = call(
        text="SALE",
        references=(reference,),
        aspect=AspectRatio.R16_9,
        size=Size.K2,
        thinking=ThinkingLevel.HIGH,
        seed=7,
        safety=(SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE"),),
        system_instruction="Be bold.",
        grounding=(Grounding.IMAGE, Grounding.WEB),
    )
    body = gemini_body.request_body(
        Call(request=whole.request, model=whole.model, parameters=whole.parameters, max_output_tokens=9000)
    )
    image, words = body["contents"][0]["parts"]
    assert image == {"inlineData": {"mimeType": "image/jpeg", "data": as_base64(JPEG)}}
    assert words["text"].startswith("a fox")
    assert '"SALE"' in words["text"]
    assert body["systemInstruction"] == {"parts": [{"text": "Be bold."}]}
    assert body["safetySettings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    assert body["tools"] == [{"googleSearch": {"searchTypes": {"webSearch": {}, "imageSearch": {}}}}]
    assert body["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        "thinkingConfig": {"thinkingLevel": "HIGH"},
        "seed": 7,
        "maxOutputTokens": 9000,
    }


def test_web_search_needs_no_types() -> None:
    """Plain grounding is the plain tool, which every grounded model knows."""
    assert gemini_body.request_body(call(grounding=(Grounding.WEB,)))["tools"] == [{"googleSearch": {}}]


def test_history_keeps_signatures_on_their_parts() -> None:
    """Earlier turns are sent as they were, each signature beside the part it came with."""
    model_turn = Turn(
        role="model",
        parts=(
            TurnPart(text="Here:", signature="c2ln"),
            TurnPart(data=JPEG, media_type="image/jpeg", signature="bG9uZw=="),
        ),
    )
    talk = Conversation(
        model="m", family="f", turns=(Turn(role="user", parts=(TurnPart(text="a cat"),)), model_turn)
    )
    contents = gemini_body.request_body(call(conversation=talk))["contents"]
    assert [turn["role"] for turn in contents] == ["user", "model", "user"]
    assert contents[1]["parts"] == [
        {"text": "Here:", "thoughtSignature": "c2ln"},
        image_part(thoughtSignature="bG9uZw=="),
    ]


def test_conversation_after_a_reply_goes_on_from_it() -> None:
    """The new history holds what was sent and the model's parts in order, without its thoughts."""
    asked = call(references=(load_reference(JPEG),))
    body = answer(
        {"text": "hm", "thought": True},
        image_part(thought=True),
        {"text": "Here:", "thoughtSignature": "c2ln"},
        image_part(thoughtSignature="bG9uZw=="),
    )
    reply = gemini_wire.parse_reply(200, {}, body=body)
    talk = gemini_wire.conversation_after(asked, reply, image=reply.images[-1])
    assert (talk.model, talk.family) == (asked.model.id, asked.model.family)
    again = gemini_body.request_body(call(conversation=talk, prompt="now at night"))["contents"]
    assert again[0] == gemini_body.request_body(asked)["contents"][0]
    assert again[1]["parts"] == [
        {"text": "Here:", "thoughtSignature": "c2ln"},
        image_part(thoughtSignature="bG9uZw=="),
    ]


def test_result_that_is_a_thought_stays_in_the_history() -> None:
    """When a draft became the result, the conversation goes on from that draft."""
    reply = gemini_wire.parse_reply(
        200, {}, body=answer(image_part(thought=True), image_part(PNG, thought=True))
    )
    talk = gemini_wire.conversation_after(call(), reply, image=reply.images[-1])
    assert [part.data for part in talk.turns[-1].parts] == [PNG]


PNG = picture("PNG")


def test_elided_body_shows_size_and_digest() -> None:
    """Explaining a request shows no base64: bytes become their number and digest."""
    body = gemini_body.request_body(call(references=(load_reference(PNG),)))
    shown = gemini_body.elided(body)
    assert shown["contents"][0]["parts"][0]["inlineData"] == {
        "mimeType": "image/png",
        "data": {"size": len(PNG), "digest": hashlib.sha256(PNG).hexdigest()},
    }
    assert as_base64(PNG) not in str(shown)
    assert as_base64(PNG) in str(body)


def test_reply_keeps_all_parts() -> None:
    """Texts, drafts and pictures come in their order with thought marks and signatures."""
    body = answer(
        {"text": "hm", "thought": True},
        {"text": "Look:"},
        {"executableCode": {"code": "1"}},
        image_part(thoughtSignature="c2ln"),
        responseId="r",
        modelVersion="v",
    )
    reply = gemini_wire.parse_reply(200, {}, body=body)
    assert reply.parts == (
        ReplyText(text="hm", thought=True),
        ReplyText(text="Look:"),
        ReplyImage(data=JPEG, declared_type="image/jpeg", signature="c2ln"),
    )
    assert (reply.text, reply.response_id, reply.model_version) == ("Look:", "r", "v")


@pytest.mark.parametrize("data", ["???", "abc", "ab\ncd", "äöü", as_base64(JPEG)[:-3] + "*"])
def test_damaged_base64_is_a_defect(data: str) -> None:
    """Base64 is read strictly: what does not decode is a defect, not half a picture."""
    part = {"inlineData": {"mimeType": "image/png", "data": data}}
    (image,) = gemini_wire.parse_reply(200, {}, body=answer(part)).images
    assert image.defect is not None
    assert image.data == b""


EVENTS = (
    {"candidates": [{"content": {"parts": [image_part()]}}], "usageMetadata": {"thoughtsTokenCount": 244}},
    {"candidates": [{"content": {"role": "model"}}], "usageMetadata": {}},
    {
        "candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 4, "thoughtsTokenCount": 167},
        "responseId": "r",
    },
)


@pytest.mark.parametrize("form", ["sse", "array"])
def test_stream_is_read_to_its_end(form: str) -> None:
    """Both forms of a stream give one reply: all parts, the last usage, the late finishReason."""
    sse = b"".join(b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in EVENTS)
    reply = gemini_wire.parse_stream(sse if form == "sse" else orjson.dumps(EVENTS))
    assert [image.data for image in reply.images] == [JPEG]
    assert (reply.finish_reason, reply.response_id) == ("STOP", "r")
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.thoughts_tokens) == (4, 167)


ERROR = {"error": {"code": 499, "message": "The operation was cancelled.", "status": "CANCELLED"}}


@pytest.mark.parametrize("mark", [b"data: ", b""])
def test_error_inside_a_stream_is_found(mark: bytes) -> None:
    """An error counts as a data line and as a bare block, as long as no picture came before."""
    words = b"data: " + orjson.dumps({"candidates": [{"content": {"parts": [{"text": "hm"}]}}]}) + b"\n\n"
    failed = mark + orjson.dumps(ERROR, option=orjson.OPT_INDENT_2 if not mark else None) + b"\n\n"
    reply = gemini_wire.parse_stream(words + failed)
    assert reply.error is not None
    assert (reply.error.http_status, reply.error.status, reply.parts) == (499, "CANCELLED", ())
    pictured = b"data: " + orjson.dumps(EVENTS[0]) + b"\n\n" + failed
    assert gemini_wire.parse_stream(pictured).error is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FaultKind.TRUNCATED),
        (answer(image_part())[:-40], FaultKind.TRUNCATED),
        (b'data: {"candidates": [', FaultKind.TRUNCATED),
        (b"<html>hello</html>", FaultKind.MALFORMED),
        (b'{"this": 1}', FaultKind.MALFORMED),
        (b"{1: 2}", FaultKind.MALFORMED),
    ],
)
def test_unreadable_body_is_a_fault_of_a_sent_request(body: bytes, kind: FaultKind) -> None:
    """A cut body and a foreign one are told apart; both were sent and may have cost money."""
    fault = gemini_wire.parse_reply(200, {}, body=body).fault
    assert fault is not None
    assert (fault.kind, fault.sent) == (kind, True)


FIELDS = [
    *("candidates", "content", "parts", "inlineData", "data", "text", "thought", "finishReason"),
    *("usageMetadata", "promptTokenCount", "candidatesTokensDetails", "promptFeedback"),
    *("error", "details", "message", "code"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(json_values, st.sampled_from([200, 400, 503]))
def test_no_json_breaks_the_reader(value: Any, status: int) -> None:
    """Whatever stands in whatever field, a reply comes out."""
    try:
        body = orjson.dumps(value)
    except TypeError:
        body = b"{}"
    assert gemini_wire.parse_reply(status, {}, body=body).http_status is not None
    assert gemini_wire.parse_stream(b"data: " + body).http_status is not None


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    """Bytes that are no JSON come out as a fault, an error or a reply."""
    assert gemini_wire.parse_reply(200, {}, body=body).http_status == 200
    assert gemini_wire.parse_reply(500, {}, body=body).error is not None


def test_pages_of_models() -> None:
    """Names lose their folder, limits and methods are read, the next page is named."""
    page = {
        "models": [
            {
                "name": "models/gemini-x",
                "supportedGenerationMethods": ["generateContent"],
                "inputTokenLimit": 65536,
            }
        ],
        "nextPageToken": "n",
    }
    (model,), token = gemini_wire.parse_models(orjson.dumps(page))
    assert (model.id, model.methods, model.input_tokens, model.output_tokens, token) == (
        "gemini-x",
        ("generateContent",),
        65536,
        None,
        "n",
    )
    assert gemini_wire.parse_models(b"{}") == ((), None)
    with pytest.raises(ValueError, match="no page of models"):
        gemini_wire.parse_models(b'{"x": 1}')


def test_reference_bytes_are_hidden() -> None:
    """Printing a call shows neither picture bytes nor signatures."""
    reference = Reference(data=b"secret", media_type="image/png", digest="d", width=1, height=1)
    assert "secret" not in repr(call(references=(reference,)))
