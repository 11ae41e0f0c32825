"""The books of one installation for whoever looks after it: caps, statements, reconciliation, pictures.

    async with open_books(offline=True) as books:
        await books.budgets.set("acme", who="ann", day=parse_usd("5"))
        lines = await books.statement([By.TIER])

The router writes the same books while it works; both may be open at once, also in several processes.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from image_router import facts
from image_router.config import Settings, load_settings
from image_router.core.bill_totals import reconcile_totals
from image_router.core.causes import Billed
from image_router.core.economics import Market, Mix
from image_router.core.errors import InvalidRequest
from image_router.core.holds import Adjustment
from image_router.core.money import Nanos
from image_router.core.rates import card_on
from image_router.core.reconcile import Call, Charge, Reconciliation, reconcile
from image_router.core.spending import COLUMNS, Spending, spending_of
from image_router.core.statement import By, Line, Period, Unknown
from image_router.storage import statements
from image_router.storage.assets import Assets
from image_router.storage.budgets import Budgets
from image_router.storage.cache import Cache
from image_router.storage.condition import Condition, condition
from image_router.storage.database import Database
from image_router.storage.feedback import FeedbackBook
from image_router.storage.keeping import Keeper
from image_router.storage.ledger import Ledger
from image_router.storage.router_keys import RouterKeys
from image_router.storage.storing_rules import StoringRules
from image_router.storage.work_rows import finished_among
from image_router.wiring import assets_on, database_of, today


@asynccontextmanager
async def open_books(settings: Settings | None = None, **overrides: Any) -> AsyncIterator[Books]:
    """The books that a router of the same settings writes. Raises ConfigError and StorageError."""
    settings = settings or load_settings(**overrides)
    async with await Database.open(database_of(settings)) as db:
        yield Books(db, settings)


def there_are_books(settings: Settings) -> bool:
    """Whether a router ever opened them: opening makes a database file where there is none."""
    address = database_of(settings)
    return not isinstance(address, Path) or os.path.exists(address)


def somebody() -> str:
    """Who changes something when nobody says who: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in containers
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def name_of(call: Unknown | Call) -> str:
    """One word for a call: hold:image:attempt, and the row's request where the hold is a chunk's."""
    key = call.attempt
    return ":".join((call.hold_id, str(key.index), str(key.number), *filter(None, (key.request_id,))))


class Books:
    """Made by `open_books`."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._settings = settings
        self.db = db
        self.budgets = Budgets(db)
        self.ledger = Ledger(db)
        self.keys = RouterKeys(db)
        self.feedback = FeedbackBook(db)

    @cached_property
    def assets(self) -> Assets:
        """The kept pictures."""
        return assets_on(self._settings, self.db)

    @property
    def rules(self) -> StoringRules:
        """What each scope keeps of its pictures, and for how long."""
        return self.assets.rules

    @cached_property
    def cache(self) -> Cache:
        """Which equal requests are answered by which pictures."""
        return Cache(self.db, self.assets)

    @cached_property
    def keeper(self) -> Keeper:
        """Who throws pictures away."""
        return Keeper(self.assets)

    async def finished(self, scope: str, keys: Sequence[str]) -> frozenset[str]:
        """Which of these keys of a scope name work that is done."""
        return await self.db.read(lambda tx: finished_among(tx, scope=scope, keys=keys))

    async def scope(self, name: str | None) -> str | None:
        """The scope, if anybody ever used it or one below it. Raises InvalidRequest: it may be misspelt."""
        known = await self.db.read(statements.scopes)
        if name is None or any(one == name or one.startswith(f"{name}/") for one in known):
            return name
        raise InvalidRequest(
            f"scope {name!r} has neither spent anything nor a budget; known are {', '.join(known) or 'none'}"
        )

    async def statement(
        self, by: Sequence[By], period: Period | None = None, *, zone: str = "UTC"
    ) -> tuple[Line, ...]:
        """One line for each combination of the columns; their sum is `total_of(lines)`."""
        return await self.ledger.statement(by, period, zone=zone)

    async def usage(
        self, period: Period | None = None, *, zone: str = "UTC", wished: Mix | None = None
    ) -> Spending:
        """Mix, days, savings and the cost of failures; `wished` is the target blend, by default the set one.

        Prices are those of the settings' day. Raises ConfigError for broken facts.
        """
        settings = self._settings
        day = settings.as_of or today()
        market = Market(
            catalog=facts.load_catalog(settings.home, settings.model_states),
            card=card_on(day, facts.load_cards(settings.home)),
            day=day,
        )
        lines = await self.statement(COLUMNS, period, zone=zone)
        return spending_of(lines, wished=wished or facts.load_mix(settings.home), market=market)

    async def unknowns(self, scope: str | None = None) -> list[Unknown]:
        """Calls of unknown outcome, oldest first; those of processes that died are among them."""
        await self.ledger.expire()
        return await self.ledger.unknowns(scope)

    async def resolve(self, call: str, amount: Nanos, *, who: str, reason: str) -> Unknown:
        """Count an unknown call (see `name_of`; its hold's id where that is one call) at what it did cost.

        Answers what it was. Raises InvalidRequest when it is not unknown, or no reason is given.
        """
        if not reason.strip():
            raise InvalidRequest(
                "the reason is empty; say how the amount is known, such as the bill it is on"
            )
        found = await self.unknowns()
        fitting = [one for one in found if call in (name_of(one), one.hold_id)]
        if len(fitting) != 1:
            names = ", ".join(name_of(one) for one in fitting or found) or "none"
            what = "names several unknown calls" if fitting else "is no unknown call"
            raise InvalidRequest(f"{call!r} {what}: {names}")
        one = fitting[0]
        told = Adjustment(
            attempt=one.attempt, amount=amount, billed=_billed(amount), who=who, reason=reason.strip()
        )
        await self.ledger.adjust(one.hold_id, told)
        return one

    async def reconcile(
        self, charges: Iterable[Charge], period: Period | None = None, *, complete: bool = False
    ) -> Reconciliation:
        """Compare the calls sent in a period with a bill. `complete`: what is not on it cost nothing."""
        await self.ledger.expire()
        return reconcile(await self.ledger.calls(period), charges, complete=complete)

    async def reconcile_totals(
        self, charges: Sequence[Charge], period: Period | None = None, *, zone: str = "UTC"
    ) -> Reconciliation:
        """Compare with a bill that has sums by day and model instead of calls."""
        await self.ledger.expire()
        return reconcile_totals(await self.ledger.calls(period), charges, zone=zone)

    async def adopt(self, found: Reconciliation, *, who: str, bill: str) -> Reconciliation:
        """Adjust the unknown calls that a bill resolved; what is different after that."""
        for one in found.resolved:
            if one.call is None:
                continue
            told = Adjustment(
                attempt=one.call.attempt,
                amount=one.theirs,
                billed=_billed(one.theirs),
                who=who,
                reason=f"reconciled with {bill}: {one.detail}",
                response_id=one.charge.id if one.charge else None,
            )
            await self.ledger.adjust(one.call.hold_id, told)
        left = tuple(one for one in found.differences if one not in found.resolved)
        return Reconciliation(
            fitting=found.fitting + len(found.resolved),
            ours=found.ours + sum(one.theirs - one.ours for one in found.resolved),
            theirs=found.theirs,
            differences=left,
        )

    async def condition(self) -> Condition:
        """Schema and size of the database."""
        return await self.db.read(condition)


def _billed(amount: Nanos) -> Billed:
    return Billed.YES if amount else Billed.NO
