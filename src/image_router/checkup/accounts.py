"""The doctor's look at the books: where they are, how large, and whether they add up."""

from __future__ import annotations

from typing import Final

from image_router.books import Books, open_books, there_are_books
from image_router.checkup.finding import Finding, Health
from image_router.config import Settings
from image_router.core.errors import ConfigError, StorageError
from image_router.core.money import show_usd
from image_router.wiring import database_of

VERIFIED_AT_MOST: Final = 50_000
"""Entries; verifying more takes longer than a check-up should."""
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


async def books_are(settings: Settings) -> list[Finding]:
    """Findings about the database and the ledger in it; opens it as a router would, and makes none."""
    if not there_are_books(settings):
        where = f"none yet: {database_of(settings)} is made at the first paid request"
        return [Finding(name="books", health=Health.OK, detail=where)]
    try:
        async with open_books(settings) as books:
            return [await _where(books), await _sound(books), await _unknown(books)]
    except (StorageError, ConfigError) as error:
        advice = "see docs/ledger.md; nothing is spent while the books cannot be kept"
        return [Finding(name="books", health=Health.ERROR, detail=str(error), advice=advice)]


async def _where(books: Books) -> Finding:
    there = await books.condition()
    detail = f"{books.db.name}, schema {there.schema}, {_size(there.size)}"
    return Finding(name="books", health=Health.OK, detail=detail)


async def _sound(books: Books) -> Finding:
    count = (await books.condition()).entries
    if count > VERIFIED_AT_MOST:
        detail = f"not verified here: {count:,} entries take a while"
        return Finding(
            name="ledger",
            health=Health.OK,
            detail=detail,
            advice="run image-router ledger verify now and then",
        )
    report = await books.ledger.verify()
    detail = f"{report.entries:,} entries, {report.holds:,} holds, {report.open_holds:,} open"
    if report.sound:
        return Finding(name="ledger", health=Health.OK, detail=f"sound: {detail}")
    detail = f"{len(report.discrepancies):,} discrepancies in {detail}"
    advice = "image-router ledger verify lists them, each with its entry"
    return Finding(name="ledger", health=Health.ERROR, detail=detail, advice=advice)


async def _unknown(books: Books) -> Finding:
    found = await books.ledger.unknowns()
    if not found:
        return Finding(name="unknown calls", health=Health.OK, detail="none")
    detail = f"{len(found):,}, {show_usd(sum(one.at_risk for one in found))} at risk"
    advice = "compare with a bill: image-router reconcile; or image-router ledger resolve"
    return Finding(name="unknown calls", health=Health.WARNING, detail=detail, advice=advice)


def _size(count: int) -> str:
    step = max(0, min(len(_UNITS) - 1, (count.bit_length() - 1) // 10))
    return f"{count / 1024**step:.4g} {_UNITS[step]}"
