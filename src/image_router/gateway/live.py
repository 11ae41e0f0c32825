"""What the pages of one process watch: the stamps of the database, looked at once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from image_router.storage.database import Database
from image_router.storage.glances import Glances
from image_router.storage.stamps import Topic, stamps


@dataclass(slots=True)
class Live:
    """Shared by the streams of one process."""

    db: Database
    stopping: Callable[[], bool] = field(default=bool)
    """Whether the process is about to end."""
    streams: int = 0
    _glances: Glances[Mapping[Topic, str]] = field(init=False)

    def __post_init__(self) -> None:
        self._glances = Glances(lambda _: stamps(self.db))

    async def now(self) -> Mapping[Topic, str]:
        """The stamps of this moment. Raises StorageError."""
        return await self._glances.at("stamps")
