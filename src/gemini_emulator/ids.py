"""Ids and thought signatures with the forms of recorded ones, deterministic for a seed."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from itertools import count

import pybase64

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_SIGNING_KEY = b"gemini-emulator thought signature"
_MARK = b"\x12"
_TAG_BYTES = 16
# https://ai.google.dev/gemini-api/docs/thought-signatures : stand-ins the API takes instead of a real one
_STAND_INS = frozenset({b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go"})


class Ids:
    """A stream of ids. Two emulators with one seed that receive the same calls give the same ids."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = count(1)

    def response(self, now: datetime) -> str:
        """base64url whose first four bytes are the unix time, little-endian: 23 characters."""
        head = int(now.timestamp()).to_bytes(4, "little")
        return pybase64.urlsafe_b64encode(head + self._digest("response")[:13]).decode().rstrip("=")

    def file(self) -> str:
        return self._word("file", 12)

    def batch(self) -> str:
        return self._word("batch", 36)

    def upload(self) -> str:
        return "A" + pybase64.urlsafe_b64encode(self._digest("upload")).decode().rstrip("=")

    def bill_entry(self) -> str:
        return f"bill-{self._word('bill', 12)}"

    def _word(self, kind: str, length: int) -> str:
        number = int.from_bytes(self._digest(kind), "big")
        letters = []
        for _ in range(length):
            number, index = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[index])
        return "".join(letters)

    def _digest(self, kind: str) -> bytes:
        return hashlib.sha256(f"{kind}/{self._seed}/{next(self._count)}".encode()).digest()


def sign(content: bytes, size: int) -> str:
    """A thought signature of `size` bytes for a part, as base64. It holds its own check."""
    body = hashlib.shake_256(content).digest(size - len(_MARK) - _TAG_BYTES)
    return pybase64.b64encode(_MARK + _tag(body) + body).decode()


def is_signature(raw: bytes) -> bool:
    """Whether these bytes are one of our signatures, whole, or a documented stand-in."""
    if raw in _STAND_INS:
        return True
    tag, body = raw[1 : 1 + _TAG_BYTES], raw[1 + _TAG_BYTES :]
    return raw[:1] == _MARK and hmac.compare_digest(tag, _tag(body))


def _tag(body: bytes) -> bytes:
    return hmac.digest(_SIGNING_KEY, body, "sha256")[:_TAG_BYTES]
