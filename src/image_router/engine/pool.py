"""Several keys as one provider. Limits belong to a project: further keys of one project add nothing.

The pool knows the members and whose turn it is; which of them are well and what they may send, Traffic knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from image_router.core.breaker import Route
from image_router.core.catalog import Model
from image_router.core.errors import ConfigError
from image_router.core.reply import Reply
from image_router.core.text_calls import TextCall
from image_router.providers.base import Call, Entitlement, ListedModel, ModelsUnavailable, Provider

UNSTATED = "unstated"
"""The project of all keys that name none: they count as one, since they may be."""

# The most useful answer about a model first: one member that may use it is enough.
_BEST_FIRST = (Entitlement.ENTITLED, Entitlement.UNKNOWN, Entitlement.NOT_FOUND, Entitlement.KEY_REFUSED)


def key_name(secret: str) -> str:
    """A name for a key that does not give it away: a new key never inherits the circuit of an old one."""
    return f"key-{sha256(secret.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One key and what speaks with it."""

    name: str
    """Unique in the pool and the same in all processes; `key_name(secret)` will do."""
    provider: Provider
    project: str = UNSTATED
    weight: int = 1
    """Its share of the traffic. A project's share is that of its heaviest key."""

    def route(self, model: str) -> Route:
        return Route(project=self.project, key=self.name, model=model)


@dataclass(slots=True)
class _Turns:
    """Smooth weighted round robin: in any stretch, each name comes as often as its weight says."""

    credit: dict[str, int] = field(default_factory=dict)

    def order(self, weights: dict[str, int]) -> list[str]:
        """The names, whose turn it is first."""
        return sorted(weights, key=lambda name: -(self.credit.get(name, 0) + weights[name]))

    def took(self, taken: str, weights: dict[str, int]) -> None:
        """Note who was taken of those who were able."""
        for name, weight in weights.items():
            self.credit[name] = self.credit.get(name, 0) + weight
        self.credit[taken] -= sum(weights.values())


class Pool:
    """Members by project. Implements providers.base.Provider for callers who pick no member themselves.

    Raises ConfigError for no member, two of one name, or a weight below 1.
    """

    name = "pool"

    def __init__(self, members: Sequence[Member]) -> None:
        if not members:
            raise ConfigError("a pool needs at least one key")
        names = [member.name for member in members]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"key {', '.join(doubled)} is in the pool twice; each key belongs there once")
        for member in members:
            if member.weight < 1:
                raise ConfigError(f"key {member.name} has weight {member.weight}; weights start at 1")
        self.members = tuple(members)
        self.real = any(member.provider.real for member in members)
        self._projects, self._keys = _Turns(), _Turns()

    @property
    def projects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(member.project for member in self.members))

    def member(self, name: str) -> Member | None:
        """The member of that name."""
        return next((member for member in self.members if member.name == name), None)

    def in_turn(self, able: Collection[Member]) -> Iterator[Member]:
        """One key of each project among those able, the project whose turn it is first."""
        for project in self._projects.order(_project_weights(able)):
            keys = {member.name: member for member in able if member.project == project}
            first = self._keys.order({name: member.weight for name, member in keys.items()})[0]
            yield keys[first]

    def took(self, taken: Member, able: Collection[Member]) -> None:
        """Note that a member of those able was given a call."""
        self._projects.took(taken.project, _project_weights(able))
        self._keys.took(taken.name, {m.name: m.weight for m in able if m.project == taken.project})

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        """One call through the member whose turn it is, ill or well."""
        member = next(self.in_turn(self.members))
        self.took(member, self.members)
        return await member.provider.generate(call, timeout=timeout)

    async def write(self, call: TextCall, *, timeout: float) -> Reply:
        """One call for words, likewise."""
        member = next(self.in_turn(self.members))
        self.took(member, self.members)
        return await member.provider.write(call, timeout=timeout)

    async def models(self) -> tuple[ListedModel, ...]:
        """What any member lists. Raises ModelsUnavailable when none can be read."""
        lists = await asyncio.gather(*(m.provider.models() for m in self.members), return_exceptions=True)
        readable = [listed for listed in lists if not isinstance(listed, BaseException)]
        if not readable:
            raise _first_problem(lists)
        return tuple({model.id: model for listed in readable for model in listed}.values())

    async def probe(self, model: Model) -> Entitlement:
        """Whether any member may use the model; costs nothing."""
        answers = await asyncio.gather(*(member.provider.probe(model) for member in self.members))
        return min(answers, key=_BEST_FIRST.index)

    async def aclose(self) -> None:
        """Close all members' connections."""
        await asyncio.gather(*(member.provider.aclose() for member in self.members))


def _project_weights(able: Collection[Member]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for member in able:
        weights[member.project] = max(member.weight, weights.get(member.project, 0))
    return weights


def _first_problem(answers: Sequence[object]) -> BaseException:
    problems = [answer for answer in answers if isinstance(answer, BaseException)]
    unexpected = (problem for problem in problems if not isinstance(problem, ModelsUnavailable))
    return next(unexpected, problems[0])
