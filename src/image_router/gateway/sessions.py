"""Who is signed in to the dashboard: a signed cookie, so that every worker knows without asking.

It names the key and the digest of the secret that was shown, never the secret: a key that is revoked, expired
or rotated ends its sessions with it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

LIFETIME: Final = 4 * 3600
"""Seconds after which a key must be shown again."""
_LONGEST: Final = 256
_SIGN_IN: Final = "session of four fields"
"""What is signed; another shape gets another name, so that older cookies end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A key that was shown, and until when that counts."""

    key_id: str
    digest: bytes = field(repr=False)
    expires: int
    """Seconds since 1970."""
    looks: bool = False
    """It reads pages and changes nothing, whatever its key may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Makes and reads the cookies; every worker and every gateway of a database has the same secret."""

    secret: bytes = field(repr=False)

    def cookie(self, session: Session) -> str:
        """The value of the cookie."""
        told = f"{session.key_id}.{session.expires}.{session.digest.hex()}.{int(session.looks)}"
        return f"{told}.{self._signed(_SIGN_IN, told)}"

    def read(self, cookie: str, *, now: float) -> Session | None:
        """The session of a cookie that was made here and is not too old."""
        told, _, signature = cookie.rpartition(".")
        if len(cookie) > _LONGEST or not _same(signature, self._signed(_SIGN_IN, told)):
            return None
        key_id, expires, digest, looks = told.split(".")
        if int(expires) <= now:
            return None
        return Session(key_id=key_id, digest=bytes.fromhex(digest), expires=int(expires), looks=looks == "1")

    def form_token(self, cookie: str) -> str:
        """What a form must carry to be believed; a page of another site cannot read it.

        The cookie is empty where nobody needs to sign in.
        """
        return self._signed("form", cookie)

    def believes(self, token: str, *, cookie: str) -> bool:
        """Whether a form came from a page that was made for this cookie."""
        return _same(token, self.form_token(cookie))

    def _signed(self, what: str, text: str) -> str:
        return hmac.new(self.secret, f"{what}\n{text}".encode(), hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
