"""The front door: its names, its types, and how little it costs to open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import image_router

ROOT = Path(__file__).parents[1]
HEAVY = (
    "aiohttp",
    "PIL",
    "orjson",
    "numpy",
    "starlette",
    "uvicorn",
    "google.genai",
    "click",
    "rich",
    "pybase64",
)
NAMES = [
    "MODEL_REGISTRY", "AspectRatio", "BudgetExceeded", "ConfigError", "ContentRefused", "Decision",
    "GeneratedImage", "ImageRequest", "ImageResult", "ImageRouter", "ImageRouterError", "Lane",
    "NoEligibleTier", "ProviderError", "Purpose", "Reference", "RequestError", "Settings", "Size", "Tier",
    "__version__", "character_consistency_chain", "load_settings", "route_image", "route_tier",
]  # fmt: skip


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_names_are_pinned() -> None:
    """These names are promised; one that goes or comes is a decision."""
    assert set(NAMES) == set(image_router.__all__)
    assert image_router.__dir__() == image_router.__all__


def test_the_names_are_sorted() -> None:
    """Constants, classes and functions, each in order, as ruff sorts them."""
    groups = [str.isupper, lambda name: name[0].isupper(), lambda name: True]

    def place(name: str) -> tuple[int, str]:
        return next(i for i, fits in enumerate(groups) if fits(name)), name

    assert list(image_router.__all__) == sorted(image_router.__all__, key=place)


@pytest.mark.parametrize("name", image_router.__all__)
def test_every_name_is_there(name: str) -> None:
    """Each promised name can be had."""
    assert getattr(image_router, name) is not None


def test_a_name_that_is_not_there() -> None:
    """Any other name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'route_everything'"):
        image_router.route_everything  # noqa: B018


def test_importing_costs_next_to_nothing() -> None:
    """`import image_router` loads no SDK, no web framework, no imaging library."""
    code = f"import sys, image_router; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert python(code) == "[]"


@pytest.mark.parametrize("name", ["Tier", "ImageRequest", "route_tier", "load_settings"])
def test_values_cost_little(name: str) -> None:
    """The plain values load none of the heavy libraries either."""
    heavy = [library for library in HEAVY if name != "route_tier" or library not in ("orjson", "pybase64")]
    code = f"import sys; from image_router import {name}; print([m for m in {heavy!r} if m in sys.modules])"
    assert python(code) == "[]"


def test_the_version() -> None:
    """The version is known without anything else."""
    assert image_router.__version__.count(".") == 2


@pytest.mark.tools
def test_the_types_are_pinned() -> None:
    """The public surface has the types that tests/typing/api.py states, strictly."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "tests/typing/api.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == ""
