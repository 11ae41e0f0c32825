"""Several keys as one provider: whose turn it is, and one answer for all."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router import facts
from image_router.core.catalog import Model
from image_router.core.decision import Parameters
from image_router.core.errors import ConfigError
from image_router.core.types import ImageRequest, Size
from image_router.engine.pool import UNSTATED, Member, Pool, key_name
from image_router.providers.base import Call, Entitlement, ListedModel, ModelsUnavailable
from image_router.testing import ScriptedProvider

PRO = facts.load_catalog(None).resolve("gemini-3-pro-image")


class Told(ScriptedProvider):
    """A provider that lists and probes as told."""

    def __init__(self, says: Entitlement | None = None, lists: str = "") -> None:
        listed = (ListedModel(id=name, methods=(), input_tokens=None, output_tokens=None) for name in lists)
        super().__init__(listed=tuple(listed))
        self.says, self.readable, self.real = says, bool(lists), False

    async def probe(self, model: Model) -> Entitlement:
        return self.says or await super().probe(model)

    async def models(self) -> tuple[ListedModel, ...]:
        if not self.readable:
            raise ModelsUnavailable("the list could not be read")
        return await super().models()


def pool(*members: tuple[str, str, int]) -> Pool:
    return Pool([Member(name=n, provider=Told(), project=p, weight=w) for n, p, w in members])


def turns(of: Pool, count: int) -> list[str]:
    names = []
    for _ in range(count):
        member = next(of.in_turn(of.members))
        of.took(member, of.members)
        names.append(member.name)
    return names


def call() -> Call:
    parameters = Parameters(thinking=None, size=Size.K1, aspect=None)
    return Call(
        request=ImageRequest(prompt="a cup"), model=PRO, parameters=parameters, max_output_tokens=9_000
    )


def test_projects_take_turns() -> None:
    """Equal projects alternate."""
    assert turns(pool(("a", "p", 1), ("b", "q", 1)), 4) == ["a", "b", "a", "b"]


def test_weights_are_smooth() -> None:
    """A project of weight three gets three turns of four, and never all at the end."""
    names = turns(pool(("a", "p", 3), ("b", "q", 1)), 40)
    assert Counter(names) == {"a": 30, "b": 10}
    assert max(len(list(run)) for name, run in groupby(names) if name == "a") <= 3


def test_keys_of_a_project_share_its_turns() -> None:
    """Three keys of one project have no more turns than one key of another."""
    names = turns(pool(("a1", "p", 1), ("a2", "p", 1), ("a3", "p", 1), ("b", "q", 1)), 12)
    assert Counter(names) == {"a1": 2, "a2": 2, "a3": 2, "b": 6}


def test_one_key_of_each_project_is_offered() -> None:
    """Those in turn are one of each project, so that a full project is passed over once."""
    of = pool(("a1", "p", 1), ("a2", "p", 1), ("b", "q", 1))
    assert [member.project for member in of.in_turn(of.members)] == ["p", "q"]


def test_only_the_able_have_turns() -> None:
    """Who is not able is passed over, and gets no arrears when it is back."""
    of = pool(("a", "p", 1), ("b", "q", 1))
    able = of.members[1:]
    for _ in range(10):
        member = next(of.in_turn(able))
        assert member.name == "b"
        of.took(member, able)
    assert Counter(turns(of, 10)) == {"a": 5, "b": 5}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_turns_match_weights_exactly(weights: list[int]) -> None:
    """In one round of all weights together, each project has exactly its weight in turns."""
    of = pool(*((f"k{i}", f"p{i}", weight) for i, weight in enumerate(weights)))
    assert Counter(turns(of, sum(weights))) == {f"k{i}": weight for i, weight in enumerate(weights)}


def test_keys_without_a_project_count_as_one() -> None:
    """Keys that state no project may belong to one, so they are one."""
    of = Pool([Member(name=name, provider=Told()) for name in ("a", "b")])
    assert of.projects == (UNSTATED,)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "at least one key"),
        ([("a", "p", 1), ("a", "q", 1)], "key a is in the pool twice"),
        ([("a", "p", 0)], "key a has weight 0; weights start at 1"),
    ],
)
def test_impossible_pools_are_refused(members: list[tuple[str, str, int]], message: str) -> None:
    """No key, a key twice, or a weight below one is a mistake of the operator."""
    with pytest.raises(ConfigError, match=message):
        pool(*members)


def test_names_of_keys_do_not_give_them_away() -> None:
    """A key's name is the same everywhere, differs from key to key, and holds no part of the key."""
    secret = "AIzaSyExampleExampleExampleExample"
    assert key_name(secret) == key_name(secret) != key_name(f"{secret}2")
    assert not any(secret[i : i + 6] in key_name(secret) for i in range(len(secret) - 6))


async def test_generates_through_each_in_turn() -> None:
    """Used as a plain provider, a pool spreads its calls over the members."""
    of = pool(("a", "p", 1), ("b", "q", 1))
    for _ in range(4):
        assert (await of.generate(call(), timeout=1.0)).images
    assert [len(member.provider.calls) for member in of.members] == [2, 2]  # type: ignore[attr-defined]


def test_real_when_one_member_is() -> None:
    """A pool costs money as soon as one of its members does."""
    of = [Told(), Told()]
    assert not Pool([Member(name=str(i), provider=p) for i, p in enumerate(of)]).real
    of[1].real = True
    assert Pool([Member(name=str(i), provider=p) for i, p in enumerate(of)]).real


async def test_lists_what_any_member_lists() -> None:
    """Models are those of all readable lists, each once."""
    of = Pool([Member(name=str(i), provider=Told(lists=lists)) for i, lists in enumerate(["ab", "bc", ""])])
    assert [model.id for model in await of.models()] == ["a", "b", "c"]


async def test_no_readable_list_is_told() -> None:
    """When no member's list can be read, the reason is raised."""
    with pytest.raises(ModelsUnavailable, match="the list could not be read"):
        await pool(("a", "p", 1), ("b", "q", 1)).models()


E = Entitlement


@pytest.mark.parametrize(
    ("answers", "answer"),
    [
        ((E.NOT_FOUND, E.ENTITLED), E.ENTITLED),
        ((E.NOT_FOUND, E.UNKNOWN), E.UNKNOWN),
        ((E.KEY_REFUSED, E.NOT_FOUND), E.NOT_FOUND),
        ((E.KEY_REFUSED, E.KEY_REFUSED), E.KEY_REFUSED),
    ],
)
async def test_one_entitled_member_is_enough(
    answers: tuple[Entitlement, Entitlement], answer: Entitlement
) -> None:
    """A model may be used when any member may use it; else the most hopeful answer counts."""
    of = Pool([Member(name=str(i), provider=Told(says)) for i, says in enumerate(answers)])
    assert await of.probe(PRO) is answer


async def test_closes_all_members() -> None:
    """Closing the pool closes every member's connections."""
    of = pool(("a", "p", 1), ("b", "q", 1))
    await of.aclose()
    assert [member.provider.closed for member in of.members] == [True, True]  # type: ignore[attr-defined]
