"""The Batch and Files APIs over one key: upload from disk, create, look, list, cancel, read a result.

Constant memory whatever the sizes. Nothing is sent twice but pieces of an upload that is asked for its place
first; whether a job is created again is decided above.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote, urlsplit

from image_router.core.reply import ApiError
from image_router.providers import json_text
from image_router.providers.base import Errand, Relays, Unreachable
from image_router.providers.batch_wire import (
    JSONL,
    METHOD,
    Operation,
    RemoteFile,
    create_body,
    parse_file,
    parse_operation,
    parse_operations,
)
from image_router.providers.error_wire import parse_error
from image_router.providers.lenient import obj

PIECE: Final = 8 * 1024 * 1024
"""Bytes of one piece of an upload: the granularity that the API asks for."""
MAX_LINE: Final = 128 * 1024 * 1024
"""Bytes of one line of a result: as much as one interactive answer may have."""
_MAX_ANSWER: Final = 16 * 1024 * 1024
_MAX_PAGES: Final = 200
_PAGE: Final = 100
_RESUMES: Final = 5
_READINESS: Final = (2.0, 30)
"""Seconds between looks at a file that is not ready, and how many looks."""


class Declined(Exception):
    """The provider said no, and did nothing of what was asked."""

    def __init__(self, what: str, error: ApiError) -> None:
        super().__init__(f"{what}: HTTP {error.http_status}: {error.message}")
        self.error = error


class InDoubt(Exception):
    """Nobody can say whether it was done: the answer was lost, or is an error of the server's own."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class BatchApi:
    """Jobs and files of one project, through one of its keys.

    Everything raises Unreachable where the network fails, Declined where the provider refuses.
    """

    def __init__(
        self,
        provider: Relays,
        *,
        version: str = "v1beta",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._version = version
        self._sleep = sleep

    async def upload(self, path: Path, *, name: str, media_type: str = JSONL) -> RemoteFile:
        """Store a file for 48 hours; `name` is for people. A piece that is lost on its way is sent again
        from where the provider stands."""
        with path.open("rb") as file:
            size = file.seek(0, SEEK_END)
            session = await self._session(name, size=size, media_type=media_type)
            stored = await self._pieces(session, file, size=size)
        return await self._ready(stored)

    async def create(self, model: str, *, display_name: str, input_file: str) -> Operation:
        """Create a job of an uploaded file. Raises InDoubt where it may have been created all the same."""
        path = f"models/{quote(model, safe='')}:{METHOD}"
        try:
            answer = await self._asked("POST", path, body=create_body(display_name, input_file))
        except Unreachable as problem:
            raise InDoubt(f"no answer to the creation of {display_name}: {problem}") from problem
        if answer.status >= 500:
            raise InDoubt(f"the creation of {display_name} was answered with HTTP {answer.status}")
        body = self._good(f"batch job {display_name} was not created", answer)
        try:
            operation = parse_operation(obj(json_text.loads(body)))
        except ValueError as problem:
            raise InDoubt(f"the creation of {display_name} was answered with no JSON: {problem}") from problem
        if not operation.name:
            raise InDoubt(f"the creation of {display_name} was answered without a job's name")
        return operation

    async def get(self, name: str) -> Operation:
        """What became of a job so far."""
        answer = await self._asked("GET", name)
        body = self._good(f"{name} cannot be looked at", answer)
        return parse_operation(obj(_document(body, name)))

    async def jobs(self) -> AsyncIterator[Operation]:
        """Every job the project has, newest first, page by page."""
        token = ""
        for _ in range(_MAX_PAGES):
            answer = await self._asked("GET", f"batches?pageSize={_PAGE}{token}")
            body = self._good("batch jobs cannot be listed", answer)
            try:
                page, following = parse_operations(body)
            except ValueError as problem:
                raise Unreachable(f"the list of batch jobs is not readable: {problem}") from None
            for operation in page:
                yield operation
            if not following:
                return
            token = f"&pageToken={quote(following, safe='')}"

    async def cancel(self, name: str) -> None:
        """Ask that a job stop; what it has made is still paid, and may still come."""
        self._good(f"{name} was not cancelled", await self._asked("POST", f"{name}:cancel", body=b"{}"))

    async def forget(self, name: str) -> None:
        """Delete a job or a file that is no longer needed; one that is gone is no error."""
        answer = await self._asked("DELETE", name)
        if answer.status not in (403, 404):
            self._good(f"{name} was not deleted", answer)

    async def lines(self, file: str) -> AsyncIterator[bytes]:
        """The lines of a result file, as they arrive. Raises Unreachable where it breaks off."""
        errand = self._errand("GET", f"{file}:download?alt=media")
        async with self._provider.errand(errand) as running:
            if running.status != 200:
                body = await _whole(running.pieces)
                error = parse_error(running.status, running.headers, body=body)
                raise Declined(f"the result {file} cannot be fetched", error)
            async for line in split_lines(running.pieces):
                yield line

    async def _session(self, name: str, *, size: int, media_type: str) -> str:
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": media_type,
        }
        body = json_text.dumps({"file": {"displayName": name, "mimeType": media_type}})
        path = f"upload/{self._version}/files"
        answer = await self._run(Errand(method="POST", path=path, headers=headers, body=body))
        self._good(f"the upload of {name} was not begun", answer)
        url = _header(answer, "x-goog-upload-url")
        if not url:
            raise Unreachable(f"the upload of {name} was begun without an address to send it to")
        parts = urlsplit(url)
        return f"{parts.path.lstrip('/')}?{parts.query}"

    async def _pieces(self, session: str, file: BinaryIO, *, size: int) -> RemoteFile:
        at, resumed = 0, 0
        while True:
            try:
                answer = await self._piece(session, file, at=at, size=size)
            except Unreachable:
                resumed += 1
                if resumed > _RESUMES:
                    raise
                at, done = await self._place(session)
                if done is not None:
                    return done
                continue
            body = self._good("a piece of an upload was refused", answer)
            at = min(at + PIECE, size)
            if at == size:
                return _file(body)

    async def _piece(self, session: str, file: BinaryIO, *, at: int, size: int) -> _Answer:
        file.seek(at)
        piece = await asyncio.to_thread(file.read, PIECE)
        command = "upload, finalize" if at + len(piece) == size else "upload"
        headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(at)}
        return await self._run(Errand(method="POST", path=session, headers=headers, body=piece))

    async def _place(self, session: str) -> tuple[int, RemoteFile | None]:
        """How many bytes have come; the file, if all have and only the answer was lost."""
        headers = {"X-Goog-Upload-Command": "query"}
        answer = await self._run(Errand(method="POST", path=session, headers=headers, body=b""))
        if answer.status != 200:
            raise Unreachable(f"an upload broke off and cannot go on: HTTP {answer.status}")
        body = answer.body
        if _header(answer, "x-goog-upload-status") == "final":
            return 0, _file(body)
        received = _header(answer, "x-goog-upload-size-received")
        return int(received) if received.isdigit() else 0, None

    async def _ready(self, file: RemoteFile) -> RemoteFile:
        pause, looks = _READINESS
        for _ in range(looks):
            if file.active:
                return file
            await self._sleep(pause)
            file = _file(self._good(f"{file.name} is gone", await self._asked("GET", file.name)))
        raise Unreachable(f"{file.name} is not ready after {pause * looks:g} s")

    async def _asked(self, method: str, path: str, *, body: bytes | None = None) -> _Answer:
        return await self._run(self._errand(method, path, body=body))

    def _errand(self, method: str, path: str, *, body: bytes | None = None) -> Errand:
        return Errand(method=method, path=f"{self._version}/{path}", body=body)

    async def _run(self, errand: Errand) -> _Answer:
        async with self._provider.errand(errand) as running:
            body = await _whole(running.pieces)
            return _Answer(running.status, running.headers, body)

    @staticmethod
    def _good(what: str, answer: _Answer) -> bytes:
        if answer.status != 200:
            raise Declined(what, parse_error(answer.status, answer.headers, body=answer.body))
        return answer.body


async def split_lines(pieces: AsyncIterator[bytes], *, most: int = MAX_LINE) -> AsyncIterator[bytes]:
    """Lines without their ends, empty ones left out. Raises Unreachable for a line above `most` bytes."""
    begun: list[bytes] = []
    size = 0
    async for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for end in whole:
            line = b"".join((*begun, end)).strip()
            begun, size = [], 0
            if line:
                yield line
        begun.append(rest)
        size += len(rest)
        if size > most:
            raise Unreachable(f"a line of the result has more than {most:,} bytes")
    if last := b"".join(begun).strip():
        yield last


async def _whole(pieces: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > _MAX_ANSWER:
            raise Unreachable(f"the answer has more than {_MAX_ANSWER:,} bytes")
    return bytes(body)


def _document(body: bytes, what: str) -> object:
    try:
        return json_text.loads(body)
    except ValueError as problem:
        raise Unreachable(f"what is said of {what} is not readable: {problem}") from None


def _file(body: bytes) -> RemoteFile:
    try:
        return parse_file(body)
    except ValueError as problem:
        raise Unreachable(f"what is said of a file is not readable: {problem}") from None


def _header(answer: _Answer, wanted: str) -> str:
    return next((text for name, text in answer.headers.items() if name.lower() == wanted), "")
