"""Large pictures in unnamed files instead of memory, for callers that pass them on piece by piece.

    with spooling():
        result = await router.generate(…)

Inside, a picture of an answer above SPOOLED_FROM comes as a Spooled where others come as bytes. It can be
measured, sliced, hashed and encoded like bytes, and read in pieces that leave nothing in memory. Its file is
in the folder for temporary files and has no name: it ends with the object, and with the process.
"""

from __future__ import annotations

import mmap
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final, Self, cast

import pybase64

from image_router.core.reply import Reply, ReplyImage
from image_router.providers import json_text

SPOOLED_FROM: Final = 3 << 20
"""Bytes of an answer up to which its pictures stay in memory."""
BLOCK: Final = 256 << 10
"""Bytes of an answer that are looked at together."""
_WANTED: ContextVar[bool] = ContextVar("image_router_spooling", default=False)
_PICTURE: Final = re.compile(rb'"(?:data|bytesBase64Encoded)"\s*:\s*"')
"""Nowhere but at a key: inside a text every quotation mark has a backslash before it."""
_TAIL: Final = 64
"""Bytes of a block that are looked at again with the next one, since a key may begin in them."""
_SHORT: Final = 64 << 10
"""Characters of a text that stays in the answer, whatever it is."""
_ESCAPE: Final = 6
"""Characters of the longest escape, such as \\u003d."""


@contextmanager
def spooling() -> Iterator[None]:
    """Calls made inside give large pictures as Spooled."""
    token = _WANTED.set(True)
    try:
        yield
    finally:
        _WANTED.reset(token)


def is_wanted() -> bool:
    """Whether the caller takes pictures as Spooled."""
    return _WANTED.get()


class Spooled(mmap.mmap):
    """The bytes of a picture that rest in a file."""

    _descriptor: int | None = None

    @classmethod
    def of(cls, descriptor: int, size: int) -> Self:
        """Take over an open file with so many bytes. Raises OSError."""
        made = cls(descriptor, size, access=mmap.ACCESS_READ)
        made._descriptor = descriptor
        return made

    def __del__(self) -> None:
        if self._descriptor is not None:  # none where the file could not be mapped
            os.close(self._descriptor)

    def piece(self, start: int, end: int) -> bytes:
        """A slice, read from the file."""
        return os.pread(cast(int, self._descriptor), max(0, min(end, len(self)) - start), start)

    def rest(self) -> None:
        """Let go of what was looked at: it stays in the file."""
        self.madvise(mmap.MADV_DONTNEED)

    def startswith(self, prefix: bytes | tuple[bytes, ...]) -> bool:
        return self.piece(0, 64).startswith(prefix)

    def endswith(self, suffix: bytes) -> bool:
        return self.piece(len(self) - len(suffix), len(self)) == suffix


class Extractor:
    """Takes a JSON answer block by block and keeps it without its pictures. Blocking: it writes to disk."""

    def __init__(self) -> None:
        self._around: list[bytes] = []
        self._rest = b""
        self._open: _Picture | None = None
        self._pictures: dict[bytes, _Picture] = {}

    def feed(self, block: bytes) -> None:
        """The next bytes of the answer."""
        block, at = self._rest + block, 0
        self._rest = b""
        while True:
            if self._open is None:
                found = _PICTURE.search(block, at)
                if found is None:
                    kept = max(at, len(block) - _TAIL)
                    self._around.append(block[at:kept])
                    self._rest = block[kept:]
                    return
                self._around.append(block[at : found.end()])
                self._open, at = _Picture(), found.end()
            end = block.find(b'"', at)
            self._open.take(block[at:] if end < 0 else block[at:end])
            if end < 0:
                return
            self._around.append(self._closed(self._open))
            self._open, at = None, end

    def body(self) -> bytes:
        """The answer, a name standing for each picture. Where the answer was cut off, so is this."""
        return b"".join((*self._around, self._rest))

    def restored(self, reply: Reply) -> Reply:
        """The reply that was read from the body, with its pictures."""
        parts = (self._restored(part) if isinstance(part, ReplyImage) else part for part in reply.parts)
        return replace(reply, parts=tuple(parts))

    def _restored(self, image: ReplyImage) -> ReplyImage:
        picture = self._pictures.get(image.data)
        if picture is None:
            return image
        if picture.defect is not None:
            return replace(image, data=b"", defect=picture.defect)
        return replace(image, data=picture.data())

    def _closed(self, picture: _Picture) -> bytes:
        picture.end()
        if picture.short is not None:
            return picture.short
        name = secrets.token_bytes(18)
        self._pictures[name] = picture
        return pybase64.b64encode(name)


class _Picture:
    """One text of base64 on its way into a file; into memory where the disk takes nothing."""

    def __init__(self) -> None:
        self.short: bytes | None = b""
        """The text itself, as long as it is short."""
        self.defect: str | None = None
        self._left = b""
        self._padded = False
        self._size = 0
        self._length = 0
        self._file: int | None = None
        self._memory: bytearray | None = None

    def take(self, text: bytes) -> None:
        self._length += len(text)
        if self.short is not None and self._length <= _SHORT:
            self.short += text
            return
        if self.short is not None:
            text, self.short = self.short + text, None
        if self.defect is None:
            self._decode(self._left + text, last=False)

    def end(self) -> None:
        if self.short is None and self.defect is None:
            self._decode(self._left, last=True)

    def data(self) -> bytes:
        """All that was decoded."""
        if self._memory is None and self._file is not None:
            try:
                file, self._file = self._file, None
                return cast(bytes, Spooled.of(file, self._size))
            except OSError:
                self._file = file
                self._memory = self._read_back()
        return bytes(self._memory or b"")

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)

    def _decode(self, text: bytes, *, last: bool) -> None:
        try:
            text, escape = _plain(text, last=last)
            whole = len(text) if last else len(text) - len(text) % 4
            ready, self._left = text[:whole], text[whole:] + escape
            if ready and self._padded:
                raise ValueError("something follows its padding")
            self._write(pybase64.b64decode(ready, validate=True))
            self._padded = ready.endswith(b"=")
        except ValueError as error:
            self.defect = f"{self._length} characters are no valid base64: {error}"

    def _write(self, data: bytes) -> None:
        if self._memory is None:
            try:
                self._store(data)
            except OSError:
                self._memory = self._read_back()
        if self._memory is not None:
            self._memory += data
        self._size += len(data)

    def _store(self, data: bytes) -> None:
        if self._file is None:
            with tempfile.TemporaryFile(buffering=0) as file:
                self._file = os.dup(file.fileno())
        view, at = memoryview(data), self._size
        while view:
            written = os.pwrite(self._file, view, at)
            view, at = view[written:], at + written

    def _read_back(self) -> bytearray:
        """The answer is paid: a disk that is full must not lose it."""
        return bytearray(os.pread(self._file, self._size, 0) if self._file is not None else b"")


def _plain(text: bytes, *, last: bool) -> tuple[bytes, bytes]:
    """The text without escapes (some writers have \\/ or \\u003d), and an escape whose end is to come."""
    at = text.rfind(b"\\")
    if at < 0:
        return text, b""
    cut = at if not last and len(text) - at < _ESCAPE else len(text)
    said: Any = json_text.loads(b'"%b"' % text[:cut])
    return said.encode(), text[cut:]
