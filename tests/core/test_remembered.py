"""Remembered decisions are those that would be made anew."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from desk import ARTICLE, TODAY, policies, reference, world
from image_router.core.brevity import Compress
from image_router.core.briefly import decide_briefly
from image_router.core.decision import Decision, Snapshot
from image_router.core.errors import BudgetExceeded, RequestError
from image_router.core.remembered import LONGEST, Decisions
from image_router.core.routing import World
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    ImageRequest,
    Lane,
    Purpose,
    ReferenceRole,
    Size,
    Tier,
)

_WORDS = st.text(st.sampled_from("ab é漢яµ"), min_size=1, max_size=6).filter(str.strip)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "purpose": st.sampled_from(Purpose),
    "size": st.sampled_from(Size),
    "aspect": st.none() | st.sampled_from(AspectRatio),
    "lane": st.sampled_from(Lane),
    "n": st.integers(1, 3),
    "tier": st.none() | st.sampled_from(Tier),
    "text": st.none() | _WORDS,
    "system_instruction": st.none() | _WORDS,
    "language": st.none() | st.sampled_from(["en", "de"]),
    "max_cost": st.none() | st.sampled_from([10_000_000, 60_000_000, 10**9]),
    "allow": st.frozensets(st.sampled_from(Adaptation), max_size=2),
    "compress": st.none() | st.just(Compress()),
    "references": st.lists(st.sampled_from(ReferenceRole), max_size=4).map(
        lambda roles: tuple(reference(role=role) for role in roles)
    ),
    "scope": st.sampled_from(["default", "acme/web"]),
}
_WORLDS = {(day, policy): world(day, policy) for day in (ARTICLE, TODAY) for policy in sorted(policies())}
_SNAPSHOTS = st.builds(
    Snapshot,
    pressure=st.sampled_from([{}, {"assumed": 40}, {"assumed": 95}]),
    open_circuits=st.frozensets(st.sampled_from(["gemini-3-pro-image", "gemini-3.1-flash-lite-image"])),
)


def _outcome(decide: Any, *asked: Any) -> Decision | str:
    try:
        return decide(asked[0], asked[1], snapshot=asked[2])
    except (RequestError, BudgetExceeded) as refusal:
        return f"{type(refusal).__name__}: {refusal}"


_ASKED = st.tuples(
    st.fixed_dictionaries({}, optional=_FIELDS), st.sampled_from(sorted(_WORLDS, key=str)), _SNAPSHOTS
)


@settings(deadline=None)
@given(st.lists(_ASKED, min_size=1, max_size=3), st.lists(_WORDS, min_size=2, max_size=5))
def test_a_remembered_decision_is_the_one_made_anew(
    asked: list[tuple[dict[str, Any], tuple[date, str], Snapshot]], prompts: list[str]
) -> None:
    """Whatever was decided before, every request gets the decision, or the refusal, that it gets alone."""
    memory = Decisions()
    for prompt in prompts:
        for fields, place, snapshot in asked:
            request = ImageRequest(prompt=prompt, **fields)
            alone = _outcome(decide_briefly, request, _WORLDS[place], snapshot)
            assert _outcome(memory.decide, request, _WORLDS[place], snapshot) == alone


class _Counting:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, request: ImageRequest, facts: World, snapshot: Snapshot) -> Decision:
        self.calls += 1
        return decide_briefly(request, facts, snapshot=snapshot)


def test_requests_alike_are_decided_once() -> None:
    """Other words of the same length, another scope or key: one decision, with each one's own request."""
    fresh, today = _Counting(), _WORLDS[TODAY, "default"]
    memory = Decisions(fresh)
    for number, prompt in enumerate(("a red mug", "a fat cat", "a big cup")):
        request = ImageRequest(prompt=prompt, scope=f"team/{number}", key=str(number))
        assert memory.decide(request, today, snapshot=Snapshot()).request is request
    assert fresh.calls == 1


def test_nothing_of_a_request_is_kept() -> None:
    """A decision may be remembered for long; the words and pictures it was made for are let go."""
    memory = Decisions()
    request = ImageRequest(prompt="a red mug", references=(reference(role=ReferenceRole.STYLE),))
    holders = sys.getrefcount(request), sys.getrefcount(request.references[0])
    memory.decide(request, _WORLDS[TODAY, "default"], snapshot=Snapshot())
    assert (sys.getrefcount(request), sys.getrefcount(request.references[0])) == holders


def test_long_fields_are_not_kept() -> None:
    """What would be part of the memory's key must be small."""
    fresh, today = _Counting(), _WORLDS[TODAY, "default"]
    memory = Decisions(fresh)
    for length in (LONGEST, LONGEST, LONGEST + 1, LONGEST + 1):
        request = ImageRequest(prompt="a red mug", system_instruction="x" * length)
        memory.decide(request, today, snapshot=Snapshot())
    assert fresh.calls == 3


def test_memory_is_bounded() -> None:
    """When it is full it begins anew, and answers stay the same."""
    fresh, today = _Counting(), _WORLDS[TODAY, "default"]
    memory = Decisions(fresh, most=2)
    for length in (1, 2, 3, 1):
        memory.decide(ImageRequest(prompt="x" * length), today, snapshot=Snapshot())
    assert fresh.calls == 4
