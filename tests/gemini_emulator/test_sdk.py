"""The unmodified google-genai SDK against the emulator, synchronous and asynchronous, both its modes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import google.auth.credentials
import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

from gemini_emulator import Emulator

PRO, LITE, NEW = "gemini-3-pro-image", "gemini-3.1-flash-lite-image", "gemini-nano-banana-2.1"

# google-genai 3.4.0 subclasses aiohttp's session, which aiohttp deprecates
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


class _Token(google.auth.credentials.Credentials):
    """Credentials that are always fresh."""

    def __init__(self) -> None:
        super().__init__()
        self.token = "emulated-token"

    def refresh(self, request: Any) -> None:
        self.token = "emulated-token"


@pytest.fixture
def sdk(today: Emulator) -> Iterator[genai.Client]:
    """A Developer API client."""
    with genai.Client(api_key="sdk-key", http_options=types.HttpOptions(base_url=today.url)) as client:
        yield client


def _size(part: types.Part) -> tuple[int, int]:
    assert part.inline_data is not None
    with Image.open(io.BytesIO(part.inline_data.data or b"")) as opened:
        return opened.size


def test_generate_content(sdk: genai.Client) -> None:
    """Ratio, size and thoughts arrive; the picture, its signature and the usage come back."""
    answer = sdk.models.generate_content(
        model=PRO,
        contents="a red fox",
        config=types.GenerateContentConfig(
            response_modalities=["IMAGE"],
            image_config=types.ImageConfig(aspect_ratio="16:9", image_size="2K"),
            thinking_config=types.ThinkingConfig(include_thoughts=True),
            seed=3,
        ),
    )
    last = (answer.parts or [])[-1]
    assert _size(last) == (2752, 1536)
    assert last.thought_signature
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.candidates_tokens_details[0].token_count == 1120
    assert answer.model_version == PRO


def test_a_chat_sends_its_pictures_back(sdk: genai.Client) -> None:
    """The second turn carries the first picture with its signature and counts it as input."""
    chat = sdk.chats.create(model=NEW)
    chat.send_message("a red fox")
    answer = chat.send_message("make it blue")
    assert answer.usage_metadata is not None
    counted = {
        detail.modality: detail.token_count for detail in answer.usage_metadata.prompt_tokens_details or []
    }
    assert counted[types.MediaModality.IMAGE] == 1120


def test_generate_content_stream(sdk: genai.Client) -> None:
    """The picture comes whole in one event; STOP and an empty text follow."""
    seen = list(sdk.models.generate_content_stream(model=LITE, contents="a fox"))
    assert _size((seen[0].parts or [])[0]) == (1408, 768)
    assert seen[-1].candidates is not None
    assert seen[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_errors_keep_their_details(sdk: genai.Client, today: Emulator) -> None:
    """A 429 arrives as ClientError with RetryInfo in its details, a 503 as ServerError."""
    today.faults.script("rate_limit_minute;retry=7", "overloaded")
    with pytest.raises(errors.ClientError) as limited:
        sdk.models.generate_content(model=PRO, contents="a fox")
    with pytest.raises(errors.ServerError) as overloaded:
        sdk.models.generate_content(model=PRO, contents="a fox")
    assert limited.value.details["error"]["details"][-1]["retryDelay"] == "7s"
    assert (limited.value.code, overloaded.value.code) == (429, 503)


def test_an_unknown_finish_reason_is_a_new_member(sdk: genai.Client, today: Emulator) -> None:
    """The SDK warns and goes on."""
    today.faults.add("unknown_finish_reason", times=1)
    with pytest.warns(UserWarning, match="FAKE_NEW_FINISH_REASON"):
        answer = sdk.models.generate_content(model=PRO, contents="a fox")
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == "FAKE_NEW_FINISH_REASON"


def test_models_are_listed_and_read(sdk: genai.Client) -> None:
    """Four image models and a text model in November 2026, page by page."""
    listed = {model.name for model in sdk.models.list(config={"page_size": 2})}
    assert f"models/{PRO}" in listed
    assert len(listed) == 5
    assert sdk.models.get(model=PRO).input_token_limit == 131072


def test_files_go_up_in_chunks(sdk: genai.Client) -> None:
    """Ten megabytes take two chunks; the file is listed, read and deleted."""
    stored = sdk.files.upload(file=io.BytesIO(b"x" * 10_000_000), config={"mime_type": "text/plain"})
    assert stored.name is not None
    assert stored.size_bytes == 10_000_000
    assert [one.name for one in sdk.files.list()] == [stored.name]
    assert sdk.files.get(name=stored.name).state == types.FileState.ACTIVE
    sdk.files.delete(name=stored.name)
    with pytest.raises(errors.ClientError, match="403"):
        sdk.files.get(name=stored.name)


def test_an_inline_batch_is_followed_to_its_end(sdk: genai.Client) -> None:
    """The SDK maps states, rows and metadata."""
    job = sdk.batches.create(
        model=PRO,
        src=[types.InlinedRequest(contents="a fox", metadata={"key": "a"})],
        config={"display_name": "d"},
    )
    assert job.state == types.JobState.JOB_STATE_PENDING
    while not job.done:
        job = sdk.batches.get(name=job.name or "")
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    assert job.dest is not None
    row = (job.dest.inlined_responses or [])[0]
    assert row.metadata == {"key": "a"}
    assert row.response is not None
    assert _size((row.response.parts or [])[0]) == (1408, 768)


def test_a_file_batch_is_downloaded(sdk: genai.Client) -> None:
    """Upload, create, poll, download; then the job is listed and deleted."""
    line = b'{"key":"r1","request":{"contents":[{"parts":[{"text":"a fox"}]}]}}\n'
    source = sdk.files.upload(file=io.BytesIO(line), config={"mime_type": "jsonl"})
    job = sdk.batches.create(model=LITE, src=source.name or "")
    while not job.done:
        job = sdk.batches.get(name=job.name or "")
    assert job.dest is not None
    result = sdk.files.download(file=job.dest.file_name or "")
    assert b'"key":"r1"' in result
    assert [one.name for one in sdk.batches.list()] == [job.name]
    sdk.batches.delete(name=job.name or "")
    assert list(sdk.batches.list()) == []


def test_tokens_are_counted(sdk: genai.Client) -> None:
    """count_tokens agrees with the prompt tokens of the answer."""
    answer = sdk.models.generate_content(model=PRO, contents="a siamese cat")
    assert answer.usage_metadata is not None
    assert sdk.models.count_tokens(model=PRO, contents="a siamese cat").total_tokens == 5
    assert answer.usage_metadata.prompt_token_count == 5


async def test_the_asynchronous_client_does_the_same(today: Emulator) -> None:
    """generate, stream, files, batches and models over aiohttp."""
    client = genai.Client(api_key="sdk-key", http_options=types.HttpOptions(base_url=today.url))
    async with client.aio as sdk:
        answer = await sdk.models.generate_content(model=LITE, contents="a fox")
        assert _size((answer.parts or [])[0]) == (1408, 768)
        events = [
            event async for event in await sdk.models.generate_content_stream(model=LITE, contents="a fox")
        ]
        assert len(events) == 2
        stored = await sdk.files.upload(file=io.BytesIO(b"x" * 1000), config={"mime_type": "text/plain"})
        assert stored.size_bytes == 1000
        job = await sdk.batches.create(model=LITE, src=[types.InlinedRequest(contents="a fox")])
        while not job.done:
            job = await sdk.batches.get(name=job.name or "")
        assert job.state == types.JobState.JOB_STATE_SUCCEEDED
        assert len([model async for model in await sdk.models.list()]) == 5
    client.close()


def test_enterprise_mode(today: Emulator) -> None:
    """Project paths and bearer token; the output type can be chosen; Imagen's pictures come by predict."""
    options = types.HttpOptions(base_url=today.url)
    with genai.Client(
        vertexai=True, project="p", location="global", credentials=_Token(), http_options=options
    ) as client:
        answer = client.models.generate_content(
            model=PRO,
            contents="a fox",
            config=types.GenerateContentConfig(
                image_config=types.ImageConfig(aspect_ratio="1:1", output_mime_type="image/png")
            ),
        )
    part = (answer.parts or [])[0]
    assert part.inline_data is not None
    assert part.inline_data.mime_type == "image/png"
    assert answer.create_time is not None
    assert today.requests()[-1]["path"].endswith(f"publishers/google/models/{PRO}:generateContent")


@pytest.mark.filterwarnings("ignore:The generate_images method is deprecated")
def test_enterprise_imagen(april: Emulator) -> None:
    """generate_images works in enterprise mode, seed and negative prompt included."""
    options = types.HttpOptions(base_url=april.url)
    with genai.Client(
        vertexai=True, project="p", location="us-central1", credentials=_Token(), http_options=options
    ) as client:
        answer = client.models.generate_images(
            model="imagen-4.0-generate-001",
            prompt="a fox",
            config=types.GenerateImagesConfig(
                number_of_images=2, seed=4, add_watermark=False, aspect_ratio="16:9"
            ),
        )
    images = [one.image for one in answer.generated_images or []]
    assert len(images) == 2
    assert all(image is not None and image.image_bytes for image in images)
    assert april.bill().total == 2 * 40_000_000
