"""Which addresses may be told of things: public ones over https, unless the operator allows others."""

from __future__ import annotations

import ipaddress
from typing import Final

from yarl import URL

from image_router.engine.fetching import is_public
from image_router.gateway import refusals

_LONGEST: Final = 2048
_ALLOW: Final = "the operator allows others with webhooks_private"


def check_url(url: str, *, private: bool) -> None:
    """Refuse an address that is never told. What its name stands for is checked at every delivery."""
    try:
        target = URL(url)
        host = target.host
    except ValueError:
        raise refusals.malformed("webhook is no URL that can be read", param="webhook") from None
    if len(url) > _LONGEST or not host or not url.isprintable():
        raise refusals.malformed(f"webhook has no host, or over {_LONGEST} characters", param="webhook")
    if target.user or target.password:
        raise refusals.malformed("webhook holds a password; deliveries are signed instead", param="webhook")
    if target.scheme != "https" and not (private and target.scheme == "http"):
        raise refusals.malformed(f"webhook {host} is no https address; {_ALLOW}", param="webhook")
    if not private and not _may_be_public(host):
        raise refusals.malformed(f"webhook {host} is not a public address; {_ALLOW}", param="webhook")


def _may_be_public(host: str) -> bool:
    try:
        return is_public(str(ipaddress.ip_address(host)))
    except ValueError:
        return host != "localhost" and not host.endswith((".localhost", ".local", ".internal"))
