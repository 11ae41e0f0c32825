"""Reference pictures from URLs, fetched so that a stranger's URL cannot reach into the private network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from image_router.core.errors import InvalidRequest
from image_router.core.types import Reference, ReferenceRole
from image_router.engine.media import MAX_REFERENCE_BYTES, reference_of, without_password

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OUTWARD = "download the file and pass its path"
_holding: ContextVar[Callable[[int], Awaitable[None]] | None] = ContextVar("holding", default=None)


@contextmanager
def holding(hold: Callable[[int], Awaitable[None]]) -> Iterator[None]:
    """Within the block `hold` is awaited with the bytes of each piece before more is fetched: for servers,
    whose memory must last for everybody."""
    before = _holding.set(hold)
    try:
        yield
    finally:
        _holding.reset(before)


async def fetch_reference(
    url: str,
    role: ReferenceRole = ReferenceRole.OBJECT,
    *,
    timeout: float = 30.0,
    max_bytes: int = MAX_REFERENCE_BYTES,
    allow_private: bool = False,
) -> Reference:
    """Fetch a picture by http(s); `timeout` in seconds covers redirects and reading.

    Addresses that are not public are refused, and the connection goes to the very address that was checked,
    also after each of at most three redirects. Raises InvalidRequest.
    """
    data, shown = b"", without_password(url)
    try:
        async with asyncio.timeout(timeout):
            data = await _fetch(url, max_bytes, allow_private)
    except TimeoutError:
        raise InvalidRequest(f"reference {shown}: no whole answer within {timeout:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise InvalidRequest(f"reference {shown} cannot be fetched: {_words(error, url)}") from None
    return await asyncio.to_thread(reference_of, data, shown, role=role)


def _words(error: Exception, url: str) -> str:
    """What an error says, unless it quotes the URL, which may hold a password."""
    if isinstance(error, ValueError):
        return f"it is no URL that can be read ({type(error).__name__})"
    return str(error).replace(url, "it") or type(error).__name__


async def _fetch(url: str, max_bytes: int, allow_private: bool) -> bytes:
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(allow_private=allow_private), use_dns_cache=False, force_close=True
    )
    headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        target = URL(url)
        for _ in range(MAX_REDIRECTS + 1):
            _check(target, allow_private=allow_private)
            async with session.get(target, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await _read(response, url, max_bytes)
                target = target.join(URL(response.headers.get("Location", "")))
    shown = without_password(url)
    raise InvalidRequest(f"reference {shown} redirects more than {MAX_REDIRECTS} times")


def _check(url: URL, *, allow_private: bool) -> None:
    shown = without_password(str(url))
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidRequest(f"reference {shown} is no http or https URL; {_OUTWARD}")
    try:
        address = ipaddress.ip_address(url.host)
    except ValueError:
        return  # a name: the resolver checks what it stands for
    if not allow_private and not is_public(str(address)):
        raise InvalidRequest(f"reference {shown} points to {address}, which is not public; {_OUTWARD}")


async def _read(response: aiohttp.ClientResponse, url: str, max_bytes: int) -> bytes:
    shown = without_password(url)
    if response.status != 200:
        raise InvalidRequest(f"reference {shown}: the server answered {response.status} {response.reason}")
    found, hold = bytearray(), _holding.get()
    async for piece in response.content.iter_chunked(64 * 1024):
        found += piece
        if hold is not None:
            await hold(len(piece))
        if len(found) > max_bytes:
            raise InvalidRequest(f"reference {shown} has over {max_bytes:,} bytes; use a smaller picture")
    return bytes(found)


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public internet, also when it wraps an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast


class CheckedResolver(AbstractResolver):
    """Resolves names as the system does and refuses what is not public. What it returns is connected to as it
    stands, so a name that changes its address after the check gains nothing."""

    def __init__(self, *, allow_private: bool, hint: str = _OUTWARD) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._allow_private, self._hint = allow_private, hint

    async def resolve(  # type: ignore[override]  # aiohttp passes the family by name
        self, host: str, port: int = 0, *, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not self._allow_private:
            self._refuse_private(host, (result["host"] for result in found))
        return found

    async def close(self) -> None:
        await self._inner.close()

    def _refuse_private(self, host: str, addresses: Iterable[str]) -> None:
        for address in addresses:
            if not is_public(address):
                raise InvalidRequest(f"{host} stands for {address}, which is not public; {self._hint}")
