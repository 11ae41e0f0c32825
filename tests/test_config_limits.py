"""The limits of the gateway as settings."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from image_router.config import Limits, load_settings
from image_router.config.limits import limits
from image_router.core.errors import ConfigError

GUIDE = Path(__file__).parents[1] / "docs/gateway.md"


@pytest.mark.parametrize(
    "raw",
    [
        {"json_body": "64MiB", "in_flight": 20, "head_time": 2.5},
        "json_body=64MiB, in_flight=20 head_time=2.5",
        Limits(json_body=64 << 20, in_flight=20, head_time=2.5),
    ],
)
def test_a_table_and_a_line_say_the_same(raw: object) -> None:
    """Sizes with units, counts and seconds; the rest keeps its default."""
    assert limits(raw) == Limits(json_body=64 << 20, in_flight=20, head_time=2.5)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("in_flihgt=2", "no limit in_flihgt; there are json_body"),
        ("in_flight", "write it like in_flight=200"),
        ("in_flight=0", "in_flight '0' is no whole number above 0"),
        ("json_body=64XB", "json_body '64XB' is no size"),
        ("json_body=0", "json_body '0' is no size"),
        ("drain=inf", "drain 'inf' is no number of seconds"),
        ({"head": True}, "head True is no size"),
        ("bodies=1MB", "bodies 1,000,000 is less than the 134,217,728 bytes that one body may have"),
        (7, "limits are a table"),
    ],
)
def test_what_is_no_limit_is_named(raw: object, said: str) -> None:
    """With what was written and how to write it."""
    with pytest.raises(ValueError, match=said):
        limits(raw)


def test_the_variable_is_read(tmp_path: Path) -> None:
    """And a mistake in it is the operator's to mend."""
    found = load_settings(environ={"IMAGE_ROUTER_LIMITS": "in_flight=7"}, folder=tmp_path, home=tmp_path)
    assert found.limits == Limits(in_flight=7)
    with pytest.raises(ConfigError, match="IMAGE_ROUTER_LIMITS"):
        load_settings(environ={"IMAGE_ROUTER_LIMITS": "x=7"}, folder=tmp_path, home=tmp_path)


def test_every_limit_is_in_the_guide() -> None:
    """Nobody has to read the code to learn what they can set."""
    text = GUIDE.read_text(encoding="utf-8")
    assert [field.name for field in fields(Limits) if f"| `{field.name}` |" not in text] == []
