"""The limits of a key as meters: what is counted, when, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.errors import KeyForbids, KeyLimited
from image_router.core.key_limits import count, limits_of, loads_of, settled, too_many, too_much
from image_router.core.money import USD
from image_router.core.pacing import Meters, Moment, Shortage, sent
from image_router.core.router_keys import DollarLimit, KeyRules, RouterKey

HOUR = DollarLimit(amount=5 * USD, seconds=3_600)
KEY = RouterKey(
    id="k7f2m4qa",
    rules=KeyRules(
        name="ci", scope="acme", requests_per_minute=60, images_per_minute=8, dollars=HOUR, in_flight=2
    ),
    hint="90ab",
    created_at=0,
    created_by="ann",
)


def at(seconds: float) -> Moment:
    return Moment(steady=1_000.0 + seconds, wall=1_800_000_000.0 + seconds)


def test_only_limits_that_are_set_are_counted() -> None:
    """A key without limits has no meters; requests in flight are counted elsewhere."""
    assert limits_of(KeyRules(name="ci", scope="acme", in_flight=1)) == ()
    assert [str(limit.resource) for limit in limits_of(KEY.rules)] == ["requests", "images", "dollars"]


@pytest.mark.parametrize(
    ("images", "ceiling", "counted"),
    [
        (2, 7, {"requests": 1, "images": 2, "dollars": 7}),
        (0, 0, {"requests": 1}),
        (1, 0, {"requests": 1, "images": 1}),
    ],
)
def test_what_a_request_adds(images: int, ceiling: int, counted: dict[str, int]) -> None:
    """A request counts as one, with its images and its ceiling; nothing of nothing is not counted."""
    loads = loads_of(KEY, images=images, ceiling=ceiling)
    assert {str(load.limit.resource): load.amount for load in loads} == counted


def test_another_window_is_another_meter() -> None:
    """Slots of different lengths are never added up."""
    day = replace(KEY, rules=replace(KEY.rules, dollars=DollarLimit(amount=USD, seconds=86_400)))
    one, other = (loads_of(key, images=0, ceiling=1)[-1].key for key in (KEY, day))
    assert one != other


@given(
    st.lists(st.tuples(st.integers(0, 1_200), st.integers(1, 2 * USD), st.integers(0, 2 * USD)), max_size=60)
)
def test_dollars_in_any_window_stay_within_the_limit(requests: list[tuple[int, int, int]]) -> None:
    """However requests come and whatever they cost up to their ceiling, no hour holds more than the limit."""
    meters: Meters = {}
    paid: list[tuple[float, int]] = []
    now = 0.0
    for pause, ceiling, cost in requests:
        now += pause
        loads = [
            load for load in loads_of(KEY, images=0, ceiling=ceiling) if load.limit.resource == "dollars"
        ]
        changed, charges = count(meters, loads, now=at(now))
        meters = {**meters, **changed}
        if isinstance(charges, Shortage):
            continue
        cost = min(cost, ceiling)
        meters = {**meters, **settled(meters, charges, spent=cost, now=at(now))}
        paid.append((now, cost))
    for start, _ in paid:
        assert sum(cost for when, cost in paid if start <= when < start + 3_600) <= HOUR.amount
    limit = limits_of(KEY.rules)[-1]
    assert all(sent(meter, limit, now=at(now)) <= HOUR.amount for meter in meters.values())


@pytest.mark.parametrize(
    ("asked", "wait", "kind", "field", "limit", "said"),
    [
        ({"images": 3}, 12.34, KeyLimited, "images_per_minute", "8 per minute", "try again in 12.3 seconds"),
        (
            {"images": 9},
            None,
            KeyForbids,
            "images_per_minute",
            "8 per minute",
            "this request alone may take 9",
        ),
        ({"ceiling": USD}, 60.0, KeyLimited, "dollars", "$5.00 per hour", "$5.00 per hour, and $1.00 more"),
        ({"ceiling": 6 * USD}, None, KeyForbids, "dollars", "$5.00 per hour", "or a cheaper tier"),
    ],
)
def test_refusals_say_the_numbers_and_the_way_out(
    asked: dict[str, int], wait: float | None, kind: Any, field: str, limit: str, said: str
) -> None:
    """Which limit, what was asked, when to come back: or that waiting does not help."""
    resource = "dollars" if "ceiling" in asked else "images"
    short_of = next(each for each in limits_of(KEY.rules) if each.resource == resource)
    error = too_much(KEY, Shortage(limit=short_of, wait=wait, allowed=None), asked=next(iter(asked.values())))
    assert type(error) is kind
    assert (error.field, error.limit, error.key_id) == (field, limit, "k7f2m4qa")
    assert said in str(error)
    assert getattr(error, "retry_after", None) == wait


def test_too_many_at_once_is_said() -> None:
    """One more than the limit in flight is told both numbers."""
    error = too_many(KEY, 2)
    assert (error.field, error.limit, error.asked) == ("in_flight", "2", "3")
    assert "allows 2 requests in flight, and 2 are under way" in str(error)
