"""Which addresses may be told of things: public ones over https, unless the operator allows others."""

from __future__ import annotations

import ipaddress
from typing import Final

from yarl import URL

from image_router.engine.fetching import is_public
from image_router.gateway import refusals

_LONGEST: Final = 2048
ALLOW: Final = "the operator allows others with webhooks_private"


def check_url(url: str, *, private: bool, param: str = "webhook") -> None:
    """Refuse an address that is never told. What its name stands for is checked at every delivery."""
    try:
        target = URL(url)
        host = target.host
    except ValueError:
        raise refusals.malformed(f"{param} is no URL that can be read", param=param) from None
    if len(url) > _LONGEST or not host or not url.isprintable():
        raise refusals.malformed(f"{param} has no host, or over {_LONGEST} characters", param=param)
    if target.user or target.password:
        raise refusals.malformed(f"{param} holds a password; deliveries are signed instead", param=param)
    if target.scheme != "https" and not (private and target.scheme == "http"):
        raise refusals.malformed(f"{param} {host} is no https address; {ALLOW}", param=param)
    if not private and not _may_be_public(host):
        raise refusals.malformed(f"{param} {host} is not a public address; {ALLOW}", param=param)


def _may_be_public(host: str) -> bool:
    try:
        return is_public(str(ipaddress.ip_address(host)))
    except ValueError:
        return host != "localhost" and not host.endswith((".localhost", ".local", ".internal"))
