"""The documents: generated parts are fresh, examples run, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("docs/*.md")),
]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """docs/generate.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_fresh(generator: ModuleType) -> None:
    """Every generated table is that of today's data and code; `make docs` writes it anew."""
    assert [path.name for path in generator.stale()] == []


def test_a_stale_part_is_noticed(generator: ModuleType) -> None:
    """A changed line inside the markers is put right; text outside them stays."""
    text = "before\n<!-- generated: exit codes -->\n| 0 | wrong |\n<!-- end -->\nafter\n"
    mended = generator.rewritten(text)
    assert "| 0 | wrong |" not in mended
    assert "| 0 |  | everything asked for was done |" in mended
    assert (mended.startswith("before\n"), mended.endswith("\nafter\n")) == (True, True)


def test_every_part_is_used(generator: ModuleType) -> None:
    """No generator writes for nobody, and no document names an unknown one."""
    used = {name for path in DOCUMENTS for name in re.findall(r"<!-- generated: (.*?) -->", path.read_text())}
    assert used == generator.PARTS.keys()


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_the_examples_of_the_readme_run(
    snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each Python example runs as it stands, on the emulator."""
    monkeypatch.setenv("IMAGE_ROUTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IMAGE_ROUTER_OFFLINE", "1")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_every_room_has_its_line() -> None:
    """docs/architecture.md describes every room there is, and none that is not."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"^\| `(\w+)` \|", text.partition("## Rooms")[2].partition("\n## ")[0], re.MULTILINE)
    )
    there = {
        path.stem
        for path in (ROOT / "src" / "image_router").iterdir()
        if not path.name.startswith(("_", "py."))
    }
    assert named - {"image_router", "gemini_emulator"} == there


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link names a file of the project."""
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
