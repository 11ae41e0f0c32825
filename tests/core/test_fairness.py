"""Scopes take turns; within a scope the first comes first."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from image_router.core.fairness import FairQueue


def drained(queue: FairQueue[str]) -> list[str]:
    order = []
    while (ticket := queue.peek()) is not None:
        assert queue.take(ticket[0], ticket)
        order.append(ticket)
    return order


def filled(text: str) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue()
    for ticket in text.split():
        queue.push(ticket[0], ticket)
    return queue


def test_one_request_does_not_wait_for_a_crowd() -> None:
    """Scope b, with one request behind a hundred of scope a, is second."""
    crowd = " ".join(f"a{i}" for i in range(100))
    assert drained(filled(f"{crowd} b0"))[:3] == ["a0", "b0", "a1"]


def test_first_comes_first_within_a_scope() -> None:
    """A scope's own requests keep their order."""
    assert drained(filled("a0 b0 b1 a1 b2")) == ["a0", "b0", "a1", "b1", "b2"]


def test_who_was_away_gets_no_arrears() -> None:
    """A scope that comes back after others took ten turns takes turns with them, and not ten in a row."""
    queue = filled(" ".join(f"a{i}" for i in range(12)))
    for i in range(10):
        queue.take("a", f"a{i}")
    for i in range(3):
        queue.push("b", f"b{i}")
    assert drained(queue) == ["b0", "a10", "b1", "a11", "b2"]


def test_coming_back_at_once_takes_no_second_turn() -> None:
    """A scope with one request at a time gets no more turns than one with a full line."""
    queue, order = filled("a0 a1 a2 b0"), []
    for i in range(6):
        ticket = queue.peek()
        assert ticket is not None
        queue.take(ticket[0], ticket)
        order.append(ticket[0])
        if ticket[0] == "b":
            queue.push("b", f"b{i + 1}")
    assert order == ["a", "b", "a", "b", "a", "b"]


def test_giving_up_costs_no_turn() -> None:
    """Requests that leave the line leave their scope's turn as it was."""
    queue = filled("a0 a1 a2 b0 b1")
    queue.remove("a", "a0")
    queue.remove("a", "a1")
    queue.remove("a", "gone before")
    assert drained(queue) == ["a2", "b0", "b1"]


def test_who_left_cannot_be_taken() -> None:
    """Taking a ticket that waits no more says so."""
    assert not filled("a0").take("a", "a1")


def test_old_scopes_are_forgotten() -> None:
    """Of thousands of scopes that were served long ago, only a bounded number is remembered."""
    queue: FairQueue[str] = FairQueue()
    for i in range(5_000):
        queue.push(f"scope {i}", "x")
        queue.push("steady", f"{i}")
        assert queue.take(f"scope {i}", "x")
        assert queue.take("steady", f"{i}")
    assert len(queue) == 0
    assert len(queue._turns) <= 1_001


@given(st.lists(st.sampled_from("abc"), max_size=30), st.sampled_from("abcd"))
def test_ahead_is_who_goes_first(scopes: list[str], mine: str) -> None:
    """Those named ahead are exactly those who go before a new ticket, when nobody else joins."""
    queue: FairQueue[str] = FairQueue()
    for i, scope in enumerate(scopes):
        queue.push(scope, f"{scope}{i}")
    ahead = set(queue.ahead(mine))
    queue.push(mine, f"{mine}-me")
    order = drained(queue)
    before = set(order[: order.index(f"{mine}-me")])
    assert before <= ahead
    assert len(ahead - before) <= len(set(scopes))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=80))
def test_turns_differ_by_one_among_those_who_wait(steps: list[tuple[str, bool]]) -> None:
    """While two scopes both wait, neither gets two turns more than the other."""
    queue: FairQueue[str] = FairQueue()
    turns: Counter[str] = Counter()
    since: dict[tuple[str, str], int] = {}
    for i, (scope, push) in enumerate(steps):
        if push:
            queue.push(scope, f"{scope}{i}")
        elif (ticket := queue.peek()) is not None:
            queue.take(ticket[0], ticket)
            turns[ticket[0]] += 1
        waiting = {ticket[0] for ticket in queue}
        for pair in [(a, b) for a in "abcd" for b in "abcd" if a < b]:
            if not set(pair) <= waiting:
                since.pop(pair, None)
                continue
            lead = turns[pair[0]] - turns[pair[1]]
            since.setdefault(pair, lead)
            assert abs(lead - since[pair]) <= 2
