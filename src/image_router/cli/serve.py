"""`serve`: the HTTP gateway in front of the router."""

from __future__ import annotations

import ipaddress
from functools import partial
from pathlib import Path
from typing import Any

import click

from image_router.cli.options import setting
from image_router.core.errors import ConfigError, InvalidRequest


@click.command(epilog="")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="PEM file.")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="PEM file.")
@click.option("--open", "open_doors", is_flag=True, help="Nobody needs a key; on a loopback address only.")
@click.option("--offline", is_flag=True, default=None, help="Draw with the emulator.")
@setting("--as-of", "as_of", metavar="YYYY-MM-DD", help="Models and prices of that day.")
@setting("--scope", "scope", help="Who pays in open mode.")
def serve(
    host: str,
    port: int,
    *,
    workers: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    open_doors: bool,
    **settings: Any,
) -> None:
    """Serve the router over HTTP, for OpenAI's and Google's clients.

    \b
    image-router serve --offline --open
    image-router serve --host 0.0.0.0 --workers 4 --tls-cert cert.pem --tls-key key.pem

    Then point a client at it: OPENAI_BASE_URL=http://127.0.0.1:8080/v1, or
    GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080.
    """
    if (tls_cert is None) != (tls_key is None):
        raise InvalidRequest("TLS needs both --tls-cert and --tls-key")
    if open_doors and not _loopback(host):
        raise InvalidRequest(
            f"--open lets everybody who reaches {host} spend your money; listen on 127.0.0.1, or make keys: "
            f"image-router keys create --help"
        )
    try:
        from image_router.gateway.api import gateway
        from image_router.gateway.opening import Choices
        from image_router.gateway.serving import Bind, serve
    except ImportError as problem:
        raise ConfigError(
            f"the gateway needs more packages ({problem.name}): pip install 'image-router[gateway]'"
        ) from None
    bind = Bind(host=host, port=port, workers=workers, tls_cert=tls_cert, tls_key=tls_key)
    serve(partial(gateway, Choices(open=open_doors), **settings), bind)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
