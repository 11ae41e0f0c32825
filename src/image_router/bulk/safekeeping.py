"""Pictures that were paid while the store took nothing: put there as soon as it does."""

from __future__ import annotations

from functools import partial

from sqlalchemy import and_, select

from image_router.core.errors import AssetError, StorageError
from image_router.core.results import ImageResult
from image_router.storage.asset_tables import assets
from image_router.storage.asset_values import Made
from image_router.storage.assets import Assets
from image_router.storage.database import Transaction
from image_router.storage.landing import insert_asset


async def kept(store: Assets, result: ImageResult) -> AssetError | StorageError | None:
    """See to it that the store has the one picture of a result; why it does not take it."""
    try:
        if not result.image.cached and not await store.db.read(partial(_has, result)):
            await _keep(store, result)
    except (AssetError, StorageError) as problem:
        return problem
    return None


def _has(result: ImageResult, tx: Transaction) -> bool:
    same = and_(assets.c.request_id == result.request_id, assets.c.digest == result.image.digest)
    return tx.connection.execute(select(assets.c.id).where(same).limit(1)).first() is not None


async def _keep(store: Assets, result: ImageResult) -> None:
    made = Made(image=result.image, decision=result.decision, attempt=result.attempts[-1])
    landed = await store.land(made)
    if landed is not None:
        await store.db.write(lambda tx: insert_asset(tx, landed))
        await store.done(landed)
