"""Google's Files API through the gateway: the unmodified SDK, each caller among its own files."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest
from google import genai
from google.genai import errors
from PIL import Image
from yarl import URL

from gateway.gemini_tap import key_of

PRO = "gemini-3-pro-image"

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


def client_of(site, key: str) -> genai.Client:
    return genai.Client(api_key=key, http_options={"base_url": site.url})


def picture() -> io.BytesIO:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    file.seek(0)
    return file


def test_an_uploaded_picture_is_edited(site) -> None:
    """Upload, use, list, get, delete: the SDK's own calls, by base URL alone."""
    with client_of(site, "anything") as client:
        sent = client.files.upload(file=picture(), config={"mime_type": "image/png", "display_name": "red"})
        answer = client.models.generate_content(model=PRO, contents=["add snow", sent])
        assert any(part.inline_data for part in answer.parts)
        assert answer.usage_metadata.prompt_token_count > 250
        assert [file.name for file in client.files.list()] == [sent.name]
        assert client.files.get(name=sent.name).display_name == "red"
        client.files.delete(name=sent.name)
        assert list(client.files.list()) == []


async def test_upload_works_async(site) -> None:
    """The same through client.aio."""
    client = client_of(site, "anything")
    sent = await client.aio.files.upload(file=picture(), config={"mime_type": "image/png"})
    assert sent.state.name == "ACTIVE"
    await client.aio.aclose()
    await asyncio.sleep(0)  # aiohttp closes its sockets in the loop's next turn


def test_a_large_upload_goes_in_pieces(site) -> None:
    """Beyond 8 MiB the SDK sends several pieces to the session's address."""
    big = io.BytesIO(picture().getvalue() + bytes(9 << 20))
    with client_of(site, "anything") as client:
        assert client.files.upload(file=big, config={"mime_type": "image/png"}).size_bytes == len(
            big.getvalue()
        )


async def test_nobody_sees_the_files_of_others(locked) -> None:
    """Two keys share the provider's project; each lists, reads and uses its own scope's files alone."""
    mine, theirs = await key_of(locked, scope="acme"), await key_of(locked, scope="other")
    with client_of(locked, mine) as one, client_of(locked, theirs) as other:
        sent = one.files.upload(file=picture(), config={"mime_type": "image/png"})
        assert list(other.files.list()) == []
        for forbidden in (
            lambda: other.files.get(name=sent.name),
            lambda: other.files.delete(name=sent.name),
            lambda: other.models.generate_content(model=PRO, contents=["add snow", sent]),
            lambda: other.models.count_tokens(model=PRO, contents=["add snow", sent]),
        ):
            with pytest.raises(errors.ClientError) as caught:
                forbidden()
            assert caught.value.code == 403
        assert one.files.get(name=sent.name).name == sent.name
    assert not locked.emulator.bill().entries


def test_a_file_needs_a_model(site) -> None:
    """Only Google can read an uploaded file, so auto cannot use it: a 400 that says what to do."""
    with client_of(site, "anything") as client:
        sent = client.files.upload(file=picture(), config={"mime_type": "image/png"})
        with pytest.raises(errors.ClientError, match="name a model") as caught:
            client.models.generate_content(model="auto", contents=["add snow", sent])
        assert caught.value.code == 400


def test_tokens_are_counted(site) -> None:
    """count_tokens passes through, free."""
    with client_of(site, "anything") as client:
        assert client.models.count_tokens(model=PRO, contents="a red fox").total_tokens > 0
        with pytest.raises(errors.ClientError, match="needs a model"):
            client.models.count_tokens(model="auto", contents="a red fox")
    assert not site.emulator.bill().entries


@pytest.mark.parametrize("change", [{"signature": "0"}, {"scope": "other"}, {"upload_id": "another"}])
async def test_nobody_can_make_an_uploads_address(locked, change) -> None:
    """It needs no key, so it is signed: whose file it becomes is part of it."""
    secret = await key_of(locked)
    start = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    async with aiohttp.ClientSession() as session:
        url, headers = f"{locked.url}/upload/v1beta/files", {"x-goog-api-key": secret, **start}
        async with session.post(url, json={}, headers=headers) as opened:
            address = URL(opened.headers["x-goog-upload-url"])
        command = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
        async with session.post(address.update_query(change), data=b"x", headers=command) as reply:
            assert reply.status == 404
        async with session.post(address, data=b"x", headers=command) as reply:
            assert reply.status == 200


async def test_a_download_is_relayed_as_it_comes(site) -> None:
    """Also Google's refusal: what was uploaded cannot be fetched back."""
    with client_of(site, "anything") as client:
        sent = await asyncio.to_thread(client.files.upload, file=picture(), config={"mime_type": "image/png"})
    url = f"{site.url}/v1beta/{sent.name}:download?alt=media"
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        assert reply.status == 400
        assert "only generated files can be downloaded" in (await reply.json())["error"]["message"]
