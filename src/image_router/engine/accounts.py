"""The money side of a request as dispatching sees it: held before, settled after, the rest given back.

Whether a ledger stands behind these protocols (engine/bookkeeping) or nothing is wiring's choice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeAlias

from image_router.core.decision import Decision
from image_router.core.money import Nanos
from image_router.core.pressure import NO_STRAIN, Strain
from image_router.core.results import Attempt
from image_router.core.types import Size, Tier

if TYPE_CHECKING:
    from image_router.storage.database import Transaction

Row: TypeAlias = "Callable[[Transaction], None]"
"""Something to write in a transaction of the books."""


class _Named(Protocol):
    @property
    def id(self) -> str: ...


class Addressee(Protocol):
    """Who a call goes to: a candidate, or a text model."""

    @property
    def model(self) -> _Named: ...

    @property
    def tier(self) -> Tier | None: ...


class Account(Protocol):
    """One request's hold, as dispatching sees it."""

    async def sent(self, *, index: int, number: int, candidate: Addressee, at_risk: Nanos) -> None:
        """Durable before the call. Raises BudgetExceeded or HoldExpired: then nothing may be sent."""
        ...

    async def settled(
        self, attempt: Attempt, *, index: int, size: Size | None, row: Row | None = None
    ) -> None:
        """What one attempt cost, or may have cost; `row` is written in the same transaction."""
        ...

    @property
    def hold_id(self) -> str | None: ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Overruns, in words."""
        ...


class Accounts(Protocol):
    """Who keeps the books."""

    async def strain(self, scope: str) -> Strain:
        """How every cap of the scope and those above it stands, and where they want the guard."""
        ...

    def holding(
        self, decision: Decision, *, request_id: str, deadline: float, wait: float
    ) -> AbstractAsyncContextManager[Account]:
        """Hold the decision's ceiling while the work lasts. Raises BudgetExceeded when it does not fit."""
        ...

    async def aclose(self) -> None:
        """Write down what is still on its way and let go of the books."""
        ...


class NoAccount:
    """Without a ledger: nothing is held and nothing is written down."""

    hold_id: str | None = None
    warnings: tuple[str, ...] = ()

    async def sent(self, *, index: int, number: int, candidate: Addressee, at_risk: Nanos) -> None:
        return None

    async def settled(
        self, attempt: Attempt, *, index: int, size: Size | None, row: Row | None = None
    ) -> None:
        return None


class NoAccounts:
    """For callers who keep no books, such as tests with a script: rows are written nowhere."""

    async def strain(self, scope: str) -> Strain:
        return NO_STRAIN

    @asynccontextmanager
    async def holding(
        self, decision: Decision, *, request_id: str, deadline: float, wait: float
    ) -> AsyncIterator[Account]:
        yield NoAccount()

    async def aclose(self) -> None:
        return None
