"""What every contact sheet begins with: a page that needs no other file."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from image_router.core.palette import css_colours

_STYLE: Final = Path(__file__).parents[1] / "data" / "pages" / "contact_sheet.css"


def head_of(title: str) -> str:
    """A page up to its body: title, colours of the tiers in light and dark, style."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{css_colours()}
{_STYLE.read_text(encoding="utf-8")}
</style>
</head>"""
