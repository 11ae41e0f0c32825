"""Addresses of pictures that work without a key, for a while: signed, so that nobody can make one."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

LIFETIME: Final = 3600
"""Seconds; as long as OpenAI's links lived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Makes and checks them; every worker and every gateway of a database has the same secret."""

    secret: bytes = field(repr=False)

    def path(self, asset_id: str, *, now: float, lifetime: int = LIFETIME) -> str:
        """The path and query under which a picture can be fetched until then."""
        expires = int(now) + lifetime
        query = urlencode({"expires": expires, "signature": self.signature(asset_id, expires)})
        return f"/router/v1/assets/{quote(asset_id, safe='')}/content?{query}"

    def holds(self, asset_id: str, *, expires: str, signature: str, now: float) -> bool:
        """Whether a link was made here and is not too old."""
        if not (expires.isascii() and expires.isdigit()) or len(expires) > 12 or int(expires) < now:
            return False
        return hmac.compare_digest(signature.encode(), self.signature(asset_id, int(expires)).encode())

    def signature(self, name: str, expires: int) -> str:
        """What `holds` believes of a name until then."""
        return hmac.new(self.secret, f"{expires}\n{name}".encode(), hashlib.sha256).hexdigest()
