"""decide(): the shipped facts and policies on the article's day and on a late one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk import ARTICLE, TODAY, conversation, policies, reasons, reference, served, world
from image_router.core.catalog import ModelState
from image_router.core.decision import Decision, DropReason, Snapshot
from image_router.core.errors import (
    CostLimitExceeded,
    InvalidRequest,
    ModelRetired,
    NoEligibleTier,
    RequestError,
)
from image_router.core.policy import GuardChoice
from image_router.core.routing import decide
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    Grounding,
    ImageRequest,
    Lane,
    PersonGeneration,
    Purpose,
    Quality,
    RetiredPolicy,
    SafetySetting,
    Size,
    ThinkingLevel,
    Tier,
)

PRO, NANO_21, LITE = "gemini-3-pro-image", "gemini-nano-banana-2.1", "gemini-3.1-flash-lite-image"
SEED = {
    "nano_banana_pro": "gemini-3-pro-image-preview",
    "gemini_31_flash_image": "gemini-3.1-flash-image-preview",
    "nano_banana": "gemini-2.5-flash-image",
    "imagen_4_ultra": "imagen-4.0-ultra-generate-001",
    "imagen_4_standard": "imagen-4.0-generate-001",
    "imagen_4_fast": "imagen-4.0-fast-generate-001",
}
LATE = {
    "nano_banana_pro": (PRO, None),
    "gemini_31_flash_image": (NANO_21, "medium"),
    "nano_banana": (LITE, "minimal"),
    "imagen_4_ultra": (PRO, None),
    "imagen_4_standard": (NANO_21, "high"),
    "imagen_4_fast": (NANO_21, "minimal"),
}
BY_PURPOSE = {
    "economy": ("economy", "nano_banana"),
    "draft": ("draft", "imagen_4_fast"),
    "preview": ("draft", "imagen_4_fast"),
    "hero": ("hero", "imagen_4_standard"),
    "final_hero": ("print final", "imagen_4_ultra"),
    "contextual_edit": ("contextual edit", "gemini_31_flash_image"),
    "character_lock": ("locked identity", "nano_banana_pro"),
}
PRESSED = Snapshot(pressure={"default": 89})


def ask(prompt: str = "a fox", **fields: object) -> ImageRequest:
    return ImageRequest(prompt=prompt, **fields)  # type: ignore[arg-type]


def each_tier_once(decision: Decision) -> None:
    """Every tier is a candidate or dropped, never both; every drop says why."""
    tiers = [c.tier for c in decision.candidates] + [d.tier for d in decision.dropped if d.tier]
    assert sorted(str(t) for t in tiers if t) == sorted(Tier)
    assert all(drop.detail for drop in decision.dropped)
    uses = [(c.model.id, c.parameters.thinking or c.model.default_thinking) for c in decision.candidates]
    assert len(set(uses)) == len(uses)


@pytest.mark.parametrize("purpose", Purpose)
def test_purposes_in_the_article(purpose: Purpose) -> None:
    """On the article's day each purpose is served by the article's model of its tier."""
    decision = decide(ask(purpose=purpose), world(ARTICLE))
    rule, tier = BY_PURPOSE[purpose]
    assert (decision.rule, served(decision)[0]) == (rule, (tier, SEED[tier]))
    assert all(model == SEED[name] for name, model in served(decision))
    each_tier_once(decision)


@pytest.mark.parametrize("purpose", Purpose)
def test_purposes_late(purpose: Purpose) -> None:
    """Late in the year each purpose is served by the successor, with the tier's own thinking level."""
    decision = decide(ask(purpose=purpose), world(TODAY))
    rule, tier = BY_PURPOSE[purpose]
    assert decision.rule == rule
    assert decision.head.tier == tier
    used = {str(c.tier): (c.model.id, c.parameters.thinking) for c in decision.candidates}
    assert used.items() <= LATE.items()
    assert all(c.model.state(TODAY).serves for c in decision.candidates)
    each_tier_once(decision)


def test_one_model_counts_once() -> None:
    """Two tiers that use one model the same way are one candidate; the second is dropped by that name."""
    decision = decide(ask(purpose="character_lock"), world(TODAY))
    assert reasons(decision)["imagen_4_ultra"] == "same_model"
    asked = decide(ask(purpose="draft", thinking=ThinkingLevel.MINIMAL), world(TODAY))
    assert [m for _, m in served(asked)].count(NANO_21) == 1


def test_the_cheaper_use_of_one_model_goes_first() -> None:
    """Where economy's own model makes no 4K, three uses of one model stand cheapest first, and say why."""
    decision = decide(ask(size=Size.K4), world(TODAY))
    uses = [one for one in decision.candidates if one.model.id == NANO_21]
    assert [one.parameters.thinking for one in uses] == ["minimal", "medium", "high"]
    assert [one.quote.total for one in uses] == sorted(one.quote.total for one in uses)
    assert decision.head.reason == f"fallback 3 of nano_banana, before dearer uses of {NANO_21}"


@pytest.mark.parametrize("purpose", ["hero", "contextual_edit"])
def test_a_cheaper_use_that_thinks_less_waits_its_turn(purpose: str) -> None:
    """What thinks less than the rule's own tier keeps the place that the policy gives it."""
    decision = decide(ask(purpose=purpose), world(TODAY))
    order = [tier for tier, _ in served(decision)]
    asked = world(TODAY).policy.fallbacks[Tier(BY_PURPOSE[purpose][1])]
    assert order[1:] == [tier for tier in asked if tier in order]


def test_a_twin_shares_the_reason_of_the_tier_it_counts_as() -> None:
    """When the tier that stood for both is too dear, the other is dropped for that, not as its twin."""
    decision = decide(ask(purpose="hero"), world(TODAY))
    drops = {str(drop.tier): drop for drop in decision.dropped}
    assert drops["nano_banana_pro"].reason is DropReason.DEARER_THAN_ALLOWED
    assert drops["nano_banana_pro"].detail == f"{drops['imagen_4_ultra'].detail} (the same as imagen_4_ultra)"


def test_a_level_named_or_left_to_the_default_is_the_same_use() -> None:
    """A candidate at the model's default level and one that names this level count once."""
    decision = decide(ask(purpose="contextual_edit", thinking=ThinkingLevel.MEDIUM), world(TODAY))
    assert served(decision) == [("gemini_31_flash_image", NANO_21)]
    assert reasons(decision)["imagen_4_standard"] == "same_model"


@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize(("day", "models"), [(ARTICLE, SEED), (TODAY, {k: v[0] for k, v in LATE.items()})])
def test_pinned_tier(tier: Tier, day: date, models: dict[str, str]) -> None:
    """A pinned tier moves to the model of the day by itself, and has no fallback."""
    decision = decide(ask(tier=tier), world(day))
    assert served(decision) == [(tier, models[tier])]
    assert decision.rule == "pinned tier"
    assert set(reasons(decision).values()) == {"pinned_elsewhere"}
    each_tier_once(decision)


@pytest.mark.parametrize("name", [PRO, "models/gemini-3-pro-image"])
def test_pinned_model(name: str) -> None:
    """A pinned living model serves, by its id or Google's resource name."""
    decision = decide(ask(model=name), world(TODAY))
    assert served(decision) == [("nano_banana_pro", PRO)]
    assert decision.rule == "pinned model"
    each_tier_once(decision)


def test_pinned_alias() -> None:
    """An alias pins the model it stands for."""
    assert (
        decide(ask(model="nano-banana-pro-preview"), world(ARTICLE)).head.model.id == SEED["nano_banana_pro"]
    )


def test_pinned_unknown_model() -> None:
    """A model that is in no catalog is refused with the known ids."""
    with pytest.raises(
        InvalidRequest, match=r"'dall-e-9' is not in the catalog; it knows .*gemini-3-pro-image"
    ):
        decide(ask(model="dall-e-9"), world())


def test_pinned_retired_model() -> None:
    """A retired id is refused with its shutdown date, its successor and the way out."""
    words = r"is retired on 2026-11-22 \(shutdown 2026-08-17.*use gemini-nano.*retired=substitute"
    with pytest.raises(ModelRetired, match=words) as caught:
        decide(ask(model="imagen-4.0-generate-001"), world())
    assert (caught.value.successor, caught.value.shutdown) == (NANO_21, date(2026, 8, 17))


def test_pinned_uncertain_model() -> None:
    """An id past a date whose sources conflict is refused, and the refusal names the way to settle it."""
    with pytest.raises(
        ModelRetired,
        match=r"is uncertain .*; open only to projects that used 2\.5 models before\): "
        r'.*\[model_states\] "gemini-2.5-flash-image" = "alive"',
    ):
        decide(ask(model="gemini-2.5-flash-image"), world())


def test_substitute_for_a_retired_model() -> None:
    """With retired=substitute the successor serves, and a warning says so."""
    decision = decide(ask(model="imagen-4.0-generate-001", retired=RetiredPolicy.SUBSTITUTE), world())
    assert decision.head.model.id == NANO_21
    assert decision.warnings == (
        f"imagen-4.0-generate-001 is retired on 2026-11-22: {NANO_21} serves instead",
    )
    assert decision.head.reason == "stands in for the pinned imagen-4.0-generate-001"


def test_override_keeps_an_uncertain_model() -> None:
    """A model that the operator knows to live serves its pin and its tier past the uncertain date."""
    alive = world(states={"gemini-2.5-flash-image": "alive"})
    assert decide(ask(model="gemini-2.5-flash-image"), alive).head.model.id == "gemini-2.5-flash-image"
    assert served(decide(ask(), alive))[0] == ("nano_banana", "gemini-2.5-flash-image")


def test_model_not_yet_released() -> None:
    """A model that is not out on the day is refused as such, with its release date, and never substituted."""
    request = ask(model=NANO_21, retired=RetiredPolicy.SUBSTITUTE)
    with pytest.raises(InvalidRequest, match=r"is released on 2026-10-06, after 2026-04-09"):
        decide(request, world(ARTICLE))


EASY = {"prompt": "a fox"}
REACHED = {
    DropReason.SIZE: (ARTICLE, {"size": Size.K4}, "nano_banana"),
    DropReason.RATIO: (ARTICLE, {"aspect": AspectRatio.R21_9}, "imagen_4_standard"),
    DropReason.REFERENCES: (ARTICLE, {"references": (reference(),)}, "imagen_4_fast"),
    DropReason.PROMPT_LENGTH: (ARTICLE, {"prompt": "fox " * 600}, "imagen_4_ultra"),
    DropReason.LANGUAGE: (ARTICLE, {"prompt": "一只狐狸"}, "imagen_4_standard"),
    DropReason.BATCH: (ARTICLE, {"lane": Lane.BATCH}, "imagen_4_fast"),
    DropReason.SEED: (ARTICLE, {"seed": 7}, "imagen_4_fast"),
    DropReason.SAFETY: (
        ARTICLE,
        {"safety": (SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE"),)},
        "imagen_4_fast",
    ),
    DropReason.PERSON_GENERATION: (
        ARTICLE,
        {"purpose": "hero", "person_generation": PersonGeneration.ALLOW_ADULT},
        "nano_banana",
    ),
    DropReason.SYSTEM_INSTRUCTION: (ARTICLE, {"system_instruction": "be brief"}, "nano_banana"),
    DropReason.GROUNDING: (TODAY, {"grounding": (Grounding.IMAGE,)}, "nano_banana_pro"),
    DropReason.THINKING: (TODAY, {"thinking": ThinkingLevel.HIGH}, "nano_banana_pro"),
    DropReason.CONVERSATION: (TODAY, {"conversation": conversation(NANO_21)}, "nano_banana"),
    DropReason.QUALITY: (TODAY, {"quality_floor": Quality.HIGH}, "nano_banana"),
    DropReason.MAX_COST: (ARTICLE, {"max_cost": 39_000_000}, "gemini_31_flash_image"),
    DropReason.DEARER_THAN_ALLOWED: (ARTICLE, {}, "nano_banana_pro"),
    DropReason.SAME_MODEL: (TODAY, {"purpose": "final_hero"}, "nano_banana_pro"),
    DropReason.PINNED_ELSEWHERE: (TODAY, {"tier": Tier.NANO_BANANA}, "imagen_4_fast"),
}


@pytest.mark.parametrize("reason", REACHED)
def test_each_reason_is_reached(reason: DropReason) -> None:
    """A tier that cannot do what is asked is dropped by its own reason, and the next one serves."""
    day, fields, tier = REACHED[reason]
    here = world(day)
    if reason is DropReason.CONVERSATION:
        here = replace(here, policy=replace(here.policy, adapt=frozenset()))
    decision = decide(ask(**{**EASY, **fields}), here)
    assert reasons(decision)[tier] == reason
    each_tier_once(decision)


def test_open_circuit() -> None:
    """A model whose circuit is open is passed over, with every tier it serves."""
    decision = decide(ask(purpose="hero"), world(), snapshot=Snapshot(open_circuits=frozenset({NANO_21})))
    dropped = reasons(decision)
    assert decision.head.model.id == LITE
    assert [dropped[t] for t in ("imagen_4_standard", "imagen_4_fast")] == ["circuit_open"] * 2


def test_guard_drop() -> None:
    """Near the end of a budget what is dearer than the first choice is dropped by the guard."""
    assert (
        reasons(decide(ask(), world(), snapshot=Snapshot(pressure={"a": 95})))["imagen_4_standard"] == "guard"
    )


def test_no_fallback_named() -> None:
    """A tier that the policy names nowhere behind the first choice is listed as no fallback."""
    here = world()
    alone = replace(here.policy, fallbacks=dict.fromkeys(Tier, ()))
    decision = decide(ask(), replace(here, policy=alone))
    assert served(decision) == [("nano_banana", LITE)]
    assert set(reasons(decision).values()) == {"not_a_fallback"}
    each_tier_once(decision)


def test_no_living_model() -> None:
    """A tier whose lineage has no living model is reported, never guessed."""
    gone = world(states={LITE: "retired"})
    decision = decide(ask(), gone)
    assert reasons(decision)["nano_banana"] == "no_living_model"
    assert decision.head.tier == "gemini_31_flash_image"
    with pytest.raises(NoEligibleTier, match="no model of nano_banana is known to live on 2026-11-22"):
        decide(ask(tier=Tier.NANO_BANANA), gone)


def test_no_price() -> None:
    """A model without a price in the card is dropped, not guessed; so is a size without one."""
    here = world(ARTICLE)
    rates = {m: r for m, r in here.card.models.items() if m != "gemini-2.5-flash-image"}
    standard = here.card.models["imagen-4.0-generate-001"]
    only_1k = {Lane.INTERACTIVE: {Size.K1: 40_000_000}}
    rates["imagen-4.0-generate-001"] = replace(standard, per_image=only_1k)
    decision = decide(ask(size=Size.K2), replace(here, card=replace(here.card, models=rates)))
    assert reasons(decision)["imagen_4_standard"] == "no_price"
    decision = decide(ask(), replace(here, card=replace(here.card, models=rates)))
    assert reasons(decision)["nano_banana"] == "no_price"


@pytest.mark.parametrize(
    ("fields", "tier", "kind", "size", "aspect"),
    [
        ({"size": Size.K4}, "imagen_4_fast", Adaptation.SMALLER_SIZE, Size.K1, None),
        ({"size": Size.K4}, "imagen_4_ultra", Adaptation.SMALLER_SIZE, Size.K2, None),
        ({"aspect": AspectRatio.R8_1}, "nano_banana", Adaptation.NEAREST_RATIO, Size.K1, AspectRatio.R21_9),
        ({"aspect": AspectRatio.R2_3}, "imagen_4_fast", Adaptation.NEAREST_RATIO, Size.K1, AspectRatio.R3_4),
        (
            {"system_instruction": "be brief"},
            "nano_banana",
            Adaptation.FOLD_SYSTEM_INSTRUCTION,
            Size.K1,
            None,
        ),
    ],
)
def test_allowed_adaptations(
    fields: dict[str, object], tier: Tier, kind: Adaptation, size: Size, aspect: AspectRatio | None
) -> None:
    """An allowed change is made to the nearest thing the model can do, and reported."""
    head = decide(ask(tier=Tier(tier), allow=frozenset({kind}), **fields), world(ARTICLE)).head
    assert (head.parameters.size, head.parameters.aspect) == (size, aspect)
    assert [change.kind for change in head.adapted] == [kind]
    assert head.model.id in head.adapted[0].detail
    with pytest.raises(NoEligibleTier):
        decide(ask(tier=Tier(tier), **fields), world(ARTICLE))


def test_never_a_larger_size() -> None:
    """No size is ever made larger: 512 on a model that begins at 1K is refused, whatever is allowed."""
    with pytest.raises(NoEligibleTier, match="makes 1K, not 512"):
        decide(ask(tier=Tier.NANO_BANANA, size=Size.S512, allow=frozenset(Adaptation)), world(ARTICLE))


def test_the_quote_is_of_what_is_sent() -> None:
    """An instruction folded into the prompt is quoted as sent: its words and the blank line between."""
    request = ask(tier=Tier.NANO_BANANA, system_instruction="x" * 10, allow=frozenset(Adaptation))
    lines = {line.kind.value: line for line in decide(request, world(ARTICLE)).head.quote.lines}
    assert lines["text input"].ceiling_units == len("a fox") + 2 + 10


def test_a_flattened_history_is_one_reference() -> None:
    """A long conversation that another family continues counts and costs as its last picture."""
    talk = conversation("gemini-3.1-flash-image-preview", pictures=9, words="w" * 4000)
    decision = decide(ask(tier=Tier.NANO_BANANA, conversation=talk), world(ARTICLE))
    lines = {line.kind.value: line.units for line in decision.head.quote.lines}
    assert lines["reference input"] == 258
    assert lines["text input"] == 2
    assert [change.kind for change in decision.head.adapted] == [Adaptation.FLATTEN_HISTORY]


def test_the_same_family_keeps_its_history() -> None:
    """A conversation goes on unflattened with the family that began it, and each of its pictures is paid."""
    decision = decide(
        ask(tier=Tier.GEMINI_31_FLASH_IMAGE, conversation=conversation(NANO_21, pictures=3)), world()
    )
    assert decision.head.adapted == ()
    assert {line.kind.value: line.units for line in decision.head.quote.lines}["reference input"] == 3 * 1120


def test_max_cost_is_per_image() -> None:
    """The limit per image is compared with the expected quote of one image, whatever n is."""
    one = decide(ask(), world(ARTICLE)).head.quote.per_image
    assert decide(ask(n=50, max_cost=one), world(ARTICLE)).head.tier == "nano_banana"
    assert decide(ask(n=50, max_cost=one - 1), world(ARTICLE)).head.tier == "imagen_4_fast"


def test_max_total_is_for_the_request() -> None:
    """The limit for the request is compared with the expected quote of all images."""
    one = decide(ask(), world(ARTICLE)).head.quote.per_image
    assert decide(ask(n=3, max_total=3 * one), world(ARTICLE)).head.tier == "nano_banana"
    assert decide(ask(n=3, max_total=3 * one - 1), world(ARTICLE)).head.tier == "imagen_4_fast"


@pytest.mark.parametrize(
    ("limits", "limit", "asked", "words"),
    [
        ({"max_cost": 19_000_000}, 19_000_000, 20_000_000, r"costs \$0.02; the limit is \$0.019"),
        ({"max_total": 39_000_000, "n": 2}, 39_000_000, 40_000_000, r"costs \$0.04; the limit is \$0.039"),
        ({"max_cost": 0}, 0, 20_000_000, r"limit is \$0.00: raise it"),
    ],
)
def test_too_dear(limits: dict[str, int], limit: int, asked: int, words: str) -> None:
    """When only the limit is in the way, the error names the cheapest model, its price and the limit."""
    with pytest.raises(CostLimitExceeded, match=f"imagen-4.0-fast.*{words}") as caught:
        decide(ask(**limits), world(ARTICLE))
    assert (caught.value.limit, caught.value.asked) == (limit, asked)


def test_quality_floor() -> None:
    """No tier below the floor serves; the next good enough does."""
    decision = decide(ask(quality_floor=Quality.PRINT), world(ARTICLE))
    assert {tier for tier, _ in served(decision)} <= {"nano_banana_pro", "imagen_4_ultra"}


def test_batch_costs_half() -> None:
    """The batch lane drops Imagen and quotes the others at half, line by line."""
    batch = decide(ask(lane=Lane.BATCH), world(ARTICLE))
    assert {"imagen_4_ultra", "imagen_4_standard", "imagen_4_fast"}.isdisjoint(t for t, _ in served(batch))
    full = {c.tier: c.quote.total for c in decide(ask(), world(ARTICLE)).candidates}
    assert all(2 * c.quote.total == full[c.tier] for c in batch.candidates if c.tier in full)
    with pytest.raises(NoEligibleTier, match="has no batch; use the interactive lane"):
        decide(ask(tier=Tier.IMAGEN_4_FAST, lane=Lane.BATCH), world(ARTICLE))


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"prompt": "a naïve café, 50 µm, 5 Ω, 90°, Å, ﬁne, 𝐛old, 🦊"}, True),
        ({"prompt": "лиса"}, False),
        ({"prompt": "a fox and the sign 狐"}, False),
        ({"text": "狐"}, False),
        ({"prompt": "лиса", "language": "en-GB"}, True),
        ({"prompt": "ein Fuchs", "language": "de"}, False),
    ],
)
def test_imagen_reads_english(fields: dict[str, str], fits: bool) -> None:
    """Imagen is passed over for other scripts and languages; a stated language has the last word."""
    decision = decide(ask(**{**EASY, **fields, "purpose": "hero"}), world(ARTICLE))
    assert (decision.head.tier == "imagen_4_standard") is fits


def test_fifteen_references() -> None:
    """Fifteen references are one more than any model takes, and every tier says its own number."""
    many = tuple(reference(str(i)) for i in range(15))
    with pytest.raises(NoEligibleTier, match="takes 14 reference images, not 15") as caught:
        decide(ask(references=many), world())
    assert {drop.reason for drop in caught.value.dropped} == {DropReason.REFERENCES}
    assert len(caught.value.dropped) == len(Tier)


def test_locked_identity_that_moves_is_told() -> None:
    """A locked identity that its first choice cannot serve goes on with a warning, never silently."""
    decision = decide(
        ask(purpose="character_lock", references=(reference(),)),
        world(),
        snapshot=Snapshot(open_circuits=frozenset({PRO})),
    )
    assert decision.warnings == (
        f"the identity is locked, and {NANO_21} (gemini_31_flash_image) serves, not {PRO} (nano_banana_pro): "
        "compare the looks",
    )
    assert decide(ask(purpose="character_lock"), world()).warnings == ()
    dead = decide(ask(purpose="character_lock"), world(states={PRO: "retired"}))
    assert dead.head.tier is not Tier.NANO_BANANA_PRO
    assert "serves, not a model of nano_banana_pro, of which none lives: compare" in dead.warnings[0]


@pytest.mark.parametrize(
    ("fields", "snapshot"),
    [
        ({"max_cost": 80_000_000}, Snapshot()),
        ({"size": Size.S512}, Snapshot()),
        ({}, Snapshot(pressure={"a": 95})),
    ],
)
def test_every_way_off_the_specialist_is_told(fields: dict[str, Any], snapshot: Snapshot) -> None:
    """A limit, a shape or the guard that moves a locked identity is named with both models."""
    here = world(states={"gemini-3.1-flash-image": "alive"})
    degrading = replace(here.policy, guard=replace(here.policy.guard, locked=GuardChoice.DEGRADE))
    request = ask(purpose="character_lock", references=(reference(),), **fields)
    decision = decide(request, replace(here, policy=degrading), snapshot=snapshot)
    (warning,) = decision.warnings
    assert decision.head.model.id != PRO
    assert f"{decision.head.model.id} ({decision.head.tier}) serves, not {PRO} (nano_banana_pro)" in warning


@pytest.mark.parametrize(
    ("model", "fields", "tier", "first", "second"),
    [
        (LITE, {}, "nano_banana", LITE, NANO_21),
        (PRO, {}, "nano_banana_pro", PRO, NANO_21),
        (NANO_21, {"purpose": "hero"}, "imagen_4_standard", NANO_21, NANO_21),
        (LITE, {"purpose": "hero"}, "nano_banana", LITE, NANO_21),
    ],
)
def test_a_conversation_stays_with_its_family(
    model: str, fields: dict[str, Any], tier: str, first: str, second: str
) -> None:
    """Models that read the conversation's signatures come first and say so; others follow, flattened."""
    asked = {"purpose": "contextual_edit", **fields}
    decision = decide(ask(conversation=conversation(model), **asked), world())
    assert (str(decision.head.tier), decision.head.model.id) == (tier, first)
    assert decision.head.adapted == ()
    assert decision.head.reason.startswith(f"continues the conversation with {model}, whose signatures")
    assert decision.rule == asked["purpose"].replace("_", " ")
    if len(decision.candidates) > 1:
        flattened = decision.candidates[-1]
        assert decision.candidates[1].model.id == second
        assert [change.kind for change in flattened.adapted] == [Adaptation.FLATTEN_HISTORY] * (
            flattened.model.family != decision.head.model.family
        )


def test_a_locked_identity_outranks_its_conversation() -> None:
    """A locked identity goes to its specialist, whoever began the conversation."""
    decision = decide(ask(purpose="character_lock", conversation=conversation(LITE)), world())
    assert decision.head.model.id == PRO


@pytest.mark.parametrize(
    ("language", "fits"), [("xx", False), ("uk", True), ("zh_CN", True), ("pt-PT", True)]
)
def test_gemini_languages(language: str, fits: bool) -> None:
    """A stated language that Gemini's page does not name is refused; naming none would work."""
    if fits:
        assert decide(ask(language=language), world()).dropped[0].reason is not DropReason.LANGUAGE
        return
    with pytest.raises(NoEligibleTier, match=r"understands en, ar-EG, .*, not xx") as caught:
        decide(ask(language=language), world())
    assert {drop.reason for drop in caught.value.dropped} == {DropReason.LANGUAGE}
    assert decide(ask(prompt="ένα αλεπού"), world()).head.model.id == LITE


@pytest.mark.parametrize(
    ("model", "day", "tier", "serves", "thinking"),
    [
        ("imagen-4.0-generate-001", TODAY, "imagen_4_standard", NANO_21, "high"),
        ("imagen-4.0-fast-generate-001", TODAY, "imagen_4_fast", NANO_21, "minimal"),
        ("imagen-4.0-ultra-generate-001", TODAY, "imagen_4_ultra", PRO, None),
        ("imagen-4.0-generate-001", date(2026, 9, 1), "imagen_4_standard", "gemini-3.1-flash-image", "high"),
        ("gemini-2.5-flash-image", TODAY, "nano_banana", LITE, "minimal"),
        ("gemini-3.1-flash-image-preview", TODAY, "gemini_31_flash_image", NANO_21, "medium"),
        ("gemini-3-pro-image-preview", TODAY, "nano_banana_pro", PRO, None),
    ],
)
def test_a_substitute_is_used_as_its_lineage_says(
    model: str, day: date, tier: str, serves: str, thinking: str | None
) -> None:
    """What stands in for a retired id has the tier and the thinking level with which its lineage goes on."""
    head = decide(ask(model=model, retired=RetiredPolicy.SUBSTITUTE), world(day)).head
    assert (head.tier, head.model.id, head.parameters.thinking) == (tier, serves, thinking)


def test_real_reasons_come_first() -> None:
    """A pinned tier's own reason stands before one line for the tiers that the pin left aside."""
    with pytest.raises(NoEligibleTier) as caught:
        decide(ask(tier=Tier.IMAGEN_4_FAST, size=Size.K4), world(ARTICLE))
    head, real, aside = str(caught.value).splitlines()
    assert head == "no tier can serve this request:"
    assert real.startswith("  imagen_4_fast: imagen-4.0-fast-generate-001 makes 1K")
    assert aside.startswith("  not asked, since the request pins imagen_4_fast: nano_banana_pro, gemini_31")
    assert len(caught.value.dropped) == len(Tier)


def test_decision_names_its_sources() -> None:
    """A decision carries the day, the card and the policy that explain it."""
    decision = decide(ask(), world(date(2026, 7, 1)))
    assert (decision.as_of, decision.rate_card) == (date(2026, 7, 1), date(2026, 6, 30))
    assert decision.policy == "default 2026-11-22"
    assert decision.ceiling == max(c.quote.ceiling for c in decision.candidates)


PERSONAS = [
    ("ecommerce", {"purpose": "economy"}, "nano_banana"),
    ("ecommerce", {"purpose": "economy", "references": (reference(),)}, "nano_banana_pro"),
    ("ecommerce", {"purpose": "hero", "references": (reference(),)}, "nano_banana_pro"),
    ("ecommerce", {"purpose": "contextual_edit", "references": (reference(),)}, "gemini_31_flash_image"),
    ("content_studio", {"purpose": "economy"}, "nano_banana"),
    ("content_studio", {"purpose": "economy", "lane": Lane.BATCH}, "nano_banana"),
    ("content_studio", {"purpose": "hero"}, "imagen_4_standard"),
    ("content_studio", {"purpose": "final_hero"}, "imagen_4_ultra"),
    ("solo_founder", {"purpose": "draft"}, "imagen_4_fast"),
    ("solo_founder", {"purpose": "preview"}, "imagen_4_fast"),
    ("solo_founder", {"purpose": "economy"}, "nano_banana"),
    ("solo_founder", {"purpose": "hero"}, "nano_banana"),
    ("solo_founder", {"purpose": "final_hero"}, "nano_banana_pro"),
    ("print_desk", {"purpose": "hero"}, "imagen_4_ultra"),
    ("print_desk", {"purpose": "final_hero"}, "imagen_4_ultra"),
    ("print_desk", {"purpose": "preview"}, "imagen_4_fast"),
    ("print_desk", {"purpose": "contextual_edit"}, "gemini_31_flash_image"),
    ("print_desk", {"purpose": "economy", "references": (reference(),)}, "gemini_31_flash_image"),
    ("print_desk", {"purpose": "economy"}, "imagen_4_standard"),
    ("character_product", {"purpose": "economy"}, "nano_banana"),
    ("character_product", {"purpose": "economy", "references": (reference(),)}, "nano_banana_pro"),
    ("character_product", {"purpose": "contextual_edit", "references": (reference(),)}, "nano_banana_pro"),
    ("character_product", {"purpose": "draft"}, "imagen_4_fast"),
]


@pytest.mark.parametrize("day", [ARTICLE, TODAY])
@pytest.mark.parametrize(("profile", "fields", "tier"), PERSONAS)
def test_personas(profile: str, fields: dict[str, object], tier: str, day: date) -> None:
    """Each of the five profiles keeps the promises made for its persona, early and late."""
    assert decide(ask(**fields), world(day, profile)).head.tier == tier


@pytest.mark.parametrize("profile", ["default", *sorted(policies())])
@pytest.mark.parametrize("day", [ARTICLE, TODAY])
def test_a_locked_identity_means_pro_for_everyone(profile: str, day: date) -> None:
    """Whatever the profile and the purpose, a locked identity is served by the character specialist."""
    for purpose in Purpose:
        request = ask(purpose=purpose, identity_locked=True, references=(reference(),))
        assert decide(request, world(day, profile)).head.tier == "nano_banana_pro"


@pytest.mark.parametrize("day", [ARTICLE, TODAY])
@pytest.mark.parametrize("purpose", [p for p in Purpose if p not in ("final_hero", "character_lock")])
@pytest.mark.parametrize("size", [Size.K1, Size.K4])
def test_solo_founder_pays_for_pro_only_on_request(day: date, purpose: Purpose, size: Size) -> None:
    """A solo founder's everyday pictures never fall back to Pro, neither as itself nor under Ultra's name."""
    decision = decide(ask(purpose=purpose, size=size), world(day, "solo_founder"))
    assert not any("pro" in model or "ultra" in model for _, model in served(decision))


VALID = st.builds(
    ImageRequest,
    prompt=st.sampled_from(["a fox", "狐", "x" * 3000, "x" * 500_000]),
    purpose=st.sampled_from(Purpose),
    text=st.none() | st.just("SALE"),
    text_heavy=st.booleans(),
    references=st.integers(0, 16).map(lambda n: tuple(reference(str(i)) for i in range(n))),
    size=st.sampled_from(Size),
    aspect=st.none() | st.sampled_from(AspectRatio),
    n=st.sampled_from([1, 3, 100]),
    lane=st.sampled_from(Lane),
    tier=st.none() | st.sampled_from(Tier),
    retired=st.sampled_from(RetiredPolicy),
    max_cost=st.none() | st.integers(0, 500_000_000),
    max_total=st.none() | st.integers(0, 5_000_000_000),
    quality_floor=st.none() | st.sampled_from(Quality),
    identity_locked=st.booleans(),
    thinking=st.none() | st.sampled_from(ThinkingLevel),
    seed=st.none() | st.just(7),
    person_generation=st.none() | st.sampled_from(PersonGeneration),
    system_instruction=st.none() | st.just("be brief"),
    grounding=st.sets(st.sampled_from(Grounding)).map(tuple),
    language=st.none() | st.sampled_from(["en", "de"]),
    conversation=st.none() | st.sampled_from([conversation(PRO), conversation(NANO_21, pictures=4)]),
    allow=st.frozensets(st.sampled_from(Adaptation)),
)
DAYS = st.dates(ARTICLE, date(2027, 4, 1))
STATES = st.dictionaries(
    st.sampled_from(["gemini-2.5-flash-image", LITE, PRO, "gemini-3.1-flash-image"]),
    st.sampled_from([ModelState.ALIVE, ModelState.RETIRED]),
    max_size=3,
)


@settings(max_examples=400)
@given(VALID, DAYS, st.sampled_from(sorted(policies())), STATES)
def test_only_typed_errors_escape(
    request: ImageRequest, day: date, profile: str, states: dict[str, str]
) -> None:
    """Any valid request on any day is decided or refused with a typed error, and every limit is kept."""
    try:
        decision = decide(request, world(day, profile, states=states), snapshot=PRESSED)
    except RequestError:
        return
    each_tier_once(decision)
    for candidate in decision.candidates:
        parameters, model = candidate.parameters, candidate.model
        assert parameters.size in model.sizes
        assert parameters.aspect is None or model.pixels[parameters.aspect][parameters.size]
        assert candidate.quote.total <= candidate.quote.ceiling
        assert request.max_cost is None or candidate.quote.per_image <= request.max_cost
        assert request.max_total is None or candidate.quote.total <= request.max_total
        kinds = {change.kind for change in candidate.adapted}
        assert kinds <= request.allow | {Adaptation.FLATTEN_HISTORY}
        assert (parameters.size == request.size) is (Adaptation.SMALLER_SIZE not in kinds)
        assert (parameters.aspect == request.aspect) is (Adaptation.NEAREST_RATIO not in kinds)


@pytest.mark.parametrize("day", [ARTICLE, date(2026, 5, 28), date(2026, 7, 1), date(2026, 10, 7), TODAY])
def test_every_shape(day: date) -> None:
    """For each ratio, size and tier the model has the documented pixels, or is dropped for its shape."""
    for aspect in AspectRatio:
        for size in Size:
            for tier in Tier:
                try:
                    head = decide(ask(aspect=aspect, size=size, tier=tier), world(day)).head
                except NoEligibleTier as error:
                    (drop,) = [d for d in error.dropped if d.tier is tier]
                    assert drop.reason in (DropReason.SIZE, DropReason.RATIO)
                else:
                    assert head.model.pixels_for(aspect, size)
