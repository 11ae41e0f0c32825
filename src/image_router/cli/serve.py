"""`serve`: the HTTP gateway in front of the router."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from image_router.cli.keys import first_admin_key
from image_router.cli.options import setting
from image_router.config import Settings, load_settings
from image_router.core.errors import ConfigError, InvalidRequest

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command(short_help="Serve the router over HTTP, for OpenAI's and Google's clients.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--tls-cert", type=_FILE, help="Certificate chain, PEM.")
@click.option("--tls-key", type=_FILE, help="Its private key, PEM.")
@click.option("--open", "open_doors", is_flag=True, help="Nobody needs a key; on a loopback address only.")
@click.option("--url", help="Address that clients use, where a proxy stands in front.")
@setting("--offline", "offline", is_flag=True, help="Draw with the emulator.")
@setting("--home", "home", type=click.Path(path_type=Path), help="Data, keys and books.")
@setting("--as-of", "as_of", metavar="YYYY-MM-DD", help="Models and prices of that day.")
@setting("--profile", "profile", help="Policy of requests that name none.")
@setting("--scope", "scope", help="Who pays in open mode.")
@setting(
    "--limits", "limits", metavar="NAME=VALUE,…", help="What one process takes: in_flight=200,bodies=1GiB."
)
def serve(host: str, port: int, *, workers: int, open_doors: bool, url: str | None, **arguments: Any) -> None:
    """Serve the router over HTTP, for OpenAI's and Google's clients.

    \b
    image-router serve --offline --open
    image-router serve --host 0.0.0.0 --workers 4 --tls-cert cert.pem --tls-key key.pem

    Then point a client at it: OPENAI_BASE_URL=http://127.0.0.1:8080/v1, or
    GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080, with a router key as its API key. The first Ctrl-C lets
    requests under way end, the second does not.
    """
    tls_cert, tls_key = arguments.pop("tls_cert"), arguments.pop("tls_key")
    if (tls_cert is None) != (tls_key is None):
        raise InvalidRequest("TLS needs both --tls-cert and --tls-key")
    if open_doors and not _loopback(host):
        raise InvalidRequest(
            f"--open lets everybody who reaches {host} spend your money; listen on 127.0.0.1, or make keys: "
            f"image-router keys create --help"
        )
    settings = load_settings(**arguments)
    try:
        from image_router.gateway.api import worker
        from image_router.gateway.opening import Choices
        from image_router.gateway.serving import Bind, serve
    except ImportError as problem:
        raise ConfigError(
            f"the gateway needs the package {problem.name}: pip install 'image-router[gateway]'"
        ) from None
    _try_to_listen(host, port)
    with ExitStack() as stack:
        if settings.offline and not settings.emulator_url:
            arguments["emulator_url"] = _emulator(settings, stack)
        if not open_doors:
            _say_first_key(settings)
        choices = Choices(open=open_doors, url=url.rstrip("/") if url else None)
        bind = Bind(
            host=host, port=port, workers=workers, tls_cert=tls_cert, tls_key=tls_key, limits=settings.limits
        )
        _say(f"{'https' if tls_cert else 'http'}://{host}:{port}", settings, open_doors=open_doors)
        serve(partial(worker, choices, **arguments), bind)


def _try_to_listen(host: str, port: int) -> None:
    """Before anything is said or opened. Raises ConfigError where the address is taken, or no one's."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as problem:
        raise ConfigError(
            f"{host}:{port} cannot be listened on ({problem.strerror}); name another --port or --host"
        ) from problem


def _emulator(settings: Settings, stack: ExitStack) -> str:
    """One for all workers: what one of them uploads, the next one finds."""
    from gemini_emulator import serve as emulate

    day = settings.as_of.isoformat() if settings.as_of else None
    return stack.enter_context(emulate(as_of=day, latency=0.0)).url


def _say(address: str, settings: Settings, *, open_doors: bool) -> None:
    where = "the emulator: nothing costs money" if settings.offline else "Google: pictures cost money"
    who = "nobody needs a key" if open_doors else "callers need a router key"
    click.echo(f"serving {address} in front of {where}; {who}", err=True)
    click.echo(f"  OpenAI clients:  OPENAI_BASE_URL={address}/v1", err=True)
    click.echo(f"  Google clients:  GOOGLE_GEMINI_BASE_URL={address}", err=True)
    click.echo(f"  documentation:   {address}/docs", err=True)
    click.echo(f"  dashboard:       {address}/dashboard", err=True)
    parts = urlsplit(address)
    if parts.scheme == "http" and not _loopback(parts.hostname or ""):
        click.echo("  no TLS: keys travel in the clear unless a proxy in front encrypts them", err=True)


def _say_first_key(settings: Settings) -> None:
    from image_router.books import open_books
    from image_router.storage.router_keys import RouterKeys

    async def missing() -> bool:
        async with open_books(settings) as books:
            return not await RouterKeys(books.db).has_admin()

    if asyncio.run(missing()):
        click.echo(first_admin_key(settings), err=True)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
