"""A plan's sums: they add up to the nano-dollar, however many rows there are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.pacing import Daily, Limit, Resource, Rolling
from image_router.core.rates import LineKind, Quote, QuoteLine
from image_router.core.run_plan import Sums, estimates
from image_router.core.runs import PlannedRow, RowAsk, Stage
from image_router.core.types import Lane, Purpose, Tier

DAY = date(2026, 11, 22)
AIM = 86_400.0
MINUTE = Rolling(seconds=60)


def quote(tokens: int, rate: int = 15_000, words: int = 10) -> Quote:
    lines = (
        QuoteLine(
            kind=LineKind.IMAGE_OUTPUT, unit="token", rate=rate, units=tokens, ceiling_units=2 * tokens
        ),
        QuoteLine(kind=LineKind.TEXT_INPUT, unit="token", rate=125, units=words, ceiling_units=2 * words),
        QuoteLine(kind=LineKind.TEXT_OUTPUT, unit="token", rate=750, units=0, ceiling_units=1),
    )
    return Quote(lines=lines, images=1, list_price=0, card=DAY)


def row(
    number: int, priced: Quote, *, model: str = "m", lane: Lane = Lane.INTERACTIVE, again: str = ""
) -> PlannedRow:
    return PlannedRow(
        number=number,
        line=number,
        key=str(number),
        subject="s",
        stage=Stage.FIRST if number % 2 else Stage.SECOND,
        ask=RowAsk(prompt="p", lane=lane, purpose=Purpose.DRAFT if number % 3 else Purpose.HERO),
        model=model,
        tier=Tier.NANO_BANANA,
        quote=0 if again else priced.total,
        ceiling=priced.ceiling,
        duplicate_of=1 if again == "duplicate" else None,
        finished=again == "finished",
    )


def summed(rows: Iterable[tuple[PlannedRow, Quote]]) -> Sums:
    sums = Sums()
    for planned, priced in rows:
        sums.add(planned, priced)
    return sums


asked = st.tuples(
    st.integers(0, 5_000),
    st.sampled_from(["m", "n"]),
    st.sampled_from(Lane),
    st.sampled_from(["", "", "duplicate", "finished"]),
)


@given(st.lists(asked, max_size=60), st.booleans())
def test_lines_and_ways_add_up_to_the_quote(
    wanted: list[tuple[int, str, Lane, str]], remembered: bool
) -> None:
    """Whether equal quotes are one object, as a router remembers them, or each its own."""
    known: dict[int, Quote] = {}
    rows = []
    for number, (tokens, model, lane, again) in enumerate(wanted, 1):
        priced = known.setdefault(tokens, quote(tokens)) if remembered else quote(tokens)
        rows.append((row(number, priced, model=model, lane=lane, again=again), priced))
    sums = summed(rows)
    to_pay = [planned for planned, _ in rows if planned.priced]
    assert sum(line.amount for line in sums.lines) == sums.quote == sum(each.quote for each in to_pay)
    assert sum(share.quote for share in sums.shares) == sums.quote
    assert sum(share.ceiling for share in sums.shares) == sums.ceiling
    assert sum(share.rows for share in sums.shares) == sums.priced == len(to_pay)
    assert sum(sums.purposes.values()) == sums.priced
    assert sums.rows == len(rows) == sums.priced + sums.duplicates + sums.finished


def test_more_kinds_of_rows_than_are_remembered_add_up_too() -> None:
    sums = summed((row(tokens, priced), priced) for tokens in range(1, 6_000) for priced in [quote(tokens)])
    assert sum(line.amount for line in sums.lines) == sums.quote
    assert sums.purposes == {"draft": 4_000, "hero": 1_999}
    assert [share.rows for share in sums.shares] == [5_999]


def test_lines_that_cost_nothing_are_not_shown() -> None:
    kinds = [line.kind for line in summed([(row(1, quote(100)), quote(100))]).lines]
    assert kinds == [LineKind.IMAGE_OUTPUT, LineKind.TEXT_INPUT]


def test_what_is_free_is_counted_once() -> None:
    both = row(2, quote(1), again="duplicate")
    sums = summed(
        [(row(1, quote(1)), quote(1)), (both, quote(1)), (row(3, quote(1), again="finished"), quote(1))]
    )
    assert (sums.rows, sums.priced, sums.duplicates, sums.finished) == (3, 1, 1, 1)


def limit(resource: Resource, amount: int | None, window: Rolling | Daily) -> Limit:
    return Limit(resource=resource, window=window, amount=amount)


@pytest.mark.parametrize(
    ("limits", "seconds", "because"),
    [
        ([], None, "no limit is known"),
        ([limit(Resource.REQUESTS, None, MINUTE)], None, "no limit is known"),
        ([limit(Resource.REQUESTS, 100, MINUTE)], 0.0, "requests"),
        ([limit(Resource.REQUESTS, 10, MINUTE)], 540.0, "requests"),
        ([limit(Resource.REQUESTS, 99, MINUTE)], 60.0, "requests"),
        (
            [limit(Resource.REQUESTS, 10, MINUTE), limit(Resource.IMAGES, 50, Daily(zone="UTC"))],
            86_400.0,
            "images",
        ),
        ([limit(Resource.TOKENS, 500, MINUTE)], 60.0, "tokens"),
    ],
)
def test_the_slowest_limit_says_how_long_it_takes(
    limits: list[Limit], seconds: float | None, because: str
) -> None:
    priced = quote(1_000)
    sums = summed((row(number, priced), priced) for number in range(1, 101))
    (found,) = estimates(sums, lambda _: limits, aim=AIM)
    assert found.seconds == seconds
    assert because in found.because


@pytest.mark.parametrize(("rows", "days"), [(1, 1), (2, 2)])
def test_a_batch_takes_what_the_provider_wants_for_each_stage(rows: int, days: int) -> None:
    priced = quote(10)
    sums = summed((row(number, priced, lane=Lane.BATCH), priced) for number in range(1, rows + 1))
    (found,) = estimates(sums, lambda _: [], aim=AIM)
    assert found.seconds == days * AIM
