"""What one request costs the client: `python bench/bench_request.py` prints CPU and added time per request.

First the library call beside google-genai's, from prompt to the picture's bytes at 1K; target: a quarter of
its CPU. Then what the money path adds to a whole request: budgets of three scopes and the ledger on SQLite,
every step synced to disk; and what keeping the picture adds. All variants take turns in one run against an
upstream in another process: ratios compare across machines.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from google import genai
from google.genai import types

from fixed_upstream import LARGE, SMALL, fixed_upstream
from image_router.config import load_settings
from image_router.core.decision import Parameters
from image_router.core.money import USD
from image_router.core.types import ImageRequest, Size
from image_router.engine.accounts import NoAccounts
from image_router.engine.router import ImageRouter
from image_router.engine.shelf import NoShelf
from image_router.facts import load_catalog
from image_router.providers.base import Call
from image_router.providers.rest import RestProvider
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.wiring import parts_of

ROUNDS = 3
AT_ONCE = 16
SCOPE = "acme/studio/key"
_MODEL = "gemini-3-pro-image"
Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Spent:
    """Per request: CPU milliseconds with so many in flight, and milliseconds with one."""

    cpu: float
    alone: float


async def _measure(work: Work, requests: int) -> Spent:
    start = time.process_time()
    for _ in range(0, requests, AT_ONCE):
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    cpu = time.process_time() - start
    start = time.perf_counter()
    for _ in range(AT_ONCE):
        await work()
    return Spent(cpu / requests * 1000, (time.perf_counter() - start) / AT_ONCE * 1000)


async def compared(works: Mapping[str, Work], requests: int) -> dict[str, Spent]:
    """The median of several rounds, in which all take turns; one turn before that counts for nothing."""
    seen: dict[str, list[Spent]] = {name: [] for name in works}
    for turn in range(ROUNDS + 1):
        for name, work in works.items():
            spent = await _measure(work, requests)
            if turn:
                seen[name].append(spent)
    return {
        name: Spent(
            statistics.median(one.cpu for one in spents), statistics.median(one.alone for one in spents)
        )
        for name, spents in seen.items()
    }


def _table(title: str, found: Mapping[str, Spent]) -> None:
    base = next(iter(found.values()))
    print(f"\n{title}\n{'':34}{'CPU ms':>9}{'ratio':>8}{'ms alone':>10}{'ratio':>8}")
    for name, one in found.items():
        cpu, alone = one.cpu / base.cpu, one.alone / base.alone
        print(f"{name:34}{one.cpu:9.2f}{cpu:7.2f}x{one.alone:10.2f}{alone:7.2f}x", flush=True)


async def _library_calls(url: str) -> None:
    provider = RestProvider("bench", base_url=url, real=False)
    call = Call(
        request=ImageRequest(prompt="a red mug"),
        model=load_catalog(None).resolve(_MODEL),
        parameters=Parameters(thinking=None, size=Size.K1, aspect=None),
        max_output_tokens=None,
    )
    client = genai.Client(api_key="bench", http_options=types.HttpOptions(base_url=url))

    async def ours() -> object:
        return (await provider.generate(call, timeout=60)).images[0].data

    async def theirs() -> object:
        reply = await client.aio.models.generate_content(model=_MODEL, contents="a red mug")
        return reply.candidates[0].content.parts[0].inline_data.data  # type: ignore[index,union-attr]

    async with _routers(url) as routers:
        works = {f"google-genai {genai.__version__}": theirs, "RestProvider": ours}
        works |= {"ImageRouter, no books": _asking(routers["without books"])}
        _table("library call at 1K, prompt to bytes", await compared(works, 2 * AT_ONCE))
    await provider.aclose()
    await client.aio.aclose()


async def _money_path(url: str, size: str) -> None:
    async with _routers(url) as routers:
        works = {name: _asking(router) for name, router in routers.items()}
        _table(f"whole request, {size}", await compared(works, 2 * AT_ONCE))


def _asking(router: ImageRouter) -> Work:
    return lambda: router.generate("a red mug", model=_MODEL, scope=SCOPE)


@asynccontextmanager
async def _routers(url: str) -> AsyncIterator[dict[str, ImageRouter]]:
    """The same request without books, with them, and with pictures kept as well."""
    async with AsyncExitStack() as stack:
        found = {}
        for name, changes in {
            "without books": {"accounts": NoAccounts, "shelf": NoShelf},
            "with budgets and ledger": {"shelf": NoShelf},
            "and every picture kept": {},
        }.items():
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = load_settings(environ={}, folder=home, home=home, api_key="bench", base_url=url)
            await _set_caps(home / "ledger.db")
            parts = replace(parts_of(settings, sinks=()), **changes)
            found[name] = await stack.enter_async_context(ImageRouter(parts))
        yield found


async def _set_caps(address: Path) -> None:
    async with await Database.open(address) as database:
        for scope in ("acme", "acme/studio", SCOPE):
            await Budgets(database).set(scope, who="bench", day=1_000_000 * USD, month=10_000_000 * USD)


def main() -> None:
    with fixed_upstream(LARGE) as url:
        asyncio.run(_library_calls(url))
    for size, side in (("8 KB", SMALL), ("1K picture", LARGE)):
        with fixed_upstream(side) as url:
            asyncio.run(_money_path(url, size))


if __name__ == "__main__":
    main()
