"""attempts() as plain lists: outcomes go in, tries come out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import ARTICLE, policies, world
from image_router.core.decision import Candidate
from image_router.core.failover import Finish, Plan, Tried, Try, attempts
from image_router.core.outcome import Cause, FailureScope, Kind, Outcome, Retry
from image_router.core.policy import RetryBudget
from image_router.core.routing import decide
from image_router.core.types import Adaptation, ImageRequest, OnAmbiguous, ThinkingLevel

BUDGET = RetryBudget(capacity_tries=3, content_repeats=1, failovers=1, first_wait=1.0, longest_wait=30.0)
CANDIDATES = decide(ImageRequest(prompt="a fox", purpose="contextual_edit"), world(ARTICLE)).candidates  # type: ignore[arg-type]
CENT = 10_000_000
FIRST, SECOND, THIRD = (candidate.model.id for candidate in CANDIDATES[:3])

IMAGE = Outcome(kind=Kind.IMAGE)
BUSY = Outcome(kind=Kind.FAILED, cause=Cause.OVERLOADED, retry=Retry.CAPACITY, scope=FailureScope.MODEL)
REFUSED = Outcome(kind=Kind.REFUSED, cause=Cause.OUTPUT_REFUSED, retry=Retry.CONTENT)
GONE = Outcome(kind=Kind.FAILED, cause=Cause.MODEL_NOT_FOUND, retry=Retry.FAILOVER, scope=FailureScope.MODEL)
LOST = Outcome(
    kind=Kind.AMBIGUOUS, cause=Cause.CONNECTION_LOST, retry=Retry.AMBIGUOUS, scope=FailureScope.MODEL
)
BAD_KEY = Outcome(kind=Kind.FAILED, cause=Cause.BAD_KEY, scope=FailureScope.KEY)
SPENT = Outcome(kind=Kind.FAILED, cause=Cause.SPEND_LIMIT, retry=Retry.CAPACITY, scope=FailureScope.PROJECT)
INVALID = Outcome(kind=Kind.FAILED, cause=Cause.BAD_PARAMETER)
DECLINED = Outcome(kind=Kind.NO_IMAGE, cause=Cause.DECLINED, retry=Retry.CONTENT)
UNSIGNED = Outcome(kind=Kind.FAILED, cause=Cause.MISSING_SIGNATURE)
UNREADABLE = Outcome(kind=Kind.FAILED, cause=Cause.BAD_REFERENCE)


def plan(
    *, on_ambiguous: OnAmbiguous = OnAmbiguous.ONCE, deadline: float = 300.0, dice: float = 1.0,
    adapt: frozenset[Adaptation] = frozenset(), budget: RetryBudget = BUDGET,
) -> Plan:  # fmt: skip
    return Plan(budget=budget, deadline=deadline, on_ambiguous=on_ambiguous, adapt=adapt, dice=lambda: dice)


def run(
    outcomes: list[Outcome],
    how: Plan,
    *,
    seconds: float = 1.0,
    candidates: tuple[Candidate, ...] = CANDIDATES,
) -> tuple[list[Try], Finish]:
    """Play the outcomes, each after so many seconds; the last one repeats for ever."""
    flow, tries, elapsed = attempts(candidates, how), [], 0.0
    step = next(flow)
    while True:
        tries.append(step)
        outcome = outcomes[min(len(tries), len(outcomes)) - 1]
        elapsed += step.wait + seconds
        try:
            step = flow.send(Tried(outcome=outcome, elapsed=elapsed))
        except StopIteration as end:
            return tries, end.value


def models(tries: list[Try]) -> list[str]:
    return [step.candidate.model.id for step in tries]


def test_an_image_ends_it() -> None:
    """The first image is the result, from the candidate that made it."""
    tries, finish = run([IMAGE], plan())
    assert models(tries) == [FIRST]
    assert (finish.outcome, finish.candidate.model.id, finish.why) == (IMAGE, FIRST, "made")


@pytest.mark.parametrize(
    ("outcome", "tried", "why"),
    [
        (BUSY, [FIRST] * 3 + [SECOND] * 3, "2 models tried"),
        (REFUSED, [FIRST] * 2 + [SECOND], "2 models tried"),
        (DECLINED, [FIRST] * 2 + [SECOND], "2 models tried"),
        (GONE, [FIRST, SECOND], "2 models tried"),
        (LOST, [FIRST] * 2, "the outcome is unknown and may have been billed"),
        (BAD_KEY, [FIRST], "no other attempt can help"),
        (replace(BAD_KEY, retry=Retry.FAILOVER), [FIRST], "the key is the cause, not the model"),
        (SPENT, [FIRST] * 3, "the project is the cause, not the model"),
        (INVALID, [FIRST], "no other attempt can help"),
        (UNSIGNED, [FIRST], "no other attempt can help"),
        (UNREADABLE, [FIRST], "no other attempt can help"),
    ],
)
def test_number_of_tries(outcome: Outcome, tried: list[str], why: str) -> None:
    """Each class of failure has its own number of tries and at most one failover, and says why it stopped."""
    tries, finish = run([outcome], plan())
    assert models(tries) == tried
    assert finish.why == why
    assert finish.candidate.model.id == tried[-1]


@pytest.mark.parametrize("failovers", [0, 1, 2, 5])
def test_failovers_are_data(failovers: int) -> None:
    """The policy says how many other models may be tried; never more than there are."""
    tries, _ = run([GONE], plan(budget=replace(BUDGET, failovers=failovers)))
    assert len(tries) == min(failovers + 1, len({c.model.id for c in CANDIDATES}))


def test_failover_is_to_another_model() -> None:
    """The same model at another thinking level is no failover."""
    head = CANDIDATES[0]
    twin = replace(head, parameters=replace(head.parameters, thinking=ThinkingLevel.HIGH))
    tries, finish = run([GONE], plan(), candidates=(head, twin))
    assert models(tries) == [FIRST]
    assert finish.why == "no other model may serve"
    tries, _ = run([GONE], plan(), candidates=(head, twin, CANDIDATES[1]))
    assert models(tries) == [FIRST, SECOND]


@pytest.mark.parametrize(("dice", "waits"), [(0.0, [0, 0]), (0.5, [0.5, 1.0]), (1.0, [1.0, 2.0])])
def test_full_jitter(dice: float, waits: list[float]) -> None:
    """A wait lies anywhere from nothing to the doubling bound."""
    tries, _ = run([BUSY, BUSY, IMAGE], plan(dice=dice))
    assert [step.wait for step in tries] == [0, *waits]


def test_the_longest_wait_bounds_the_doubling() -> None:
    """However many tries there are, jitter never waits above the policy's longest wait."""
    tries, _ = run([BUSY], plan(budget=replace(BUDGET, capacity_tries=10, failovers=0), deadline=10_000))
    assert [step.wait for step in tries] == [0, 1, 2, 4, 8, 16, 30, 30, 30, 30]


@pytest.mark.parametrize(("asked", "wait"), [(0.2, 1.0), (17.0, 17.0), (45.0, 45.0)])
def test_retry_info_is_respected(asked: float, wait: float) -> None:
    """What the provider asks to wait is the least that is waited, also beyond our own longest wait."""
    tries, _ = run([replace(BUSY, retry_after=asked), IMAGE], plan())
    assert [step.wait for step in tries] == [0, wait]


def test_a_wait_longer_than_what_is_left() -> None:
    """When waiting would outlast the deadline, another model is tried at once instead."""
    tries, _ = run([replace(BUSY, retry_after=300.0), IMAGE], plan(deadline=300.0))
    assert [(step.candidate.model.id, step.wait) for step in tries] == [(FIRST, 0.0), (SECOND, 0.0)]


def test_timeouts_are_what_is_left() -> None:
    """Each try may take what is left of the deadline after the time gone and its own wait."""
    tries, _ = run([BUSY, BUSY, BUSY, IMAGE], plan(deadline=100.0), seconds=10.0)
    assert [step.timeout for step in tries] == [100.0, 89.0, 77.0, 67.0]


def test_time_gone_before_the_first_try() -> None:
    """A try that begins late has only the rest of the deadline."""
    assert next(attempts(CANDIDATES, plan(deadline=100.0), elapsed=40.0)).timeout == 60.0


@pytest.mark.parametrize("outcome", [BUSY, REFUSED, GONE, DECLINED])
def test_nothing_after_the_deadline(outcome: Outcome) -> None:
    """Once the deadline has passed nothing is sent any more."""
    tries, finish = run([outcome], plan(deadline=5.0), seconds=5.0)
    assert len(tries) == 1
    assert finish.why == "the deadline of 5 s passed"


@pytest.mark.parametrize("setting", [OnAmbiguous.NEVER, OnAmbiguous.ASK])
def test_ambiguity_is_not_resent(setting: OnAmbiguous) -> None:
    """Under never and ask, a call that may have been billed is neither sent again nor moved elsewhere."""
    tries, finish = run([LOST], plan(on_ambiguous=setting))
    assert models(tries) == [FIRST]
    assert finish.why == "the outcome is unknown and may have been billed"


def test_ambiguity_is_resent_once() -> None:
    """Under once, it is sent again at once on the same model, and marked as a resend."""
    tries, finish = run([LOST, IMAGE], plan())
    assert [(step.candidate.model.id, step.resend, step.wait) for step in tries] == [
        (FIRST, False, 0.0),
        (FIRST, True, 0.0),
    ]
    assert finish.why == "made"


def test_one_resend_for_the_whole_request() -> None:
    """The one resend is not granted again by another model."""
    tries, _ = run([LOST, GONE, LOST], plan())
    assert [(step.candidate.model.id, step.resend) for step in tries] == [
        (FIRST, False),
        (FIRST, True),
        (SECOND, False),
    ]


REWRITES = [
    (UNSIGNED, Adaptation.FLATTEN_HISTORY),
    (UNREADABLE, Adaptation.REENCODE_REFERENCE),
    (DECLINED, Adaptation.IMAGE_PREFIX),
    (replace(DECLINED, cause=Cause.TEXT_INSTEAD), Adaptation.IMAGE_PREFIX),
    (replace(DECLINED, cause=Cause.EMPTY), Adaptation.IMAGE_PREFIX),
]


@pytest.mark.parametrize(("outcome", "rewrite"), REWRITES)
def test_rewriting_when_listed(outcome: Outcome, rewrite: Adaptation) -> None:
    """A failure that a listed rewriting may heal is tried once more with it."""
    tries, _ = run([outcome, IMAGE], plan(adapt=frozenset({rewrite})))
    assert [step.rewrites for step in tries] == [(), (rewrite,)]


@pytest.mark.parametrize(("outcome", "rewrite"), REWRITES)
def test_no_rewriting_unless_listed(outcome: Outcome, rewrite: Adaptation) -> None:
    """What neither request nor policy lists is never done."""
    tries, _ = run([outcome], plan(adapt=frozenset(Adaptation) - {rewrite}))
    assert all(step.rewrites == () for step in tries)


def test_rewritings_stay() -> None:
    """A rewriting holds for all later tries of the model; another model begins anew."""
    tries, _ = run(
        [UNSIGNED, BUSY, DECLINED, GONE, IMAGE],
        plan(adapt=frozenset({Adaptation.FLATTEN_HISTORY, Adaptation.IMAGE_PREFIX})),
    )
    flat, both = (Adaptation.FLATTEN_HISTORY,), (Adaptation.FLATTEN_HISTORY, Adaptation.IMAGE_PREFIX)
    assert [(step.candidate.model.id, step.rewrites) for step in tries] == [
        (FIRST, ()), (FIRST, flat), (FIRST, flat), (FIRST, both), (SECOND, ()),
    ]  # fmt: skip


def test_each_rewriting_once() -> None:
    """The same rewriting is not tried twice on a model."""
    tries, _ = run([UNSIGNED], plan(adapt=frozenset({Adaptation.FLATTEN_HISTORY})))
    assert len(tries) == 2


OUTCOMES = st.builds(
    Outcome,
    kind=st.sampled_from([Kind.REFUSED, Kind.NO_IMAGE, Kind.FAILED, Kind.AMBIGUOUS]),
    cause=st.sampled_from(Cause),
    retry=st.sampled_from(Retry),
    scope=st.sampled_from(FailureScope),
    retry_after=st.none() | st.floats(0, 100),
)


@given(
    st.lists(OUTCOMES, min_size=1, max_size=40),
    st.sampled_from(OnAmbiguous),
    st.frozensets(st.sampled_from(Adaptation)),
    st.floats(0, 1),
    st.floats(0, 60),
)
def test_bounded(
    outcomes: list[Outcome], setting: OnAmbiguous, adapt: frozenset[Adaptation], dice: float, seconds: float
) -> None:
    """Whatever comes back, tries, models, resends and time stay within the plan."""
    how = plan(on_ambiguous=setting, adapt=adapt, dice=dice)
    tries, finish = run(outcomes, how, seconds=seconds)
    on_one_model = how.budget.capacity_tries + how.budget.content_repeats + 3
    assert len(tries) <= (how.budget.failovers + 1) * on_one_model + 1
    assert len(set(models(tries))) <= how.budget.failovers + 1
    assert sum(step.resend for step in tries) <= (1 if setting is OnAmbiguous.ONCE else 0)
    assert all(0 < step.timeout <= how.deadline for step in tries)
    assert all(set(step.rewrites) <= adapt for step in tries)
    assert finish.why


def test_the_shipped_budget() -> None:
    """The default policy tries three times for capacity, repeats once for content, and fails over once."""
    retry = policies()["default"].retry
    assert (retry.capacity_tries, retry.content_repeats, retry.failovers) == (3, 1, 1)


@pytest.mark.parametrize(
    ("limits", "spent", "in_all", "tries"),
    [
        ({"max_image": 100 * CENT}, 1 * CENT, 1 * CENT, 3),
        ({"max_image": 5 * CENT}, 4 * CENT, 4 * CENT, 1),
        ({"max_total": 5 * CENT}, 0, 4 * CENT, 1),
        ({"max_total": 5 * CENT}, 0, 0, 3),
        ({}, 900 * CENT, 900 * CENT, 3),
    ],
)
def test_limits_hold_for_attempts(limits: dict[str, int], spent: int, in_all: int, tries: int) -> None:
    """Once attempts were paid, no further one is made that would pass the caller's limit."""
    flow = attempts(CANDIDATES, replace(plan(), **limits))
    next(flow)
    made, finish = 1, None
    while finish is None:
        try:
            flow.send(Tried(outcome=REFUSED, elapsed=1, spent=spent, spent_in_all=in_all))
            made += 1
        except StopIteration as end:
            finish = end.value
    assert made == tries
    assert (tries == 1) == ("is spent, at risk or due" in finish.why)
