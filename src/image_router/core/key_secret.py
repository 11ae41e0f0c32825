"""Secrets of router keys: how one is spelled, recognised and stored. Pure: chance comes from the caller.

    ir_k7f2m4qa_<43 characters: 32 bytes of chance, base64url><8: CRC-32 of all before, hexadecimal>

The prefix lets scanners find a leaked secret, the id finds its row, and the checksum tells a cut-off paste
from a wrong secret without asking the database.
"""

from __future__ import annotations

import re
from base64 import b32encode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from zlib import crc32

from image_router.core.errors import KeyInvalid

PREFIX: Final = "ir_"
ID_BYTES: Final = 5
SECRET_BYTES: Final = 32
PATTERN: Final = r"ir_[a-z2-7]{8}_[A-Za-z0-9_-]{43}[0-9a-f]{8}"
"""For secret scanners; `key_id_of` also looks at the checksum."""
LENGTH: Final = 63

_ID: Final = slice(3, 11)
_SECRET: Final = re.compile(PATTERN, re.ASCII)
_NAMED: Final = re.compile(r"(?:ir_)?([a-z2-7]{8})(?:_.*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySecret:
    """What its holder sends. Shown once, stored nowhere; it hides itself wherever it is printed."""

    text: str = field(repr=False)

    @property
    def hint(self) -> str:
        """Its last four characters, by which people tell secrets apart; of the checksum, so they betray none
        of the chance."""
        return self.text[-4:]

    @property
    def digest(self) -> bytes:
        return digest_of(self.text)


def new_id(chance: bytes) -> str:
    """A key's id from ID_BYTES of chance: eight characters, no secret."""
    return b32encode(chance).decode().lower()


def new_secret(key_id: str, chance: bytes) -> KeySecret:
    """The secret of a key from SECRET_BYTES of chance."""
    body = f"{PREFIX}{key_id}_{urlsafe_b64encode(chance).decode().rstrip('=')}"
    return KeySecret(text=body + _checksum(body))


def digest_of(secret: str) -> bytes:
    """What is stored of a secret, and compared in constant time."""
    # A slow derivation protects what people can guess; 256 bits of chance nobody tries out, and every request
    # would pay for it.
    return sha256(secret.encode(errors="replace")).digest()


def claimed_id(secret: str) -> str:
    """The id in a text that may be a secret, unchecked; some other text where it is none."""
    return secret[_ID]


def key_id_of(secret: str) -> str:
    """The id in a well-formed secret. Raises KeyInvalid, without repeating the text, for anything else."""
    if not secret:
        raise KeyInvalid("no router key was sent; ask whoever runs this gateway for one", field="secret")
    if not secret.startswith(PREFIX):
        raise KeyInvalid(
            f"what was sent is no router key: these start with {PREFIX}; a provider's own key opens nothing",
            field="secret",
        )
    if not _SECRET.fullmatch(secret) or secret[-8:] != _checksum(secret[:-8]):
        raise KeyInvalid(
            f"the router key is damaged: {len(secret)} characters were sent, not the {LENGTH} of a key as "
            f"it was made; copy the whole key again",
            field="secret",
        )
    return claimed_id(secret)


def bare_id(said: str) -> str:
    """The id of a key as people name it: alone, with the prefix, or as part of what lists display."""
    found = _NAMED.fullmatch(said)
    return found[1] if found else said


def _checksum(body: str) -> str:
    return f"{crc32(body.encode(errors='replace')):08x}"
