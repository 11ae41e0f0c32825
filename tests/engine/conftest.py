"""The databases of tests/storage, for what the engine keeps in them."""

from storage.conftest import address, on_postgresql, postgresql

__all__ = ["address", "on_postgresql", "postgresql"]
