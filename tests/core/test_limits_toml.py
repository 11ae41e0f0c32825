"""Limits and circuits are data: what the shipped files say, spelled out, and how broken ones are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from image_router import facts
from image_router.core.breaker import OpenFor, Place, Probe, TripRule
from image_router.core.causes import Cause
from image_router.core.errors import ConfigError
from image_router.core.limits import LimitBook, TrafficRules, UsageTier
from image_router.core.limits_toml import parse_circuits, parse_limits
from image_router.core.money import USD
from image_router.core.toml_table import TomlFile

SHIPPED = facts.SHIPPED / "limits"
PRO, FLASH_25, NANO_21 = "gemini-3-pro-image", "gemini-2.5-flash-image", "gemini-nano-banana-2.1"
ULTRA, FAST = "imagen-4.0-ultra-generate-001", "imagen-4.0-fast-generate-001"
MINUTE, DAY, TOKENS = "requests per minute", "requests per day", "tokens per minute"


def file(path: Path) -> TomlFile:
    return TomlFile(str(path), path.read_text(encoding="utf-8"))


def shipped() -> LimitBook:
    return parse_limits(file(SHIPPED / "gemini.toml"))


def circuits() -> dict[str, TripRule]:
    return {rule.name: rule for rule in parse_circuits(file(SHIPPED / "circuits.toml"))}


@pytest.mark.parametrize(
    ("model", "tier", "limits"),
    [
        (PRO, "1", {MINUTE: 20, TOKENS: 100_000, DAY: 250}),
        (PRO, "2", {MINUTE: 500, TOKENS: 500_000, DAY: 15_000}),
        (PRO, "3", {MINUTE: 5_000, TOKENS: 5_000_000}),
        (f"{PRO}-preview", "1", {MINUTE: 20, TOKENS: 100_000, DAY: 250}),
        (FLASH_25, "1", {MINUTE: 500, TOKENS: 500_000, DAY: 2_000}),
        (FLASH_25, "2", {MINUTE: 2_000, TOKENS: 1_500_000, DAY: 50_000}),
        (FAST, "1", {MINUTE: 10, DAY: 70}),
        (FAST, "2", {MINUTE: 15, DAY: 1_000}),
        (ULTRA, "1", {MINUTE: 5, DAY: 30}),
        (ULTRA, "3", {MINUTE: 15, DAY: 5_000}),
        (NANO_21, "1", {MINUTE: None}),
    ],
)
def test_published_limits(model: str, tier: str, limits: dict[str, int | None]) -> None:
    """The last published table, row by row; what was never published is not invented."""
    found = {limit.name: limit.amount for limit in shipped().limits(model, UsageTier(tier))}
    del found["dollars per 10 minutes"]
    assert found == limits


@pytest.mark.parametrize(("tier", "dollars"), [("1", 10), ("2", 50), ("3", 200)])
def test_spend_limits(tier: str, dollars: int) -> None:
    """$10, $50 and $200 in ten minutes, over all models of a project."""
    limits = {limit.name: limit for limit in shipped().limits(PRO, UsageTier(tier))}
    spend = limits["dollars per 10 minutes"]
    assert spend.amount == dollars * USD
    assert spend.by_project
    assert spend.learns_from == {Cause.SPEND_LIMIT}


def test_each_project_has_its_tier() -> None:
    """A project's own usage tier counts; all others have the default."""
    rules = TrafficRules(book=shipped(), trips=(), tiers={"big": UsageTier.T3}, tier=UsageTier.T2)
    by_project = {
        project: {limit.name: limit.amount for limit in rules.limits(PRO, project)}[MINUTE]
        for project in ("big", "small")
    }
    assert by_project == {"big": 5_000, "small": 500}


def test_without_a_tier_nothing_is_limited() -> None:
    """A project of unknown tier has no figures, counts nothing and learns no rate."""
    rules = TrafficRules(book=shipped(), trips=(), tier=None)
    limits = rules.limits(PRO, "any")
    assert limits
    assert {(limit.amount, limit.counted) for limit in limits} == {(None, False)}


def test_limits_name_their_source() -> None:
    """Where the figures come from and when they were last looked at is part of them."""
    assert "rate-limits" in shipped().source
    assert shipped().checked == date(2026, 11, 22)


@pytest.mark.parametrize(
    ("cause", "at", "after", "seconds", "longest", "probe"),
    [
        (Cause.MODEL_NOT_FOUND, Place.PROJECT_MODEL, 1, 86_400, 86_400, Probe.FREE),
        (Cause.NOT_ENTITLED, Place.PROJECT_MODEL, 1, 86_400, 86_400, Probe.FREE),
        (Cause.CREDITS_DEPLETED, Place.PROJECT, 1, 600, 3_600, Probe.CALL),
        (Cause.NO_QUOTA, Place.PROJECT, 1, 3_600, 86_400, Probe.CALL),
        (Cause.BILLING_REQUIRED, Place.PROJECT_MODEL, 1, 3_600, 86_400, Probe.CALL),
        (Cause.BAD_KEY, Place.KEY, 1, 600, 3_600, Probe.FREE),
        (Cause.KEY_RESTRICTED, Place.KEY, 1, 600, 3_600, Probe.FREE),
        (Cause.OVERLOADED, Place.MODEL, 5, 30, 60, Probe.CALL),
        (Cause.CAPACITY, Place.MODEL, 5, 30, 60, Probe.CALL),
        (Cause.INTERNAL, Place.MODEL, 10, 30, 60, Probe.CALL),
    ],
)
def test_what_opens_a_circuit(
    cause: Cause, at: Place, after: int, seconds: int, longest: int, probe: Probe
) -> None:
    """Each failure opens its circuit at the scope it names, for the time the facts give it."""
    rule = next(rule for rule in circuits().values() if cause in rule.causes)
    assert (rule.at, rule.after, rule.seconds, rule.longest, rule.probe) == (
        at,
        after,
        seconds,
        longest,
        probe,
    )


def test_circuits_that_last_until_something_happens() -> None:
    """A daily quota lasts to midnight, a leaked key for ever, and only a missing model is gone."""
    rules = circuits()
    assert rules["daily_quota"].open_for is OpenFor.MIDNIGHT
    assert rules["daily_quota"].zone == "America/Los_Angeles"
    assert rules["key_leaked"].open_for is OpenFor.FOR_EVER
    assert [rule.name for rule in rules.values() if rule.gone] == ["gone"]


@pytest.mark.parametrize(
    "cause", [Cause.RATE_LIMIT, Cause.SPEND_LIMIT, Cause.REGION, Cause.PROMPT_BLOCKED, Cause.BAD_PARAMETER]
)
def test_what_opens_none(cause: Cause) -> None:
    """What is paced, concerns this server alone, or lies in the request leaves all circuits closed."""
    assert not any(cause in rule.causes for rule in circuits().values())


GOOD_LIMITS = (SHIPPED / "gemini.toml").read_text(encoding="utf-8")
GOOD_CIRCUITS = (SHIPPED / "circuits.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('1 = "10"', "1 = 10", "must be text in quotes"),
        ('1 = "10"', '1 = "0"', "must be above 0"),
        ('1 = "10"\n', "", "has no tier 1"),
        ('3 = "200"', '4 = "200"', "'4' is not one of 1, 2, 3"),
        ("keep_percent = 80", "keep_percent = 120", "120 is above 100"),
        ("recover_percent = 5", "recover_percent = 0", "must be above 0"),
        ('day_zone = "America/Los_Angeles"', 'day_zone = "Pacific"', "is not a time zone"),
        ("requests_per_minute = 20,", "requests_per_second = 20,", "is not a known key"),
        ("requests_per_minute = 20,", "requests_per_minute = -1,", "must be a whole number"),
        ('like = "gemini-3-pro-image"', 'like = "nobody"', "is not a model written out"),
        ('like = "gemini-3-pro-image"', 'like = "gemini-3-pro-image"\n1 = {}', "stands alone"),
        ("checked = 2026-11-22", "", "is missing"),
    ],
)
def test_broken_limits_are_refused(old: str, new: str, message: str) -> None:
    """A wrong figure in a limits file is refused with its place and reason."""
    assert old in GOOD_LIMITS
    with pytest.raises(ConfigError, match=message):
        parse_limits(TomlFile("mine.toml", GOOD_LIMITS.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"overloaded", ', '"overloaded", "sleepy", ', "'sleepy' is not one of"),
        ('"overloaded", ', '"internal", ', "both name internal"),
        ('at = "model"', 'at = "planet"', "'planet' is not one of"),
        ("open_for = 30", "open_for = 90", "60 is below 90"),
        ("open_for = 30", 'open_for = "seconds"', "must be a whole number"),
        ("open_for = 30", 'open_for = "a while"', "'a while' is not one of"),
        ("after = 5", "after = 0", "must be above 0"),
        ("retry = 900\n", "", "must say how many seconds"),
        ("gone = true", "gone = 1", "must be true or false"),
    ],
)
def test_broken_circuits_are_refused(old: str, new: str, message: str) -> None:
    """A wrong rule in a circuits file is refused with its place and reason."""
    assert old in GOOD_CIRCUITS
    with pytest.raises(ConfigError, match=message):
        parse_circuits(TomlFile("mine.toml", GOOD_CIRCUITS.replace(old, new, 1)))
