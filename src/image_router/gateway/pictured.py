"""JSON answers with pictures inside, sent as they lie in memory: megabytes are copied nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import pybase64
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from image_router.core.ids import new_id
from image_router.gateway.surfaces import JSON

_MARK: Final = new_id("picture-", digits=32)
"""Stands for a picture while the JSON around it is written; nobody outside this process knows it."""


class Pictured:
    """Pictures that a JSON document will show as base64."""

    def __init__(self) -> None:
        self._pictures: list[bytes] = []

    def shown(self, data: bytes) -> str:
        """What to put into the document where a picture belongs; in the order of the document."""
        self._pictures.append(data)
        return _MARK

    def response(self, view: Mapping[str, Any], *, headers: Mapping[str, str]) -> Response:
        """The document with its pictures."""
        around = orjson.dumps(view).split(_MARK.encode())
        pieces = [around[0]]
        for data, after in zip(self._pictures, around[1:], strict=True):
            pieces += (pybase64.b64encode(data), after)
        return _Pieces(pieces, headers)


class _Pieces(Response):
    """A body that is sent piece by piece; its length is known."""

    media_type = JSON

    def __init__(self, pieces: Sequence[bytes], headers: Mapping[str, str]) -> None:
        length = {"content-length": str(sum(map(len, pieces)))}
        super().__init__(headers={**headers, **length})
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
