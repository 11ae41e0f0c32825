"""The exact cache: a picture paid before is free when everything that shapes it is equal.

The durable part is rows that point to assets, so a picture is stored once; in front of it some pictures stay
in memory. Similar prompts are only ever suggested, by `similar`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from image_router.core.budget import SECOND, Micros, from_micros
from image_router.core.errors import AssetError
from image_router.core.money import Nanos, show_usd
from image_router.core.rates import Cost
from image_router.core.results import GeneratedImage
from image_router.core.similarity import ALIKE
from image_router.core.storing import CacheMode
from image_router.storage import cache_rows
from image_router.storage.asset_values import Asset
from image_router.storage.assets import Assets
from image_router.storage.cache_rows import Bounds, Entry
from image_router.storage.database import Database, Transaction
from image_router.storage.landing import Landed
from image_router.storage.memory import Kept, Memory, Place
from image_router.storage.objects import now_micros

_PRUNE_EVERY = 64
"""Pictures stored between two looks at the bounds."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A picture that costs nothing: `image` says cached, has an empty cost and a warning in words."""

    image: GeneratedImage = field(repr=False)
    saved: Nanos
    """What it cost when it was made."""
    made_at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Something alike was paid for before; never served, only said."""

    asset: Asset
    percent: int
    """Of the words of both prompts that they share."""

    def __str__(self) -> str:
        day = f"{from_micros(self.asset.made_at):%Y-%m-%d}"
        price = show_usd(self.asset.cost)
        return f"you paid {price} for something like this on {day}: picture {self.asset.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Entries, bytes, hits and savings are of the database; the rest is of this process since it began."""

    entries: int
    bytes: int
    hits: int
    saved: Nanos
    memory_entries: int
    memory_bytes: int
    misses: int
    broken: int
    """Entries whose picture was missing or damaged, and which were dropped."""


class Cache:
    """One for each process. Raises StorageError where the database fails."""

    def __init__(
        self,
        db: Database,
        assets: Assets,
        *,
        bounds: Bounds | None = None,
        clock: Callable[[], Micros] = now_micros,
    ) -> None:
        self._db = db
        self._assets = assets
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._memory = Memory(self._bounds.memory_bytes, self._bounds.memory_count)
        self._used: Counter[Place] = Counter()
        self._misses = self._broken = self._stored = 0

    async def get(self, scope: str, key: str, *, mode: CacheMode = CacheMode.USE) -> Hit | None:
        """The picture of a key (core.fingerprint.cache_key) in a scope, if it was paid for there."""
        if mode is not CacheMode.USE:
            return None
        oldest = self._clock() - int(self._bounds.max_age * SECOND)
        place = (scope, key)
        entry = await self._db.read(lambda tx: cache_rows.find(tx, place, oldest=oldest))
        # The row decides, since another process may have forgotten, cleared or refreshed it.
        found = self._memory.get(place, entry.made_at if entry else None)
        if found is None and entry is not None:
            found = await self._durable(place, entry)
        if found is None:
            self._misses += 1
            return None
        self._used[place] += 1
        return _hit(found.image, found.saved, found.made_at)

    def insert(self, tx: Transaction, landed: Landed | None) -> None:
        """Remember a picture under the key of the model that made it, in the transaction of its asset.

        Nothing is remembered of a picture without a cache key, or whose bytes are not kept.
        """
        place = _place(landed)
        if landed is not None and place is not None:
            asset = landed.asset
            entry = Entry(asset_id=asset.id, cost=asset.cost, bytes=asset.bytes, made_at=asset.made_at)
            cache_rows.insert_entry(tx, place, entry=entry)

    async def remember(self, landed: Landed | None, image: GeneratedImage) -> None:
        """Keep it in memory too, once its row is on disk; now and then, look at the bounds."""
        place = _place(landed)
        if landed is None or place is None:
            return
        self._memory.put(place, Hit(image=image, saved=landed.asset.cost, made_at=landed.asset.made_at))
        self._stored += 1
        if self._stored % _PRUNE_EVERY == 0:
            await self.prune()

    async def similar(self, prompt: str, scope: str, *, text: str | None = None) -> Suggestion | None:
        """The likest picture paid for in a scope, when it is like enough to be worth a word."""
        found = await self._db.read(lambda tx: cache_rows.likest(tx, prompt, scope=scope, text=text))
        if found is None or found[1] < ALIKE:
            return None
        return Suggestion(asset=found[0], percent=found[1])

    async def stats(self, scope: str | None = None) -> Stats:
        """Of one scope and all below it, or of everything."""
        await self.note_uses()
        total = await self._db.read(lambda tx: cache_rows.totals(tx, scope))
        return Stats(
            entries=total.entries,
            bytes=total.bytes,
            hits=total.hits,
            saved=total.saved,
            memory_entries=len(self._memory),
            memory_bytes=self._memory.bytes,
            misses=self._misses,
            broken=self._broken,
        )

    async def clear(self, scope: str | None = None) -> int:
        """Forget entries of a scope and all below it, or all; how many. The pictures stay as assets."""
        self._memory.clear()
        self._used.clear()
        return await self._db.write(lambda tx: cache_rows.clear(tx, scope))

    async def prune(self) -> int:
        """Drop what is too old, and the longest unused beyond the bounds; how many."""
        await self.note_uses()
        return await self._db.write(lambda tx: cache_rows.prune(tx, self._bounds, now=self._clock()))

    async def aclose(self) -> None:
        """Write down what is not yet."""
        await self.note_uses()

    async def _durable(self, place: Place, entry: Entry) -> Kept | None:
        try:
            image = await self._assets.load(entry.asset_id)
        except AssetError as problem:
            # A cache never stands in the way: the picture is made anew, and the loss is told.
            _log.warning("a cached picture is lost and will be paid for again: %s", problem)
            self._broken += 1
            await self._db.write(lambda tx: cache_rows.drop(tx, place, asset_id=entry.asset_id))
            return None
        hit = Hit(image=image, saved=entry.cost, made_at=entry.made_at)
        self._memory.put(place, hit)
        return hit

    async def note_uses(self) -> None:
        """Write down which entries were used."""
        used, self._used = self._used, Counter()
        if used:
            await self._db.write(lambda tx: cache_rows.note_use(tx, used, now=self._clock()))


def _place(landed: Landed | None) -> Place | None:
    if landed is None or landed.asset.cache_key is None or not landed.asset.stored:
        return None
    return landed.asset.scope, landed.asset.cache_key


def _hit(image: GeneratedImage, saved: Nanos, made_at: Micros) -> Hit:
    day = f"{from_micros(made_at):%Y-%m-%d %H:%M} UTC"
    note = f"from the cache: made on {day} for {show_usd(saved)}, free now"
    free = replace(image, cached=True, cost=Cost(), warnings=(*image.warnings, note))
    return Hit(image=free, saved=saved, made_at=made_at)
