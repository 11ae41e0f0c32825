"""What each scope keeps of its pictures, and for how long: the nearest rule above a scope counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, select

from image_router.core.errors import InvalidRequest, StorageError
from image_router.core.scopes import scope_path
from image_router.core.storing import StoreMode
from image_router.storage.asset_tables import storing_rules
from image_router.storage.database import Database, Transaction

FRESH: Final = 5.0
"""Seconds until a rule set in another process is seen."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoringRule:
    """`keep_days` is how long bytes stay; None: until somebody removes them. Metadata stays."""

    store: StoreMode = StoreMode.ALL
    keep_days: int | None = None

    def __post_init__(self) -> None:
        if self.keep_days is not None and not 0 < self.keep_days <= 36_500:
            raise InvalidRequest(f"keep_days is {self.keep_days}; choose 1 to 36500, or none for ever")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """The rule that counts for a scope, and the scope that set it; None: nobody did, it is the default."""

    scope: str | None
    rule: StoringRule


class StoringRules:
    """The rules of all scopes, read again every few seconds. `default` is for scopes without any."""

    def __init__(
        self,
        db: Database,
        *,
        default: StoringRule | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self.default = default or StoringRule()
        self._clock = clock
        self._known: Mapping[str, StoringRule] = {}
        self._read_at: float | None = None

    async def of(self, scope: str) -> StoringRule:
        """The rule for a scope. Raises InvalidRequest for an oddly spelled one.

        Where the database fails, the rules of the last look count: a paid picture cannot wait for it.
        """
        if self._read_at is None or self._clock() - self._read_at > FRESH:
            await self._look()
        return rule_for(scope, self._known) or self.default

    async def counting(self, scope: str) -> Counting:
        """The rule for a scope as it is now, and where it comes from."""
        known = await self.all()
        nearest = next((above for above in reversed(scope_path(scope)) if above in known), None)
        return Counting(scope=nearest, rule=self.default if nearest is None else known[nearest])

    async def _look(self) -> None:
        try:
            self._known = await self.all()
        except StorageError as problem:
            if self._read_at is None:
                raise
            _log.warning("the storing rules cannot be read again, those of before count: %s", problem)
        else:
            self._read_at = self._clock()

    async def all(self) -> dict[str, StoringRule]:
        """Every rule that was set, by scope."""
        return await self._db.read(read_rules)

    async def set(self, scope: str, rule: StoringRule | None) -> None:
        """Set a scope's own rule, or take it back. Pictures that are there already stay as they are."""
        scope_path(scope)

        def write(tx: Transaction) -> None:
            tx.connection.execute(delete(storing_rules).where(storing_rules.c.scope == scope))
            if rule is not None:
                values = {"scope": scope, "store": rule.store, "keep_days": rule.keep_days}
                tx.connection.execute(insert(storing_rules).values(values))

        await self._db.write(write)
        self._read_at = None


def rule_for(scope: str, rules: Mapping[str, StoringRule]) -> StoringRule | None:
    """The rule of the nearest scope, itself included, that has one."""
    return next((rules[above] for above in reversed(scope_path(scope)) if above in rules), None)


def read_rules(tx: Transaction) -> dict[str, StoringRule]:
    rows = tx.connection.execute(select(storing_rules)).mappings()
    return {
        row["scope"]: StoringRule(store=StoreMode(row["store"]), keep_days=row["keep_days"]) for row in rows
    }
