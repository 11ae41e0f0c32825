"""Takes the pictures of the dashboard that README shows, light and dark, from a home full of demo data.

.venv/bin/python scripts/screenshots.py demo-home docs/dashboard
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import aiohttp
from PIL import Image
from playwright.async_api import Browser, async_playwright

WIDTH, HEIGHT = 1280, 800
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One page of the README."""

    name: str
    path: str
    theme: str
    width: int = WIDTH
    height: int = HEIGHT
    press: str = ""
    """What is clicked on before."""
    until: str = "main"
    """What is there then."""


_COMPARED = "/dashboard/playground?mode=compare&prompt=a+lighthouse&nano_banana=on&imagen_4_ultra=on"
SHOTS = (
    Shot(name="router", path="/dashboard/router?job=final", theme="light"),
    Shot(name="router-dark", path="/dashboard/router?job=final", theme="dark"),
    Shot(name="economics", path="/dashboard/economics", theme="dark"),
    Shot(name="gallery", path="/dashboard/gallery", theme="light"),
    Shot(name="playground", path=_COMPARED, theme="light", press="[data-make] button", until="[data-over]"),
    Shot(name="picture", path="/dashboard/gallery?purpose=character_lock", theme="dark", press=".tile a"),
    Shot(name="run", path="/dashboard/operations", theme="light", press=".works a", until=".approval"),
    Shot(name="spend", path="/dashboard/spend", theme="light"),
    Shot(name="spend-dark", path="/dashboard/spend", theme="dark"),
    Shot(name="operations", path="/dashboard/operations?span=week#speed", theme="dark"),
    Shot(name="operations-phone", path="/dashboard/operations?span=week", theme="light", width=360),
)


@asynccontextmanager
async def served(home: Path) -> AsyncIterator[str]:
    """The gateway over a home, offline, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("image-router")
    command = [program, "serve", "--offline", "--open", "--port", str(port), "--home", home]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        await _ready(f"http://127.0.0.1:{port}/readyz")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _ready(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            try:
                async with session.get(address) as reply:
                    if reply.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)
    sys.exit("the gateway does not answer")


async def shoot(browser: Browser, url: str, shot: Shot) -> bytes:
    """The top of a page as a browser shows it, as WebP."""
    size = {"width": shot.width, "height": shot.height}
    async with await browser.new_context(
        base_url=url, viewport=size, color_scheme=shot.theme, reduced_motion="reduce"
    ) as context:
        page = await context.new_page()
        await page.goto(shot.path, wait_until="load")
        if shot.press:
            await page.locator(shot.press).first.click()
            await page.locator(shot.until).first.wait_for()
        # The stream is never done; what it says first is there by then.
        await page.wait_for_timeout(1500)
        png = await page.screenshot()
    with Image.open(BytesIO(png)) as picture, BytesIO() as out:
        picture.save(out, "WEBP", quality=72, method=6)
        return out.getvalue()


async def take(home: Path, folder: Path) -> None:
    """All of them, into a folder."""
    named = os.environ.get("IMAGE_ROUTER_BROWSER")
    path = named or next((found for found in map(shutil.which, _BROWSERS) if found), None)
    async with served(home) as url, async_playwright() as play:
        browser = await play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for shot in SHOTS:
            data = await shoot(browser, url, shot)
            (folder / f"{shot.name}.webp").write_bytes(data)
            print(f"{folder / shot.name}.webp  {len(data):>7,} bytes")
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures of the dashboard that README shows.")
    parser.add_argument("home", type=Path, help="filled by scripts/demo_data.py")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/dashboard"))
    asked = parser.parse_args()
    if not (asked.home / "offline.db").exists():
        sys.exit(f"{asked.home} has no books: fill it with scripts/demo_data.py first")
    asked.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(asked.home, asked.folder))


if __name__ == "__main__":
    main()
