"""The rules of the house, each tried on a bad sample and then on the whole source tree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

import house

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))

Rule = Callable[[str], Iterator[str]]

BROAD = "try:\n    work()\nexcept Exception:\n    pass\n"
BROAD_WITH_REASON = (
    "try:\n    work()\nexcept Exception:  # noqa: BLE001 - a sink must never break the caller\n    pass\n"
)

BREACHES: list[tuple[Rule, str]] = [
    (house.long_file, "x = 1\n" * (house.FILE_LINES + 1)),
    (house.long_functions, "def long():\n" + "    x = 1\n" * house.FUNCTION_LINES),
    (house.crowded_signatures, "def f(a, b, c): ..."),
    (house.crowded_signatures, "def f(a, b, *, c, d, e, f, g): ..."),
    (house.crowded_signatures, "def _helper(a, b, c, d, e, f, g): ..."),
    (house.crowded_signatures, "class A:\n    def __init__(self, a, b, c): ..."),
    (house.globals_used, "def f():\n    global x\n    x = 1"),
    (house.broad_excepts, BROAD),
    (house.broad_excepts, BROAD.replace("Exception", "(ValueError, BaseException)")),
    (house.broad_excepts, BROAD.replace(" Exception", "")),
    (house.broad_excepts, BROAD.replace("pass", "raise")),
    (house.unexplained_broad_excepts, BROAD),
    (house.unexplained_broad_excepts, BROAD.replace(":\n    pass", ":  # noqa: BLE001\n    pass")),
]

FINE: list[tuple[Rule, str]] = [
    (house.long_file, "x = 1\n" * house.FILE_LINES),
    (house.long_functions, "def long():\n" + "    x = 1\n" * (house.FUNCTION_LINES - 1)),
    (house.crowded_signatures, "def f(a, b, *, c, d, e, f): ..."),
    (house.crowded_signatures, "def _helper(a, b, c, d, e, f): ..."),
    (house.crowded_signatures, "class A:\n    def __exit__(self, kind, value, trace): ..."),
    (
        house.crowded_signatures,
        "class A(click.ParamType[str]):\n    def convert(self, value, param, ctx): ...",
    ),
    (house.crowded_signatures, "@click.command()\ndef f(a, b, c, d, e, f, g): ..."),
    (house.broad_excepts, "try:\n    work()\nexcept ValueError:\n    pass\n"),
    (house.unexplained_broad_excepts, BROAD_WITH_REASON),
]

EACH_FILE: list[Rule] = [
    house.long_file,
    house.long_functions,
    house.crowded_signatures,
    house.globals_used,
    house.unexplained_broad_excepts,
]

TOOLS = {
    "ruff check": ["ruff", "check"],
    "ruff format": ["ruff", "format", "--check"],
    "mypy --strict": ["mypy"],
    "import contracts": ["lint-imports"],
}


def breaches(rule: Rule, files: list[Path] = SOURCES) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {found}"
        for path in files
        for found in rule(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("rule", "sample"), BREACHES)
def test_rule_finds_a_breach(rule: Rule, sample: str) -> None:
    """Each rule sees the breach it is there for."""
    assert list(rule(sample))


@pytest.mark.parametrize(("rule", "sample"), FINE)
def test_rule_lets_good_code_pass(rule: Rule, sample: str) -> None:
    """Each rule is silent at the ceiling and where it makes an exception."""
    assert not list(rule(sample))


@pytest.mark.parametrize("rule", EACH_FILE)
def test_source_keeps_the_rule(rule: Rule) -> None:
    """Every source file keeps the size rules of docs/architecture.md."""
    assert breaches(rule) == []


def test_broad_excepts_are_few() -> None:
    """Catching everything stays a rare exception."""
    found = breaches(house.broad_excepts)
    assert len(found) <= house.BROAD_EXCEPTS, found


def test_foreign_imports_are_found() -> None:
    """The import rule sees a third-party and a sibling import, and lets the standard library pass."""
    sample = (
        "import json\nfrom image_router.core import money\nimport aiohttp\nfrom image_router.engine import x"
    )
    found = list(house.foreign_imports(sample, package="image_router.core"))
    assert found == ["line 3: import aiohttp", "line 4: import image_router.engine"]


def test_core_stands_on_the_standard_library() -> None:
    """No core module imports anything but core and the standard library."""
    core = sorted((ROOT / "src/image_router/core").rglob("*.py"))
    assert core
    assert breaches(lambda text: house.foreign_imports(text, package="image_router.core"), core) == []


def test_every_import_is_declared() -> None:
    """What the code imports is the standard library, ours, or a dependency in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    declared = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in lines}
    ours = {"image_router", "gemini_emulator"} | sys.stdlib_module_names
    providers = metadata.packages_distributions()
    used = {
        name for path in SOURCES for name in house.imported_packages(path.read_text(encoding="utf-8"))
    } - ours
    names = {name: {each.lower().replace("_", "-") for each in providers.get(name, [name])} for name in used}
    assert {name: dists for name, dists in names.items() if not dists & declared} == {}


@pytest.mark.tools
@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS.keys())
def test_tool_is_content(command: list[str]) -> None:
    """ruff, mypy and the import contracts find nothing to say."""
    tool, *arguments = command
    run = subprocess.run(
        [str(Path(sys.executable).parent / tool), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
