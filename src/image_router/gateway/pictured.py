"""JSON answers with pictures inside, encoded while they are sent: megabytes are copied nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
import pybase64
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from image_router.core.ids import new_id
from image_router.gateway.surfaces import JSON
from image_router.providers.spooling import Spooled

_MARK: Final = new_id("picture-", digits=32)
"""Stands for a picture while the JSON around it is written; nobody outside this process knows it."""
PIECE: Final = 3 << 18
"""Bytes of a picture that are encoded at once: a multiple of three, so that the pieces make one text."""
_SPOOLED_PIECE: Final = 3 << 15
"""Of one that rests in a file: one piece is on its way to the caller while the next is made."""
_TOGETHER: Final = 1 << 16
"""Bytes up to which pieces are sent as one."""


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
        return _Pieces(around, self._pictures, headers=headers)


class _Pieces(Response):
    """A body that is encoded while it is sent; its length is known."""

    media_type = JSON

    def __init__(
        self, around: Sequence[bytes], pictures: Sequence[bytes], *, headers: Mapping[str, str]
    ) -> None:
        size = sum(map(len, around)) + sum((len(data) + 2) // 3 * 4 for data in pictures)
        super().__init__(headers={**headers, "content-length": str(size)})
        self._around, self._pictures = around, pictures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        waiting = b""
        for piece in self._pieces():
            if waiting:
                await send({"type": "http.response.body", "body": waiting, "more_body": True})
            waiting = piece
        await send({"type": "http.response.body", "body": waiting})

    def _pieces(self) -> Iterator[bytes]:
        """The body; a short one in one piece."""
        held = self._around[0]
        for data, after in zip(self._pictures, self._around[1:], strict=True):
            for piece in _slices(data):
                encoded = pybase64.b64encode(piece)
                if len(held) + len(encoded) > _TOGETHER:
                    yield held
                    held = b""
                held = held + encoded if held else encoded
            if len(held) + len(after) > _TOGETHER:
                yield held
                held = b""
            held += after
        yield held


def _slices(data: bytes) -> Iterator[bytes | memoryview]:
    if isinstance(data, Spooled):
        yield from (data.piece(at, at + _SPOOLED_PIECE) for at in range(0, len(data), _SPOOLED_PIECE))
    elif len(data) <= PIECE:
        yield data
    else:
        view = memoryview(data)
        yield from (view[at : at + PIECE] for at in range(0, len(data), PIECE))
