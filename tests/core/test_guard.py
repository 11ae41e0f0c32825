"""The budget guard: at 90 % nothing becomes dearer, drafts stay drafts, no identity breaks silently."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from desk import ARTICLE, TODAY, reasons, reference, served, world
from image_router.core.budget import SECOND, Budget, Span, Window
from image_router.core.decision import Snapshot
from image_router.core.errors import BudgetExceeded, GuardRefused
from image_router.core.policy import GuardChoice
from image_router.core.pressure import GuardLine, Standing, Strain, guard_line
from image_router.core.routing import World, decide
from image_router.core.types import ImageRequest, Purpose, Size, Tier

FULL = Snapshot(pressure={"day": 12, "month": 90})
FREE = Snapshot(pressure={"day": 89})


def ask(**fields: object) -> ImageRequest:
    return ImageRequest(prompt="a fox", **fields)  # type: ignore[arg-type]


def locked(day: date, choice: GuardChoice) -> World:
    here = world(day)
    return replace(here, policy=replace(here.policy, guard=replace(here.policy.guard, locked=choice)))


@pytest.mark.parametrize("day", [ARTICLE, TODAY])
@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.CHARACTER_LOCK])
@pytest.mark.parametrize("size", [Size.K1, Size.K2, Size.K4])
def test_never_dearer(day: date, purpose: Purpose, size: Size) -> None:
    """Under pressure no candidate costs more than the first choice did without it."""
    request = ask(purpose=purpose, size=size)
    free, full = (decide(request, world(day), snapshot=snapshot) for snapshot in (FREE, FULL))
    assert all(c.quote.total <= free.head.quote.total for c in full.candidates)
    assert full.head.quote.total <= free.head.quote.total
    assert (full.guard is None) is (full.head.tier is free.head.tier)


@pytest.mark.parametrize("day", [ARTICLE, TODAY])
@pytest.mark.parametrize("purpose", [Purpose.DRAFT, Purpose.PREVIEW])
def test_drafts_stay_where_they_are_cheaper(day: date, purpose: Purpose) -> None:
    """The article's guard would have moved a draft to a dearer tier; here the cheaper of the two serves."""
    decision = decide(ask(purpose=purpose), world(day), snapshot=FULL)
    cheaper = "imagen_4_fast" if day == ARTICLE else "nano_banana"
    assert decision.head.tier == cheaper
    assert (decision.guard is None) is (day == ARTICLE)


def test_a_hero_moves_to_economy() -> None:
    """A hero near the end of the budget is served by the guard's tier, and the decision says from where."""
    decision = decide(ask(purpose="hero"), world(ARTICLE), snapshot=FULL)
    assert decision.head.tier == "nano_banana"
    assert decision.guard is not None
    assert (decision.guard.pressure_percent, decision.guard.chosen, decision.guard.served) == (
        90, Tier.IMAGEN_4_STANDARD, Tier.NANO_BANANA,
    )  # fmt: skip
    assert decision.guard.detail.startswith("the budget is 90 % used: nano_banana at $0.03")
    assert reasons(decision)["gemini_31_flash_image"] == "guard"


def test_nothing_moves_at_89_percent() -> None:
    """One percent below the guard's line every choice stands."""
    decision = decide(ask(purpose="hero"), world(ARTICLE), snapshot=FREE)
    assert decision.head.tier == "imagen_4_standard"
    assert decision.guard is None


@pytest.mark.parametrize("fields", [{"tier": Tier.NANO_BANANA_PRO}, {"model": "gemini-3-pro-image"}])
def test_a_pin_is_the_callers_word(fields: dict[str, object]) -> None:
    """A pinned tier or model is not moved; the cap itself still binds it."""
    decision = decide(ask(**fields), world(), snapshot=FULL)
    assert served(decision) == [("nano_banana_pro", "gemini-3-pro-image")]
    assert decision.guard is None


SENSITIVE = [
    {"purpose": "character_lock", "references": (reference(),)},
    {"purpose": "character_lock"},
    {"purpose": "contextual_edit", "references": (reference(),)},
    {"purpose": "final_hero", "identity_locked": True},
]


@pytest.mark.parametrize("fields", SENSITIVE)
@pytest.mark.parametrize("choice", [GuardChoice.REFUSE, GuardChoice.WAIT])
def test_an_identity_is_not_degraded(fields: dict[str, object], choice: GuardChoice) -> None:
    """References and locked identities are refused rather than moved, with the ways out."""
    with pytest.raises(BudgetExceeded, match=r"90 % used .* raise the cap, wait for the next window, or set"):
        decide(ask(**fields), locked(TODAY, choice), snapshot=FULL)


@pytest.mark.parametrize("fields", SENSITIVE)
def test_degrading_is_flagged(fields: dict[str, object]) -> None:
    """Where the policy lets the guard degrade them, the decision says so."""
    decision = decide(ask(**fields), locked(TODAY, GuardChoice.DEGRADE), snapshot=FULL)
    assert decision.guard is not None
    assert decision.guard.served == decision.head.tier == "nano_banana"


def test_references_on_the_cheapest_tier_pass() -> None:
    """What the guard would not move, it does not refuse either."""
    decision = decide(ask(references=(reference(),)), world(), snapshot=FULL)
    assert (decision.head.tier, decision.guard) == ("nano_banana", None)


def test_a_guard_tier_that_cannot_serve_changes_nothing() -> None:
    """Where the guard's tier cannot make the size, the first choice stands and only dearer ones go."""
    decision = decide(ask(purpose="contextual_edit", size=Size.K4), world(), snapshot=FULL)
    assert (decision.head.tier, decision.guard) == ("gemini_31_flash_image", None)
    assert reasons(decision)["nano_banana_pro"] == "guard"


def standing(percent: int, *, scope: str = "acme", held: int = 0, end: int | None = None) -> Standing:
    return Standing(
        scope=scope,
        window=Window.TOTAL if end is None else Window.DAY,
        span=Span(0, end),
        cap=100,
        settled=percent - held,
        held=held,
    )


def seen(*standings: Standing, line: GuardLine | None = None) -> Snapshot:
    return Snapshot(strain=Strain(standings=standings, line=line))


@pytest.mark.parametrize(
    ("percents", "wanted"),
    [((80, None, 95), GuardLine(scope="s0", percent=80)), ((None,), None), ((), None)],
)
def test_the_tightest_scope_sets_the_line(percents: tuple[int | None, ...], wanted: GuardLine | None) -> None:
    """Of all scopes touched, the one that wants the guard earliest decides; without any, the policy."""
    assert guard_line(Budget(scope=f"s{n}", guard_percent=p) for n, p in enumerate(percents)) == wanted


@pytest.mark.parametrize(("percent", "acts"), [(49, False), (50, True), (89, True)])
def test_a_scopes_own_line_counts(percent: int, acts: bool) -> None:
    """The guard acts where a touched scope wants it, and says whose budget is full and who set the line."""
    snapshot = seen(
        standing(3, scope="acme"),
        standing(percent, scope="acme/studio"),
        line=GuardLine(scope="acme", percent=50),
    )
    decision = decide(ask(purpose="hero"), world(ARTICLE), snapshot=snapshot)
    assert (decision.guard is not None) is acts
    if decision.guard:
        assert (decision.guard.scope, decision.guard.set_by, decision.guard.at_percent) == (
            "acme/studio", "acme", 50,
        )  # fmt: skip
        assert decision.guard.detail.startswith(
            f"the total budget of 'acme/studio' is {percent} % used (the guard acts from 50 %"
        )


def test_a_line_above_the_policys_counts() -> None:
    """A scope may let the guard act later than the policy says."""
    snapshot = seen(standing(94), line=GuardLine(scope="acme", percent=95))
    assert decide(ask(purpose="hero"), world(ARTICLE), snapshot=snapshot).guard is None


def test_a_refusal_has_the_numbers() -> None:
    """The error names scope, cap, what is spent and held of it, and where the guard acts."""
    snapshot = seen(standing(92, held=12))
    with pytest.raises(
        GuardRefused, match=r"'acme' is 92 % used, .* spent and .* held \(the guard acts"
    ) as caught:
        decide(ask(**SENSITIVE[0]), locked(TODAY, GuardChoice.WAIT), snapshot=snapshot)
    error = caught.value
    assert (error.scope, error.cap, error.spent, error.held, error.waits) == ("acme", 100, 80, 12, True)
    assert error.asked is not None
    assert error.asked > 0


@pytest.mark.parametrize(
    ("one", "seconds", "lasts"),
    [
        (standing(95, held=10), 60, False),
        (standing(95, held=5), 60, True),
        (standing(95, end=30 * SECOND), 60, False),
        (standing(95, end=90 * SECOND), 60, True),
    ],
)
def test_what_waiting_can_change(one: Standing, seconds: float, lasts: bool) -> None:
    """Pressure falls when holds are given back or the window ends in time, and else it lasts."""
    assert Strain(standings=(one,)).lasts(90, seconds=seconds) is lasts
