"""What a key is, how long it lives, and what it allows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desk import ARTICLE, world
from image_router.core.budget import SECOND
from image_router.core.decision import Decision, Snapshot
from image_router.core.errors import InvalidRequest, KeyForbids, KeyInvalid
from image_router.core.key_permits import allow_admin, allow_call, allow_decision, allow_request, paying_scope
from image_router.core.money import USD
from image_router.core.router_keys import DollarLimit, KeyRules, RouterKey, tiers_of, window_text
from image_router.core.routing import decide
from image_router.core.types import ImageRequest, Purpose, Size, Tier

NOW = 1_800_000_000 * SECOND
KEY = RouterKey(
    id="k7f2m4qa",
    rules=KeyRules(name="ci", scope="acme/studio"),
    hint="90ab",
    created_at=NOW,
    created_by="ann",
)


def key(**rules: Any) -> RouterKey:
    return replace(KEY, rules=replace(KEY.rules, **rules))


def decided(**asked: Any) -> Decision:
    """A real decision on a fixed day."""
    request = ImageRequest(prompt="a fox", scope="acme/studio", **asked)
    return decide(request, world(ARTICLE), snapshot=Snapshot())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "1 to 100 printable characters"),
        ({"name": "a\nb"}, "printable"),
        ({"name": "x" * 101}, "1 to 100"),
        ({"scope": "acme//x"}, "is not a path like"),
        ({"tiers": frozenset()}, "tiers of a key are an empty list"),
        ({"models": frozenset()}, "models of a key are an empty list"),
        ({"models": frozenset({" "})}, "a model id is empty"),
        ({"requests_per_minute": 0}, "requests_per_minute is 0; choose 1 to 1,000,000"),
        ({"images_per_minute": -1}, "images_per_minute is -1"),
        ({"in_flight": 1_000_001}, "in_flight is 1000001"),
    ],
)
def test_odd_rules_are_refused(wrong: dict[str, Any], said: str) -> None:
    """Rules that make no sense are refused with the number and what would do."""
    with pytest.raises(InvalidRequest, match=said):
        key(**wrong)


@pytest.mark.parametrize(("amount", "seconds"), [(0, 60), (-USD, 60), (USD, 0), (USD, 366 * 86_400 + 1)])
def test_odd_dollar_limits_are_refused(amount: int, seconds: int) -> None:
    """A dollar limit is above zero and its window at most a year."""
    with pytest.raises(InvalidRequest):
        DollarLimit(amount=amount, seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(60, "minute"), (90, "90 seconds"), (3_600, "hour"), (172_800, "2 days")]
)
def test_windows_are_told_in_words(seconds: int, text: str) -> None:
    """A window is told in its largest whole unit."""
    assert window_text(seconds) == text
    assert str(DollarLimit(amount=5 * USD, seconds=seconds)) == f"$5.00 per {text}"


def test_unknown_tiers_are_refused() -> None:
    """A misspelt tier is refused with all that exist."""
    assert tiers_of(["nano_banana"]) == {Tier.NANO_BANANA}
    with pytest.raises(InvalidRequest, match="'nano' is not a valid Tier; tiers are nano_banana_pro"):
        tiers_of(["nano"])


@pytest.mark.parametrize(
    "limit", ["requests_per_minute", "images_per_minute", "in_flight", "dollars"], ids=str
)
def test_any_limit_makes_a_key_counted(limit: str) -> None:
    """A key is counted as soon as one limit is set, and not before."""
    value = DollarLimit(amount=1, seconds=60) if limit == "dollars" else 1
    assert not KEY.rules.counted
    assert key(**{limit: value}).rules.counted


def test_the_dead_are_refused_with_the_day() -> None:
    """Revoked and expired keys say so with their day; the moment of expiry itself is too late."""
    KEY.check_alive(NOW)
    key(expires=NOW + 1).check_alive(NOW)
    with pytest.raises(KeyInvalid, match=r"ir_k7f2m4qa \(ci\) expired on 2027-01-15") as expired:
        key(expires=NOW).check_alive(NOW)
    with pytest.raises(KeyInvalid, match="was revoked on 2027-01-15") as revoked:
        replace(KEY, revoked_at=NOW).check_alive(NOW)
    assert (expired.value.field, revoked.value.field) == ("expires", "revoked")


@pytest.mark.parametrize(
    ("asked", "pays"),
    [(None, "acme/studio"), ("acme/studio", "acme/studio"), ("acme/studio/ann", "acme/studio/ann")],
)
def test_own_scopes_pay(asked: str | None, pays: str) -> None:
    """A key pays from its scope, or from one below it."""
    assert paying_scope(KEY, asked) == pays


@pytest.mark.parametrize("asked", ["acme", "acme/studios", "acme/other", "default", ""])
def test_other_scopes_do_not_pay(asked: str) -> None:
    """No scope above, beside, or of a similar name is paid from."""
    if asked:
        with pytest.raises(KeyForbids, match="pays from acme/studio and below") as refused:
            paying_scope(KEY, asked)
        assert (refused.value.field, refused.value.asked) == ("scope", asked)
    else:
        with pytest.raises(KeyForbids):
            paying_scope(KEY, asked)


@pytest.mark.parametrize(
    ("rules", "asked", "field"),
    [
        ({"max_size": Size.K1}, {"size": Size.K2}, "max_size"),
        ({"max_size": Size.S512}, {}, "max_size"),
        ({"tiers": tiers_of(["nano_banana"])}, {"tier": Tier.NANO_BANANA_PRO}, "tiers"),
        ({"models": frozenset({"a"})}, {"model": "b"}, "models"),
        ({}, {"scope": "acme"}, "scope"),
    ],
)
def test_rules_forbid(rules: dict[str, Any], asked: dict[str, Any], field: str) -> None:
    """Each rule refuses what is beyond it, names itself and what was asked, and the way out."""
    request = ImageRequest(**{"prompt": "a fox", "scope": "acme/studio", **asked})
    with pytest.raises(KeyForbids, match="have whoever issued the key change its rules") as refused:
        allow_request(key(**rules), request)
    assert (refused.value.field, refused.value.key_id) == (field, "k7f2m4qa")
    assert refused.value.asked
    assert refused.value.limit


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        ({}, {"size": Size.K4, "tier": Tier.NANO_BANANA_PRO}),
        ({"max_size": Size.K2}, {"size": Size.K2}),
        ({"tiers": tiers_of(["nano_banana"])}, {"tier": Tier.NANO_BANANA}),
        ({"models": frozenset({"a", "b"})}, {"model": "b"}),
    ],
)
def test_rules_allow(rules: dict[str, Any], asked: dict[str, Any]) -> None:
    """A key without rules allows everything of its scope; one with rules all within them."""
    allow_request(key(**rules), ImageRequest(prompt="a fox", scope="acme/studio", **asked))


def test_calls_to_a_model_need_its_tier_too() -> None:
    """Where tiers and models are set both must fit; a model that serves no tier fits no set of tiers."""
    both = key(tiers=tiers_of(["nano_banana"]), models=frozenset({"m"}))
    allow_call(both, "m", tier=Tier.NANO_BANANA, size=Size.K4)
    with pytest.raises(KeyForbids, match="models m; 'x' is not among them"):
        allow_call(both, "x", tier=Tier.NANO_BANANA, size=None)
    with pytest.raises(KeyForbids, match="m, which serves no tier, is not among them"):
        allow_call(both, "m", tier=None, size=None)
    with pytest.raises(KeyForbids, match="at most 1K"):
        allow_call(key(max_size=Size.K1), "m", tier=None, size=Size.K4)


def test_decisions_keep_the_allowed_candidates() -> None:
    """Candidates the key may not use are dropped with the reason; the order of the others stays."""
    decision = decided(purpose=Purpose.HERO)
    assert len(decision.candidates) > 1
    last = decision.candidates[-1]
    narrowed = allow_decision(key(tiers=frozenset({last.tier})), decision)
    assert narrowed.candidates == (last,)
    new = narrowed.dropped[len(decision.dropped) :]
    assert [one.model for one in new] == [one.model.id for one in decision.candidates[:-1]]
    assert {(one.reason, one.detail) for one in new} == {
        ("key", "router key ir_k7f2m4qa (ci) may not use it")
    }
    assert allow_decision(KEY, decision) is decision


def test_a_decision_with_nothing_left_is_refused() -> None:
    """Where no candidate is allowed, the refusal names the first choice and what is allowed."""
    decision = decided()
    with pytest.raises(KeyForbids, match="may use the models nothing-of-ours") as refused:
        allow_decision(key(models=frozenset({"nothing-of-ours"})), decision)
    assert refused.value.asked == decision.head.model.id


def test_only_admin_keys_manage() -> None:
    """Managing takes an admin key, and the refusal says how to make one."""
    allow_admin(key(admin=True))
    with pytest.raises(KeyForbids, match="image-router keys create NAME --admin"):
        allow_admin(KEY)
