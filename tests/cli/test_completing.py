"""Tab: values that are no fixed names, offered quickly and without a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import Run

PROGRAM = Path(sys.executable).parent / "image-router"


def offered(line: str) -> list[str]:
    """What bash is offered at the end of a command line."""
    words = line.split(" ")
    environ = os.environ | {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    environ |= {"_IMAGE_ROUTER_COMPLETE": "bash_complete"}
    done = subprocess.run([PROGRAM], env=environ, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [each.removeprefix("plain,") for each in done.stdout.split()]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("image-router generate x --tier imagen", ["imagen_4_ultra", "imagen_4_standard", "imagen_4_fast"]),
        ("image-router generate x --purpose h", ["hero"]),
        ("image-router explain x --profile s", ["solo_founder"]),
        ("image-router cost --mix e", ["ecommerce", "economy"]),
        (
            "image-router explain x --as-of 2026-04-09 --model imagen",
            ["imagen-4.0-fast-generate-001", "imagen-4.0-generate-001", "imagen-4.0-ultra-generate-001"],
        ),
        ("image-router generate x --model imagen", []),
    ],
)
def test_names_are_offered(here: Path, line: str, names: list[str]) -> None:
    """Tiers, purposes, profiles, mixes, and the models that live on the day in question."""
    assert offered(line) == names


def test_scopes_come_from_the_books(run: Run, here: Path) -> None:
    """Scopes that spent or have a budget are offered, of the books that the flags name."""
    run("generate", "a fox", "--scope", "acme/a")
    run("budget", "set", "zoo", "--day", "1")
    assert offered("image-router budget show ") == ["acme/a", "zoo"]
    assert offered("image-router generate x --scope a") == ["acme/a"]
    assert offered("image-router statement --online --scope ") == []


def test_tab_makes_nothing(here: Path) -> None:
    """Where there are no books, or something else in their place, Tab offers nothing and leaves nothing."""
    home = here.parent / "home"
    assert offered("image-router budget show ") == []
    assert not home.exists()
    home.mkdir()
    (home / "offline.db").write_text("no database at all")
    assert offered("image-router budget show ") == []
    assert [path.name for path in home.iterdir()] == ["offline.db"]


def test_broken_settings_offer_nothing(here: Path) -> None:
    """An error message in the middle of a command line would help nobody."""
    (here / "image-router.toml").write_text("profile = ")
    assert offered("image-router generate x --profile ") == []
