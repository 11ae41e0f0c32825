"""What the workers of the kill harness do: mixed requests through the whole engine, until all is done.

Work is shared: whoever is free takes any piece that is not done, so that several processes come to want the
same key. What a worker finished it writes down; a piece that is done already is asked for again now and then,
and must be free and the same bytes.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path

from PIL import Image

from harness.mines import Mine, MinedAccounts, MinedProvider, Point
from image_router.config import Settings, load_settings
from image_router.core.errors import ChainError, KeyBusy
from image_router.engine.router import ImageRouter
from image_router.wiring import parts_of

DAY = date(2026, 11, 22)
AT_ONCE = 4
ORGANISATION = "acme"
CAP = 1_000_000_000_000_000


class Kind(StrEnum):
    ONE = "one picture with a key"
    SEVERAL = "three pictures with a key"
    REFERENCED = "a key and a reference"
    CHAIN = "a chain with a run folder, every other one with a key"
    LOOSE = "no key"
    """Begun once and never again: who is killed at it has lost his place, but no picture."""


MIX = (Kind.ONE, Kind.SEVERAL, Kind.REFERENCED, Kind.ONE, Kind.CHAIN, Kind.ONE, Kind.LOOSE)
PICTURES = {Kind.SEVERAL: 3, Kind.CHAIN: 3}
"""How many a piece is to have; one where nothing is said."""


@dataclass(frozen=True)
class Piece:
    """One piece of work, for which somebody pays: its scope and its API key end with its name."""

    number: int

    @property
    def kind(self) -> Kind:
        return MIX[self.number % len(MIX)]

    @property
    def name(self) -> str:
        return f"{self.number:04d}"

    @property
    def scope(self) -> str:
        return f"{ORGANISATION}/{self.name}"

    @property
    def pictures(self) -> int:
        return PICTURES.get(self.kind, 1)

    @property
    def reference(self) -> bytes:
        """A picture that no other piece has."""
        out = io.BytesIO()
        colour = (self.number % 256, self.number // 256, 200)
        Image.new("RGB", (64, 64), colour).save(out, "PNG")
        return out.getvalue()


@dataclass(frozen=True)
class Site:
    """Where everything happens; the same for all processes."""

    folder: Path
    address: str
    url: str
    pieces: int

    @property
    def settings(self) -> Settings:
        """Nothing of the surroundings counts."""
        return load_settings(
            environ={},
            folder=self.folder,
            home=self.folder,
            database=self.address if "://" in self.address else None,
            api_key="harness",
            base_url=self.url,
            on_ambiguous="once",
            wait_for_key=30,
            scope=ORGANISATION,
        )

    def file(self, name: str) -> int:
        """A list to which processes add whole lines; what was added survives them."""
        return os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def done(self) -> dict[int, str]:
        """Piece → the digests of its pictures, as they were first handed out."""
        found: dict[int, str] = {}
        for line in self.lines("done"):
            number, digests = line.split(" ")
            found.setdefault(int(number), digests)
        return found


class Worker:
    """One process: a router, and pieces of work until there are none."""

    def __init__(self, site: Site, mine: Mine, *, dice: random.Random, endless: bool) -> None:
        self._site, self._dice, self._endless = site, dice, endless
        self._busy: set[int] = set()
        self._done, self._begun = site.file("done"), site.file("begun")
        parts = parts_of(site.settings, sinks=(mine.on_event,))
        written = site.file("written")
        accounts = parts.accounts
        self._router = ImageRouter(
            replace(
                parts,
                today=lambda: DAY,
                provider=lambda: MinedProvider(site.url, mine),
                accounts=lambda: MinedAccounts(accounts(), mine, written),
            )
        )

    async def run(self) -> None:
        async with self._router:
            await asyncio.gather(*(self._one_after_another() for _ in range(AT_ONCE)))

    async def again(self) -> None:
        """Ask once more for everything that has a key."""
        async with self._router:
            for number in range(self._site.pieces):
                piece = Piece(number)
                if piece.kind is not Kind.LOOSE:
                    await self._make(piece)

    async def _one_after_another(self) -> None:
        while (piece := self._next()) is not None:
            self._busy.add(piece.number)
            try:
                await self._make(piece)
            except (ChainError, KeyBusy):
                # Another process is at it. A chain says so at once: without a pause nothing else would run.
                await asyncio.sleep(0.1)
            self._busy.discard(piece.number)

    def _next(self) -> Piece | None:
        done = self._site.done()
        taken = {int(line) for line in self._site.lines("begun")} | self._busy
        left = [n for n in range(self._site.pieces) if n not in done and n not in taken]
        if not left and self._endless:
            left = [n for n in done if n not in taken]
        return Piece(self._dice.choice(left)) if left else None

    async def _make(self, piece: Piece) -> None:
        if piece.kind is Kind.LOOSE:
            os.write(self._begun, f"{piece.number}\n".encode())
        digests = ",".join(await self._pictures(piece))
        before = self._site.done().get(piece.number)
        if before is None:
            os.write(self._done, f"{piece.number} {digests}\n".encode())
        elif before != digests:
            raise AssertionError(f"piece {piece.name} was {before} and is now {digests}")

    async def _pictures(self, piece: Piece) -> Sequence[str]:
        key = None if piece.kind is Kind.LOOSE else f"piece-{piece.name}"
        prompt = f"picture {piece.name} of a red mug"
        if piece.kind is Kind.CHAIN:
            folder, key = self._site.folder / "chains" / piece.name, key if piece.number % 2 else None
            chain = await self._router.chain(
                prompt, ("in the rain", "asleep"), folder=folder, key=key, scope=piece.scope
            )
            if chain.failures:
                raise chain.failures[0].error
            return [image.digest for image in (chain.reference, *chain.images)]
        references = (piece.reference,) if piece.kind is Kind.REFERENCED else ()
        result = await self._router.generate(
            prompt, n=piece.pictures, key=key, scope=piece.scope, references=references
        )
        if result.failures:
            raise result.failures[0].error
        return [image.digest for image in result.images]


def work(site: Site, *, seed: int, point: Point | None, passes: int, endless: bool) -> None:
    """The whole life of a worker process, which may be short."""
    dice = random.Random(seed)
    mine = Mine(site.file("fates"), point, passes)
    mine.under_expiry()
    asyncio.run(Worker(site, mine, dice=dice, endless=endless).run())


def ask_again(site: Site) -> None:
    """Every key once more, in a process without a mine."""
    asyncio.run(Worker(site, Mine(site.file("fates")), dice=random.Random(0), endless=False).again())
