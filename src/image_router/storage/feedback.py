"""What people say of made pictures: kept or rejected, by whom and when. The last word counts."""

from __future__ import annotations

from sqlalchemy import delete, insert

from image_router.storage.asset_queries import find_asset
from image_router.storage.asset_tables import feedback
from image_router.storage.asset_values import Asset, Verdict
from image_router.storage.database import Database, Transaction


class FeedbackBook:
    """The feedback of one database. Methods raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def say(self, asset_id: str, verdict: Verdict | None, *, who: str) -> Asset:
        """Write it down, None takes it back; the picture as it is now. Raises AssetError: no such picture."""
        return await self._db.write(lambda tx: _say(tx, asset_id, verdict, who=who))


def _say(tx: Transaction, asset_id: str, verdict: Verdict | None, *, who: str) -> Asset:
    found, _ = find_asset(tx, asset_id)
    if found.feedback is not None and found.feedback.verdict is verdict:
        return found
    tx.connection.execute(delete(feedback).where(feedback.c.asset_id == found.id))
    if verdict is not None:
        said = {"asset_id": found.id, "verdict": verdict, "who": who, "said_at": tx.now.wall}
        tx.connection.execute(insert(feedback).values(said))
    return find_asset(tx, found.id)[0]
