"""Answers that hold pictures."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from image_router.gateway.pictured import Pictured


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
