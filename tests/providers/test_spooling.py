"""Large pictures taken out of an answer while it comes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.reply import Reply, ReplyImage
from image_router.providers import spooling
from image_router.providers.gemini_wire import parse_reply
from image_router.providers.spooling import Extractor, Spooled

LARGE = bytes(range(256)) * 1024


def answer(*datas: str, **more: Any) -> str:
    """An answer with these texts as its pictures, before and after other things."""
    parts = [{"inlineData": {"mimeType": "image/png", "data": data}} for data in datas]
    said = {"text": 'it said "data": "not this" and \\ that'}
    candidate = {"content": {"parts": [said, *parts], "role": "model"}, "finishReason": "STOP"}
    return json.dumps({"candidates": [candidate], "usageMetadata": {"totalTokenCount": 7}, **more})


def extracted(body: bytes, *, block: int) -> tuple[bytes, Reply]:
    """What is left of an answer, and the reply that is read from it."""
    extractor = Extractor()
    for at in range(0, len(body), block):
        extractor.feed(body[at : at + block])
    left = extractor.body()
    return left, extractor.restored(parse_reply(200, {}, body=left))


def encoded(data: bytes) -> str:
    return pybase64.b64encode_as_string(data)


def only(reply: Reply) -> ReplyImage:
    (image,) = reply.images
    return image


@given(
    block=st.integers(min_value=1000, max_value=400_000),
    size=st.integers(min_value=70_000, max_value=200_000),
)
def test_however_the_answer_is_cut_the_picture_is_the_same(block: int, size: int) -> None:
    data = LARGE[:size]
    left, reply = extracted(answer(encoded(data)).encode(), block=block)
    assert len(left) < 1000
    image = only(reply)
    assert isinstance(image.data, Spooled)
    assert hashlib.sha256(image.data).digest() == hashlib.sha256(data).digest()
    assert len(image.data) == size
    assert image.data[:100] == data[:100]


@given(block=st.integers(min_value=1, max_value=300))
def test_what_is_short_stays_where_it_is(block: int) -> None:
    body = answer(encoded(b"small"), encoded(b"")).encode()
    left, reply = extracted(body, block=block)
    assert left == body
    assert [image.data for image in reply.images] == [b"small", b""]


def test_several_pictures_keep_their_order_and_all_else_is_read() -> None:
    first, second = LARGE[:90_000], LARGE[1:99_000]
    _, reply = extracted(answer(encoded(first), encoded(second)).encode(), block=50_000)
    assert [bytes(image.data) for image in reply.images] == [first, second]
    assert reply.usage is not None
    assert (reply.finish_reason, reply.usage.total_tokens) == ("STOP", 7)
    assert reply.text == 'it said "data": "not this" and \\ that'


@pytest.mark.parametrize(
    "written",
    [lambda text: text.replace("/", "\\/"), lambda text: text.replace("=", "\\u003d")],
    ids=["slashes", "equals"],
)
@pytest.mark.parametrize("block", [997, 65_537])
def test_escapes_are_read_as_json_means_them(written: Any, block: int) -> None:
    data = b"\xff" * 100_000
    body = answer("@").replace("@", written(encoded(data))).encode()
    assert bytes(only(extracted(body, block=block)[1]).data) == data


@pytest.mark.parametrize("broken", ["*", "=AAAA", "A"])
def test_a_text_that_is_no_base64_is_the_picture_s_defect(broken: str) -> None:
    text = encoded(LARGE[:90_000]) + broken
    image = only(extracted(answer(text).encode(), block=10_000)[1])
    assert image.data == b""
    assert f"{len(text)} characters are no valid base64" in (image.defect or "")


def test_an_answer_that_is_cut_off_stays_cut_off() -> None:
    body = answer(encoded(LARGE)).encode()[:200_000]
    _, reply = extracted(body, block=70_000)
    assert reply.fault is not None
    assert reply.fault.kind == "truncated"


@pytest.fixture(params=[0, 150_000])
def full_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes so many bytes."""
    write = os.pwrite

    def pwrite(file: int, data: Any, at: int) -> int:
        if at + len(data) > request.param:
            raise OSError(errno.ENOSPC, "no space left")
        return write(file, data, at)

    monkeypatch.setattr(spooling.os, "pwrite", pwrite)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_loses_no_picture() -> None:
    image = only(extracted(answer(encoded(LARGE)).encode(), block=100_000)[1])
    assert image.data == LARGE


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_picture_whose_file_cannot_be_mapped_is_read_back() -> None:
    extractor = Extractor()
    extractor.feed(answer(encoded(LARGE)).encode())
    reply = parse_reply(200, {}, body=extractor.body())
    before = len(os.listdir("/proc/self/fd"))
    with no_more_files():
        data = only(extractor.restored(reply)).data
    assert data == LARGE
    del extractor
    assert len(os.listdir("/proc/self/fd")) == before - 1


def test_pieces_are_those_of_the_bytes() -> None:
    data = only(extracted(answer(encoded(LARGE)).encode(), block=100_000)[1]).data
    assert isinstance(data, Spooled)
    data.rest()
    assert data.piece(1000, 2000) == LARGE[1000:2000]
    assert data.piece(len(LARGE) - 5, len(LARGE) + 5) == LARGE[-5:]
    assert data.startswith(LARGE[:4])
    assert data.endswith(LARGE[-4:])


def _descriptors() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            yield os.readlink(f"/proc/self/fd/{name}")


def test_a_picture_s_file_ends_with_it() -> None:
    before = sorted(_descriptors())
    reply = extracted(answer(encoded(LARGE)).encode(), block=100_000)[1]
    assert len(sorted(_descriptors())) > len(before)
    del reply
    assert sorted(_descriptors()) == before


def test_only_who_asks_for_it_gets_files() -> None:
    assert not spooling.is_wanted()
    with spooling.spooling():
        assert spooling.is_wanted()
    assert not spooling.is_wanted()
