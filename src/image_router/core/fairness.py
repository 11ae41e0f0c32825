"""Who goes next: scopes take turns, and within a scope the first comes first. Pure, without a clock.

A scope with a thousand waiting gets no more turns than one with a single request. Turns are counted when they
are taken, so that those who give up waiting cost their scope nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_REMEMBERED = 1_000
"""Scopes whose last turn is kept; beyond it, those who are owed nothing are forgotten."""


class FairQueue(Generic[T]):
    """Tickets by scope, each of them unlike all others."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._turns: dict[str, int] = {}
        self._turn = 0

    def __len__(self) -> int:
        return sum(len(line) for line in self._waiting.values())

    def __iter__(self) -> Iterator[T]:
        """All who wait, scope by scope."""
        return (ticket for line in list(self._waiting.values()) for ticket in list(line))

    def push(self, scope: str, ticket: T) -> None:
        """Join the line of a scope. A scope that was away comes back at the present turn, not an old one."""
        if scope not in self._waiting:
            self._turns[scope] = self._joining(scope)
            self._waiting[scope] = deque()
        self._waiting[scope].append(ticket)

    def peek(self) -> T | None:
        """Whose turn it is; None when nobody waits."""
        return self._waiting[self._next()][0] if self._waiting else None

    def take(self, scope: str, ticket: T) -> bool:
        """Let a ticket go and count its scope's turn; False when it waits no more."""
        if ticket not in self._waiting.get(scope, ()):
            return False
        self._turn = max(self._turn, self._turns[scope])
        self._turns[scope] += 1
        self.remove(scope, ticket)
        return True

    def remove(self, scope: str, ticket: T) -> None:
        """Give up waiting; nothing happens when the ticket waits no more."""
        line = self._waiting.get(scope, deque())
        if ticket in line:
            line.remove(ticket)
            self._tidy(scope)

    def ahead(self, scope: str) -> Iterator[T]:
        """Those who would go before a ticket that joined now."""
        mine = self._joining(scope) + len(self._waiting.get(scope, ()))
        for other, line in self._waiting.items():
            before = len(line) if other == scope else mine - self._turns[other] + 1
            yield from (ticket for ticket, _ in zip(line, range(max(0, before)), strict=False))

    def _joining(self, scope: str) -> int:
        if scope in self._waiting:
            return self._turns[scope]
        return max(self._turn, self._turns.get(scope, 0))

    def _next(self) -> str:
        return min(self._waiting, key=lambda scope: self._turns[scope])

    def _tidy(self, scope: str) -> None:
        if not self._waiting[scope]:
            del self._waiting[scope]
        if len(self._turns) > _REMEMBERED:
            self._turns = {
                name: turn for name, turn in self._turns.items() if name in self._waiting or turn > self._turn
            }
