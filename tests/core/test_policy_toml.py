"""Policy files: what is read, what is inherited, and how a broken file is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from image_router.core.errors import ConfigError
from image_router.core.policy import Policy
from image_router.core.policy_toml import parse_policy
from image_router.core.toml_table import TomlFile
from image_router.core.types import Adaptation, OnAmbiguous, Purpose, Size, Tier
from image_router.facts import SHIPPED, load_policies

DEFAULT = (SHIPPED / "policies" / "default.toml").read_text()
PARENTS = {"default": TomlFile("default.toml", DEFAULT)}
CHILD = 'extends = "default"\nname = "mine"\nversion = "1"\ndescription = "of my own"\n'


def parse(text: str) -> Policy:
    return parse_policy(TomlFile("mine.toml", text), parents=PARENTS)


def line_of(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


def test_the_shipped_default() -> None:
    """Every field of the shipped default is read from its file."""
    policy = parse(DEFAULT)
    assert [rule.name for rule in policy.rules] == [
        "locked identity", "print final", "hero", "draft", "contextual edit", "economy",
    ]  # fmt: skip
    assert policy.rules[3].when.purposes == {Purpose.DRAFT, Purpose.PREVIEW}
    assert (policy.guard.at_percent, policy.guard.tier) == (90, Tier.NANO_BANANA)
    assert (policy.retry.capacity_tries, policy.retry.failovers) == (3, 1)
    assert policy.deadlines == {Size.S512: 300.0, Size.K1: 300.0, Size.K2: 300.0, Size.K4: 600.0}
    assert policy.on_ambiguous is OnAmbiguous.ONCE
    assert policy.adapt == {Adaptation.FLATTEN_HISTORY}


def test_a_child_adds_its_rules_in_front() -> None:
    """A profile's own rules come first; what it does not say is its parent's."""
    policy = parse(CHILD + '[[rules]]\nname = "all"\ntier = "imagen_4_ultra"\nreason = "r"\n')
    assert [rule.name for rule in policy.rules][:2] == ["all", "locked identity"]
    assert policy.retry == parse(DEFAULT).retry


def test_a_child_replaces_key_by_key() -> None:
    """Tables replace the parent's key by key, the mix as a whole."""
    policy = parse(CHILD + "[guard]\nat_percent = 50\n[deadlines]\n4K = 900\n[mix]\nnano_banana = 100\n")
    assert (policy.guard.at_percent, policy.guard.tier) == (50, Tier.NANO_BANANA)
    assert policy.deadlines[Size.K4] == 900
    assert policy.deadlines[Size.K1] == 300
    assert policy.mix == {Tier.NANO_BANANA: 100}


def test_grandparents() -> None:
    """A profile may extend a profile."""
    parents = {**PARENTS, "mine": TomlFile("mine.toml", CHILD + "[guard]\nat_percent = 50\n")}
    text = 'extends = "mine"\nname = "grand"\nversion = "1"\ndescription = "d"\n'
    assert parse_policy(TomlFile("grand.toml", text), parents=parents).guard.at_percent == 50


def test_circles_are_refused() -> None:
    """Files that extend each other in a circle are refused, not followed."""
    parents = {
        "a": TomlFile("a.toml", CHILD.replace('"default"', '"b"')),
        "b": TomlFile("b.toml", CHILD.replace('"default"', '"a"')),
    }
    with pytest.raises(ConfigError, match=r"b\.toml, line 1: extends: 'a' cannot be .*circles are not"):
        parse_policy(parents["b"], parents=parents)


def swap(old: str, new: str) -> str:
    assert DEFAULT.count(old) == 1, old
    return DEFAULT.replace(old, new)


BROKEN = [
    ("name = ", "mine.toml is not TOML"),
    ("", "name: is missing"),
    (swap('version = "2026-11-22"', "version = 2026-11-22"), "version: must be text in quotes"),
    (swap('on_ambiguous = "once"', 'on_ambiguous = "twice"'), "on_ambiguous: 'twice' is not one of never"),
    (swap('adapt = ["flatten_history"]', 'adapt = "flatten_history"'), "adapt: must be a list"),
    (swap('adapt = ["flatten_history"]', 'adapt = ["shorten"]'), "adapt: 'shorten' is not one of"),
    (swap("dearest_fallback_percent = 250", "dearest_fallback_percent = 0"), "whole number from 1 to 10000"),
    (
        swap("dearest_fallback_percent = 250", "dearest_fallback_percent = 2.5"),
        "whole number from 1 to 10000",
    ),
    (swap("dearest_fallback_percent = 250\n", ""), "dearest_fallback_percent: is missing"),
    (
        swap('when = { purpose = "hero" }', 'when = { purpose = "poster" }'),
        "rules.entry 3.when.purpose: 'poster'",
    ),
    (
        swap('when = { purpose = "hero" }', "when = { references = 1 }"),
        "when.references: must be true or false",
    ),
    (swap('when = { purpose = "hero" }', 'when = { colour = "red" }'), "when.colour: is not a known key"),
    (swap('tier = "imagen_4_standard"\nreason', 'tier = "dalle"\nreason'), "rules.entry 3.tier: 'dalle'"),
    (
        swap('name = "economy"\ntier', 'name = "economy"\nwhen = { references = true }\ntier'),
        "rules: the last rule must have no conditions",
    ),
    (
        swap('reason = "nothing asks for a specialist: the economy default"', ""),
        "rules.entry 6.reason: is missing",
    ),
    (swap('imagen_4_fast = "draft"', 'imagen_4_fast = "poor"'), "quality: 'poor' is not one of draft"),
    (swap('imagen_4_fast = "draft"\n', ""), "quality: imagen_4_fast missing"),
    (
        swap(
            'nano_banana = ["gemini_31_flash_image", "imagen_4_standard", "imagen_4_fast",',
            'nano_banana = ["nano_banana",',
        ),
        "fallbacks: nano_banana falls back to each other tier once",
    ),
    (
        swap(
            'nano_banana = ["gemini_31_flash_image", "imagen_4_standard",',
            'nano_banana = ["imagen_4_standard", "imagen_4_standard",',
        ),
        "fallbacks: nano_banana falls back",
    ),
    (swap("at_percent = 90", "at_percent = 900"), "guard.at_percent: must be a whole number from 1 to 100"),
    (
        swap('locked = "refuse"', 'locked = "shrug"'),
        "guard.locked: 'shrug' is not one of refuse, wait, degrade",
    ),
    (swap("capacity_tries = 3", "capacity_tries = true"), "retry.capacity_tries: must be a whole number"),
    (swap("first_wait = 1.0", "first_wait = -1"), "retry.first_wait: must be seconds"),
    (swap("first_wait = 1.0", "first_wait = nan"), "retry.first_wait: must be seconds"),
    (swap("failovers = 1", "failovers = 1\nhedges = 2"), "retry.hedges: is not a known key"),
    (swap("4K = 600", "8K = 600"), "deadlines: '8K' is not one of"),
    (swap("4K = 600\n", ""), "deadlines: 4K missing"),
    (swap("nano_banana = 65", "nano_banana = 64"), "mix: the shares add up to 99, not 100"),
    (swap("nano_banana = 65", 'nano_banana = "65"'), "mix: must be a whole number from 0 to 100"),
    (DEFAULT + "\n[colours]\nred = 1\n", "colours: is not a known key"),
    (
        CHILD.replace('"default"', '"defualt"'),
        "extends: 'defualt' cannot be extended: it is not one of default",
    ),
    (CHILD.replace('"default"', "3"), "extends: must be text"),
    (CHILD + "rules = 3\n", "rules: must be a list"),
    (CHILD + "[rules]\nname = 'x'\n", "rules: must be a list"),
    (CHILD + 'rules = ["x"]\n', "rules: must be a table"),
    (CHILD + "guard = 90\n", "guard: must be a table"),
    (CHILD + "fallbacks = []\n", "fallbacks: must be a table"),
    (CHILD + '[fallbacks]\nnano_banana = "imagen_4_fast"\n', "fallbacks: must be a list"),
]


@pytest.mark.parametrize(("text", "reason"), BROKEN)
def test_broken_files(text: str, reason: str) -> None:
    """Whatever is wrong with a file, it is refused with the file's name, a line and the reason."""
    with pytest.raises(ConfigError, match=re.escape(reason)) as caught:
        parse(text)
    assert re.match(r"mine\.toml(, line \d+: | is not TOML)", str(caught.value))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("at_percent = 90", "at_percent = 900"),
        ("capacity_tries = 3", "capacity_tries = 33"),
        ('reason = "a hero picture: the general hero specialist"', "reason = 7"),
        ('when = { purpose = "contextual_edit" }', 'when = { purpose = "poster" }'),
    ],
)
def test_the_line_is_the_right_one(old: str, new: str) -> None:
    """The line named is the line that is wrong."""
    text = swap(old, new)
    with pytest.raises(ConfigError, match=rf"line {line_of(text, new)}:"):
        parse(text)


def test_a_users_own_file(tmp_path: Path) -> None:
    """A policy of the home folder or named by path is known by its file, and may extend a shipped one."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "studio.toml").write_text(CHILD)
    single = tmp_path / "single.toml"
    single.write_text(CHILD.replace('"default"', '"studio"'))
    assert {"default", "studio", "single"} <= load_policies(tmp_path, single).keys()


def test_a_missing_file(tmp_path: Path) -> None:
    """A policy file that cannot be read is refused with its path."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
        load_policies(tmp_path, tmp_path / "nowhere.toml")
