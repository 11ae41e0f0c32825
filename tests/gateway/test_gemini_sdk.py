"""The unmodified google-genai SDK against the gateway, as Google's own documentation shows it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Iterator

import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

from gateway.gemini_tap import posted
from image_router.books import open_books
from image_router.core.storing import StoreMode
from image_router.storage.storing_rules import StoringRule

PRO = "gemini-3-pro-image"

pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]


@pytest.fixture
def client(site) -> Iterator[genai.Client]:
    with genai.Client(api_key="anything", http_options={"base_url": site.url}) as client:
        yield client


@pytest.fixture
async def aio(site) -> AsyncIterator[genai.client.AsyncClient]:
    client = genai.Client(api_key="anything", http_options={"base_url": site.url}).aio
    yield client
    await client.aclose()
    await asyncio.sleep(0)  # aiohttp closes its sockets in the loop's next turn


def opened(response: types.GenerateContentResponse) -> Image.Image:
    """The only picture of an answer."""
    (blob,) = [part.inline_data for part in response.parts if part.inline_data]
    return Image.open(io.BytesIO(blob.data))


def reference() -> types.Part:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    return types.Part.from_bytes(data=file.getvalue(), mime_type="image/png")


def shaped(ratio: str, size: str | None = None) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(image_config=types.ImageConfig(aspect_ratio=ratio, image_size=size))


@pytest.mark.parametrize("model", [PRO, "auto", "auto:hero", "nano_banana_pro"])
def test_generate_answers_a_picture(client, site, model) -> None:
    """A model of Google's, auto, a purpose and a tier: the same code, a picture, what it cost in a header."""
    answer = client.models.generate_content(model=model, contents="a red fox", config=shaped("16:9"))
    width, height = opened(answer).size
    assert width > height
    assert answer.usage_metadata.total_token_count > 1000 or "imagen" in answer.model_version
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert answer.response_id
    assert float(answer.sdk_http_response.headers["x-image-router-cost-usd"]) * 10**9 == pytest.approx(
        site.emulator.bill().total
    )


def test_the_environment_is_enough(site, monkeypatch) -> None:
    """GOOGLE_GEMINI_BASE_URL and GEMINI_API_KEY: not one line of the program changes."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", site.url)
    monkeypatch.setenv("GEMINI_API_KEY", "anything")
    with genai.Client() as client:
        assert opened(client.models.generate_content(model="auto", contents="a fox")).size


async def test_generate_works_async(aio) -> None:
    """The same through client.aio."""
    answer = await aio.models.generate_content(model="auto", contents=["a fox", reference()])
    assert opened(answer).size


@pytest.mark.parametrize("model", [PRO, "auto"])
def test_a_chat_edits_its_own_picture(client, site, model) -> None:
    """The signatures of the first answer return with the second turn, and the model accepts them."""
    chat = client.chats.create(model=model)
    first = chat.send_message("a red fox")
    second = chat.send_message("now in snow")
    assert opened(first).tobytes() != opened(second).tobytes()
    assert first.model_version == second.model_version
    contents = site.emulator.requests()[-1]["body"]["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert any("thoughtSignature" in part for part in contents[1]["parts"])


@pytest.mark.parametrize("model", [PRO, "auto"])
def test_a_stream_brings_the_picture(client, model) -> None:
    """generate_content_stream yields chunks; together they hold one picture, the last one the usage."""
    chunks = list(client.models.generate_content_stream(model=model, contents="a fox"))
    blobs = [part.inline_data for chunk in chunks for part in chunk.parts or () if part.inline_data]
    assert len(blobs) == 1
    assert chunks[-1].usage_metadata.candidates_token_count > 1000


async def test_a_stream_works_async(aio) -> None:
    """The same through client.aio."""
    stream = await aio.models.generate_content_stream(model=PRO, contents="a fox")
    chunks = [chunk async for chunk in stream]
    assert any(part.inline_data for chunk in chunks for part in chunk.parts or ())


async def test_predict_makes_several(site) -> None:
    """:predict with auto: n pictures, n payments, whoever makes them."""
    ask = {"instances": [{"prompt": "a fox"}], "parameters": {"sampleCount": 2, "aspectRatio": "1:1"}}
    status, body, _ = await posted(f"{site.url}/v1beta/models/auto:predict", ask)
    first, _ = json.loads(body)["predictions"]
    assert status == 200
    assert Image.open(io.BytesIO(base64.b64decode(first["bytesBase64Encoded"]))).size == (1024, 1024)
    assert len(site.emulator.bill().entries) == 2


def test_models_are_listed_in_googles_shape(client) -> None:
    """auto, purposes and tiers stand beside what lives; retired ids do not."""
    names = {model.name.removeprefix("models/") for model in client.models.list()}
    assert {"auto", "auto:hero", "nano_banana_pro", PRO} <= names
    assert "imagen-4.0-generate-001" not in names
    assert client.models.get(model=PRO).input_token_limit > 0
    assert "generateContent" in client.models.get(model="auto").supported_actions


@pytest.mark.parametrize(
    ("model", "config", "code", "words"),
    [
        ("gemini-3-pro-image-preview", None, 404, f"use {PRO}"),
        ("no-such-model", None, 404, "auto, a tier"),
        ("auto", {"candidate_count": 2}, 400, "Multiple candidates"),
        ("auto", {"response_modalities": ["TEXT"]}, 400, "add IMAGE"),
        ("auto", {"tools": [{"code_execution": {}}]}, 400, "only googleSearch"),
        ("auto", {"image_config": {"aspect_ratio": "7:5"}}, 400, "7:5"),
        ("auto:sketch", None, 404, "auto:sketch"),
    ],
)
def test_errors_are_googles(client, site, model, config, code, words) -> None:
    """ClientError with status and the way out; nothing was spent."""
    with pytest.raises(errors.ClientError, match=words) as caught:
        client.models.generate_content(model=model, contents="a fox", config=config)
    assert caught.value.code == code
    assert not site.emulator.bill().entries


def test_what_has_no_effect_is_told(client) -> None:
    """Sampling parameters of text models are named in a header."""
    config = types.GenerateContentConfig(temperature=0.5, max_output_tokens=100)
    answer = client.models.generate_content(model="auto", contents="a fox", config=config)
    assert "temperature" in answer.sdk_http_response.headers["x-image-router-ignored"]


def test_a_refusal_is_the_providers_own_for_a_model(client, site) -> None:
    """A named model's answer is Google's: a candidate without a picture, and its reason."""
    site.emulator.faults.add("image_safety")
    answer = client.models.generate_content(model=PRO, contents="a fox")
    assert answer.candidates[0].finish_reason is types.FinishReason.IMAGE_SAFETY
    assert answer.parts is None


def test_a_refusal_of_auto_is_a_typed_error(client, site) -> None:
    """Where the router chose, nothing answers silently without a picture: 400 with a reason."""
    site.emulator.faults.add("image_safety")
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="auto", contents="a fox")
    (info,) = [d for d in caught.value.details["error"]["details"] if d["@type"].endswith("ErrorInfo")]
    assert (caught.value.code, info["reason"]) == (400, "CONTENT_REFUSED")


async def test_a_chat_goes_on_without_kept_pictures(client, site) -> None:
    """Who drew the last picture is not known where none is kept: it goes alone, and a warning says so."""
    async with open_books(home=site.home, offline=True) as books:
        await books.rules.set("default", StoringRule(store=StoreMode.NONE))
    chat = client.chats.create(model="auto")
    await asyncio.to_thread(chat.send_message, "a red fox")
    second = await asyncio.to_thread(chat.send_message, "now in snow")
    assert opened(second).size
    contents = site.emulator.requests()[-1]["body"]["contents"]
    assert [content["role"] for content in contents] == ["user"]
    assert "not the turns before" in second.sdk_http_response.headers["x-image-router-warnings"]
