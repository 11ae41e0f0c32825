"""Whose the provider's files are."""

from __future__ import annotations

from image_router.storage.database import Database
from image_router.storage.remote_files import file_scope, files_of, forget_file, remember_file


async def test_a_scope_sees_its_own_and_those_below(database: Database) -> None:
    """Not those of a scope whose name merely begins alike, nor of the one above."""
    scopes = ("acme", "acme/shop", "acme/shop/till", "acme-2", "zeta")
    for scope in scopes:
        await remember_file(database, f"files/{scope.replace('/', '-')}", scope=scope)
    assert set(await files_of(database, "acme/shop", limit=9)) == {"files/acme-shop", "files/acme-shop-till"}
    assert len(await files_of(database, "acme", limit=9)) == 3
    assert len(await files_of(database, "acme", limit=2)) == 2
    assert len(await files_of(database, "acme", limit=9, skip=2)) == 1


async def test_a_file_is_told_until_it_is_forgotten(database: Database) -> None:
    """Another file under the same name takes its place."""
    await remember_file(database, "files/a", scope="acme")
    await remember_file(database, "files/a", scope="zeta")
    assert await file_scope(database, "files/a") == "zeta"
    await forget_file(database, "files/a")
    assert await file_scope(database, "files/a") is None
