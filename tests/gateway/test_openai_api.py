"""The unmodified openai SDK against the gateway, as OpenAI's own documentation shows it."""

from __future__ import annotations

import asyncio
import base64
import io

import openai
import pytest
from PIL import Image

from gemini_emulator import Emulator
from image_router.books import open_books
from image_router.core.storing import StoreMode
from image_router.storage.storing_rules import StoringRule


@pytest.fixture
def client(site) -> openai.OpenAI:
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key="anything") as client:
        yield client


def _opened(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def _png(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return file.getvalue()


def test_generate_answers_a_picture_with_its_usage(client) -> None:
    """data[0].b64_json opens as a picture of the size that is reported; usage adds up."""
    answer = client.images.generate(model="auto", prompt="a red fox", size="1536x1024")
    assert f"{_opened(answer.data[0].b64_json).size[0]}x" in answer.size
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 1000
    own = answer.model_extra["image_router"]
    assert any("1536x1024 was asked for" in warning for warning in own["warnings"])
    assert own["decision"]["candidates"][0]["tier"] == "nano_banana"


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("auto", "nano_banana"),
        ("auto:hero", "imagen_4_standard"),
        ("nano_banana_pro", "nano_banana_pro"),
        ("gemini-3-pro-image", "nano_banana_pro"),
    ],
)
def test_model_is_auto_a_purpose_a_tier_or_an_id(client, model, tier) -> None:
    """All four are decided, and explain=true spends nothing."""
    answer = client.images.generate(model=model, prompt="a fox", extra_body={"explain": True})
    assert answer.data == []
    assert answer.model_extra["image_router"]["candidates"][0]["tier"] == tier


def test_a_long_prompt_is_shortened_where_that_is_asked(client) -> None:
    """compress is a field here as everywhere: the step is in the decision, with its target."""
    prompt = "a quiet harbour with boats and gulls, very calm and very detailed, " * 200
    extra = {"explain": True, "compress": 300}
    answer = client.images.generate(model="auto:hero", prompt=prompt, extra_body=extra)
    assert answer.model_extra["image_router"]["compression"]["target"] == 300


def test_n_pictures_are_n_pictures(client, site) -> None:
    """Three calls upstream, three pictures, one bill."""
    answer = client.images.generate(prompt="a fox", model="auto", n=3)
    assert len(answer.data) == 3
    assert len(site.emulator.bill().entries) == 3


def test_n_with_one_failure_says_which(client, site: object) -> None:
    """The pictures that came are delivered, the failure stands beside them with its reason."""
    emulator: Emulator = site.emulator
    emulator.faults.add("prompt_blocked", times=1)
    answer = client.images.generate(prompt="a fox", model="auto", n=2)
    own = answer.model_extra["image_router"]
    assert len(answer.data) + len(own["failures"]) == 2
    assert own["failures"]


def test_edit_sends_the_pictures_as_references(client, site) -> None:
    """Two uploads under image[] reach the provider as two references."""
    files = [("a.png", _png(), "image/png"), ("b.png", _png("blue"), "image/png")]
    answer = client.images.edit(image=files, prompt="put them side by side", model="auto")
    assert answer.data[0].b64_json
    assert answer.usage.input_tokens_details.image_tokens > 0


def test_one_upload_under_image_works_too(client) -> None:
    """A single file is sent under another name by the SDK."""
    assert client.images.edit(image=_png(), prompt="make it rain", model="auto").data


def test_a_mask_is_refused_before_money(client, site) -> None:
    """400 names the field and the way out; nothing was spent."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(image=_png(), mask=_png(), prompt="make it rain", model="auto")
    assert caught.value.param == "mask"
    assert not site.emulator.bill().entries


def test_stream_ends_with_the_completed_picture(client) -> None:
    """Published event names; the last event carries the usage."""
    events = list(client.images.generate(prompt="a fox", model="auto", stream=True, partial_images=2))
    assert events[-1].type == "image_generation.completed"
    assert _opened(events[-1].b64_json).size
    assert events[-1].usage.output_tokens > 1000


def test_streamed_drafts_are_partial_images(client, site) -> None:
    """What the model drew while thinking comes before the picture, under the published name."""
    asked = client.images.generate(prompt="a fox", model="nano_banana_pro", stream=True, partial_images=3)
    events = list(asked)
    partial = [event for event in events if event.type == "image_generation.partial_image"]
    assert [event.partial_image_index for event in partial] == list(range(len(partial)))
    assert partial
    assert all(_opened(event.b64_json).size for event in partial)


def test_a_stream_that_fails_says_so(client, site) -> None:
    """The SDK raises the error that the stream carries."""
    site.emulator.faults.add("image_safety")
    with pytest.raises(openai.APIError, match="refus"):
        list(client.images.generate(prompt="a fox", model="auto", stream=True))


def test_a_link_shows_the_very_bytes(client) -> None:
    """response_format=url: whoever has the link sees the picture, without a key, for an hour."""
    answer = client.images.generate(prompt="a fox", model="auto", response_format="url")
    assert "signature=" in answer.data[0].url


async def test_a_link_is_refused_where_the_scope_that_pays_keeps_no_picture(client, site) -> None:
    """The rules of the scope in the body count, as its budget does: nothing is made that nobody could see."""
    async with open_books(home=site.home, offline=True) as books:
        await books.rules.set("events", StoringRule(store=StoreMode.NONE))
    asked = {"prompt": "a fox", "model": "auto", "response_format": "url", "extra_body": {"scope": "events"}}
    with pytest.raises(openai.BadRequestError, match="keeps none") as caught:
        await asyncio.to_thread(client.images.generate, **asked)
    assert caught.value.param == "response_format"
    assert not site.emulator.bill().entries


def test_output_format_converts_when_asked(client) -> None:
    """webp is what was asked for; the warning says that it is no original."""
    answer = client.images.generate(prompt="a fox", model="auto", output_format="webp")
    assert _opened(answer.data[0].b64_json).format == "WEBP"
    assert any("converted" in warning for warning in answer.model_extra["image_router"]["warnings"])


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"n": 0}, "n"),
        ({"size": "huge"}, "size"),
        ({"style": "vivid"}, "style"),
        ({"background": "transparent"}, "background"),
        ({"purpos": "hero"}, "purpos"),
        ({"model": "gpt-image-2"}, "model"),
        ({"output_compression": 50}, "output_compression"),
        ({"partial_images": 2}, "partial_images"),
        ({"size": "1024x1024", "aspect_ratio": "1:1"}, "size"),
        ({"references": ["/etc/passwd"]}, "references"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_name(client, site, extra, param) -> None:
    """A typed error that names the parameter, and nothing spent."""
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.generate(prompt="a fox", extra_body=extra)
    assert caught.value.status_code in (400, 404)
    assert caught.value.param == param
    assert not site.emulator.bill().entries


def test_a_refusal_is_a_400_with_the_providers_words(client, site) -> None:
    """The content is the caller's to change; the SDK does not try again by itself."""
    site.emulator.faults.add("image_safety")
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt="a fox", model="auto")
    assert caught.value.code == "content_refused"
    own = caught.value.response.json()["image_router"]["error"]
    assert len(site.emulator.requests()) == len(own["attempts"])


def test_the_same_key_answers_the_same_bytes_free(client, site) -> None:
    """Idempotency-Key: one payment, two identical answers; another request under it is a 422."""
    ask = {"prompt": "a fox", "model": "auto"}
    first, second = (client.images.generate(**ask, extra_headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.data[0].b64_json == second.data[0].b64_json
    assert len(site.emulator.bill().entries) == 1
    with pytest.raises(openai.UnprocessableEntityError):
        client.images.generate(prompt="a bear", model="auto", extra_headers={"Idempotency-Key": "k1"})


def test_models_lists_tiers_purposes_and_the_living(client) -> None:
    """Retired ids are not offered."""
    ids = {model.id for model in client.models.list()}
    assert {"auto", "auto:hero", "nano_banana_pro", "gemini-3-pro-image"} <= ids
    assert "imagen-4.0-generate-001" not in ids
    assert client.models.retrieve("auto").id == "auto"
