"""Bold and coloured words, for those who want them."""

from __future__ import annotations

import os

import click


def ink(text: str, *, colour: str | None = None, bold: bool = False) -> str:
    """The text styled, or as it is where NO_COLOR is set (https://no-color.org); click strips it in pipes."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=colour, bold=bold or None)
