"""Answers that hold pictures."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.reply import Reply, ReplyImage
from image_router.gateway.pictured import PIECE, Pictured
from image_router.providers.spooling import Extractor, Spooled


async def _sent(pictures: list[bytes], words: str) -> tuple[dict[bytes, bytes], bytes]:
    inside, messages = Pictured(), []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    view = {"data": [{"b64_json": inside.shown(one)} for one in pictures], "prompt": words}
    await inside.response(view, headers={"x-own": "yes"})({"type": "http"}, receive, send)
    return dict(messages[0]["headers"]), b"".join(message["body"] for message in messages[1:])


@given(st.lists(st.binary(max_size=300), max_size=4), st.text())
async def test_pictures_stand_where_they_belong(pictures: list[bytes], words: str) -> None:
    """The document is what any JSON writer would have made of it, and its length is told beforehand."""
    headers, body = await _sent(pictures, words)
    shown = [{"b64_json": b64encode(one).decode()} for one in pictures]
    assert orjson.loads(body) == {"data": shown, "prompt": words}
    assert headers[b"content-length"] == str(len(body)).encode()
    assert (headers[b"x-own"], headers[b"content-type"]) == (b"yes", b"application/json")


async def test_large_pictures_are_sent_in_pieces_that_make_one_text() -> None:
    """In memory or in a file, with lengths on both sides of a piece's."""
    datas = [bytes(range(251)) * (size // 251 + 1) for size in (PIECE - 1, PIECE + 1, 2 * PIECE + 2)]
    pictures = [*datas, *map(_spooled, datas)]
    headers, body = await _sent(pictures, "")
    shown = [{"b64_json": b64encode(one).decode()} for one in (*datas, *datas)]
    assert orjson.loads(body) == {"data": shown, "prompt": ""}
    assert headers[b"content-length"] == str(len(body)).encode()


def _spooled(data: bytes) -> Spooled:
    """The picture in a file, as it comes out of an answer."""
    extractor = Extractor()
    extractor.feed(b'{"data": "%b"}' % b64encode(data))
    name = b64decode(orjson.loads(extractor.body())["data"])
    reply = extractor.restored(Reply(parts=(ReplyImage(data=name, declared_type="image/png"),)))
    found = reply.images[0].data
    assert isinstance(found, Spooled)
    return found
